/** What the page shows, as its address says it and as the service is asked. Texts are as given. */
import type { EventType } from "../client/replies.ts";

export type Page = "board" | "trending";
export type Theme = "auto" | "light" | "dark";

/** One value of a parameter that says which events or items count: `filter.country`, `userId`. */
export interface Filter {
  name: string;
  value: string;
}

/** Members are "" where the address says nothing. */
export interface View {
  /** Several are summed. */
  eventTypes: readonly string[];
  /** "" where `from` and `to` say the range, too. */
  timeRange: string;
  from: string;
  to: string;
  /** "": the reader's. */
  timeZone: string;
  k: string;
  mode: string;
  by: string;
  filters: readonly Filter[];
  isCompared: boolean;
  page: Page;
  /** The eventId of the item whose panel is open. */
  item: string;
  isEmbedded: boolean;
  theme: Theme;
}

/** A view with nothing left open: `eventTypes` isn't empty, there is a range and a `k`. */
export interface ShownView extends View {
  readonly isChosen: true;
}

/** Parameters of a board, by name; several values where one may be repeated. */
export type Query = Record<string, string | string[]>;

export const kDefault = "10";
const recentMs = 60_000;
const dayMs = 86_400_000;
/** Words that mean a stretch of the calendar: the reader's, not UTC's. */
const calendarWord = /^(?:today|yesterday|this_|previous_)/;
const filterNames = /^(?:filter\.|filterNot\.|(?:userId|sessionId|include|exclude|prefix)$)/;

export function isCalendarWord(timeRange: string): boolean {
  return calendarWord.test(timeRange);
}

/** What the address asks for. */
export function viewOfAddress(search: string): View {
  const given = new URLSearchParams(search);
  const text = (name: string) => given.get(name) ?? "";
  const names = given.getAll("eventType").flatMap((names) => names.split(","));
  const theme = text("theme");
  const hasEnds = text("from") !== "" && text("to") !== "";
  return {
    eventTypes: [...new Set(names)].filter((name) => name !== ""),
    timeRange: hasEnds ? "" : text("timeRange"),
    from: hasEnds ? text("from") : "",
    to: hasEnds ? text("to") : "",
    timeZone: text("timeZone"),
    k: text("k"),
    mode: text("mode"),
    by: text("by"),
    filters: [...given]
      .filter(([name, value]) => filterNames.test(name) && value !== "")
      .map(([name, value]) => ({ name, value })),
    isCompared: text("compare") === "previous",
    page: text("view") === "trending" ? "trending" : "board",
    item: text("item"),
    isEmbedded: text("embed") === "1",
    theme: theme === "light" || theme === "dark" ? theme : "auto",
  };
}

type Pair = [name: string, value: string];

function boardPairs(view: View): Pair[] {
  const { timeRange, from, to, timeZone, k, mode, by } = view;
  const pairs: Pair[] = view.eventTypes.map((name) => ["eventType", name]);
  const others = { timeRange, from, to, timeZone, k, mode, by };
  for (const [name, value] of Object.entries(others)) if (value !== "") pairs.push([name, value]);
  if (view.isCompared) pairs.push(["compare", "previous"]);
  for (const { name, value } of view.filters) pairs.push([name, value]);
  return pairs;
}

/** The query part of the address that holds the whole view; begins with `?`. */
export function addressOf(view: View): string {
  const pairs = boardPairs(view);
  if (view.page !== "board") pairs.push(["view", view.page]);
  if (view.item !== "") pairs.push(["item", view.item]);
  if (view.isEmbedded) pairs.push(["embed", "1"]);
  if (view.theme !== "auto") pairs.push(["theme", view.theme]);
  return `?${new URLSearchParams(pairs)}`;
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
export function rangeToShow(types: readonly EventType[], now: number): string {
  const age = types.length === 0 ? 0 : now - Math.max(...types.map(lastSeenMs));
  if (age < dayMs / 24) return "last_hour";
  return age < dayMs ? "last_24_hours" : "all";
}

/** The reader's own IANA zone. */
export function ownTimeZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";
}

/**
 * What to show: as asked, and where nothing is asked what is worth seeing; null while there is
 * nothing. Once shown a choice stays: a board must not change its range by itself.
 */
export function viewToShow(
  asked: View,
  types: readonly EventType[],
  shown: ShownView | null,
  now: number,
): ShownView | null {
  let { eventTypes } = asked;
  if (eventTypes.length === 0) eventTypes = shown?.eventTypes ?? [];
  if (eventTypes.length === 0) eventTypes = [typeToShow(types)?.name ?? ""];
  if (eventTypes[0] === "") return null;
  let { timeRange, timeZone } = asked;
  if (timeRange === "" && asked.from === "") {
    const isSame = shown !== null && shown.eventTypes.join() === eventTypes.join();
    const known = types.filter(({ name }) => eventTypes.includes(name));
    timeRange = (isSame ? shown.timeRange : "") || rangeToShow(known, now);
  }
  if (timeZone === "" && isCalendarWord(timeRange)) timeZone = ownTimeZone();
  return { ...asked, eventTypes, timeRange, timeZone, k: asked.k || kDefault, isChosen: true };
}

/** The types in words: `a + b`, or how many where they are many. */
export function typesText(eventTypes: readonly string[]): string {
  const [first, second] = eventTypes;
  if (eventTypes.length <= 2) return [first, second].filter((name) => name).join(" + ");
  return `${first} + ${eventTypes.length - 1} more`;
}

/** The zone that times are shown in. */
export function zoneOf({ timeZone }: View): string {
  return timeZone === "" ? ownTimeZone() : timeZone;
}

/** The range's parameters alone: for questions about an item, a series or what is trending. */
export function rangeQueryOf({ timeRange, from, to, timeZone }: View): Record<string, string> {
  const pairs = Object.entries({ timeRange, from, to, timeZone });
  return Object.fromEntries(pairs.filter(([, value]) => value !== ""));
}

/** The parameters of GET /leaderboard. */
export function queryOf(view: View): Query {
  const query: Query = {};
  for (const [name, value] of boardPairs(view)) {
    const before = query[name];
    query[name] = before === undefined ? value : [before, value].flat();
  }
  return query;
}

/** The same, as the query part of an address, which begins with `?`. */
export function questionOf(view: View): string {
  return `?${new URLSearchParams(boardPairs(view))}`;
}
