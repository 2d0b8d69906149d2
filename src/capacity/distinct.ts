/**
 * How many of `items` items turn up in so many events, the i-th of them drawn in proportion to 1/i
 * (Zipf 1.0): the sum of 1 − e^(−events · p) over all items, where p = 1 / (i · H(items)).
 */

/** Items up to here are added up one by one, the others in steps that grow with their rank. */
const singleItemsMax = 2000;
const stepFactor = 1.01;
const eulerGamma = 0.577_215_664_901_532_9;

/** 1 + 1/2 + … + 1/n; beyond `singleItemsMax` right to ten digits. */
function harmonic(n: number): number {
  if (n > singleItemsMax) return Math.log(n) + eulerGamma + 1 / (2 * n);
  let sum = 0;
  for (let i = n; i >= 1; i--) sum += 1 / i;
  return sum;
}

/** Expected number of distinct items; at most `items` and at most `events`. */
export function distinctItems(events: number, items: number): number {
  const expectedFirst = events / harmonic(items);
  const isSeen = (rank: number) => -Math.expm1(-expectedFirst / rank);
  let sum = 0;
  const single = Math.min(items, singleItemsMax);
  for (let rank = 1; rank <= single; rank++) sum += isSeen(rank);
  // Of ranks (from, to] the mean of both ends' chances, as they fall slowly.
  for (let from = single; from < items; ) {
    const to = Math.min(items, Math.ceil(from * stepFactor));
    sum += ((to - from) * (isSeen(from + 1) + isSeen(to))) / 2;
    from = to;
  }
  return Math.min(sum, events, items);
}
