/** What is asked of the store about single items and about series, and what it answers. */

/** An asked-for item in the ranking of a range. */
export interface RankedItem {
  eventId: string;
  lower: number;
  upper: number;
  /** Best guess within the bounds. */
  count: number;
  /** Competition ranks: 1 + the number of items with a greater count; null without an event. */
  rank: number | null;
  rankLower: number | null;
  rankUpper: number | null;
}

export interface ItemsQuery {
  /** Items are summed over these by id. */
  eventTypes: string[];
  eventIds: string[];
  /** Epoch ms; `to` is exclusive. */
  from: number;
  to: number;
  /** Of the histories' bins, as in SeriesQuery; fewer than two: no histories. */
  bounds: number[];
  budgetMs: number;
}

export interface ItemsAnswer {
  /** In the order asked. */
  items: RankedItem[];
  /** Exact counts by bin of each of them; null without bins. */
  histories: number[][] | null;
  total: { lower: number; upper: number };
}

export interface ItemQuery extends Omit<ItemsQuery, "eventIds"> {
  eventId: string;
  /** Items before it and after it in the ranking, each. */
  neighbours: number;
  /** Whether to say the item's rank in each bin. */
  hasRanks: boolean;
}

/** Bounds of a competition rank; equal where it is known. */
export interface RankBounds {
  lower: number;
  upper: number;
}

export interface Neighbour {
  eventId: string;
  count: number;
  rank: number;
}

export interface ItemAnswer extends Omit<ItemsAnswer, "items" | "histories"> {
  item: RankedItem;
  /** In order of the ranking, the last one right before the item; empty where it has no event. */
  above: Neighbour[];
  below: Neighbour[];
  history: BinCounts;
  /** Its rank by bin, where that was asked for; null where it has no event. */
  ranks: (RankBounds | null)[] | null;
  /** Of all the item's events that are kept, epoch ms; null where there are none. */
  seen: { first: number; last: number } | null;
}

/** Counts in consecutive stretches of time. */
export interface SeriesQuery {
  /** Counted together. */
  eventTypes: string[];
  /** Epoch ms, ascending, at least two: bin i is from bounds[i] to bounds[i + 1], exclusive. */
  bounds: number[];
  /** Distinct ids, each counted by itself; null counts all items together. */
  eventIds: string[] | null;
  /** Whether items off the lists are read too; all items together are always exact. */
  isExact: boolean;
  /** Whether to say which minute was the busiest; only of all items together. */
  hasBusiest: boolean;
  /** Whether to count distinct items: dear, where a bin isn't one window. */
  hasDistinct: boolean;
  /** Raw events read for parts of minutes at most, unless exact; beyond, these are bounded. */
  edgeRowsMax: number;
  budgetMs: number;
}

/** Bounds of a count, by bin. */
export interface BinCounts {
  lower: number[];
  upper: number[];
}

/** The busiest minute of each bin; of equal ones the first. */
export interface BusiestMinutes {
  /** Events in it; null where not every minute of the bin is known by itself. */
  counts: (number | null)[];
  /** Start of the minute, or the bin's where that is later, epoch ms; null where nothing was. */
  times: (number | null)[];
}

export interface SeriesAnswer {
  /** One for each id asked for, or one for all items together. */
  counts: BinCounts[];
  busiest: BusiestMinutes | null;
  distinct: { byBin: number[]; all: number } | null;
  /** Rows that the exact answer of the same question would read, about. */
  exactRows: number;
}
