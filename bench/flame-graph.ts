/** V8's CPU profiles as one flame graph (B. Gregg, 2011): SVG, wide is long, callers below. */
import { type CpuProfile, fileOf, isIdle, type ProfileNode, selfSeconds } from "./cpu-profile.ts";
import { fixed } from "./report.ts";

const width = 1600;
const rowHeight = 16;
const charWidth = 6.6;
/** Frames narrower than this are left out. */
const pixelsMin = 4;

interface Frame {
  name: string;
  seconds: number;
  children: Map<string, Frame>;
}

function frameName(node: ProfileNode): string {
  const file = fileOf(node);
  return `${node.callFrame.functionName || "(anonymous)"}${file === "" ? "" : ` ${file}`}`;
}

/** The profile's calls as a tree, equal callers' equal callees joined; idle time left out. */
export function callTree(profile: CpuProfile, name: string): Frame {
  const { nodes } = profile;
  const own = selfSeconds(profile);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const root: Frame = { name, seconds: 0, children: new Map() };
  const add = (node: ProfileNode, into: Frame): number => {
    if (isIdle(node)) return 0;
    const called = frameName(node);
    const frame = into.children.get(called) ?? { name: called, seconds: 0, children: new Map() };
    into.children.set(called, frame);
    let seconds = own.get(node.id) ?? 0;
    for (const child of node.children ?? []) seconds += add(byId.get(child)!, frame);
    frame.seconds += seconds;
    return seconds;
  };
  const [top] = nodes;
  for (const child of top?.children ?? []) root.seconds += add(byId.get(child)!, root);
  return root;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

/** Rows that are drawn of it. */
function depthOf(frame: Frame, perSecond: number): number {
  if (frame.seconds * perSecond < pixelsMin) return 0;
  const callees = [...frame.children.values()];
  return 1 + Math.max(0, ...callees.map((callee) => depthOf(callee, perSecond)));
}

/** A warm colour, the same for the same name. */
function colour(name: string): string {
  let hash = 0;
  for (const char of name) hash = (Math.imul(hash, 31) + char.codePointAt(0)!) >>> 0;
  return `hsl(${hash % 50} 85% ${62 + (hash % 13)}%)`;
}

function draw(frame: Frame, x: number, y: number, perSecond: number, out: string[]): void {
  const wide = frame.seconds * perSecond;
  if (wide < pixelsMin) return;
  const chars = Math.floor((wide - 4) / charWidth);
  const label = chars < 3 ? "" : escaped(frame.name.slice(0, chars));
  out.push(
    `<g><title>${escaped(frame.name)}: ${fixed(frame.seconds)} s</title>` +
      `<rect x="${fixed(x, 1)}" y="${y}" width="${fixed(wide, 1)}" height="${rowHeight - 1}" ` +
      `fill="${colour(frame.name)}"/>` +
      `<text x="${fixed(x + 2, 1)}" y="${y + 11}">${label}</text></g>`,
  );
  let at = x;
  const callees = [...frame.children.values()].sort((a, b) => b.seconds - a.seconds);
  for (const callee of callees) {
    draw(callee, at, y - rowHeight, perSecond, out);
    at += callee.seconds * perSecond;
  }
}

/** The threads' call trees above each other, on one scale. */
export function flameGraph(threads: readonly Frame[]): string {
  const longest = Math.max(...threads.map(({ seconds }) => seconds));
  const out: string[] = [];
  const perSecond = width / longest;
  let bottom = 0;
  for (const thread of threads) {
    bottom += (depthOf(thread, perSecond) + 1) * rowHeight;
    draw(thread, 0, bottom - rowHeight, perSecond, out);
  }
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${bottom}" ` +
    `viewBox="0 0 ${width} ${bottom}" font-family="monospace" font-size="11">\n` +
    `<rect width="100%" height="100%" fill="#fff"/>\n${out.join("\n")}\n</svg>\n`
  );
}
