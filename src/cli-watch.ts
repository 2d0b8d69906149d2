/** `rankstream top --watch`: a board that is drawn anew as it changes. */
import { type BoardStyle, boardText } from "./cli-board.ts";
import { type CliIo, exitCodes, type Terminal } from "./cli-io.ts";
import { painter } from "./cli-paint.ts";
import { asFailure, type Stopping, stopping } from "./cli-service.ts";
import type { Leaderboard, LeaderboardQuery, RankstreamClient } from "./client/client.ts";

/** Another screen, no cursor, no wrapping of long lines; and all of it back. */
const enterScreen = "\u001b[?1049h\u001b[?25l\u001b[?7l";
const leaveScreen = "\u001b[?7h\u001b[?25h\u001b[?1049l";

/** A change of place is marked so long, and up to twice that. */
const markMs = 5000;

export interface WatchOptions {
  isJson: boolean;
  hasColor: boolean;
}

/** How each row's place differs from what it was on the board before: `▲2`, `▼1`, `new`. */
export function rankMarks(
  before: Leaderboard | null,
  { results }: Leaderboard,
): ReadonlyMap<string, string> {
  const marks = new Map<string, string>();
  if (before === null) return marks;
  const ranks = new Map(before.results.map(({ eventId, rank }) => [eventId, rank]));
  for (const { eventId, rank } of results) {
    const was = ranks.get(eventId);
    if (was === undefined) marks.set(eventId, "new");
    else if (was > rank) marks.set(eventId, `▲${was - rank}`);
    else if (was < rank) marks.set(eventId, `▼${rank - was}`);
  }
  return marks;
}

/** Draws over what is there, so that nothing flickers; what doesn't fit is left out. */
export function frameText(lines: readonly string[], rows: number): string {
  const shown = lines.slice(0, rows).map((line) => `${line}\u001b[K`);
  return `\u001b[H${shown.join("\n")}\u001b[J`;
}

class Screen {
  readonly #io: CliIo;
  readonly #terminal: Terminal;
  readonly #hasColor: boolean;
  #board: Leaderboard | null = null;
  #marks: ReadonlyMap<string, string> = new Map();
  /** What places are compared with: a board of some seconds ago. */
  #base: { board: Leaderboard; since: number } | null = null;
  #state = "connecting";
  #problem: string | null = null;

  constructor(io: CliIo, terminal: Terminal, hasColor: boolean) {
    this.#io = io;
    this.#terminal = terminal;
    this.#hasColor = hasColor;
    io.writeOut(enterScreen);
    terminal.onResize(() => this.#draw());
    this.#draw();
  }

  onBoard(board: Leaderboard): void {
    const now = performance.now();
    const before = this.#board;
    const isDue = this.#base === null || now - this.#base.since > markMs;
    // The first to come may be empty, before what is known is read: nothing in it is news.
    if (before !== null && before.results.length > 0 && isDue)
      this.#base = { board: before, since: now };
    this.#marks = rankMarks(this.#base?.board ?? null, board);
    this.#board = board;
    this.#problem = null;
    this.#draw();
  }

  onState(state: string): void {
    this.#state = state;
    this.#draw();
  }

  onProblem(message: string): void {
    this.#problem = message;
    this.#draw();
  }

  /** Back to the screen that was there, with the last board on it. */
  close(): void {
    this.#io.writeOut(leaveScreen);
    if (this.#board !== null) this.#io.writeOut(boardText(this.#board, this.#style()));
  }

  #style(marks?: ReadonlyMap<string, string>): BoardStyle {
    const style = { hasColor: this.#hasColor, columnsMax: this.#terminal.columns };
    return marks === undefined ? style : { ...style, marks };
  }

  #draw(): void {
    const paint = painter(this.#hasColor);
    const state =
      this.#state === "open" ? paint("green", "live") : paint("yellow", `${this.#state}, trying`);
    const problem = this.#problem === null ? "" : `; ${paint("red", this.#problem)}`;
    const foot = `${state}${problem}; Ctrl-C ends`;
    const { rows } = this.#terminal;
    const text = this.#board === null ? "" : boardText(this.#board, this.#style(this.#marks));
    const lines = text.split("\n").slice(0, Math.max(0, rows - 1));
    if (lines.at(-1) === "") lines.pop();
    this.#io.writeOut(frameText([...lines, foot], rows));
  }
}

/** What is heard of a board. */
type Listener = Pick<Screen, "onBoard" | "onState" | "onProblem" | "close">;

/** Not on a terminal: each board as it comes, one after another. */
function printer(io: CliIo, { isJson, hasColor }: WatchOptions): Listener {
  return {
    onBoard: (board) => {
      const text = () => `${boardText(board, { hasColor, columnsMax: null })}\n`;
      io.writeOut(isJson ? `${JSON.stringify(board)}\n` : text());
    },
    onState: (state) => {
      if (state === "lost") io.writeError("the connection is lost; trying again\n");
    },
    onProblem: (message) => io.writeError(`${message}\n`),
    close: () => undefined,
  };
}

function watchUntil(
  client: RankstreamClient,
  query: LeaderboardQuery,
  listener: Listener,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const subscription = client.subscribe(query, {
      onBoard: (board) => listener.onBoard(board),
      onState: (state) => listener.onState(state),
      onProblem: (error, isEnded) => {
        if (isEnded) reject(error);
        else listener.onProblem(error.message);
      },
    });
    signal.addEventListener("abort", () => {
      subscription.close();
      resolve();
    });
  });
}

/**
 * Watches until SIGINT or SIGTERM; resolves with the exit code, 0. Throws CommandFailure where
 * no service answers at first, or the question is refused.
 */
export async function runWatch(
  client: RankstreamClient,
  query: LeaderboardQuery,
  io: CliIo,
  options: WatchOptions,
): Promise<number> {
  const stop: Stopping = stopping(io);
  // Whoever reads stdout may go: then it is done.
  const gone = new AbortController();
  io.output.once("error", () => gone.abort());
  const signal = AbortSignal.any([stop.signal, gone.signal]);
  try {
    await client.health(signal);
  } catch (error) {
    if (signal.aborted) return exitCodes.done;
    throw asFailure(error);
  }
  const isScreen = io.terminal?.isOut === true && !options.isJson;
  const listener = isScreen
    ? new Screen(io, io.terminal!, options.hasColor)
    : printer(io, options);
  try {
    await watchUntil(client, query, listener, signal);
    return exitCodes.done;
  } catch (error) {
    throw asFailure(error);
  } finally {
    listener.close();
  }
}
