/** What the live bench's processes tell each other, and the boards they are about. */

/** One board of the bench: clients name their subscription by it. */
export interface LiveBoardName {
  name: string;
  eventType: string;
  k: number;
  /** Every row changes at once, so that a client that reads nothing holds up much. */
  isWide: boolean;
}

const timeRange = "last_hour";

/** Boards of ten rows, and a few of nearly a thousand, all of one event type. */
export function boardsOf(narrow: number, wide: number, wideRows: number): LiveBoardName[] {
  const few = Array.from({ length: narrow }, (_, i) => ({
    name: `narrow ${i}`,
    eventType: `live_${i}`,
    k: 10,
    isWide: false,
  }));
  const many = Array.from({ length: wide }, (_, i) => ({
    name: `wide ${i}`,
    eventType: "live_wide",
    k: wideRows - i,
    isWide: true,
  }));
  return [...few, ...many];
}

/** The parameters of GET /leaderboard, as text. */
export function queryOf({ eventType, k }: LiveBoardName): Record<string, string> {
  return { eventType, k: String(k), timeRange };
}

/** What is due by when: the first board with a mark as high as this one has it in. */
export interface Due {
  board: string;
  /** The board's total, or its sequence number where messages are played back. */
  mark: number;
  /** Milliseconds by the system's monotonic clock. */
  sentAt: number;
  repliedAt: number;
}

/** One message of a recording. */
export interface RecordedMessage {
  board: string;
  /** Milliseconds since the recording began. */
  atMs: number;
  seq: number;
  text: string;
}

export interface LoadOrder {
  url: string;
  clients: number;
  boards: readonly LiveBoardName[];
  /** Clients that also watch the wide boards: these are paused when asked to. */
  slow: number;
  /** By what a version is known: service or playback. */
  mark: "total" | "seq";
  /** Boards that an ordinary client watches. */
  boardsPerClient: number;
}

export type ToLoad =
  | { type: "pause" }
  | { type: "resume" }
  /** Messages of each board are kept from now on, the latest whole board first. */
  | { type: "record" }
  | { type: "recording" }
  | { type: "boards" }
  | { type: "report"; due: readonly Due[] };

export interface LoadReport {
  /** From the reply to the POST until the board with it was made of the message. */
  fromReplyMs: Latency;
  fromSendingMs: Latency;
  messages: number;
  bytes: number;
  cpuSeconds: number;
  diffs: number;
  /** Whole boards that came after the first. */
  wholeAgain: number;
}

export interface Latency {
  count: number;
  p50: number;
  p99: number;
  max: number;
}

export type FromLoad =
  | { type: "ready" }
  | { type: "recording"; messages: RecordedMessage[] }
  /** Every board that any client has, by name: as text, and how many have it. */
  | { type: "boards"; boards: Record<string, Record<string, number>> }
  | { type: "report"; report: LoadReport }
  | { type: "failed"; message: string };

/** The clock that all processes of this machine share, in milliseconds. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

interface AnyBoard {
  total?: number;
  results: readonly unknown[];
}

/** What two boards must have in common to be the same, whenever they were made. */
export function essenceOf(board: AnyBoard): string {
  return JSON.stringify([board.total ?? null, board.results]);
}
