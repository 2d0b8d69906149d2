/** A row's small plot: counts over the range, as a line. */

interface SparklineProps {
  /** Counts in order of time. */
  points: readonly number[];
  /** What it shows, in words. */
  label: string;
  pointsMax?: number;
}

const width = 96;
const height = 24;
/** Room for the stroke, and for the dot at the end. */
const edge = 2;
/** Longer courses are drawn by means of neighbours: finer, few events are nothing but noise. */
const pointsMaxUsual = 36;

/** The points, few enough to be told apart. */
function thinned(points: readonly number[], pointsMax: number): readonly number[] {
  const size = Math.ceil(points.length / pointsMax);
  if (size <= 1) return points;
  const groups = Array.from({ length: Math.ceil(points.length / size) }, (_, i) =>
    points.slice(i * size, (i + 1) * size),
  );
  return groups.map((group) => group.reduce((sum, count) => sum + count, 0) / group.length);
}

/** Where the points lie: from the left edge to the right one, the greatest at the top. */
function placesOf(points: readonly number[]): [x: number, y: number][] {
  const most = Math.max(...points) || 1;
  const step = (width - 2 * edge) / Math.max(1, points.length - 1);
  const round = (n: number) => Math.round(n * 10) / 10;
  return points.map((count, i) => [
    round(edge + i * step),
    round(height - edge - (count / most) * (height - 2 * edge)),
  ]);
}

/** Counts over time as a line; nothing where there is no course to show. */
export function Sparkline({ points, label, pointsMax = pointsMaxUsual }: SparklineProps) {
  if (points.length < 2) return null;
  const places = placesOf(thinned(points, pointsMax));
  const line = `M${places.map((place) => place.join(" ")).join("L")}`;
  const [lastX, lastY] = places.at(-1)!;
  return (
    <svg class="sparkline" viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
      <path class="area" d={`${line}L${lastX} ${height}L${edge} ${height}Z`} />
      <path class="line" d={line} />
      <circle class="end" cx={lastX} cy={lastY} r={edge} />
    </svg>
  );
}
