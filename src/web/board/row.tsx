/** One row of the board. */
import type { LeaderboardRow } from "../../client/replies.ts";
import { courseWords } from "../panels/panel-words.ts";
import { Sparkline } from "../sparkline.tsx";
import { boundsText, changeOf, countText } from "../words.ts";

export interface RowProps {
  eventId: string;
  label: string;
  /** Where a browser may go for the item; "" where nowhere. */
  href: string;
  rank: number;
  count: number;
  lower: number;
  upper: number;
  /** In words, and as a part of the longest bar. */
  share: string;
  bar: number;
  /** Whether it is proven to stand where it stands. */
  isCertain: boolean;
  /** The period before; null where nothing is compared. */
  before: Pick<LeaderboardRow, "isNew" | "previousCount" | "previousRank" | "rankChange"> | null;
  /** Counts over the range; undefined while they aren't known, null where none are shown. */
  history: readonly number[] | undefined | null;
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

function Name({ eventId, label, href, isTabStop }: RowProps) {
  const tabIndex = isTabStop ? 0 : -1;
  return (
    <span class="name-line">
      <button
        type="button"
        class="name"
        dir="auto"
        tabIndex={tabIndex}
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
          tabIndex={tabIndex}
        >
          ↗
        </a>
      )}
    </span>
  );
}

function Change({ before }: { before: NonNullable<RowProps["before"]> }) {
  const { kind, mark, words } = changeOf(before);
  return (
    <td {...roleOf("cell")} class="change" data-kind={kind} title={words}>
      <span aria-hidden="true">{mark}</span>
      <span class="unseen">{words}</span>
    </td>
  );
}

/** A row of the table. */
export function Row(props: RowProps) {
  const { rank, isCertain, before, history, count, lower, upper } = props;
  return (
    <tr {...roleOf("row")}>
      <td {...roleOf("cell")} class="rank">
        {!isCertain && (
          <span class="estimate" title="An estimate: this rank is not proven">
            <span aria-hidden="true">≈</span>
            <span class="unseen">about </span>
          </span>
        )}
        {rank}
      </td>
      {before !== null && <Change before={before} />}
      <th {...roleOf("rowheader")} scope="row" class="item">
        <span class="bar" aria-hidden="true" style={{ transform: `scaleX(${props.bar})` }} />
        <Name {...props} />
      </th>
      {history !== null && (
        <td {...roleOf("cell")} class="trend">
          {history && <Sparkline points={history} label={courseWords(history)} />}
        </td>
      )}
      <td {...roleOf("cell")} class="count">
        <span>{countText(count)}</span>
        {lower !== upper && <span class="bounds">{boundsText(lower, upper)}</span>}
      </td>
      {before !== null && (
        <td {...roleOf("cell")} class="before">
          {countText(before.previousCount ?? 0)}
        </td>
      )}
      <td {...roleOf("cell")} class="share">
        {props.share}
      </td>
    </tr>
  );
}
