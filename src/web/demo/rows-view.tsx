/** The rows of both sketches, and how the item at hand fares in them. */
import { useState } from "preact/hooks";
import { sharersOf } from "./analysis.ts";
import { CellMap } from "./cell-map.tsx";
import { Card, numberText, Scroll } from "./fields.tsx";
import type { Lab, Trace } from "./lab.ts";

/** Beyond so many different items nobody is named beside the shown one: it would take too long. */
const sharersItemsMax = 20_000;
const sharersShown = 3;

export interface RowsViewProps {
  lab: Lab;
  /** Chosen by the reader; undefined: the last one counted. */
  chosen: number | undefined;
  isPlaying: boolean;
  version: number;
  /** Undefined while there is nothing to step to. */
  onStep: (() => void) | undefined;
  onChoose: (item: number | undefined) => void;
}

function cellsAt(lab: Lab, places: readonly number[]) {
  const index = places.map((place, row) => row * 2 ** lab.shape.widthLog2 + place);
  const { conservative, plain } = lab.cells;
  return {
    conservative: index.map((i) => conservative[i]!),
    plain: index.map((i) => plain[i]!),
  };
}

function Change({ before, after }: { before: number; after: number }) {
  if (before === after) return <span class="stays">{numberText(after)} stays</span>;
  return (
    <span class="rises">
      {numberText(before)} → {numberText(after)}
    </span>
  );
}

function sharersText(others: { name: string; n: number }[]): string {
  if (others.length === 0) return "nobody";
  const named = others.slice(0, sharersShown).map(({ name, n }) => `${name} (${numberText(n)})`);
  return named.join(", ") + (others.length > sharersShown ? ", …" : "");
}

interface DetailProps {
  lab: Lab;
  item: number;
  trace: Trace | undefined;
  isPlaying: boolean;
}

/** The shown item's cells as a table, and what follows from them. */
function Detail({ lab, item, trace, isPlaying }: DetailProps) {
  const places = lab.placesOf(item);
  const now = cellsAt(lab, places);
  const least = { conservative: Math.min(...now.conservative), plain: Math.min(...now.plain) };
  const canName = !isPlaying && lab.names.length <= sharersItemsMax;
  const sharers = canName ? sharersOf(lab, item, sharersShown) : undefined;
  const cell = (kind: "conservative" | "plain", row: number) => {
    const after = now[kind][row]!;
    const change = trace?.[kind];
    const isLeast = after === least[kind];
    return (
      <td class={isLeast ? "number least" : "number"}>
        {change === undefined ? (
          numberText(after)
        ) : (
          <Change before={change.before[row]!} after={change.after[row]!} />
        )}
        {isLeast && <span class="hidden"> (least)</span>}
      </td>
    );
  };
  return (
    <>
      <Scroll name="Cells of the shown item">
        <table id="cells">
          <thead>
            <tr>
              <th scope="col">Row</th>
              <th scope="col">Cell</th>
              <th scope="col" class="number">
                Conservative
              </th>
              <th scope="col" class="number">
                Plain
              </th>
              {sharers !== undefined && <th scope="col">Also counted there</th>}
            </tr>
          </thead>
          <tbody>
            {places.map((place, row) => (
              <tr key={row}>
                <th scope="row">{row + 1}</th>
                <td>{numberText(place + 1)}</td>
                {cell("conservative", row)}
                {cell("plain", row)}
                {sharers !== undefined && <td class="names">{sharersText(sharers[row]!)}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      <p id="verdict">
        The estimate is the least of its cells: <b>{numberText(least.conservative)}</b> by
        conservative update, <b>{numberText(least.plain)}</b> by plain update. The truth:{" "}
        <b>{numberText(lab.counts[item]!)}</b>.
      </p>
    </>
  );
}

function ItemLine({
  lab,
  item,
  chosen,
  onStep,
  onChoose,
}: RowsViewProps & { item: number | undefined }) {
  const [wanted, setWanted] = useState("");
  const [missing, setMissing] = useState("");
  return (
    <form
      class="find"
      onSubmit={(event) => {
        event.preventDefault();
        const number = lab.numberOf(wanted.trim());
        setMissing(number === undefined && wanted.trim() !== "" ? wanted.trim() : "");
        if (number !== undefined) onChoose(number);
      }}
    >
      <p id="shown" data-item={item === undefined ? "" : lab.names[item]}>
        {item === undefined ? (
          "Nothing has been counted yet."
        ) : (
          <>
            {chosen === undefined ? "Last counted: " : "Chosen: "}
            <b class="name">{lab.names[item]}</b>
          </>
        )}
      </p>
      {chosen !== undefined && (
        <button type="button" onClick={() => onChoose(undefined)}>
          Follow the stream again
        </button>
      )}
      {chosen === undefined && (
        <button type="button" disabled={onStep === undefined} onClick={onStep}>
          Count one more
        </button>
      )}
      <label class="search">
        <span>Find an item</span>
        <input value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />
      </label>
      <button type="submit">Show its cells</button>
      <p role="status" class="soft">
        {missing === "" ? "" : `${missing} has not been counted.`}
      </p>
    </form>
  );
}

/** Most frequent item in a cell; undefined for an empty one. */
function itemInCell(lab: Lab, row: number, place: number): number | undefined {
  let best: number | undefined;
  for (let item = 0; item < Math.min(lab.names.length, sharersItemsMax); item++) {
    if (best !== undefined && lab.counts[best]! >= lab.counts[item]!) continue;
    if (lab.placesOf(item)[row] === place) best = item;
  }
  return best;
}

export function RowsView(props: RowsViewProps) {
  const { lab, chosen, isPlaying, version, onChoose } = props;
  const trace = chosen === undefined ? lab.trace : undefined;
  const item = chosen ?? lab.trace?.item;
  const { depth, widthLog2 } = lab.shape;
  const { conservative, plain } = lab.cells;
  const places = item === undefined ? [] : lab.placesOf(item);
  const map = {
    depth,
    width: 2 ** widthLog2,
    cellMax: plain.reduce((most, cell) => Math.max(most, cell), 1),
    places,
    version,
    onCell: (row: number, place: number) => onChoose(itemInCell(lab, row, place) ?? chosen),
  };
  const risenIn = (kind: "conservative" | "plain") =>
    trace?.[kind].after.map((after, row) => after > trace[kind].before[row]!) ?? [];
  return (
    <Card id="rows" title="The rows">
      <p>
        Each item has one cell in every row, found by hashing its name. Others share these cells,
        so a cell can say too much, never too little: the <b>least</b> of an item's cells bounds
        its count from above (Cormode &amp; Muthukrishnan 2005). Plain update raises all of its
        cells; <b>conservative update</b> raises only those that must rise to keep the bound (Estan
        &amp; Varghese 2002).
      </p>
      <ItemLine {...props} item={item} />
      <h3>Conservative update</h3>
      <CellMap
        {...map}
        name="Conservative update"
        cells={conservative}
        risen={risenIn("conservative")}
      />
      <h3>Plain update</h3>
      <CellMap {...map} name="Plain update" cells={plain} risen={risenIn("plain")} />
      <p class="soft key">
        <span>
          <span class="swatch rise" /> rose just now
        </span>
        <span>
          <span class="swatch stay" /> stayed
        </span>
        <span>
          <span class="swatch" /> of an item you chose
        </span>
        <span>
          The stronger the colour, the more a cell holds. Click one for its heaviest item.
        </span>
      </p>
      {item !== undefined && <Detail lab={lab} item={item} trace={trace} isPlaying={isPlaying} />}
    </Card>
  );
}
