/** How times grow with the range, as an SVG with both axes logarithmic. */

export interface Curve {
  name: string;
  color: string;
  /** Hours of range, milliseconds. */
  points: readonly (readonly [hours: number, ms: number])[];
}

const width = 760;
const height = 440;
const margin = { left: 70, right: 170, top: 30, bottom: 50 };
const hourMarks: readonly (readonly [number, string])[] = [
  [1, "1 h"],
  [24, "1 day"],
  [168, "1 week"],
  [730, "1 month"],
  [8760, "1 year"],
];

export function growthPlot(title: string, curves: readonly Curve[]): string {
  const points = curves.flatMap((curve) => curve.points);
  const decades = points.map(([, ms]) => Math.log10(ms));
  const low = Math.floor(Math.min(...decades));
  const high = Math.max(low + 1, Math.ceil(Math.max(...decades)));
  const hoursMax = Math.max(2, ...points.map(([hours]) => hours));
  const across = (hours: number) =>
    margin.left + (Math.log(hours) / Math.log(hoursMax)) * (width - margin.left - margin.right);
  const up = (ms: number) =>
    height -
    margin.bottom -
    ((Math.log10(ms) - low) / (high - low)) * (height - margin.top - margin.bottom);
  const parts = [`<text x="${margin.left}" y="18" font-weight="bold">${title}</text>`];
  const right = width - margin.right;
  for (let decade = low; decade <= high; decade++) {
    const y = up(10 ** decade).toFixed(1);
    parts.push(`<path d="M${margin.left} ${y}H${right}" stroke="#ddd"/>`);
    parts.push(
      `<text x="${margin.left - 8}" y="${y}" text-anchor="end">${10 ** decade} ms</text>`,
    );
  }
  for (const [hours, label] of hourMarks.filter(([hours]) => hours <= hoursMax)) {
    const x = across(hours).toFixed(1);
    parts.push(`<path d="M${x} ${margin.top}V${height - margin.bottom}" stroke="#eee"/>`);
    parts.push(`<text x="${x}" y="${height - 28}" text-anchor="middle">${label}</text>`);
  }
  for (const { name, color, points: own } of curves) {
    const at = own.map(([hours, ms]) => `${across(hours).toFixed(1)},${up(ms).toFixed(1)}`);
    if (at.length === 0) continue;
    parts.push(`<polyline points="${at.join(" ")}" fill="none" stroke="${color}"/>`);
    const dots = at.map((place) => place.split(","));
    for (const [x, y] of dots) parts.push(`<circle cx="${x}" cy="${y}" r="3" fill="${color}"/>`);
    const [, y] = dots.at(-1)!;
    parts.push(`<text x="${right + 8}" y="${y}" fill="${color}">${name}</text>`);
  }
  const font = 'font-family="sans-serif" font-size="12"';
  const size = `width="${width}" height="${height}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${font}>\n${parts.join("\n")}\n</svg>\n`;
}
