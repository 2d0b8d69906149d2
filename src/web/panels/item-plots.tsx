/** An item's history: counts and ranks over time. */
import type { HistoryPoint, Item } from "../../client/replies.ts";
import { courseWords } from "./panel-words.ts";
import { Plot } from "./plot.tsx";
import { type Span, type StepName, stepsFor, wholeSteps } from "./steps.ts";

interface PlotsProps {
  /** Of whose history the counts are. */
  item: Item;
  ranked: Item | null;
  before: Item | null;
  timeZone: string;
  step: StepName | "";
  onStep: (step: StepName | "") => void;
  onZoom: (span: Span) => void;
}

function spansOf(history: readonly HistoryPoint[]): Span[] {
  return history.map(({ from, to }) => ({ from: Date.parse(from), to: Date.parse(to) }));
}

function StepChoice({ item, step, onStep }: Pick<PlotsProps, "item" | "step" | "onStep">) {
  const span = { from: Date.parse(item.effectiveFrom), to: Date.parse(item.effectiveTo) };
  return (
    <label class="step-choice">
      <span class="unseen">Step of the plot</span>
      <select
        value={step}
        onChange={(event) => onStep(event.currentTarget.value as StepName | "")}
      >
        <option value="">{step === "" ? `by ${item.step}` : "automatic"}</option>
        {stepsFor(span).map((name) => (
          <option key={name} value={name}>
            by {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function Counts({ item, before, timeZone, onZoom }: Omit<PlotsProps, "ranked">) {
  const exact = spansOf(item.history);
  const counts = item.history.map(({ count }) => count);
  const old = before?.history.map(({ count }) => count);
  const lines = [
    { name: "Count", values: counts },
    ...(old
      ? [{ name: "Before", values: exact.map((_, i) => old[i] ?? null), isBefore: true }]
      : []),
  ];
  return (
    <Plot
      kind="counts"
      label={`Counts by ${item.step}: ${courseWords(counts)}`}
      steps={wholeSteps(exact)}
      exact={exact}
      lines={lines}
      timeZone={timeZone}
      stepName={item.step}
      onZoom={onZoom}
    />
  );
}

function Ranks({ ranked, timeZone }: { ranked: Item; timeZone: string }) {
  const exact = spansOf(ranked.history);
  const ranks = ranked.history.map(({ rank, rankUpper }) => rank ?? rankUpper ?? null);
  const known = ranks.filter((rank) => rank !== null);
  if (known.length < 2) return null;
  const best = Math.min(...known);
  const worst = Math.max(...known);
  return (
    <section>
      <h3>Rank by {ranked.step}</h3>
      <Plot
        kind="ranks"
        label={`Rank by ${ranked.step}: best ${best}, worst ${worst}, last ${known.at(-1)}`}
        steps={wholeSteps(exact)}
        exact={exact}
        lines={[{ name: "Rank", values: ranks }]}
        timeZone={timeZone}
        stepName={ranked.step}
      />
    </section>
  );
}

/** The plots, as far as there is something to plot. */
export function ItemPlots(props: PlotsProps) {
  const { item, ranked, timeZone, before } = props;
  if (item.history.length === 0) return <p class="note">There is no time in this range yet.</p>;
  return (
    <>
      <section>
        <div class="plot-head">
          <h3>Count by {item.step}</h3>
          {before !== null && <span class="legend-before">period before</span>}
          <StepChoice {...props} />
        </div>
        <Counts {...props} />
      </section>
      {ranked !== null && item.count > 0 && <Ranks ranked={ranked} timeZone={timeZone} />}
    </>
  );
}
