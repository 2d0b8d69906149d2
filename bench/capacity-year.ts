/** A year's rates by the minute: day and night, weekends, and a noise; from a seed. */
import type { Random } from "../test/support/random.ts";

export const minutesADay = 1440;
const daysAWeek = 7;
const weekend = 0.9;
const noise = 0.02;
/** The least rate of a day beside its greatest. */
const night = 0.03;

/** Of a day in UTC. */
const busiestMinute = 19 * 60;

/** Between `night` and 1. */
function waveAt(minute: number, power: number): number {
  const turn = (2 * Math.PI * (minute - busiestMinute)) / minutesADay;
  const wave = (1 + Math.cos(turn)) / 2;
  return night + (1 - night) * wave ** power;
}

/** The power of a raised cosine whose peak is so many times its mean. */
function powerFor(peakFactor: number): number {
  const factorOf = (power: number) => {
    let sum = 0;
    for (let minute = 0; minute < minutesADay; minute++) {
      sum += waveAt(minute, power);
    }
    return minutesADay / sum;
  };
  let [low, high] = [0, 1e6];
  for (let step = 0; step < 80; step++) {
    const middle = (low + high) / 2;
    if (factorOf(middle) < peakFactor) low = middle;
    else high = middle;
  }
  return low;
}

/** Events a second of every minute; their mean and their greatest are those given. */
export function ratesOf(
  days: number,
  average: number,
  peak: number,
  random: Random,
): Float64Array {
  const rates = new Float64Array(days * minutesADay);
  const power = powerFor(peak / average);
  let sum = 0;
  for (let minute = 0; minute < rates.length; minute++) {
    const day = Math.floor(minute / minutesADay);
    const week = day % daysAWeek >= 5 ? weekend : 1;
    rates[minute] = waveAt(minute, power) * week * (1 + noise * (2 * random.float() - 1));
    sum += rates[minute]!;
  }
  // What the peak cuts off is so little that the mean stays what it is to one in some hundred.
  const scale = (average * rates.length) / sum;
  for (let minute = 0; minute < rates.length; minute++) {
    rates[minute] = Math.min(peak, rates[minute]! * scale);
  }
  return rates;
}
