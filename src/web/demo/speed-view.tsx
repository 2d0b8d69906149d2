/** "How fast?": the kernel's batch calls timed in a worker of this browser. */
import { useEffect, useRef, useState } from "preact/hooks";
import { Card, numberText } from "./fields.tsx";
import type { SpeedFigure, SpeedReply, SpeedRequest } from "./speed-run.ts";

/** Of each of the four measurements. */
const runMs = 400;

type State = { kind: "idle" } | { kind: "running" } | { kind: "over"; reply: SpeedReply };

const names: Readonly<Record<SpeedFigure["what"], string>> = {
  sketch: "sketch alone",
  "sketch and heap": "sketch and heap",
};

function millions(perSecond: number): string {
  return `${(perSecond / 1e6).toFixed(1)} million updates/s`;
}

function Figures({ figures }: { figures: readonly SpeedFigure[] }) {
  const most = Math.max(...figures.map(({ updatesPerSecond }) => updatesPerSecond));
  return (
    <table id="speeds">
      <caption class="hidden">Updates a second by build</caption>
      <tbody>
        {figures.map(({ build, what, updatesPerSecond, rounds }) => (
          <tr key={build + what} data-rate={Math.round(updatesPerSecond)}>
            <th scope="row">
              {names[what]}, {build === "simd" ? "SIMD" : "scalar"} build
            </th>
            <td class="number">{millions(updatesPerSecond)}</td>
            <td class="wide">
              <span class="bar" style={{ width: `${(100 * updatesPerSecond) / most}%` }} />
            </td>
            <td class="soft number">{rounds} rounds</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Outcome({ reply }: { reply: SpeedReply }) {
  if (!reply.done) return <p>It could not be measured: {reply.problem}</p>;
  const { figures, items, distinct, checked } = reply;
  const cores = navigator.hardwareConcurrency;
  return (
    <>
      <p class="big">
        {millions(figures[0]!.updatesPerSecond)} <span class="soft">sketch alone, SIMD build</span>
      </p>
      <Figures figures={figures} />
      <p class="soft">
        Median of the rounds of {numberText(items)} updates each: Zipf 1.0 over{" "}
        {numberText(distinct)} items, depth 4, width 65,536, heap of 1,000, on one of {cores} cores
        of this machine. Answers checked first: {checked}.
      </p>
    </>
  );
}

export function SpeedView() {
  const [state, setState] = useState<State>({ kind: "idle" });
  const worker = useRef<Worker>(undefined);
  useEffect(() => () => worker.current?.terminate(), []);
  const run = () => {
    setState({ kind: "running" });
    const made = new Worker(new URL("./speed-worker.js", import.meta.url), { type: "module" });
    worker.current = made;
    const end = (reply: SpeedReply) => {
      made.terminate();
      setState({ kind: "over", reply });
    };
    made.onmessage = ({ data }: MessageEvent<SpeedReply>) => end(data);
    made.onerror = ({ message }) => end({ done: false, problem: message || "no worker" });
    const request: SpeedRequest = {
      simd: new URL("./kernel.wasm", import.meta.url).href,
      scalar: new URL("./kernel.scalar.wasm", import.meta.url).href,
      runMs,
    };
    made.postMessage(request);
  };
  const isRunning = state.kind === "running";
  return (
    <Card id="speed" title="How fast?">
      <p>
        The same <code>.wasm</code> in a worker of this browser. An update is: take the next id
        from a block of 16,384 (UTF-8, encoded before the clock starts), copy it to the kernel,
        hash it, raise its cells by conservative update; with the heap also keep the candidates.
      </p>
      <p>
        <button type="button" class="first" disabled={isRunning} onClick={run}>
          {isRunning ? "Measuring …" : "Measure here"}
        </button>
      </p>
      <div role="status" aria-busy={isRunning}>
        {state.kind === "over" && <Outcome reply={state.reply} />}
      </div>
    </Card>
  );
}
