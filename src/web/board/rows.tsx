/** The table's rows: kept by item, moved rather than made anew, so that changes can be seen. */
import { Component, createRef } from "preact";
import type { LeaderboardRow } from "../../client/replies.ts";
import { percentText } from "../words.ts";
import { movesMax, playMoves, type Tops, topsOf } from "./flip.ts";
import type { HistoriesInSight } from "./histories.ts";
import { placesInSight } from "./in-sight.ts";
import { Row, type RowProps, roleOf } from "./row.tsx";

export interface RowsProps extends HistoriesInSight {
  rows: readonly LeaderboardRow[];
  /** Ranks proven, from the first on. */
  certifiedRanks: number;
  isCompared: boolean;
  /** Of the question: rows of another one don't move. */
  question: string;
  onOpen: (eventId: string) => void;
}

interface Snapshot {
  tops: Tops | null;
  focused: HTMLElement | null;
}

/** A scroll or a change is followed by a look at what is in sight, once it has ended. */
const lookMs = 150;

/** A row that is written again only where something that it shows differs. */
class KeptRow extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    const names = Object.keys(next) as (keyof RowProps)[];
    return names.some((name) => {
      if (name !== "before") return next[name] !== this.props[name];
      return JSON.stringify(next.before) !== JSON.stringify(this.props.before);
    });
  }

  override render() {
    return <Row {...this.props} />;
  }
}

const steps: Readonly<Record<string, number>> = {
  ArrowDown: 1,
  ArrowUp: -1,
  PageDown: 10,
  PageUp: -10,
  Home: -Infinity,
  End: Infinity,
};

function shownOf(row: LeaderboardRow, largest: number, isCompared: boolean) {
  const { eventId, label = eventId, url = "", rank, count, lower, upper, share } = row;
  const { isNew, previousCount, previousRank, rankChange } = row;
  return {
    eventId,
    label,
    href: /^https?:/i.test(url) ? url : "",
    rank,
    count,
    lower,
    upper,
    share: percentText(share),
    // A tenth of a percent can't be seen, and would be written again with each event.
    bar: largest === 0 ? 0 : Math.round((share / largest) * 1000) / 1000,
    before: isCompared
      ? ({ isNew, previousCount, previousRank, rankChange } as RowProps["before"])
      : null,
  };
}

/**
 * Rows that may be seen to move are kept by item, those further down by place: there a new order
 * is new text in rows that stand still, which costs next to nothing while they are out of sight.
 */
function keyOf({ eventId }: LeaderboardRow, place: number): string {
  return place < movesMax ? `item ${eventId}` : `place ${place}`;
}

export class Rows extends Component<RowsProps, { current: string }> {
  readonly #body = createRef<HTMLTableSectionElement>();
  #looking: ReturnType<typeof setTimeout> | undefined;
  override state = { current: "" };

  override componentDidMount(): void {
    addEventListener("scroll", this.#lookSoon, { passive: true });
    addEventListener("resize", this.#lookSoon, { passive: true });
    this.#lookSoon();
  }

  override componentWillUnmount(): void {
    clearTimeout(this.#looking);
    removeEventListener("scroll", this.#lookSoon);
    removeEventListener("resize", this.#lookSoon);
  }

  override getSnapshotBeforeUpdate(old: RowsProps): Snapshot | null {
    const body = this.#body.current;
    if (body === null || old.rows === this.props.rows) return null;
    const active = document.activeElement;
    return {
      tops: old.question === this.props.question ? topsOf(body) : null,
      focused: active instanceof HTMLElement && body.contains(active) ? active : null,
    };
  }

  override componentDidUpdate(old: RowsProps, _state: unknown, snapshot: Snapshot | null): void {
    const body = this.#body.current;
    if (old.want !== this.props.want || old.rows !== this.props.rows) this.#lookSoon();
    if (body === null || snapshot === null) return;
    const { tops, focused } = snapshot;
    if (tops !== null) playMoves(body, tops);
    if (focused !== null) this.#keepFocus(body, focused);
  }

  /** The focus stays with its item: a row that was moved loses it, another may hold it now. */
  #keepFocus(body: HTMLElement, focused: HTMLElement): void {
    const { current } = this.state;
    const isName = focused.matches(".name");
    const isOther = isName && focused.dataset["item"] !== current;
    const names = isOther ? [...body.querySelectorAll<HTMLElement>(".name")] : [focused];
    const wanted = isOther ? names.find(({ dataset }) => dataset["item"] === current) : focused;
    if (wanted?.isConnected && document.activeElement !== wanted) {
      wanted.focus({ preventScroll: true });
    }
  }

  #lookSoon = (): void => {
    if (this.#looking !== undefined) return;
    this.#looking = setTimeout(() => {
      this.#looking = undefined;
      const body = this.#body.current;
      if (body === null || this.props.histories === null) return;
      const [from, to] = placesInSight(body);
      this.props.want(this.props.rows.slice(from, to).map(({ eventId }) => eventId));
    }, lookMs);
  };

  #onKey = (event: KeyboardEvent): void => {
    const step = steps[event.key];
    const from = (event.target as HTMLElement).closest("tr");
    const body = this.#body.current;
    if (step === undefined || from === null || body === null || event.altKey) return;
    event.preventDefault();
    const place = [...body.children].indexOf(from) + step;
    const row = body.children[Math.max(0, Math.min(body.children.length - 1, place))];
    row?.querySelector<HTMLElement>(".name")?.focus();
  };

  #onFocus = (event: FocusEvent): void => {
    const name = (event.target as HTMLElement).closest("tr")?.querySelector<HTMLElement>(".name");
    const current = name?.dataset["item"];
    if (current !== undefined && current !== this.state.current) this.setState({ current });
  };

  #onClick = (event: MouseEvent): void => {
    const target = event.target as HTMLElement;
    // Whoever follows a link, or marks text to copy it, wants no item.
    const isMarking = target.closest(".name") === null && getSelection()?.type === "Range";
    if (target.closest("a") !== null || isMarking) return;
    const name = target.closest("tr")?.querySelector<HTMLElement>(".name");
    const eventId = name?.dataset["item"];
    if (eventId === undefined) return;
    // It comes back here when the item is closed.
    name?.focus({ preventScroll: true });
    this.props.onOpen(eventId);
  };

  override render() {
    const { rows, certifiedRanks, isCompared, histories } = this.props;
    const largest = rows.reduce((most, { share }) => Math.max(most, share), 0);
    const { current } = this.state;
    const stop = rows.some(({ eventId }) => eventId === current) ? current : rows[0]?.eventId;
    return (
      <tbody
        id="rows"
        ref={this.#body}
        {...roleOf("rowgroup")}
        onKeyDown={this.#onKey}
        onFocusIn={this.#onFocus}
        onClick={this.#onClick}
      >
        {rows.map((row, place) => (
          <KeptRow
            key={keyOf(row, place)}
            {...shownOf(row, largest, isCompared)}
            isCertain={place < certifiedRanks}
            history={histories === null ? null : histories.get(row.eventId)}
            isTabStop={row.eventId === stop}
          />
        ))}
      </tbody>
    );
  }
}
