/** How far the estimates lie above the truth, by true rank. */

import { useEffect, useRef, useState } from "preact/hooks";
import UPlot from "uplot";
import { onThemeChange } from "../panels/theme-colours.ts";
import type { ErrorBand } from "./analysis.ts";
import { numberText } from "./fields.tsx";

const plotPixelsHigh = 220;

function optionsFor(element: HTMLElement, width: number): UPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--soft"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { stroke: colour("--line"), width: 1 },
    font: "12px system-ui, sans-serif",
  };
  const line = { width: 2, points: { show: false } };
  return {
    width,
    height: plotPixelsHigh,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, distr: 3 },
      y: { range: (_, __, high) => [0, Math.max(high, 1) * 1.05] },
    },
    axes: [
      { ...axis, values: (_, ticks) => ticks.map(rankText) },
      { ...axis, size: 56 },
    ],
    series: [
      {},
      { ...line, label: "Plain", stroke: colour("--plain"), dash: [6, 4] },
      { ...line, label: "Conservative", stroke: colour("--accent") },
    ],
  };
}

/** Of a logarithmic scale only the powers of ten have room. */
function rankText(rank: number | null): string {
  if (rank === null || !Number.isInteger(Math.log10(rank))) return "";
  return rank.toLocaleString("en");
}

function dataOf(bands: readonly ErrorBand[]): UPlot.AlignedData {
  return [
    bands.map(({ rank }) => rank),
    bands.map(({ plain }) => plain),
    bands.map(({ conservative }) => conservative),
  ];
}

/** What the plot shows, in a sentence for those who don't see it. */
function summaryOf(bands: readonly ErrorBand[]): string {
  const first = bands[0];
  const last = bands.at(-1);
  if (first === undefined || last === undefined) return "Error by true rank: nothing counted yet.";
  const at = ({ conservative, plain }: ErrorBand) =>
    `${numberText(conservative)} by conservative, ${numberText(plain)} by plain update`;
  return `Error by true rank. First rank: ${at(first)}. Last ranks, to ${last.rank}: ${at(last)}.`;
}

export function ErrorPlot({ bands }: { bands: readonly ErrorBand[] }) {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot>(undefined);
  const [theme, setTheme] = useState(0);
  // Anew with each theme, whose colours it has.
  useEffect(() => {
    const element = holder.current!;
    const made = new UPlot(optionsFor(element, element.clientWidth), dataOf(bands), element);
    plot.current = made;
    const observer = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height: plotPixelsHigh });
    });
    observer.observe(element);
    const stop = onThemeChange(() => setTheme((before) => before + 1));
    return () => {
      observer.disconnect();
      stop();
      made.destroy();
    };
  }, [theme]);
  useEffect(() => plot.current?.setData(dataOf(bands)), [bands]);
  return (
    <figure>
      <div ref={holder} class="plot" role="img" aria-label={summaryOf(bands)} />
      <figcaption class="soft key">
        <span>
          <span class="line" /> conservative
        </span>
        <span>
          <span class="line plain" /> plain
        </span>
        <span>True rank from left to right, mean excess over the truth upwards.</span>
      </figcaption>
    </figure>
  );
}
