/** Estimates and bounds of the true top, beside the exact counts that this page keeps as well. */
import { useId } from "preact/hooks";
import type { Analysis, JudgedItem } from "./analysis.ts";
import { ErrorPlot } from "./error-plot.tsx";
import { boundsText, bytesText, Card, ItemButton, numberText, Scroll } from "./fields.tsx";
import type { Lab } from "./lab.ts";

export const ksOffered = [5, 10, 20, 50] as const;

/** A candidate's entry without its id, and an exact table's: count, length and place of the id. */
const candidateBytes = 64;
const exactBytesMin = 16;

export interface TruthViewProps {
  lab: Lab;
  analysis: Analysis;
  k: number;
  shown: number | undefined;
  onK: (k: number) => void;
  onChoose: (item: number) => void;
}

function Over({ estimate, truth }: { estimate: number; truth: number }) {
  if (estimate === truth) return <>{numberText(estimate)}</>;
  return (
    <>
      {numberText(estimate)} <span class="over">+{numberText(estimate - truth)}</span>
    </>
  );
}

interface RowProps {
  row: JudgedItem;
  rank: number;
  isShown: boolean;
  onChoose: (item: number) => void;
}

function Row({ row, rank, isShown, onChoose }: RowProps) {
  const isIn = row.lower !== undefined && row.upper !== undefined;
  return (
    <tr class={isShown ? "shown" : ""} data-item={row.name}>
      <td class="number">{rank}</td>
      <th scope="row">
        <ItemButton name={row.name} isChosen={isShown} onChoose={() => onChoose(row.item)} />
      </th>
      <td class="number" data-value={row.truth}>
        {numberText(row.truth)}
      </td>
      <td class="number" data-value={row.conservative}>
        <Over estimate={row.conservative} truth={row.truth} />
      </td>
      <td class="number" data-value={row.plain}>
        <Over estimate={row.plain} truth={row.truth} />
      </td>
      <td class="number" data-lower={row.lower} data-upper={row.upper}>
        {isIn ? boundsText({ lower: row.lower!, upper: row.upper! }) : "not in it"}
      </td>
      <td>{row.certain ? "proven" : ""}</td>
    </tr>
  );
}

function Memory({ lab }: { lab: Lab }) {
  const { depth, widthLog2, candidatesMax } = lab.shape;
  const sketch = depth * 2 ** widthLog2 * 4;
  const heap = candidatesMax * candidateBytes;
  const exact = lab.names.length * exactBytesMin + lab.idBytes;
  return (
    <p id="memory">
      Memory: sketch {bytesText(sketch)} and heap {bytesText(heap)}, however long the stream gets.
      Exact counts of what came so far take {bytesText(exact)} at the least, and grow with every
      new item.
    </p>
  );
}

function figures({ analysis }: { analysis: Analysis }) {
  const { k, recalled, certain, meanError } = analysis;
  return [
    [`Recall at ${k}`, "recall", k === 0 ? "–" : `${recalled} of ${k}`],
    ["Ranks proven by the heap", "certain", k === 0 ? "–" : `${certain} of ${k}`],
    ["Mean error, conservative", "error-conservative", numberText(meanError.conservative)],
    ["Mean error, plain", "error-plain", numberText(meanError.plain)],
  ] as const;
}

export function TruthView({ lab, analysis, k, shown, onK, onChoose }: TruthViewProps) {
  const id = useId();
  return (
    <Card id="truth" title="Estimate against truth">
      <p>
        Mean errors are over all different items. <b>Proven</b>: the bounds leave no doubt that the
        item has this rank; nobody had to count exactly to know.
      </p>
      <dl class="figures">
        {figures({ analysis }).map(([name, key, text]) => (
          <div key={key}>
            <dt>{name}</dt>
            <dd id={key}>{text}</dd>
          </div>
        ))}
      </dl>
      <p class="inline">
        <label for={id}>Ranks shown</label>
        <select id={id} value={k} onChange={(event) => onK(Number(event.currentTarget.value))}>
          {ksOffered.map((offered) => (
            <option key={offered} value={offered}>
              {offered}
            </option>
          ))}
        </select>
      </p>
      <Scroll name="Estimates and true counts">
        <table id="top">
          <thead>
            <tr>
              <th scope="col" class="number">
                Rank
              </th>
              <th scope="col">Item</th>
              <th scope="col" class="number">
                True
              </th>
              <th scope="col" class="number">
                Conservative
              </th>
              <th scope="col" class="number">
                Plain
              </th>
              <th scope="col" class="number">
                Heap
              </th>
              <th scope="col">Its rank is</th>
            </tr>
          </thead>
          <tbody>
            {analysis.rows.map((row, i) => (
              <Row
                key={row.name}
                row={row}
                rank={i + 1}
                isShown={row.item === shown}
                onChoose={onChoose}
              />
            ))}
          </tbody>
        </table>
      </Scroll>
      <h3>Error by true rank</h3>
      <ErrorPlot bands={analysis.bands} />
      <Memory lab={lab} />
    </Card>
  );
}
