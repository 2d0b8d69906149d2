/** The header's corner: how many events come in, how far behind counting is, and health. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Status } from "../model-status.ts";
import { ChartsPanel } from "./panels/charts-panel.tsx";
import { shortCount } from "./panels/panel-words.ts";
import { countingPart, durationText, healthOf, statusLines } from "./panels/status-words.ts";
import { usePolled } from "./panels/use-polled.ts";
import { client, useKey, useLiveState } from "./service.ts";
import { Sparkline } from "./sparkline.tsx";
import { ownTimeZone } from "./view-state.ts";

const pollMs = 2000;
const answerMsMax = 4000;
/** Points of the running plot: two minutes. */
const pointsMax = 60;

const keyless = Object.freeze({ level: "wait", words: "A key is needed" });

interface Sample {
  /** Epoch ms, of the service's clock. */
  at: number;
  total: number;
}

/** Events a second between each two samples. */
function ratesOf(samples: readonly Sample[]): number[] {
  return samples.slice(1).map(({ at, total }, i) => {
    const before = samples[i]!;
    return Math.max(0, total - before.total) / Math.max(0.001, (at - before.at) / 1000);
  });
}

/** The last samples; a service that was started anew begins anew. */
function withSample(samples: readonly Sample[], status: Status): readonly Sample[] {
  const part = countingPart(status);
  const total = (part.accepted ?? part.counted)?.total;
  const last = samples.at(-1);
  const at = Date.parse(part.now);
  if (total === undefined) return [];
  if (last !== undefined && (total < last.total || at < last.at)) return [{ at, total }];
  return last?.at === at ? samples : [...samples, { at, total }].slice(-pointsMax - 1);
}

function Lines({ status }: { status: Status }) {
  return (
    <dl class="status-lines">
      {statusLines(status, ownTimeZone()).map(([name, text]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}

interface DetailsProps {
  status: Status;
  isOld: boolean;
  onCharts: () => void;
}

function Details({ status, isOld, onCharts }: DetailsProps) {
  const behind = status.upstream;
  return (
    <section id="status-details" class="card" aria-label="Service details">
      {isOld && <p class="panel-problem">The last that was heard of the service:</p>}
      {behind !== null && <h3>This node</h3>}
      <Lines status={status} />
      {behind !== null && <h3>The service behind it</h3>}
      {behind?.status && <Lines status={behind.status} />}
      {behind !== null && !behind.reachable && <p class="panel-problem">It does not answer.</p>}
      <button type="button" class="charts-open" onClick={onCharts}>
        How it went: last hour, last day
      </button>
    </section>
  );
}

/** Closes on Escape, and on a click outside; the focus goes back to the button. */
function useDismissal(isOpen: boolean, close: () => void) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!isOpen) return;
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      close();
      place.current?.querySelector("button")?.focus();
    };
    const onPointer = ({ target }: Event) => {
      if (!place.current?.contains(target as Node)) close();
    };
    addEventListener("keydown", onKey);
    addEventListener("pointerdown", onPointer);
    return () => {
      removeEventListener("keydown", onKey);
      removeEventListener("pointerdown", onPointer);
    };
  }, [isOpen]);
  return place;
}

/** Rate, lag and health; a click tells all that the service says of itself. */
export function StatusCorner() {
  const live = useLiveState();
  const [isOpen, setIsOpen] = useState(false);
  const [hasCharts, setHasCharts] = useState(false);
  const place = useDismissal(isOpen, () => setIsOpen(false));
  const samples = useRef<readonly Sample[]>([]);
  const { value: status, error } = usePolled({
    about: "status",
    // Back again, it is asked at once.
    question: `status ${live === "open"}`,
    everyMs: pollMs,
    ask: (signal) => client.status(AbortSignal.any([signal, AbortSignal.timeout(answerMsMax)])),
  });
  if (status !== null && error === null) samples.current = withSample(samples.current, status);
  const { refusal } = useKey();
  const { level, words } = refusal === null ? healthOf(live, status, error === null) : keyless;
  const rates = ratesOf(samples.current);
  const part = status && countingPart(status);
  const rate = part?.accepted ?? part?.counted;
  return (
    <div class="status-corner" ref={place} data-level={level}>
      {status !== null && (
        <button
          type="button"
          class="status-button"
          aria-expanded={isOpen}
          aria-controls="status-details"
          onClick={() => setIsOpen(!isOpen)}
        >
          <span class="status-plot" aria-hidden="true">
            <Sparkline points={rates} label="" pointsMax={pointsMax} />
          </span>
          {rate && <span class="status-rate">{shortCount(rate.perSecond)} events/s</span>}
          {part?.lag && (
            <span class="status-lag">
              lag {part.lag.ms === 0 ? "0 s" : durationText(part.lag.ms)}
            </span>
          )}
          <span class="unseen">, service details</span>
        </button>
      )}
      <p id="state" role="status" data-state={live} data-level={level}>
        {words}
      </p>
      {isOpen && status !== null && (
        <Details
          status={status}
          isOld={level === "bad"}
          onCharts={() => {
            setIsOpen(false);
            setHasCharts(true);
          }}
        />
      )}
      {hasCharts && (
        <ChartsPanel
          onClose={() => {
            setHasCharts(false);
            place.current?.querySelector("button")?.focus();
          }}
        />
      )}
    </div>
  );
}
