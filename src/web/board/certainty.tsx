/** How much of the board is proven, and why one may believe it. */
import type { Leaderboard } from "../../client/replies.ts";
import { certaintyOf } from "../words.ts";

function Reasons({ board }: { board: Leaderboard }) {
  const isExact = board.results.every(({ lower, upper }) => lower === upper);
  return (
    <div class="reasons">
      {board.mode === "exact" ? (
        <p>Every event of this range was counted one by one for this answer.</p>
      ) : (
        <p>
          This answer is put together from lists of the most frequent items of each minute, hour,
          day and month. Of every item the service knows how often it was counted at least, and how
          often at most: its bounds.
        </p>
      )}
      <p>
        A rank is certain when no item below can have more, even at its upper bound
        {isExact ? "; where both bounds are equal the count is exact." : "."}
      </p>
      {!board.certified && (
        <p>
          Ranks marked ≈ may change places with others whose bounds overlap theirs. Options → Exact
          settles it.
        </p>
      )}
      {board.stale && (
        <p>Some events that were acknowledged moments ago are still being counted.</p>
      )}
      {board.partial && (
        <p>A part of the service did not answer: its events are missing from this board.</p>
      )}
    </div>
  );
}

/** The sentence, with its reasons on demand. */
export function Certainty({ board }: { board: Leaderboard }) {
  const { text, isCertain } = certaintyOf(board);
  return (
    <div class="certain">
      <p id="certainty" data-certain={isCertain ? "yes" : "no"}>
        {text}
      </p>
      <details>
        <summary>How do we know?</summary>
        <Reasons board={board} />
      </details>
    </div>
  );
}
