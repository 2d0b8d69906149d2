/** Every kind of question, by name: what passes a question on needs to know no more of it. */
import type { AskControl } from "./ask.ts";
import type { BoardRequest } from "./board.ts";
import type { ItemRequest, ItemsRequest } from "./items.ts";
import type { SeriesRequest } from "./series.ts";
import type { TrendingRequest } from "./trending.ts";

/** Checked requests: plain data, all that an answer depends on beside the events. */
export interface Questions {
  leaderboard: BoardRequest;
  trending: TrendingRequest;
  series: SeriesRequest;
  item: ItemRequest;
  items: ItemsRequest;
}

export type QuestionKind = keyof Questions;

/** Answers each kind; throws RankstreamError. */
export type Asker = {
  [Kind in QuestionKind]: (request: Questions[Kind], control?: AskControl) => Promise<object>;
};

/** The names of the event types that an answer speaks of. */
export function eventTypesOf(request: Questions[QuestionKind]): readonly string[] {
  return "eventTypes" in request ? request.eventTypes : [request.eventType];
}
