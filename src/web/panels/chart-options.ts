/** How the service's numbers are drawn: uPlot's options of a small chart. */
import type uPlot from "uplot";
import type { Chart } from "./chart-data.ts";
import { axisTexts } from "./panel-words.ts";
import { colourOf } from "./theme-colours.ts";

export interface ChartShape {
  chart: Chart;
  /** Where each step begins, epoch seconds; and where the last one ends. */
  times: readonly number[];
  end: number;
  timeZone: string;
}

const height = 118;
/** All charts show the same moment under the pointer. */
const syncKey = "service-charts";
/** Axis steps of bytes, which are told by thousands. */
const byteSteps = Array.from({ length: 5 }, (_, power) =>
  [1, 2, 5, 10, 20, 50, 100, 200, 500].map((n) => n * 1000 ** power),
).flat();
/** Colours of the first line, and of the second. */
const colours = ["--accent", "--soft"] as const;

function fontOf(): string {
  const { fontSize, fontFamily } = getComputedStyle(document.body);
  return `${Math.round(Number.parseFloat(fontSize) * 0.6875)}px ${fontFamily}`;
}

/** From 0 up, and never without a height. */
function rangeOf({ scale }: Chart): uPlot.Range.Function {
  if (scale === "share") return () => [0, 1];
  return (_plot, _least, most) => [0, most > 0 ? most * 1.08 : 1];
}

function axesOf({ chart, timeZone }: ChartShape): uPlot.Axis[] {
  const shared = { stroke: () => colourOf("--soft"), font: fontOf(), ticks: { show: false } };
  return [
    {
      ...shared,
      grid: { show: false },
      size: 34,
      space: 70,
      values: (_plot, times) =>
        axisTexts(
          times.map((time) => time * 1000),
          false,
          timeZone,
        ),
    },
    {
      ...shared,
      grid: { stroke: () => colourOf("--line"), width: 1 },
      size: 62,
      space: 30,
      ...(chart.scale === "bytes" && { incrs: byteSteps }),
      values: (_plot, values) => values.map(chart.text),
    },
  ];
}

/** The options for the shape that `read` gives; `onPoint` is told the step under the pointer. */
export function chartOptions(
  read: () => ChartShape,
  onPoint: (step: number | null) => void,
  width: number,
): uPlot.Options {
  const shape = read();
  const { chart } = shape;
  const series = chart.lines.map(({ name }, at): uPlot.Series => {
    const colour = colours[Math.min(at, colours.length - 1)]!;
    const isFilled = chart.lines.length === 1;
    return {
      label: name,
      stroke: () => colourOf(colour),
      width: 1.75,
      points: { show: false },
      ...(isFilled && { fill: () => `${colourOf(colour)}22` }),
    };
  });
  return {
    width,
    height,
    legend: { show: false },
    padding: [6, 8, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: syncKey } },
    scales: {
      x: { time: true, range: () => [read().times[0]!, read().end] },
      y: { range: rangeOf(chart) },
    },
    axes: axesOf(shape),
    series: [{}, ...series],
    hooks: {
      setCursor: [
        (plot) => onPoint((plot.cursor.left ?? -1) < 0 ? null : (plot.cursor.idx ?? null)),
      ],
    },
  };
}

/** What uPlot draws of a shape. */
export function chartData({ chart, times }: ChartShape): uPlot.AlignedData {
  return [[...times], ...chart.lines.map(({ values }) => [...values])] as uPlot.AlignedData;
}

/** What a chart must be made anew for: the rest of a shape it takes up as it comes. */
export function chartForm({ chart, timeZone }: ChartShape): string {
  return JSON.stringify([chart.id, chart.lines.map(({ name }) => name), timeZone]);
}
