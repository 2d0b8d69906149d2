/** How the service went in the last hour or day: small charts of the samples it keeps. */
import { useRef, useState } from "preact/hooks";
import type { MetricsHistory } from "../../client/metrics-history.ts";
import { client } from "../service.ts";
import { useModal } from "../use-modal.ts";
import { ownTimeZone } from "../view-state.ts";
import { type Chart, chartQueries, chartsOf, chartWords, lastOf } from "./chart-data.ts";
import { type ChartShape, chartData, chartForm, chartOptions } from "./chart-options.ts";
import { stepText } from "./panel-words.ts";
import { usePolled } from "./use-polled.ts";
import { useUplot } from "./use-uplot.ts";

const spans = Object.freeze({
  last_hour: { words: "Last hour", stepSeconds: 60, everyMs: 20_000 },
  last_24_hours: { words: "Last day", stepSeconds: 600, everyMs: 120_000 },
});
type SpanName = keyof typeof spans;
const spanNames = Object.keys(spans) as SpanName[];

function Canvas({
  shape,
  onPoint,
}: {
  shape: ChartShape;
  onPoint: (step: number | null) => void;
}) {
  const newest = useRef(shape);
  newest.current = shape;
  const place = useUplot({
    form: chartForm(shape),
    version: JSON.stringify([shape.times, shape.chart.lines]),
    options: (width) => chartOptions(() => newest.current, onPoint, width),
    data: () => chartData(newest.current),
  });
  return <div class="chart-canvas" ref={place} role="img" aria-label={chartWords(shape.chart)} />;
}

/** The numbers under the pointer, else the newest ones. */
function Readout({ chart, point }: { chart: Chart; point: number | null }) {
  return (
    <p class="chart-readout">
      {chart.lines.map(({ name, values }, at) => {
        const value = point === null ? lastOf(values) : (values[point] ?? undefined);
        return (
          <span key={name} data-line={at}>
            {chart.lines.length > 1 && <span class="chart-line">{name}</span>}
            <strong>{value === undefined ? "–" : chart.text(value)}</strong>
          </span>
        );
      })}
    </p>
  );
}

function Table({ shape, stepMs }: { shape: ChartShape; stepMs: number }) {
  const { chart, times, timeZone } = shape;
  return (
    <table class="plot-table">
      <thead>
        <tr>
          <th scope="col">from</th>
          {chart.lines.map(({ name }) => (
            <th scope="col" key={name}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {times.map((time, at) => (
          <tr key={time}>
            <th scope="row">
              {stepText({ from: time * 1000, to: time * 1000 + stepMs }, "minute", timeZone)}
            </th>
            {chart.lines.map(({ name, values }) => {
              const value = values[at] ?? null;
              return <td key={name}>{value === null ? "–" : chart.text(value)}</td>;
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function ChartCard({ shape, stepMs }: { shape: ChartShape; stepMs: number }) {
  const [point, setPoint] = useState<number | null>(null);
  const [isOpen, setIsOpen] = useState(false);
  const { chart } = shape;
  return (
    <section class="chart" data-chart={chart.id}>
      <h3>{chart.title}</h3>
      {chart.lines.length === 0 ? (
        <p class="note chart-nothing">Nothing measured.</p>
      ) : (
        <>
          <Readout chart={chart} point={point} />
          <Canvas shape={shape} onPoint={setPoint} />
          <details onToggle={(event) => setIsOpen(event.currentTarget.open)}>
            <summary>
              As a table<span class="unseen">: {chart.title}</span>
            </summary>
            {isOpen && <Table shape={shape} stepMs={stepMs} />}
          </details>
        </>
      )}
    </section>
  );
}

function Charts({ replies }: { replies: readonly MetricsHistory[] }) {
  const [first] = replies;
  const { from, to, stepSeconds, intervalSeconds } = first!;
  if (intervalSeconds === null) {
    return (
      <p class="note">
        The service keeps no samples of its numbers: <code>metricsRetentionDays</code> is 0 or{" "}
        <code>metrics</code> is off.
      </p>
    );
  }
  const charts = chartsOf(replies);
  if (charts.every(({ lines }) => lines.length === 0)) {
    return <p class="note">No sample yet: the next one comes within {intervalSeconds} seconds.</p>;
  }
  const begin = Date.parse(from) / 1000;
  const end = Date.parse(to) / 1000;
  const steps = Math.round((end - begin) / stepSeconds);
  const times = Array.from({ length: steps }, (_, at) => begin + at * stepSeconds);
  const timeZone = ownTimeZone();
  return (
    <div class="charts">
      {charts.map((chart) => (
        <ChartCard
          key={chart.id}
          shape={{ chart, times, end, timeZone }}
          stepMs={stepSeconds * 1000}
        />
      ))}
    </div>
  );
}

function SpanChoice({ span, onSpan }: { span: SpanName; onSpan: (span: SpanName) => void }) {
  return (
    <fieldset class="segments">
      <legend class="unseen">Stretch of time</legend>
      {spanNames.map((name) => (
        <label key={name}>
          <input
            type="radio"
            name="chart-span"
            checked={span === name}
            onChange={() => onSpan(name)}
          />
          <span>{spans[name].words}</span>
        </label>
      ))}
    </fieldset>
  );
}

function Body() {
  const [span, setSpan] = useState<SpanName>("last_hour");
  const { stepSeconds: step, everyMs } = spans[span];
  const { value: replies, error } = usePolled<MetricsHistory[]>({
    about: span,
    question: span,
    everyMs,
    ask: (signal) =>
      Promise.all(
        chartQueries.map((query) =>
          client.metricsHistory({ ...query, timeRange: span, step }, signal),
        ),
      ),
  });
  return (
    <>
      <SpanChoice span={span} onSpan={setSpan} />
      {error !== null && (
        <p class="panel-problem" role="alert">
          {replies === null ? "The numbers can't be shown: " : "What is shown may be old: "}
          {error.message}
        </p>
      )}
      {replies === null && error === null && <p class="note">Reading …</p>}
      {replies !== null && <Charts replies={replies} />}
    </>
  );
}

/** A dialog over the board; the browser keeps the focus in it. */
export function ChartsPanel({ onClose }: { onClose: () => void }) {
  const heading = useRef<HTMLHeadingElement>(null);
  const close = () => {
    // Before the focus goes elsewhere: beside an open dialog nothing takes it.
    dialog.current?.close();
    onClose();
  };
  const dialog = useModal(close, () => heading.current?.focus());
  return (
    <dialog
      id="charts-panel"
      ref={dialog}
      aria-labelledby="charts-title"
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
    >
      <div class="charts-body">
        <button type="button" class="panel-close" aria-label="Close" onClick={close}>
          ✕
        </button>
        <h2 id="charts-title" ref={heading} tabIndex={-1}>
          How the service went
        </h2>
        <Body />
      </div>
    </dialog>
  );
}
