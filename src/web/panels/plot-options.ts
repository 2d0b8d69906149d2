/** How histories are drawn: uPlot's options, in the page's colours. */
import uPlot from "uplot";
import { axisTexts, shortCount } from "./panel-words.ts";
import type { Span } from "./steps.ts";
import { colourOf } from "./theme-colours.ts";

export interface PlotLine {
  name: string;
  /** By step; null where there is nothing to draw. */
  values: readonly (number | null)[];
  /** Of another period than the axis says. */
  isBefore?: boolean;
}

export interface PlotShape {
  /** Counts, or ranks, of which the first is at the top. */
  kind: "counts" | "ranks";
  /** The steps as they are drawn, at least one. */
  steps: readonly Span[];
  lines: readonly PlotLine[];
  timeZone: string;
}

export interface PlotEvents {
  /** The step under the pointer; null for none. */
  onPoint: (step: number | null) => void;
  /** Steps drawn over, the first and the last; absent where nothing can be chosen. */
  onSelect?: ((first: number, last: number) => void) | undefined;
}

/** More bars than this are drawn as a line. */
const barsMax = 130;
const plotHeight = 190;
const ranksHeight = 130;
const daySeconds = 86_400;
const selectPixelsMin = 4;
const secondMs = 1000;

/** The step that holds a moment in seconds. */
function stepAt(steps: readonly Span[], seconds: number): number {
  const ms = seconds * secondMs;
  const after = steps.findIndex(({ from }) => from > ms);
  return Math.max(0, (after < 0 ? steps.length : after) - 1);
}

function fontOf(): string {
  const { fontSize, fontFamily } = getComputedStyle(document.body);
  return `${Math.round(Number.parseFloat(fontSize) * 0.75)}px ${fontFamily}`;
}

function axesOf({ kind, timeZone }: PlotShape): uPlot.Axis[] {
  const shared = {
    stroke: () => colourOf("--soft"),
    font: fontOf(),
    ticks: { show: false },
  };
  const line = { stroke: () => colourOf("--line"), width: 1 };
  return [
    {
      ...shared,
      grid: { show: false },
      size: 42,
      values: (_plot, times, _axis, _space, step) =>
        axisTexts(
          times.map((time) => time * secondMs),
          step >= daySeconds,
          timeZone,
        ),
    },
    {
      ...shared,
      grid: line,
      size: 58,
      values: (_plot, values) => values.map(shortCount),
      ...(kind === "counts" ? { incrs: wholeSteps } : { splits: rankSplits }),
    },
  ];
}

/** Axis steps that don't cut a count in two. */
const wholeSteps = Array.from({ length: 16 }, (_, power) => [1, 2, 5].map((n) => n * 10 ** power))
  .flat()
  .sort((a, b) => a - b);

const rankSplitsMax = 4;

/** Whole ranks, from the best one shown on. */
function rankSplits(plot: uPlot): number[] {
  const { min = 1, max = 1 } = plot.scales["y"] ?? {};
  const [best, worst] = [Math.max(1, Math.ceil(min ?? 1)), Math.floor(max ?? 1)];
  const step = Math.max(1, Math.ceil((worst - best) / rankSplitsMax));
  return Array.from({ length: Math.floor((worst - best) / step) + 1 }, (_, i) => best + i * step);
}

/** From 0 up; an empty plot still has a height. */
function countsRange(_plot: uPlot, _least: number | null, most: number | null): [number, number] {
  return [0, Math.max(1, (most ?? 0) * 1.06)];
}

/** The best rank at the top with some air, and never a plot without height. */
function ranksRange(_plot: uPlot, best: number | null, worst: number | null): [number, number] {
  const [low, high] = [best ?? 1, Math.max(worst ?? 1, (best ?? 1) + 2)];
  const air = (high - low) * 0.12;
  return [low - air, high + air];
}

function seriesOf({ kind, steps, lines }: PlotShape): uPlot.Series[] {
  // No greatest width: a bar that ends early would say that its step does.
  const bars = uPlot.paths.bars!({ align: 1, size: [0.82] });
  const stepped = uPlot.paths.stepped!({ align: 1 });
  const isBars = kind === "counts" && steps.length <= barsMax;
  const own = lines.map(({ name, isBefore = false }): uPlot.Series => {
    const stroke = () => colourOf(isBefore ? "--soft" : "--accent");
    const base = { label: name, stroke, points: { show: false } };
    if (isBefore) return { ...base, width: 1.5, dash: [4, 4], paths: stepped };
    const fill = () => `${colourOf("--accent")}${isBars ? "d0" : "28"}`;
    if (kind === "ranks") return { ...base, width: 2, paths: stepped };
    return { ...base, width: isBars ? 0 : 1.5, fill, ...(isBars && { paths: bars }) };
  });
  return [{}, ...own];
}

/** Where a plot begins and ends, in seconds. */
function spanOf({ steps }: PlotShape): [number, number] {
  return [steps[0]!.from / secondMs, steps.at(-1)!.to / secondMs];
}

/** What a plot must be made anew for: all else of a shape it takes up as it comes. */
export function plotForm({ kind, steps, lines, timeZone }: PlotShape): string {
  const names = lines.map(({ name }) => name);
  return JSON.stringify([kind, steps.length <= barsMax, names, timeZone]);
}

/** uPlot's options for the shape that `read` gives, `width` CSS pixels wide. */
export function plotOptions(
  read: () => PlotShape,
  events: PlotEvents,
  width: number,
): uPlot.Options {
  const shape = read();
  const { kind } = shape;
  const { onSelect } = events;
  const select = (plot: uPlot) => {
    const { left, width: across } = plot.select;
    if (across < selectPixelsMin) return;
    const at = (pixel: number) => stepAt(read().steps, plot.posToVal(pixel, "x"));
    onSelect?.(at(left), at(left + across - 1));
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  };
  return {
    width,
    height: kind === "counts" ? plotHeight : ranksHeight,
    legend: { show: false },
    padding: [8, 26, 0, 0],
    cursor: {
      y: false,
      points: { show: kind === "ranks" },
      drag: { x: onSelect !== undefined, y: false, setScale: false },
      // A step is under the pointer from its beginning to its end.
      dataIdx: (_plot, _series, _nearest, seconds) => stepAt(read().steps, seconds),
    },
    scales: {
      x: { time: true, range: () => spanOf(read()) },
      y: kind === "counts" ? { range: countsRange } : { dir: -1, range: ranksRange },
    },
    axes: axesOf(shape),
    series: seriesOf(shape),
    hooks: {
      setCursor: [
        (plot) => events.onPoint((plot.cursor.left ?? -1) < 0 ? null : (plot.cursor.idx ?? null)),
      ],
      setSelect: [select],
    },
  };
}

/** What uPlot draws of a shape. */
export function plotData({ kind, steps, lines }: PlotShape): uPlot.AlignedData {
  const times = steps.map(({ from }) => from / secondMs);
  const rows = lines.map(({ values }) => [...values]);
  if (kind === "ranks") {
    // The last step is drawn to its end, too.
    times.push(steps.at(-1)!.to / secondMs);
    for (const row of rows) row.push(row.at(-1) ?? null);
  }
  return [times, ...rows] as uPlot.AlignedData;
}
