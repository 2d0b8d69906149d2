/** What the page shows, as its address says it and as the service is asked. */
import type { EventType } from "../client/replies.ts";

export interface ViewState {
  eventType: string;
  timeRange: string;
  k: string;
}

const recentMs = 60_000;
const dayMs = 86_400_000;
/** Words that mean a stretch of the calendar: the reader's, not UTC's. */
const calendarWord = /^(?:today|yesterday|this_|previous_)/;

/** What the address asks for; what it doesn't say is missing. */
export function stateOfAddress(search: string): Partial<ViewState> {
  const given = new URLSearchParams(search);
  const state: Partial<ViewState> = {};
  for (const name of ["eventType", "timeRange", "k"] as const) {
    const value = given.get(name);
    if (value !== null && value !== "") state[name] = value;
  }
  return state;
}

export function addressOf({ eventType, timeRange, k }: ViewState): string {
  return `?${new URLSearchParams({ eventType, timeRange, k })}`;
}

/** When a type had its last event, epoch ms; 0 without any. */
export function lastSeenMs({ lastSeen }: EventType): number {
  return lastSeen === null ? 0 : Date.parse(lastSeen);
}

/**
 * The type worth showing first: of those that had an event in the minute before the newest one a
 * live one, else the largest.
 */
export function typeToShow(types: readonly EventType[]): EventType | undefined {
  const newest = Math.max(...types.map(lastSeenMs));
  const weigh = (type: EventType) => (type.name.startsWith("live_") ? Infinity : type.total);
  const recent = types.filter((type) => newest - lastSeenMs(type) < recentMs);
  return recent.sort((a, b) => weigh(b) - weigh(a) || (a.name < b.name ? 1 : -1))[0];
}

/** The last hour where there is something in it, else the shortest common range that has. */
export function rangeToShow(type: EventType | undefined, now: number): string {
  const age = type === undefined ? 0 : now - lastSeenMs(type);
  if (age < dayMs / 24) return "last_hour";
  return age < dayMs ? "last_24_hours" : "all";
}

/** The parameters of GET /leaderboard; calendar words are of the reader's time zone. */
export function queryOf({ eventType, timeRange, k }: ViewState): Record<string, string> {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const hasZone = calendarWord.test(timeRange) && timeZone !== undefined;
  return { eventType, timeRange, k, ...(hasZone && { timeZone }) };
}
