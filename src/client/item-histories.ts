/** What many items' histories are asked for by, and how they come. */
import type { RegionQuery } from "./regions.ts";
import type { ItemStanding, Items, RangeQuery } from "./replies.ts";

/** The parameters of POST /items/{eventType}/batch. */
export interface ItemsQuery extends RangeQuery, RegionQuery {
  /** Says each item's history too, or that `only`: quicker. At most 100,000 counts. */
  history?: boolean | "only";
  /** Of the histories; default: the finest that makes at most 100 points. */
  step?: "minute" | "hour" | "day" | "week" | "month";
}

/** Step i of the histories is from bounds[i] to bounds[i + 1], exclusive. */
interface HistorySteps {
  step: string;
  bounds: string[];
}

/** Where items stand; `history`, `step` and `bounds` where histories were asked for. */
export interface ItemsWithHistory extends Items, Partial<HistorySteps> {
  items: (ItemStanding & { history?: number[] })[];
}

/** Exact counts of items by step, alone. */
export interface ItemHistories extends Omit<Items, "total" | "items">, HistorySteps {
  items: (Pick<ItemStanding, "eventId" | "count" | "label" | "url" | "imageUrl"> & {
    history: number[];
  })[];
}

/** The reply to a query. */
export type ItemsReply<Query> = Query extends { history: "only" }
  ? ItemHistories
  : ItemsWithHistory;
