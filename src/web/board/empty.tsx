/** What is shown while nothing has been counted: how to begin. */
import { useState } from "preact/hooks";
import { ProblemError } from "../../client/client.ts";
import { copyText, curlCommand } from "../clipboard.ts";
import { loadSample, sampleRange, sampleType } from "../sample.ts";
import { client, useKey } from "../service.ts";
import type { Go } from "../use-view.ts";

/** The command that posts a first event. */
export function firstCommand(origin: string, needsKey: boolean): string {
  const event = JSON.stringify({ eventId: "song_123", eventType: "song_play" });
  return [
    curlCommand(`${origin}/events`, needsKey),
    "  -H content-type:application/json",
    `  -d '${event}'`,
  ].join(" \\\n");
}

/** Why the sample could not be loaded. */
function sampleProblem(error: unknown): string {
  if (error instanceof ProblemError && error.code === "forbidden_scope") {
    return "The sample needs a key with the scopes ingest and admin; this one lacks one.";
  }
  return `It did not work: ${(error as Error).message}`;
}

function Command() {
  const [said, say] = useState("Copy the command");
  const { key } = useKey();
  const command = firstCommand(location.origin, key !== null);
  const copy = () =>
    copyText(command).then(
      () => say("Copied"),
      () => say("Could not copy"),
    );
  return (
    <>
      <pre>
        <code id="curl">{command}</code>
      </pre>
      <button type="button" id="copy" aria-live="polite" onClick={copy}>
        {said}
      </button>
    </>
  );
}

interface EmptyProps {
  go: Go;
  /** Hears when loading the sample begins and ends: what it shows stays until then. */
  onLoading: (isLoading: boolean) => void;
}

function Sample({ go, onLoading }: EmptyProps) {
  const [done, setDone] = useState<number | null>(null);
  const [problem, setProblem] = useState("");
  const load = async () => {
    setDone(0);
    setProblem("");
    onLoading(true);
    try {
      await loadSample(client, setDone);
      go({ eventTypes: [sampleType], timeRange: sampleRange, from: "", to: "" });
    } catch (error) {
      setProblem(sampleProblem(error));
      setDone(null);
    }
    onLoading(false);
  };
  return (
    <>
      <button
        type="button"
        class="primary"
        id="load-sample"
        aria-disabled={done !== null}
        onClick={() => done === null && load()}
      >
        {done === null ? "Load the sample" : "Loading…"}
      </button>
      {done !== null && (
        <progress aria-label="Of the sample, loaded" max={1} value={done}>
          {`${Math.round(done * 100)}%`}
        </progress>
      )}
      <p role="alert" class="problem">
        {problem}
      </p>
    </>
  );
}

/** Two ways to a first board: an event of one's own, or a day of flights. */
export function Empty(props: EmptyProps) {
  return (
    <section id="empty" class="card" aria-labelledby="empty-title">
      <h2 id="empty-title">Nothing has been counted yet</h2>
      <div class="ways">
        <div>
          <h3>Send an event of your own</h3>
          <p>Run this in a terminal; the board appears here by itself.</p>
          <Command />
        </div>
        <div>
          <h3>Or look around first</h3>
          <p>
            A day of real flights in the United States (17,370 of June 2001), as if they had flown
            in the last 24 hours: arrivals by airport, and routes. Loading it twice counts it once.
          </p>
          <Sample {...props} />
        </div>
      </div>
    </section>
  );
}
