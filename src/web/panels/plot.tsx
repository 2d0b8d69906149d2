/** A history as a plot: values under the pointer, stretches to choose, all of it as a table. */
import { useRef, useState } from "preact/hooks";
import { countText } from "../words.ts";
import { stepText } from "./panel-words.ts";
import {
  type PlotEvents,
  type PlotShape,
  plotData,
  plotForm,
  plotOptions,
} from "./plot-options.ts";
import type { Span } from "./steps.ts";
import { useUplot } from "./use-uplot.ts";

interface PlotProps extends PlotShape {
  /** What is shown, in words. */
  label: string;
  /** The steps as the answer has them: the first and the last may be cut. */
  exact: readonly Span[];
  stepName: string;
  /** Goes to a stretch; absent where there is nowhere to go. */
  onZoom?: ((span: Span) => void) | undefined;
}

function valueText(kind: PlotShape["kind"], value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return kind === "ranks" ? `rank ${countText(value)}` : countText(value);
}

/** The canvas, drawn anew when what it shows, its width or the theme changes. */
function Canvas({
  shape,
  events,
  label,
}: {
  shape: PlotShape;
  events: PlotEvents;
  label: string;
}) {
  const newest = useRef({ shape, events });
  newest.current = { shape, events };
  const passed: PlotEvents = {
    onPoint: (step) => newest.current.events.onPoint(step),
    ...(events.onSelect !== undefined && {
      onSelect: (first, last) => newest.current.events.onSelect?.(first, last),
    }),
  };
  const place = useUplot({
    form: plotForm(shape),
    version: JSON.stringify([shape.steps, shape.lines]),
    options: (width) => plotOptions(() => newest.current.shape, passed, width),
    data: () => plotData(newest.current.shape),
  });
  return <div class="plot-canvas" ref={place} role="img" aria-label={label} />;
}

function DataTable({ kind, exact, lines, timeZone, stepName, onZoom }: PlotProps) {
  return (
    <table class="plot-table">
      <thead>
        <tr>
          <th scope="col">{stepName}</th>
          {lines.map(({ name }) => (
            <th scope="col" key={name}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {exact.map((span, i) => (
          <tr key={span.from}>
            <th scope="row">
              {onZoom === undefined ? (
                stepText(span, stepName, timeZone)
              ) : (
                <button type="button" class="plain" onClick={() => onZoom(span)}>
                  {stepText(span, stepName, timeZone)}
                </button>
              )}
            </th>
            {lines.map(({ name, values }) => (
              <td key={name}>{valueText(kind, values[i])}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The plot of a history with at least one step. */
export function Plot(props: PlotProps) {
  const { kind, steps, exact, lines, timeZone, label, stepName, onZoom } = props;
  const [point, setPoint] = useState<number | null>(null);
  const [isOpen, setIsOpen] = useState(false);
  const shape = { kind, steps, lines, timeZone };
  const onSelect =
    onZoom &&
    ((first: number, last: number) => {
      const [from, to] = [exact[first], exact[last]];
      if (from !== undefined && to !== undefined) onZoom({ from: from.from, to: to.to });
    });
  const under = point === null ? undefined : exact[point];
  const readout =
    under === undefined
      ? ""
      : [
          stepText(under, stepName, timeZone),
          ...lines.map(({ name, values }) => `${name}: ${valueText(kind, values[point!])}`),
        ].join(" · ");
  return (
    <div class="plot" data-kind={kind}>
      <Canvas shape={shape} events={{ onPoint: setPoint, onSelect }} label={label} />
      <p class="readout" aria-hidden="true">
        {readout}
      </p>
      <details onToggle={(event) => setIsOpen(event.currentTarget.open)}>
        <summary>{kind === "ranks" ? "Ranks as a table" : "Counts as a table"}</summary>
        {isOpen && <DataTable {...props} />}
      </details>
    </div>
  );
}
