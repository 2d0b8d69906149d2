/** The words of GET /live, between the service and whoever watches boards. Only types. */

/** The subprotocol of the live socket, which the service answers to those who offer it. */
export const liveProtocol = "rankstream";

/**
 * Offered beside it by pages, which can give a WebSocket no headers: the key follows. The service
 * never answers with it.
 */
export const keyProtocolPrefix = "rankstream.bearer.";

/** A row of a board: its `eventId` and whatever else is said of it. */
export interface LiveRow {
  eventId: string;
}

/** A board as the differences see it: named members, and rows in order. */
export interface LiveBoard {
  results: readonly LiveRow[];
}

/** One row of the new board that is not the old board's row of the same place. */
export interface RowChange {
  /** Its place in the new board, from 0. */
  at: number;
  /** The place of the old row it comes from; -1 for a row that was on no place. */
  was: number;
  /** Members that differ from that old row's; all of them where `was` is -1. */
  set?: Readonly<Record<string, unknown>>;
}

/** How to make the new board of the old one. What isn't named stays as it is. */
export interface BoardChanges {
  /** Members of the board, but for `results`, that are new or have a new value. */
  set?: Readonly<Record<string, unknown>>;
  /** Names of members that are gone. */
  unset?: readonly string[];
  /** How many rows there are now, where that changed. */
  rowCount?: number;
  /** In order of `at`. Rows beyond the old board's end are all named. */
  rows?: readonly RowChange[];
}

/** The parameters of GET /leaderboard; several values where one may be repeated. */
export type LiveQuery = Readonly<Record<string, string | readonly string[]>>;

/** What a client sends. `id` is the client's own name of the subscription, 1..128 characters. */
export type LiveRequest =
  | {
      type: "subscribe";
      id: string;
      query: LiveQuery;
      /** Of the last board or diff seen, to go on from there. */
      seq?: number;
    }
  | { type: "unsubscribe"; id: string };

/** What the service sends. Sequence numbers rise, not always by one. */
export type LiveMessage<B extends LiveBoard = LiveBoard> =
  | { type: "board"; id: string; seq: number; board: B }
  | {
      type: "diff";
      id: string;
      seq: number;
      /** The sequence number of the board that `changes` are to: the last one sent. */
      since: number;
      changes: BoardChanges;
    }
  | {
      type: "error";
      /** Null where the message said no usable id. */
      id: string | null;
      /** As the body of an HTTP error (RFC 9457). */
      problem: Readonly<Record<string, unknown>>;
      /** Whether there is no subscription of this id now; else the service goes on trying. */
      ended: boolean;
    }
  /** Nothing new, but the connection is alive. */
  | { type: "heartbeat" };
