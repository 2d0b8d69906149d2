/** A uPlot in an element: made anew with its form, as wide as that, in the theme's colours. */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { onThemeChange } from "./theme-colours.ts";

interface UplotSource {
  /** While it is the same, the plot stays and only its data change. */
  form: string;
  /** Changes with the data. */
  version: string;
  /** Called when the form changes. */
  options: (width: number) => uPlot.Options;
  /** The newest data. */
  data: () => uPlot.AlignedData;
}

/** Where the plot goes: the ref of an element. */
export function useUplot({ form, version, options, data }: UplotSource) {
  const place = useRef<HTMLDivElement>(null);
  const drawn = useRef<uPlot | null>(null);
  useEffect(() => {
    const element = place.current!;
    const plot = new uPlot(options(element.clientWidth), data(), element);
    drawn.current = plot;
    const resizing = new ResizeObserver(() => {
      const { clientWidth: width } = element;
      if (width > 0 && width !== plot.width) plot.setSize({ width, height: plot.height });
    });
    resizing.observe(element);
    const stop = onThemeChange(() => plot.redraw(true, true));
    return () => {
      stop();
      resizing.disconnect();
      plot.destroy();
      drawn.current = null;
    };
  }, [form]);
  useEffect(() => drawn.current?.setData(data()), [version]);
  return place;
}
