/**
 * Boards that stay up to date, over one WebSocket to GET /live: opens it again when it breaks, and
 * goes on from the last board seen.
 */
import {
  keyProtocolPrefix,
  type LiveBoard,
  type LiveMessage,
  type LiveQuery,
  type LiveRequest,
  liveProtocol,
} from "../model-live.ts";
import { applyDiff } from "./board-diff.ts";
import { type Given, given } from "./transport.ts";

export type LiveState = "connecting" | "open" | "lost" | "closed";

export interface LiveOptions {
  /** `ws://127.0.0.1:8080/live`. */
  url: string;
  /** Default: the global one, which Node has from version 22. */
  WebSocket?: typeof WebSocket;
  /** Says who asks; asked for before each attempt. */
  key?: Given<string | undefined>;
  /**
   * Asked when the service took no connection: why, where it is a refusal that will stay one. A
   * WebSocket doesn't tell.
   */
  refusal?: () => Promise<Readonly<Record<string, unknown>> | null>;
  /** Hears of every change of the connection. */
  onState?: (state: LiveState) => void;
  /** Without a message for so long the connection is given up; one comes every 15 s. */
  silenceMsMax?: number;
}

export interface BoardWatcher<B extends LiveBoard> {
  onBoard(board: B): void;
  /**
   * By a problem document; `ended` when the question is refused, else the service goes on trying.
   * One refused because there was no room (429, 503) is asked again after ten seconds.
   */
  onProblem?(problem: Readonly<Record<string, unknown>>, ended: boolean): void;
}

interface Watch {
  query: LiveQuery;
  watcher: BoardWatcher<LiveBoard>;
  seq: number | null;
  board: LiveBoard | null;
}

const silenceMsMaxDefault = 40_000;
/** A question there was no room for is asked again after so long. */
const noRoomWaitMs = 10_000;
export const noRoomStatuses: readonly unknown[] = [429, 503];
const firstWaitMs = 200;
const waitMsMax = 5000;

export class LiveBoards {
  readonly #options: LiveOptions;
  readonly #watches = new Map<string, Watch>();
  #socket: WebSocket | null = null;
  #state: LiveState = "connecting";
  #attempts = 0;
  #ids = 0;
  /** Keys asked for: only the last one counts. */
  #asked = 0;
  /** The socket in use has been open. */
  #hasOpened = false;
  #retrying: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #askingAgain: ReturnType<typeof setTimeout> | undefined;
  /** Ids of questions there was no room for. */
  readonly #refused = new Set<string>();

  constructor(options: LiveOptions) {
    this.#options = options;
    this.#connect();
  }

  get state(): LiveState {
    return this.#state;
  }

  /** Watches the board of these parameters of GET /leaderboard; the function returned ends it. */
  watch<B extends LiveBoard>(query: LiveQuery, watcher: BoardWatcher<B>): () => void {
    const id = String(++this.#ids);
    const heard = watcher as unknown as BoardWatcher<LiveBoard>;
    const watch: Watch = { query, watcher: heard, seq: null, board: null };
    this.#watches.set(id, watch);
    this.#subscribe(id, watch);
    return () => {
      if (this.#watches.delete(id)) this.#send({ type: "unsubscribe", id });
    };
  }

  /** Tries at once when the connection is lost: when the network or the reader is back, say. */
  retryNow(): void {
    if (this.#state === "lost") this.#connect();
  }

  /** Closes the connection for good. */
  close(): void {
    this.#watches.clear();
    clearTimeout(this.#retrying);
    clearTimeout(this.#silence);
    clearTimeout(this.#askingAgain);
    this.#enter("closed");
    this.#socket?.close();
    this.#socket = null;
  }

  #enter(state: LiveState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#options.onState?.(state);
  }

  #connect(): void {
    clearTimeout(this.#retrying);
    const attempt = ++this.#asked;
    const { key: asked } = this.#options;
    // A page has its socket at once where there is nothing to ask.
    if (typeof asked !== "function") {
      this.#open(asked);
      return;
    }
    const key = (async () => given(asked))();
    const isWanted = () => this.#state !== "closed" && attempt === this.#asked;
    key.then(
      (known) => isWanted() && this.#open(known),
      () => isWanted() && this.#onLost(),
    );
  }

  #open(key: string | undefined): void {
    const Socket = this.#options.WebSocket ?? WebSocket;
    const { url } = this.#options;
    this.#hasOpened = false;
    let socket: WebSocket;
    try {
      socket =
        key === undefined
          ? new Socket(url)
          : new Socket(url, [liveProtocol, `${keyProtocolPrefix}${key}`]);
    } catch {
      // What came as a key is none.
      this.#onLost();
      return;
    }
    this.#socket = socket;
    this.#expectMessage();
    // Only the socket in use is heard: one given up may yet say something.
    const hear = (act: () => void) => () => {
      if (this.#socket === socket) act();
    };
    socket.addEventListener(
      "open",
      hear(() => this.#onOpen()),
    );
    // Some Node 22 say only "error" where nobody took the connection.
    for (const end of ["error", "close"]) {
      socket.addEventListener(
        end,
        hear(() => this.#onLost()),
      );
    }
    socket.addEventListener("message", ({ data }) => {
      if (this.#socket === socket) this.#onMessage(String(data));
    });
  }

  #expectMessage(): void {
    clearTimeout(this.#silence);
    const waitMs = this.#options.silenceMsMax ?? silenceMsMaxDefault;
    this.#silence = setTimeout(() => this.#onLost(), waitMs);
  }

  #onOpen(): void {
    this.#hasOpened = true;
    this.#attempts = 0;
    this.#enter("open");
    for (const [id, watch] of this.#watches) this.#subscribe(id, watch);
  }

  #onLost(): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    clearTimeout(this.#silence);
    this.#enter("lost");
    if (!this.#hasOpened) void this.#askWhy();
    const wait = Math.min(waitMsMax, firstWaitMs * 2 ** this.#attempts++);
    // Half of it by chance, so that after a restart not all come back at once.
    const waitMs = wait / 2 + (Math.random() * wait) / 2;
    this.#retrying = setTimeout(() => this.#connect(), waitMs);
  }

  /** A refusal ends what is watched: the same question would be refused again. */
  async #askWhy(): Promise<void> {
    const problem = await this.#options.refusal?.().catch(() => null);
    if (problem === undefined || problem === null || this.#state !== "lost") return;
    const refused = [...this.#watches.values()];
    this.#watches.clear();
    for (const { watcher } of refused) watcher.onProblem?.(problem, true);
  }

  #send(request: LiveRequest): void {
    if (this.#state === "open") this.#socket?.send(JSON.stringify(request));
  }

  #subscribe(id: string, { query, seq }: Watch): void {
    const request = { type: "subscribe" as const, id, query };
    this.#send(seq === null ? request : { ...request, seq });
  }

  #onMessage(text: string): void {
    this.#expectMessage();
    const message = JSON.parse(text) as LiveMessage;
    if (message.type === "heartbeat") return;
    const { id } = message;
    const watch = this.#watches.get(id ?? "");
    if (watch === undefined) return;
    if (message.type === "error") {
      const { problem, ended } = message;
      if (ended && noRoomStatuses.includes(problem["status"])) this.#askAgain(id!);
      watch.watcher.onProblem?.(problem, ended);
      return;
    }
    const board = this.#boardOf(message, watch);
    if (board === null) {
      watch.seq = null;
      this.#subscribe(id!, watch);
      return;
    }
    watch.seq = message.seq;
    watch.board = board;
    watch.watcher.onBoard(board);
  }

  #askAgain(id: string): void {
    this.#refused.add(id);
    clearTimeout(this.#askingAgain);
    this.#askingAgain = setTimeout(() => {
      for (const each of this.#refused) {
        const watch = this.#watches.get(each);
        if (watch !== undefined) this.#subscribe(each, watch);
      }
      this.#refused.clear();
    }, noRoomWaitMs);
  }

  /** The board now; null when the diff is to one that isn't here. */
  #boardOf(
    message: Extract<LiveMessage, { type: "board" | "diff" }>,
    { seq, board }: Watch,
  ): LiveBoard | null {
    if (message.type === "board") return message.board;
    return board === null || message.since !== seq ? null : applyDiff(board, message.changes);
  }
}
