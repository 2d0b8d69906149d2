/** Small parts that the demo's forms and texts share. */
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

/** A whole number with separators; a fraction with one digit, below 1 with two. */
export function numberText(value: number): string {
  if (!Number.isFinite(value)) return "no bound";
  const fraction = value < 1 ? 2 : 1;
  const digits = Number.isInteger(value) || value >= 1000 ? 0 : fraction;
  return value.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/** Both bounds, or the one number that they agree on. */
export function boundsText({ lower, upper }: { lower: number; upper: number }): string {
  return lower === upper ? numberText(upper) : `${numberText(lower)}–${numberText(upper)}`;
}

export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  const [value, unit] = bytes < 2 ** 20 ? [bytes / 1024, "KiB"] : [bytes / 2 ** 20, "MiB"];
  return `${value.toLocaleString("en", { maximumFractionDigits: 1 })} ${unit}`;
}

export interface SliderProps {
  label: string;
  value: number;
  min: number;
  max: number;
  step?: number;
  /** The value as the reader is told it. */
  text: string;
  onValue: (value: number) => void;
}

export function Slider({ label, value, min, max, step = 1, text, onValue }: SliderProps) {
  const id = useId();
  return (
    <p class="slider">
      <label for={id}>{label}</label>
      <output for={id}>{text}</output>
      <input
        id={id}
        type="range"
        min={min}
        max={max}
        step={step}
        value={value}
        aria-valuetext={text}
        onInput={(event) => onValue(Number(event.currentTarget.value))}
      />
    </p>
  );
}

export interface CardProps {
  id: string;
  title: string;
  children: ComponentChildren;
}

export function Card({ id, title, children }: CardProps) {
  return (
    <section class="card" id={id} aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>{title}</h2>
      {children}
    </section>
  );
}

export interface ItemButtonProps {
  name: string;
  isChosen: boolean;
  onChoose: () => void;
}

/** An item's name; pressing it shows where it lies in the rows. */
export function ItemButton({ name, isChosen, onChoose }: ItemButtonProps) {
  return (
    <button type="button" class="item" aria-pressed={isChosen} title={name} onClick={onChoose}>
      {name}
    </button>
  );
}

/** What may be wider than its place: scrolled by itself, with the keyboard too. */
export function Scroll({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: only so can the keyboard scroll it
    <section class="scroll" tabIndex={0} aria-label={name}>
      {children}
    </section>
  );
}
