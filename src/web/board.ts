/** The live board page. The address holds what it shows; the service pushes what changes. */
import { LiveBoards, type LiveState } from "../client/live.ts";
import type { EventType, Leaderboard } from "../client/replies.ts";
import { Rows } from "./rows.ts";
import {
  addressOf,
  lastSeenMs,
  queryOf,
  rangeToShow,
  stateOfAddress,
  typeToShow,
  type ViewState,
} from "./view-state.ts";
import { boundsText, certaintyOf, countText, rangeWords, timeRanges, timeText } from "./words.ts";

const rowChoices = ["5", "10", "20", "50", "100"];
/** Types listed to choose from: the newest ones. */
const typesMax = 500;
/** They are asked for again after this, then after twice as long, up to the longest wait. */
const typesWaitMsMin = 1000;
const typesWaitMsMax = 15_000;
const stateWords: Record<LiveState, string> = {
  connecting: "Connecting",
  open: "Live",
  lost: "Connection lost, trying again",
  closed: "Closed",
};

function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element as T;
}

function write(id: string, text: string): void {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

/** Fills a list of choices, with the chosen one among them whatever it is. */
function offer(
  select: HTMLSelectElement,
  choices: readonly (readonly [string, string])[],
  chosen: string,
): void {
  const isListed = choices.some(([value]) => value === chosen);
  const all = isListed ? choices : [[chosen, chosen] as const, ...choices];
  const isSame =
    select.options.length === all.length &&
    all.every(([value], i) => select.options[i]?.value === value);
  if (!isSame) select.replaceChildren(...all.map(([value, words]) => new Option(words, value)));
  select.value = chosen;
}

class BoardPage {
  readonly #live: LiveBoards;
  readonly #rows = new Rows(byId<HTMLTableSectionElement>("rows"));
  readonly #type = byId<HTMLSelectElement>("event-type");
  readonly #range = byId<HTMLSelectElement>("time-range");
  readonly #k = byId<HTMLSelectElement>("k");
  #types: EventType[] = [];
  #asked: Partial<ViewState> = stateOfAddress(location.search);
  #shown: ViewState | null = null;
  #stop: () => void = () => undefined;
  /** Of what is asked for now. */
  #hasBoard = false;
  #typesWaitMs = typesWaitMsMin;
  #refreshing: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    const url = new URL("/live", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    this.#live = new LiveBoards({ url: url.href, onState: (state) => this.#onState(state) });
    byId("controls").addEventListener("change", () => this.#onChoice());
    byId("controls").addEventListener("submit", (event) => event.preventDefault());
    byId("show-all").addEventListener("click", () => {
      this.#range.value = "all";
      this.#onChoice();
    });
    this.#offerCurl();
    addEventListener("popstate", () => {
      this.#asked = stateOfAddress(location.search);
      this.#show();
    });
    addEventListener("online", () => this.#live.retryNow());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.#live.retryNow();
    });
    this.#show();
    this.#refreshTypes();
  }

  #offerCurl(): void {
    const event = JSON.stringify({ eventId: "song_123", eventType: "song_play" });
    const header = "-H content-type:application/json";
    const command = `curl -d '${event}' ${header} ${location.origin}/events`;
    write("curl", command);
    byId("copy").addEventListener("click", async () => {
      await navigator.clipboard.writeText(command);
      write("copy", "Copied");
    });
  }

  #onState(state: LiveState): void {
    byId("state").dataset["state"] = state;
    write("state", stateWords[state]);
    document.body.classList.toggle("is-behind", state === "lost");
    if (state !== "open") return;
    this.#typesWaitMs = typesWaitMsMin;
    this.#refreshTypes();
  }

  #onChoice(): void {
    this.#asked = { eventType: this.#type.value, timeRange: this.#range.value, k: this.#k.value };
    history.pushState(null, "", addressOf(this.#asked as ViewState));
    this.#show();
  }

  /** Asks which types there are, and again, less and less often once there are some. */
  async #refreshTypes(): Promise<void> {
    clearTimeout(this.#refreshing);
    try {
      const reply = await fetch("/event-types", { signal: AbortSignal.timeout(typesWaitMsMax) });
      if (reply.ok) this.#types = ((await reply.json()) as { eventTypes: EventType[] }).eventTypes;
      if (reply.ok) this.#show();
    } catch {
      // The state of the live socket already says that the service can't be reached.
    }
    clearTimeout(this.#refreshing);
    const next = this.#types.length === 0 ? typesWaitMsMin : this.#typesWaitMs * 2;
    this.#typesWaitMs = Math.min(next, typesWaitMsMax);
    this.#refreshing = setTimeout(() => this.#refreshTypes(), this.#typesWaitMs);
  }

  /** What to show: as asked, and where nothing is asked what is worth seeing. */
  #choose(): ViewState | null {
    const chosen = this.#shown?.eventType;
    const eventType = this.#asked.eventType ?? chosen ?? typeToShow(this.#types)?.name;
    if (eventType === undefined) return null;
    const known = this.#types.find(({ name }) => name === eventType);
    // Once shown, the choice stays: the board must not change its range by itself.
    const kept = chosen === eventType ? this.#shown?.timeRange : undefined;
    const timeRange = this.#asked.timeRange ?? kept ?? rangeToShow(known, Date.now());
    return { eventType, timeRange, k: this.#asked.k ?? "10" };
  }

  #show(): void {
    const state = this.#choose();
    byId("empty").hidden = state !== null || this.#live.state !== "open";
    byId("controls").hidden = state === null;
    if (state === null) return;
    const newest = [...this.#types].sort((a, b) => lastSeenMs(b) - lastSeenMs(a));
    const names = newest.slice(0, typesMax).map(({ name }) => name);
    offer(
      this.#type,
      names.sort().map((name) => [name, name]),
      state.eventType,
    );
    offer(this.#range, timeRanges, state.timeRange);
    offer(
      this.#k,
      rowChoices.map((k) => [k, k]),
      state.k,
    );
    const isSame = this.#shown !== null && addressOf(this.#shown) === addressOf(state);
    if (isSame) return;
    this.#shown = state;
    history.replaceState(null, "", addressOf(state));
    this.#watch(state);
  }

  #watch(state: ViewState): void {
    this.#stop();
    this.#hasBoard = false;
    byId("problem").hidden = true;
    document.title = `${state.eventType} · Rankstream`;
    this.#stop = this.#live.watch<Leaderboard>(queryOf(state), {
      onBoard: (board) => this.#onBoard(board, state),
      onProblem: (problem) => {
        write("problem", `${problem["title"]}: ${problem["detail"]}`);
        byId("problem").hidden = false;
        if (!this.#hasBoard) byId("board").hidden = true;
      },
    });
  }

  #onBoard(board: Leaderboard, state: ViewState): void {
    byId("problem").hidden = true;
    byId("board").hidden = false;
    this.#rows.show(board.results, this.#hasBoard);
    this.#hasBoard = true;
    byId("no-rows").hidden = board.results.length > 0;
    byId("show-all").hidden = state.timeRange === "all";
    write("caption", `${state.eventType}, ${rangeWords(state.timeRange)}`);
    const { text, isCertain } = certaintyOf(board);
    // A live region: it is read out, so only written when it says something else.
    write("certainty", text);
    byId("certainty").dataset["certain"] = isCertain ? "yes" : "no";
    write("total", boundsText(board.total, board.totalUpper ?? board.total));
    const { distinct, distinctLower = 0, distinctUpper } = board;
    const bounds =
      distinctUpper === undefined
        ? `at least ${countText(distinctLower)}`
        : boundsText(distinctLower, distinctUpper);
    write("distinct", distinct === null ? bounds : countText(distinct));
    write("as-of", timeText(board.asOf, new Date()));
  }
}

new BoardPage();
