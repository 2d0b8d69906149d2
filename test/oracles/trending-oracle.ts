// What grew beyond chance, from two plain maps of counts: the likelihoods of the two binomial
// models themselves, not the shortened formula. Shares no code with what it judges.

type Counts = ReadonlyMap<string, number>;

export interface TrueTrend {
  eventId: string;
  count: number;
  previousCount: number;
  score: number;
}

/** log of p^n, 1 for n = 0 whatever p. */
function logPower(p: number, n: number): number {
  return n === 0 ? 0 : n * Math.log(p);
}

/** Every item there is now, by score, then id bytes. */
export function trends(now: Counts, before: Counts): TrueTrend[] {
  const sum = (counts: Counts) => [...counts.values()].reduce((all, count) => all + count, 0);
  const shareOfNow = sum(now) / (sum(now) + sum(before));
  const all = [...now].map(([eventId, count]) => {
    const previousCount = before.get(eventId) ?? 0;
    const events = count + previousCount;
    const free = count / events;
    const ratio =
      logPower(free, count) +
      logPower(1 - free, previousCount) -
      logPower(shareOfNow, count) -
      logPower(1 - shareOfNow, previousCount);
    const sign = free < shareOfNow ? -1 : 1;
    return { eventId, count, previousCount, score: sign * Math.sqrt(Math.max(0, 2 * ratio)) };
  });
  return all.sort(
    (a, b) => b.score - a.score || Buffer.compare(Buffer.from(a.eventId), Buffer.from(b.eventId)),
  );
}
