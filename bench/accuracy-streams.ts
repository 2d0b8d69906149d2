/** Streams of item numbers on which summaries of the heaviest items are judged; from a seed. */
import { Random, ZipfSampler } from "../test/support/random.ts";

export interface ItemStream {
  name: string;
  /** Item of each event, in order. */
  items: Uint32Array;
}

type Maker = (random: Random, n: number, ids: number) => (i: number) => number;

function zipf(exponent: number): Maker {
  return (random, _n, ids) => {
    const sampler = new ZipfSampler(ids, exponent);
    return () => sampler.draw(random);
  };
}

/** What is popular moves on through the ids. */
const drift: Maker = (random, n, ids) => {
  const sampler = new ZipfSampler(Math.ceil(ids / 5), 1);
  return (i) => sampler.draw(random) + Math.floor((i / n) * ids * 0.8);
};

/** One item after the other has two of five events, for 40 to 20,000 of them, and is gone. */
const bursts: Maker = (random, n, ids) => {
  const sampler = new ZipfSampler(ids, 1);
  let [item, until] = [0, 0];
  return (i) => {
    if (i >= until) {
      item = random.int(0, ids - 1);
      until = i + Math.ceil(Math.min(40 * 500 ** random.float(), n / 20));
    }
    return random.chance(0.4) ? item : sampler.draw(random);
  };
};

/** Every item once, so that every summary is full, and then the heavy ones. */
const distinctFirst: Maker = (random, n, ids) => {
  const half = Math.min(ids, Math.floor(n / 2));
  const order = random.shuffle(Array.from({ length: ids }, (_, id) => id));
  const sampler = new ZipfSampler(Math.min(5000, half), 1);
  return (i) => order[i < half ? i : sampler.draw(random)]!;
};

/** A flat stream; in its last quarter items that were never seen before. */
const heavyLate: Maker = (random, n, ids) => {
  const late = Math.min(2000, Math.floor(ids / 4));
  const flat = new ZipfSampler(ids - late, 0.5);
  const heavy = new ZipfSampler(late, 0.5);
  return (i) => (i < n * 0.75 ? flat.draw(random) : ids - late + heavy.draw(random));
};

/** Two thousand items in turn, a new one between each two. */
const roundRobin: Maker = (_random, _n, ids) => {
  const heavy = Math.min(2000, Math.floor(ids / 4));
  return (i) => (i % 2 === 0 ? (i / 2) % heavy : heavy + (((i - 1) / 2) % (ids - heavy)));
};

const makers: Readonly<Record<string, Maker>> = {
  "Zipf 0.5": zipf(0.5),
  "Zipf 0.7": zipf(0.7),
  "Zipf 1.0": zipf(1),
  "Zipf 1.25": zipf(1.25),
  "Zipf 1.5": zipf(1.5),
  drift,
  bursts,
  "all distinct first": distinctFirst,
  "heavy late": heavyLate,
  "round-robin": roundRobin,
};

export const streamNames = Object.keys(makers);

/** `n` events over at most `ids` items. */
export function makeStream(name: string, seed: number, n: number, ids: number): ItemStream {
  const make = makers[name];
  if (make === undefined) {
    throw new Error(`there is no stream ${name}: expected ${streamNames.join(", ")}`);
  }
  const next = make(new Random(seed).fork(streamNames.indexOf(name)), n, ids);
  return { name, items: Uint32Array.from({ length: n }, (_, i) => next(i)) };
}
