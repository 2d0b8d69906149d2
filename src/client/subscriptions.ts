/** Live boards by question: all of a client's over one socket, which is there while any is. */
import { type BoardWatcher, LiveBoards, type LiveState, noRoomStatuses } from "./live.ts";
import type { Leaderboard, LeaderboardQuery } from "./replies.ts";
import { ProblemError, parametersOf, UnreachableError } from "./requests.ts";
import type { Given } from "./transport.ts";

export interface BoardHandlers {
  /** The board now, and again at every change of it. */
  onBoard(board: Leaderboard): void;
  /**
   * What keeps the board from being answered; `isEnded`: the question is refused and the
   * subscription over, else the service goes on trying.
   */
  onProblem?(error: ProblemError | UnreachableError, isEnded: boolean): void;
  /** The connection, which all of a client's boards share. */
  onState?(state: LiveState): void;
}

export interface Subscription {
  /** Nothing is heard after this. */
  close(): void;
}

type SocketClass = typeof WebSocket;

/** Not named where it is imported, so that no bundler takes it along: pages never come here. */
const nodePackage = "undici";

async function findSocket(given: SocketClass | undefined): Promise<SocketClass> {
  const own = given ?? globalThis.WebSocket;
  if (own !== undefined) return own;
  try {
    const found = (await import(/* @vite-ignore */ nodePackage)) as { WebSocket: SocketClass };
    return found.WebSocket;
  } catch (cause) {
    const detail = "there is no WebSocket here: give one as the client's option WebSocket";
    throw new UnreachableError(detail, { cause });
  }
}

/** A parameter of several values is a list, any other its text. */
function liveQuery(query: LeaderboardQuery): Record<string, string | string[]> {
  const parameters = parametersOf(query);
  const names = [...new Set(parameters.keys())];
  return Object.fromEntries(
    names.map((name) => {
      const values = parameters.getAll(name);
      return [name, values.length > 1 ? values : (values[0] as string)];
    }),
  );
}

export interface SubscriptionsOptions {
  /** The service's, with http or https. */
  url: string;
  WebSocket?: SocketClass | undefined;
  /** Says who asks. */
  key?: Given<string | undefined>;
  /** Why the service takes no connection, where that will not change by itself. */
  refusal: () => Promise<Readonly<Record<string, unknown>> | null>;
}

export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  /** Each with a key of its own: the same handlers may hear of several boards. */
  readonly #open = new Map<symbol, BoardHandlers>();
  #live: LiveBoards | null = null;

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
  }

  /** Hears of the board until it is closed, however often the connection breaks. */
  subscribe(query: LeaderboardQuery, handlers: BoardHandlers): Subscription {
    const key = Symbol();
    this.#open.set(key, handlers);
    let stop: () => void = () => undefined;
    const end = () => {
      stop();
      this.#open.delete(key);
      if (this.#open.size === 0) this.close();
    };
    const watcher: BoardWatcher<Leaderboard> = {
      onBoard: (board) => handlers.onBoard(board),
      onProblem: (problem, isRefused) => {
        // Where there was no room the question is asked again.
        const isEnded = isRefused && !noRoomStatuses.includes(problem["status"]);
        if (isEnded) end();
        handlers.onProblem?.(new ProblemError(Number(problem["status"]), problem), isEnded);
      },
    };
    const begin = (live: LiveBoards) => {
      stop = live.watch(liveQuery(query), watcher);
      handlers.onState?.(live.state);
    };
    if (this.#live !== null) begin(this.#live);
    else {
      void this.#connect().then(
        (live) => {
          if (live !== null && this.#open.has(key)) begin(live);
        },
        (error: UnreachableError) => {
          this.#open.delete(key);
          handlers.onProblem?.(error, true);
        },
      );
    }
    return { close: end };
  }

  /** Ends all of them. */
  close(): void {
    this.#open.clear();
    this.#live?.close();
    this.#live = null;
  }

  /** Null where all were closed meanwhile. */
  async #connect(): Promise<LiveBoards | null> {
    const { url, WebSocket: own, key, refusal } = this.#options;
    const found = await findSocket(own);
    if (this.#open.size === 0) return null;
    this.#live ??= new LiveBoards({
      url: `${url.replace(/^http/, "ws")}/live`,
      WebSocket: found,
      ...(key !== undefined && { key }),
      refusal,
      onState: (state) => {
        for (const handlers of [...this.#open.values()]) handlers.onState?.(state);
      },
    });
    return this.#live;
  }
}
