/** One sketch as a map of its cells: a line a row, the darker the more it holds. */

import { useEffect, useRef, useState } from "preact/hooks";
import { onThemeChange } from "../panels/theme-colours.ts";

export interface CellMapProps {
  name: string;
  cells: Uint32Array;
  depth: number;
  width: number;
  /** Of the darkest: shared by both maps, so that they compare. */
  cellMax: number;
  /** The shown item's cell in each row. */
  places: readonly number[];
  /** Of these cells, which have just risen; empty when the item isn't being counted. */
  risen: readonly boolean[];
  /** Redraws when it changes, whatever else is the same. */
  version: number;
  onCell: (row: number, place: number) => void;
}

const rowPixels = 34;
const gapPixels = 4;
/** Narrower cells have no number in them. */
const numberPixelsMin = 24;

interface Colours {
  empty: string;
  scale: string[];
  ink: string;
  inkOnFull: string;
  mark: string;
  rise: string;
}

function coloursOf(element: HTMLElement): Colours {
  const style = getComputedStyle(element);
  const read = (name: string) => style.getPropertyValue(name).trim();
  return {
    empty: read("--cell-0"),
    scale: [1, 2, 3, 4, 5].map((step) => read(`--cell-${step}`)),
    ink: read("--text"),
    inkOnFull: read("--cell-ink"),
    mark: read("--mark"),
    rise: read("--rise"),
  };
}

/** 0 for an empty cell, else 1 to 5 by the logarithm of what it holds. */
function stepOf(cell: number, cellMax: number): number {
  if (cell === 0) return 0;
  return 1 + Math.min(4, Math.floor((5 * Math.log(cell)) / Math.log(cellMax + 1)));
}

function drawCells(context: CanvasRenderingContext2D, props: CellMapProps, c: Colours, w: number) {
  const { cells, depth, width, cellMax } = props;
  const columns = Math.min(width, Math.floor(w));
  const each = w / columns;
  const perColumn = width / columns;
  const hairline = each >= 6 ? 1 : 0;
  for (let row = 0; row < depth; row++) {
    const top = row * (rowPixels + gapPixels);
    for (let column = 0; column < columns; column++) {
      // Where cells are narrower than a pixel the fullest of them is shown.
      let cell = 0;
      const from = row * width + Math.floor(column * perColumn);
      const to = row * width + Math.max(Math.floor((column + 1) * perColumn), 1);
      for (let i = from; i < Math.max(to, from + 1); i++) cell = Math.max(cell, cells[i]!);
      const step = stepOf(cell, cellMax);
      context.fillStyle = step === 0 ? c.empty : c.scale[step - 1]!;
      context.fillRect(column * each, top, each - hairline, rowPixels);
      if (each >= numberPixelsMin && cell > 0) {
        context.fillStyle = step >= 4 ? c.inkOnFull : c.ink;
        context.fillText(cellText(cell), column * each + each / 2, top + rowPixels / 2, each - 3);
      }
    }
  }
}

function cellText(cell: number): string {
  if (cell < 10_000) return String(cell);
  return cell < 1e6 ? `${Math.round(cell / 1000)}k` : `${(cell / 1e6).toFixed(1)}M`;
}

/** A frame round each of the item's cells, with an arrow on those that have just risen. */
function drawMarks(context: CanvasRenderingContext2D, props: CellMapProps, c: Colours, w: number) {
  const { places, width, risen } = props;
  const each = w / width;
  places.forEach((place, row) => {
    const top = row * (rowPixels + gapPixels);
    const frame = Math.max(each, 7);
    const left = Math.min(Math.max(place * each + each / 2 - frame / 2, 1), w - frame - 1);
    const isRisen = risen[row] === true;
    context.strokeStyle = isRisen ? c.rise : c.mark;
    context.lineWidth = 3;
    context.setLineDash(isRisen || risen.length === 0 ? [] : [4, 3]);
    context.strokeRect(left + 0.5, top + 1, frame - 2, rowPixels - 2);
    context.setLineDash([]);
    if (!isRisen) return;
    context.fillStyle = c.rise;
    context.beginPath();
    context.moveTo(left + frame / 2 - 7, top + 8);
    context.lineTo(left + frame / 2 + 7, top + 8);
    context.lineTo(left + frame / 2, top - 3);
    context.fill();
  });
}

/** The element's width in CSS pixels, followed; and a number that changes with the theme. */
function useSurroundings(canvas: { current: HTMLCanvasElement | null }) {
  const [pixels, setPixels] = useState(0);
  const [theme, setTheme] = useState(0);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setPixels(entry!.contentRect.width));
    observer.observe(canvas.current!);
    const stop = onThemeChange(() => setTheme((before) => before + 1));
    return () => {
      observer.disconnect();
      stop();
    };
  }, [canvas]);
  return { pixels, theme };
}

export function CellMap(props: CellMapProps) {
  const { name, depth, width, cells, places, onCell } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const { pixels, theme } = useSurroundings(canvas);
  const height = depth * (rowPixels + gapPixels);
  useEffect(() => {
    const element = canvas.current!;
    const ratio = devicePixelRatio;
    element.width = Math.round(pixels * ratio);
    element.height = Math.round((height + 4) * ratio);
    const context = element.getContext("2d")!;
    context.scale(ratio, ratio);
    context.translate(0, 4);
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    const colours = coloursOf(element);
    if (pixels === 0) return;
    drawCells(context, props, colours, pixels);
    drawMarks(context, props, colours, pixels);
  });
  const used = cells.reduce((sum, cell) => sum + (cell > 0 ? 1 : 0), 0);
  const own = places.map((place) => place + 1).join(", ");
  const label =
    `${name}: ${depth} rows of ${width} cells, ${used} of them in use.` +
    (own === "" ? "" : ` The shown item's cells, row by row: ${own}.`);
  return (
    <canvas
      ref={canvas}
      role="img"
      aria-label={label}
      data-theme={theme}
      style={{ height: `${height + 4}px` }}
      onClick={(event) => {
        const row = Math.floor((event.offsetY - 4) / (rowPixels + gapPixels));
        const place = Math.floor((event.offsetX / pixels) * width);
        if (row >= 0 && row < depth && place >= 0 && place < width) onCell(row, place);
      }}
    />
  );
}
