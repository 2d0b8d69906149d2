/** A row's small plot. */

interface SparklineProps {
  /** Counts in order of time. */
  points: readonly number[];
  /** What it shows, in words. */
  label: string;
}

const width = 96;
const height = 24;
const stroke = 1.5;

/** The path through the points, from the first at the left edge to the last at the right one. */
function pathOf(points: readonly number[]): string {
  const most = Math.max(1, ...points);
  const step = width / Math.max(1, points.length - 1);
  const y = (count: number) => height - stroke - (count / most) * (height - 2 * stroke);
  return points.map((count, i) => `${i ? "L" : "M"}${i * step} ${y(count)}`).join("");
}

/** Counts over time as a line; nothing where there is no course to show. */
export function Sparkline({ points, label }: SparklineProps) {
  if (points.length < 2) return null;
  return (
    <svg class="sparkline" viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
      <path d={pathOf(points)} fill="none" stroke="currentColor" stroke-width={stroke} />
    </svg>
  );
}
