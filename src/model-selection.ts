/**
 * Which events and items a board is of, beside its types and its range. Plain data in one
 * canonical form: what wasn't asked for is absent, lists are sorted and without repetitions, so
 * equal questions are equal as text.
 */

/** One test on a metadata key's value. */
export interface MetadataTest {
  key: string;
  /** At least one; the value must be any of them, or none of them with `isNot`. */
  values: string[];
  /** Then events without the key pass too. */
  isNot: boolean;
}

/** Every part that is there must hold. */
export interface Selection {
  /** Counts each item's distinct users, not events; those without a user count nothing. */
  by?: "users";
  metadata?: MetadataTest[];
  /** Any of these. */
  userIds?: string[];
  sessionIds?: string[];
  /** Only these items. */
  include?: string[];
  /** All items but these. */
  exclude?: string[];
  /** Only items whose id begins so. */
  prefix?: string;
}

/** Values of one parameter, and metadata tests, at most. */
export const selectionValuesMax = 1000;

/** Whether only the raw events can tell: the counts kept know neither users nor metadata. */
export function needsRawEvents({ by, metadata, userIds, sessionIds }: Selection): boolean {
  return [by, metadata, userIds, sessionIds].some((part) => part !== undefined);
}
