/** The board itself: what is certain of it, its rows, and its sums. */
import type { Leaderboard } from "../../client/replies.ts";
import { useBoard } from "../service.ts";
import { queryOf, type ShownView, zoneOf } from "../view-state.ts";
import { boundsText, certaintyOf, countText, rangeWords, timeText } from "../words.ts";
import { roleOf } from "./row.tsx";
import { Rows } from "./rows.tsx";

interface BoardViewProps {
  view: ShownView;
  onOpen: (eventId: string) => void;
  onShowAll: () => void;
}

function distinctText({ distinct, distinctLower = 0, distinctUpper }: Leaderboard): string {
  if (distinct !== null) return countText(distinct);
  if (distinctUpper === undefined) return `at least ${countText(distinctLower)}`;
  return boundsText(distinctLower, distinctUpper);
}

function Facts({ board, timeZone }: { board: Leaderboard; timeZone: string }) {
  const { total, totalUpper = total, asOf } = board;
  const facts = [
    ["total", "Total", boundsText(total, totalUpper)],
    ["distinct", "Distinct items", distinctText(board)],
    ["as-of", "As of", timeText(asOf, new Date(), timeZone)],
  ];
  return (
    <dl id="facts">
      {facts.map(([id, name, value]) => (
        <div key={id}>
          <dt>{name}</dt>
          <dd id={id}>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Heads({ isCompared, hasHistory }: { isCompared: boolean; hasHistory: boolean }) {
  const heads = [
    ["rank", "Rank"],
    ...(isCompared ? [["change", "Change"]] : []),
    ["item", "Item"],
    ...(hasHistory ? [["trend", "Trend"]] : []),
    ["count", "Count"],
    ...(isCompared ? [["before", "Before"]] : []),
    ["share", "Share"],
  ];
  return (
    <thead {...roleOf("rowgroup")}>
      <tr {...roleOf("row")}>
        {heads.map(([name, words]) => (
          <th key={name} {...roleOf("columnheader")} scope="col" class={name}>
            {words}
          </th>
        ))}
      </tr>
    </thead>
  );
}

/** The board of a view, kept up to date. */
export function BoardView({ view, onOpen, onShowAll }: BoardViewProps) {
  const query = queryOf(view);
  const { board, problem } = useBoard(query);
  return (
    <>
      {problem !== null && (
        <p id="problem" role="alert">
          {`${problem["title"]}: ${problem["detail"]}`}
        </p>
      )}
      {board !== null && <Board board={board} view={view} onOpen={onOpen} onShowAll={onShowAll} />}
    </>
  );
}

function Board({ board, view, onOpen, onShowAll }: BoardViewProps & { board: Leaderboard }) {
  const { text, isCertain } = certaintyOf(board);
  const types = view.eventTypes.join(" + ");
  return (
    <section id="board" aria-label="Leaderboard">
      <p id="certainty" data-certain={isCertain ? "yes" : "no"}>
        {text}
      </p>
      <div class="card">
        <table {...roleOf("table")} data-compared={view.isCompared ? "yes" : "no"}>
          <caption id="caption">{`${types}, ${rangeWords(view.timeRange)}`}</caption>
          <Heads isCompared={view.isCompared} hasHistory={false} />
          <Rows
            rows={board.results}
            certifiedRanks={board.certifiedRanks}
            isCompared={view.isCompared}
            question={JSON.stringify(queryOf(view))}
            histories={null}
            onOpen={onOpen}
          />
        </table>
        {board.results.length === 0 && (
          <p id="no-rows" class="note">
            Nothing was counted in this time range.{" "}
            {view.timeRange !== "all" && (
              <button type="button" id="show-all" onClick={onShowAll}>
                Show all time
              </button>
            )}
          </p>
        )}
      </div>
      <Facts board={board} timeZone={zoneOf(view)} />
    </section>
  );
}
