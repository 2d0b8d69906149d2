/** What several processes know of a caller's use. */

/** What was used since the last time it was told. */
export interface Used {
  requests: number;
  events: number;
  dayEvents: number;
}

/** What all have used, as of now. */
export interface Shared extends Used {
  day: number;
}

/** The rates that levels run off at; 0 where there is no bound. */
export interface Running {
  requestsPerSecond: number;
  eventsPerSecond: number;
}

export interface Share {
  /** Adds what was used here, and returns what all have. Rejects where nobody answers. */
  add(subject: string, used: Used, running: Running): Promise<Shared>;
  close(): Promise<void>;
}
