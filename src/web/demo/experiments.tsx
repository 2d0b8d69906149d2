/** Ready-made settings that show one thing each. */
import { Card } from "./fields.tsx";
import type { LabShape } from "./lab.ts";
import { firstShape } from "./stream-form.tsx";
import type { MadeShape } from "./streams.ts";

export interface Experiment {
  title: string;
  text: string;
  stream: MadeShape;
  shape: LabShape;
  /** Counted at once. */
  updates: number;
}

const usual: LabShape = { depth: 4, widthLog2: 5, candidatesMax: 15 };

export const experiments: readonly Experiment[] = [
  {
    title: "One row",
    text: "128 cells in one row: an item that shares its cell has no second chance.",
    stream: firstShape,
    shape: { ...usual, depth: 1, widthLog2: 7 },
    updates: 2000,
  },
  {
    title: "Four rows",
    text: "The same 128 cells as four rows of 32: now compare both updates with the one row.",
    stream: firstShape,
    shape: usual,
    updates: 2000,
  },
  {
    title: "Room enough",
    text: "Four rows of 1,024: most items are alone in some cell, so most estimates are exact.",
    stream: firstShape,
    shape: { ...usual, widthLog2: 10, candidatesMax: 60 },
    updates: 2000,
  },
  {
    title: "Nothing stands out",
    text: "All items alike: the bounds still hold, but no rank can be proven.",
    stream: { ...firstShape, kind: "uniform" },
    shape: usual,
    updates: 2000,
  },
  {
    title: "Yesterday's hits",
    text: "Popularity drifts: newcomers push into the heap with low lower bounds.",
    stream: { ...firstShape, kind: "drift", skew: 1.4 },
    shape: { ...usual, widthLog2: 7 },
    updates: 4000,
  },
];

export function Experiments({ onRun }: { onRun: (experiment: Experiment) => void }) {
  return (
    <Card id="experiments" title="Try this">
      <ul class="experiments">
        {experiments.map((experiment) => (
          <li key={experiment.title}>
            <button type="button" onClick={() => onRun(experiment)}>
              {experiment.title}
            </button>
            <span>{experiment.text}</span>
          </li>
        ))}
      </ul>
    </Card>
  );
}
