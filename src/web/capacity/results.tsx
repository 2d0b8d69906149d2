/** What a load takes: the answer, the four steps, the chosen one's parts, the usual estimate. */
import type { ComponentChildren } from "preact";
import type { Plan, PlannedStep } from "../../capacity/plan.ts";
import {
  bytesText,
  countText,
  limitText,
  moneyText,
  percentText,
  stepTitles,
  verdictText,
} from "../../capacity/words.ts";

interface TableProps {
  name: string;
  id: string;
  heads: readonly string[];
  rows: readonly (readonly ComponentChildren[])[];
  /** The row that stands out. */
  chosen?: number;
}

/** A table whose first column names the rows; scrolled by itself where it is too wide. */
function Table({ name, id, heads, rows, chosen }: TableProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: only so can the keyboard scroll it
    <section class="scroll" tabIndex={0} aria-label={name}>
      <table id={id}>
        <thead>
          <tr>
            {heads.map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([head, ...cells], i) => (
            <tr key={String(i)} class={i === chosen ? "chosen" : undefined}>
              <th scope="row">{head}</th>
              {cells.map((cell, column) => (
                <td key={heads[column + 1]}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Steps({ plan }: { plan: Plan }) {
  const { steps, smallest } = plan;
  const rows = steps.map((step) => [
    stepTitles[step.name],
    countText(step.processes),
    countText(step.cores),
    bytesText(step.memoryBytes),
    bytesText(step.diskBytes),
    moneyText(step.cost.all),
    verdictText(step),
  ]);
  return (
    <Table
      id="steps"
      name="The four steps"
      heads={[
        "Step",
        "Processes",
        "Cores",
        "Memory",
        "Disk",
        "A month",
        "Does it carry the load?",
      ]}
      rows={rows}
      chosen={steps.findIndex(({ name }) => name === smallest)}
    />
  );
}

function Machines({ step }: { step: PlannedStep }) {
  const rows = step.fleets.map(({ what, processes, cores, memoryBytes, diskBytes }) => [
    what,
    countText(processes),
    countText(cores),
    bytesText(memoryBytes),
    diskBytes === 0 ? "–" : bytesText(diskBytes),
  ]);
  const { traffic, partitions, workers, cost } = step;
  return (
    <>
      <Table
        id="machines"
        name="What it runs"
        heads={["What", "How many", "Cores each", "Memory each", "Disk each"]}
        rows={rows}
      />
      <p>
        {partitions} partitions and {workers} {workers === 1 ? "worker" : "workers"} a store.
        Traffic at the peak: {bytesText(traffic.inBytesPerSecond)}/s in,{" "}
        {bytesText(traffic.outBytesPerSecond)}/s out, {bytesText(traffic.insideBytesPerSecond)}/s
        between its parts. Of the month's cost, cores are {moneyText(cost.cores)}, memory{" "}
        {moneyText(cost.memory)}, disk {moneyText(cost.disk)}, traffic {moneyText(cost.traffic)}.
      </p>
    </>
  );
}

function Disk({ step }: { step: PlannedStep }) {
  const { disk, stores } = step;
  const { minute, hour, day, month } = disk.countBytes;
  const rows = [
    ["raw events", bytesText(disk.rawBytes)],
    ["counts of minutes", bytesText(minute)],
    ["counts of hours", bytesText(hour)],
    ["counts of days and months", bytesText(day + month)],
    ["sealed sketches", bytesText(disk.sketchBytes)],
    ["counts not folded yet", bytesText(disk.deltaBytes)],
    ["in all", bytesText(disk.storeBytes)],
    ["with room to merge", bytesText(disk.storeRoomBytes)],
  ];
  return (
    <>
      <Table
        id="disk"
        name="Disk of a store"
        heads={[stores === 1 ? "The store" : `Each of ${stores} stores`, "Bytes"]}
        rows={rows}
      />
      <p>About {countText(disk.rawFiles)} files of raw events.</p>
    </>
  );
}

function Limits({ step }: { step: PlannedStep }) {
  const rows = [...step.limits]
    .sort((a, b) => b.share - a.share)
    .map(({ what, load, limit, unit, share }) => [
      what,
      limitText(load, unit),
      limitText(limit, unit),
      percentText(share),
    ]);
  return (
    <Table
      id="limits"
      name="What is nearest to its limit"
      heads={["What", "Wanted", "Carried", "Share"]}
      rows={rows}
      chosen={0}
    />
  );
}

function Classic({ plan }: { plan: Plan }) {
  const { classic, reductions } = plan;
  const rows = reductions.map(({ what, bytes }, i) => {
    const before = reductions[i - 1]?.bytes;
    const factor = before === undefined ? "" : `× ${(bytes / before).toFixed(2)}`;
    return [what, bytesText(bytes), factor];
  });
  return (
    <>
      <p>
        A billion events a day, kept for a year as JSON in three copies, are usually put at 700 TB,
        20 nodes that take events and 5 that answer: 1,918 bytes an event. By that rule this load
        is{" "}
        <b id="classic">
          {bytesText(classic.storedBytes)}, {classic.ingestNodes} + {classic.queryNodes} nodes
        </b>
        . Where the difference is:
      </p>
      <Table id="reductions" name="Differences" heads={["What", "Stored", "Factor"]} rows={rows} />
    </>
  );
}

function Card({
  id,
  title,
  children,
}: {
  id: string;
  title: string;
  children: ComponentChildren;
}) {
  return (
    <section class="card" aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {children}
    </section>
  );
}

export function Results({ plan }: { plan: Plan }) {
  const { steps, smallest } = plan;
  const shown = steps.find(({ name }) => name === smallest) ?? steps.at(-1)!;
  const title = stepTitles[shown.name];
  return (
    <>
      <p id="answer" role="status">
        {smallest === null ? (
          "No step carries this load."
        ) : (
          <>
            The smallest step that carries it: <b>{title}</b>
          </>
        )}
      </p>
      <Card id="steps-title" title="In four steps">
        <Steps plan={plan} />
      </Card>
      <Card id="machines-title" title={`What “${title}” runs`}>
        <Machines step={shown} />
      </Card>
      <Card id="limits-title" title="What limits first">
        <Limits step={shown} />
      </Card>
      <Card id="disk-title" title="On disk">
        <Disk step={shown} />
      </Card>
      <Card id="classic-title" title="Beside the usual estimate">
        <Classic plan={plan} />
      </Card>
    </>
  );
}
