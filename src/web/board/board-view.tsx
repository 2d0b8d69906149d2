/** The board itself: what is certain of it, its rows, and its sums. */
import type { Leaderboard } from "../../client/replies.ts";
import { spanText } from "../ranges.ts";
import { useBoard, useKey, useLiveState, type WatchedBoard } from "../service.ts";
import { questionOf, type ShownView, typesText, zoneOf } from "../view-state.ts";
import { boundsText, countText, distinctText, timeText } from "../words.ts";
import { Announcer } from "./announcer.tsx";
import { Certainty } from "./certainty.tsx";
import { Dropped } from "./dropped.tsx";
import { useHistories } from "./histories.ts";
import { roleOf } from "./row.tsx";
import { Rows } from "./rows.tsx";

interface BoardViewProps {
  view: ShownView;
  onOpen: (eventId: string) => void;
  onShowAll: () => void;
  onNoFilters: () => void;
}

/** Characters of the widest count: its column is as wide. */
function countCharsOf({ results }: Leaderboard): number {
  const chars = results.flatMap(({ count, lower, upper, previousCount = 0 }) => [
    countText(count).length,
    countText(previousCount).length,
    // Bounds are written smaller.
    lower === upper ? 0 : boundsText(lower, upper).length * 0.8,
  ]);
  return Math.max(4, ...chars);
}

function Facts({ board, zone }: { board: Leaderboard; zone: string }) {
  const { total, totalUpper = total, asOf, others } = board;
  const facts = [
    ["total", "Total", boundsText(total, totalUpper)],
    ["distinct", "Distinct items", distinctText(board)],
    ...(others === null ? [] : [["others", "In items not shown", countText(others)]]),
    ["as-of", "As of", timeText(asOf, new Date(), zone)],
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

interface HeadsProps {
  isCompared: boolean;
  hasHistory: boolean;
  isOfUsers: boolean;
}

function Heads({ isCompared, hasHistory, isOfUsers }: HeadsProps) {
  const heads = [
    ["rank", "Rank"],
    ...(isCompared ? [["change", "Change"]] : []),
    ["item", "Item"],
    ...(hasHistory ? [["trend", "Trend"]] : []),
    ["count", isOfUsers ? "Users" : "Count"],
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

function Caption({ board, view }: { board: Leaderboard; view: ShownView }) {
  const zone = zoneOf(view);
  return (
    <caption id="caption">
      <strong>{typesText(view.eventTypes)}</strong>{" "}
      <span>
        {view.timeRange === "all" ? "all time" : spanText(board, zone)} ({zone})
      </span>
      {board.previous && (
        <span>
          {" "}
          compared with {spanText(board.previous, zone)}
          {board.previous.total === 0 && board.total > 0 && ", which has no events"}
        </span>
      )}
    </caption>
  );
}

function NoRows({ view, onShowAll, onNoFilters }: Omit<BoardViewProps, "onOpen">) {
  return (
    <p id="no-rows" class="note">
      Nothing was counted in this time range
      {view.filters.length > 0 && " with these filters"}.{" "}
      {view.filters.length > 0 && !view.isEmbedded && (
        <button type="button" id="no-filters" onClick={onNoFilters}>
          {view.filters.length === 1 ? "Remove the filter" : "Remove the filters"}
        </button>
      )}{" "}
      {view.timeRange !== "all" && (
        <button type="button" id="show-all" onClick={onShowAll}>
          Show all time
        </button>
      )}
    </p>
  );
}

type BoardProps = BoardViewProps & { board: Leaderboard; isCurrent: boolean };

function Board({ board, view, isCurrent, onOpen, onShowAll, onNoFilters }: BoardProps) {
  const { isCompared } = view;
  const question = questionOf(view);
  const { histories, want } = useHistories(view);
  const { length } = board.results;
  const sizes = { "--count-chars": countCharsOf(board), "--row-count": Math.max(1, length) };
  return (
    <section id="board" aria-label="Leaderboard" aria-busy={!isCurrent}>
      <Certainty board={board} />
      <div class="card">
        <table
          {...roleOf("table")}
          data-compared={isCompared ? "yes" : "no"}
          data-trend={histories === null ? "no" : "yes"}
          style={sizes}
        >
          <Caption board={board} view={view} />
          <Heads
            isCompared={isCompared}
            hasHistory={histories !== null}
            isOfUsers={view.by === "users"}
          />
          <Rows
            rows={board.results}
            certifiedRanks={board.certifiedRanks}
            isCompared={isCompared}
            question={question}
            histories={histories}
            want={want}
            onOpen={onOpen}
          />
        </table>
        {length === 0 && <NoRows view={view} onShowAll={onShowAll} onNoFilters={onNoFilters} />}
      </div>
      {board.dropped && <Dropped items={board.dropped} onOpen={onOpen} />}
      <Facts board={board} zone={zoneOf(view)} />
      <Announcer board={board} question={question} />
    </section>
  );
}

/** What hinders, in plain words: of the question, or of the connection. */
function Hindrance({ watched, zone }: { watched: WatchedBoard; zone: string }) {
  const state = useLiveState();
  const { refusal } = useKey();
  const { problem, board } = watched;
  return (
    <>
      {problem !== null && (
        <p id="problem" role="alert" class="banner">
          {`${problem["title"]}: ${problem["detail"]}`}
        </p>
      )}
      {state === "lost" && refusal === null && (
        <p id="lost" role="status" class="banner">
          Connection lost; trying again.
          {board !== null && ` This is the board as of ${timeText(board.asOf, new Date(), zone)}.`}
        </p>
      )}
    </>
  );
}

/** The board of a view, kept up to date. */
export function BoardView({ view, ...actions }: BoardViewProps) {
  const watched = useBoard(view);
  const { board, of, isCurrent } = watched;
  return (
    <>
      <Hindrance watched={watched} zone={zoneOf(view)} />
      {board !== null && of !== null && (
        <Board board={board} view={of} isCurrent={isCurrent} {...actions} />
      )}
    </>
  );
}
