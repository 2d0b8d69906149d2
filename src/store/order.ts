/** The order of items whose counts are bounded, as reads and certificates both need it. */

/** How items of equal counts are ranked: 1, 1, 3 or 1, 1, 2 or 1, 2, 3. */
export type TieRule = "competition" | "dense" | "ordinal";

/** An upper bound and who has it. */
export interface Contender {
  upper: number;
  eventId: string;
}

/** Byte order of UTF-8 text: that of code points, which UTF-16's differs from above U+FFFF. */
export function compareIds(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** The one that may come first: of the greater upper bound, then of the lesser id. */
export function stronger(known: Contender | null, { upper, eventId }: Contender): Contender {
  const isKnownStronger =
    known !== null &&
    (known.upper > upper || (known.upper === upper && compareIds(known.eventId, eventId) <= 0));
  return isKnownStronger ? known : { upper, eventId };
}
