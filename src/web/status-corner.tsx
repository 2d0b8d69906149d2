/** The connection in the header's corner. */
import type { LiveState } from "../client/live.ts";
import { useLiveState } from "./service.ts";

const stateWords: Record<LiveState, string> = {
  connecting: "Connecting",
  open: "Live",
  lost: "Connection lost, trying again",
  closed: "Closed",
};

/** Whether what is shown is live. */
export function StatusCorner() {
  const state = useLiveState();
  return (
    <p id="state" role="status" data-state={state}>
      {stateWords[state]}
    </p>
  );
}
