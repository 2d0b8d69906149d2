/** The table's rows: kept by item, moved rather than made anew, so that changes can be seen. */
import { Component, createRef } from "preact";
import type { LeaderboardRow } from "../../client/replies.ts";
import { playMoves, type Tops, topsOf } from "./flip.ts";
import { Row, type RowProps, roleOf } from "./row.tsx";

export interface RowsProps {
  rows: readonly LeaderboardRow[];
  /** Ranks proven, from the first on. */
  certifiedRanks: number;
  isCompared: boolean;
  /** Of the question: rows of another one don't move. */
  question: string;
  histories: ReadonlyMap<string, readonly number[]> | null;
  onOpen: (eventId: string) => void;
}

interface Snapshot {
  tops: Tops | null;
  focused: HTMLElement | null;
}

/** A row that is written again only when something of it differs. */
class KeptRow extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    const names = Object.keys(next) as (keyof RowProps)[];
    return (
      names.some((name) => name !== "row" && next[name] !== this.props[name]) ||
      next.row !== this.props.row
    );
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

export class Rows extends Component<RowsProps, { current: string }> {
  readonly #body = createRef<HTMLTableSectionElement>();
  override state = { current: "" };

  override getSnapshotBeforeUpdate(old: RowsProps): Snapshot | null {
    const body = this.#body.current;
    if (body === null || old.rows === this.props.rows) return null;
    const active = document.activeElement;
    return {
      tops: old.question === this.props.question ? topsOf(body) : null,
      focused: active instanceof HTMLElement && body.contains(active) ? active : null,
    };
  }

  override componentDidUpdate(_old: RowsProps, _state: unknown, snapshot: Snapshot | null): void {
    const body = this.#body.current;
    if (body === null || snapshot === null) return;
    const { tops, focused } = snapshot;
    if (tops !== null) playMoves(body, tops);
    // A row that was moved has lost the focus.
    if (focused?.isConnected && document.activeElement !== focused) {
      focused.focus({ preventScroll: true });
    }
  }

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
    const name = (event.target as HTMLElement).closest<HTMLElement>(".name");
    const eventId = name?.dataset["item"];
    if (eventId !== undefined) this.props.onOpen(eventId);
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
            key={row.eventId}
            row={row}
            isCertain={place < certifiedRanks}
            isCompared={isCompared}
            largest={largest}
            history={histories?.get(row.eventId)}
            hasHistory={histories !== null}
            isTabStop={row.eventId === stop}
          />
        ))}
      </tbody>
    );
  }
}
