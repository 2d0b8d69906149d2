/** One row of the board. */
import type { LeaderboardRow } from "../../client/replies.ts";
import { Sparkline } from "../sparkline.tsx";
import { boundsText, changeOf, countText, percentText } from "../words.ts";

export interface RowProps {
  row: LeaderboardRow;
  /** Whether it is proven to stand where it stands. */
  isCertain: boolean;
  isCompared: boolean;
  /** The largest share of the board: its bar is the longest. */
  largest: number;
  /** Counts over the range; undefined while they aren't known. */
  history: readonly number[] | undefined;
  hasHistory: boolean;
  /** Whether Tab stops at this row. */
  isTabStop: boolean;
}

/**
 * A role said once more: browsers forget a table's own where its rows are laid out as grids. As
 * properties, since written out it would be taken for a slip.
 */
export function roleOf(role: string): { role: "row" } {
  return { role } as { role: "row" };
}

/** Where a browser may go for the item; "" where nowhere. */
function addressOf({ url = "" }: LeaderboardRow): string {
  return /^https?:/i.test(url) ? url : "";
}

function Name({ row, isTabStop }: Pick<RowProps, "row" | "isTabStop">) {
  const { eventId, label = eventId } = row;
  const href = addressOf(row);
  return (
    <span class="name-line">
      <button
        type="button"
        class="name"
        dir="auto"
        tabIndex={isTabStop ? 0 : -1}
        title={label === eventId ? undefined : eventId}
        data-item={eventId}
      >
        {label}
      </button>
      {href !== "" && (
        <a
          class="outward"
          href={href}
          rel="noreferrer"
          target="_blank"
          aria-label={`Open the page of ${label}`}
          tabIndex={isTabStop ? 0 : -1}
        >
          ↗
        </a>
      )}
    </span>
  );
}

function Change({ row }: { row: LeaderboardRow }) {
  const { kind, mark, words } = changeOf(row);
  return (
    <td {...roleOf("cell")} class="change" data-kind={kind} title={words}>
      <span aria-hidden="true">{mark}</span>
      <span class="unseen">{words}</span>
    </td>
  );
}

/** A row; written again only where something of it differs (see `isSameRow`). */
export function Row(props: RowProps) {
  const { row, isCertain, isCompared, largest, history, hasHistory, isTabStop } = props;
  const isExact = row.lower === row.upper;
  const width = largest === 0 ? 0 : row.share / largest;
  return (
    <tr {...roleOf("row")}>
      <td {...roleOf("cell")} class="rank" data-certain={isCertain ? "yes" : "no"}>
        {!isCertain && <span aria-hidden="true">≈</span>}
        {row.rank}
        {!isCertain && <span class="unseen"> (estimate)</span>}
      </td>
      {isCompared && <Change row={row} />}
      <th {...roleOf("rowheader")} scope="row" class="item">
        <span class="bar" aria-hidden="true" style={{ transform: `scaleX(${width})` }} />
        <Name row={row} isTabStop={isTabStop} />
      </th>
      {hasHistory && (
        <td {...roleOf("cell")} class="trend">
          {history && <Sparkline points={history} label="Counts over the time range" />}
        </td>
      )}
      <td {...roleOf("cell")} class="count">
        <span>{countText(row.count)}</span>
        {!isExact && <span class="bounds">{boundsText(row.lower, row.upper)}</span>}
      </td>
      {isCompared && (
        <td {...roleOf("cell")} class="before">
          {countText(row.previousCount ?? 0)}
        </td>
      )}
      <td {...roleOf("cell")} class="share">
        {percentText(row.share)}
      </td>
    </tr>
  );
}
