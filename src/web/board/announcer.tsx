/** Says politely, and not too often, what a glance at the board would tell. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Leaderboard } from "../../client/replies.ts";
import { certaintyOf, countText } from "../words.ts";

/** From one saying to the next, unless another board is asked for. */
const restMsMin = 15_000;

function leaderOf({ results }: Leaderboard): string {
  return results[0]?.eventId ?? "";
}

function words(board: Leaderboard): string {
  const [first] = board.results;
  const { text } = certaintyOf(board);
  if (first === undefined) return text;
  return `${first.label ?? first.eventId} leads with ${countText(first.count)}. ${text}`;
}

/** A live region for readers who can't see the rows move. */
export function Announcer({ board, question }: { board: Leaderboard; question: string }) {
  const [said, say] = useState("");
  const last = useRef({ question: "", leader: "", certified: false, atMs: 0 });
  useEffect(() => {
    const { certified } = board;
    const leader = leaderOf(board);
    const { current: before } = last;
    const isNew = before.question !== question;
    if (!isNew && before.leader === leader && before.certified === certified) return;
    const waitMs = isNew ? 0 : before.atMs + restMsMin - Date.now();
    const timer = setTimeout(
      () => {
        last.current = { question, leader, certified, atMs: Date.now() };
        say(words(board));
      },
      Math.max(0, waitMs),
    );
    return () => clearTimeout(timer);
  }, [board, question]);
  return (
    <p id="announcer" role="status" class="unseen">
      {said}
    </p>
  );
}
