/** What is asked of the store about deleting, and what it answers. */

/** The events that a delete takes. */
export interface EventScope {
  eventType: string;
  /** Null: all items. */
  eventId: string | null;
  /** Epoch ms, `to` exclusive; 0 and `foreverMs` for all times. */
  from: number;
  to: number;
}

export interface DeleteQuery extends EventScope {
  /** Only says what would go. */
  isDryRun: boolean;
}

/** What a delete took, or would take. */
export interface DeleteAnswer {
  events: number;
  /** Sum of the events' weights: what counts lose. */
  count: number;
  items: number;
  /** Windows that hold some of it, or overlap it where that is all items. */
  windows: number;
  /** Files that hold some of the events. */
  files: number;
  /** Epoch ms of the first and last event; null when there is none. */
  firstSeen: number | null;
  lastSeen: number | null;
}

export const nothingDeleted: DeleteAnswer = Object.freeze({
  events: 0,
  count: 0,
  items: 0,
  windows: 0,
  files: 0,
  firstSeen: null,
  lastSeen: null,
});
