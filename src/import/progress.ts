/** How far an import is, in words: a bar for terminals, a plain line for logs. */

export interface Progress {
  rows: number;
  /** 0..1; null when the whole is not known. */
  part: number | null;
  seconds: number;
}

const barChars = 24;
const numbers = new Intl.NumberFormat("en-US");

/** `1,234,567`. */
export function countText(count: number): string {
  return numbers.format(Math.round(count));
}

/** `8 s`, `2 min 5 s`, `1 h 3 min`. */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Rows a second, from the start. */
export function rateOf({ rows, seconds }: Progress): number {
  return seconds > 0 ? rows / seconds : 0;
}

function timeLeft({ part, seconds }: Progress): string {
  if (part === null || part <= 0 || part >= 1) return "";
  return `, ${durationText((seconds / part) * (1 - part))} left`;
}

/** `1,200,000 rows, 40%, 410,000 rows/s, 4 s left`. */
export function progressText(progress: Progress): string {
  const part = progress.part === null ? "" : `, ${Math.floor(progress.part * 100)}%`;
  const rate = `, ${countText(rateOf(progress))} rows/s`;
  return `${countText(progress.rows)} rows${part}${rate}${timeLeft(progress)}`;
}

/** The text after a bar, cut to `columns` characters. */
export function progressBar(progress: Progress, columns: number): string {
  const { part } = progress;
  const text = progressText(progress);
  if (part === null) return text.slice(0, columns - 1);
  const full = Math.round(Math.min(1, part) * barChars);
  return `[${"#".repeat(full)}${".".repeat(barChars - full)}] ${text}`.slice(0, columns - 1);
}
