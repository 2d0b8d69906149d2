// A strict reader of Prometheus' text exposition format 0.0.4: it throws at what a scraper might
// put up with, too.

export interface ServedSeries {
  /** With the suffix, of histograms. */
  name: string;
  labels: Record<string, string>;
  value: number;
}

export interface ServedFamily {
  name: string;
  help: string;
  type: string;
  series: ServedSeries[];
}

const helpLine = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (\S.*)$/;
const typeLine = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary)$/;
const seriesLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?\d+(?:\.\d+)?(?:e[+-]\d+)?)$/;
const labelPair = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,(?=.)|$)/;

function readLabels(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== "") {
    const match = labelPair.exec(rest);
    if (match === null) throw new Error(`labels can't be read: ${line}`);
    const [all, name, value] = match as unknown as [string, string, string];
    if (name in labels) throw new Error(`label ${name} twice: ${line}`);
    labels[name] = value.replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c));
    rest = rest.slice(all.length);
  }
  return labels;
}

/** Buckets of each series ascend, end with +Inf, and that is `_count`; `_sum` is there. */
function checkHistogram({ name, series }: ServedFamily): void {
  const groups = new Map<string, ServedSeries[]>();
  for (const one of series) {
    const { le: _, ...labels } = one.labels;
    const key = JSON.stringify(Object.entries(labels).sort());
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  for (const [key, group] of groups) {
    const fail = (what: string) => new Error(`${name} ${key}: ${what}`);
    const buckets = group.filter((one) => one.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) =>
      labels["le"] === "+Inf" ? Infinity : Number(labels["le"]),
    );
    if (bounds.at(-1) !== Infinity) throw fail("the last bucket isn't +Inf");
    for (let i = 1; i < buckets.length; i++) {
      if (!(bounds[i]! > bounds[i - 1]!)) throw fail("bounds don't ascend");
      if (buckets[i]!.value < buckets[i - 1]!.value) throw fail("counts fall");
    }
    const counts = group.filter((one) => one.name === `${name}_count`);
    const sums = group.filter((one) => one.name === `${name}_sum`);
    if (counts.length !== 1 || sums.length !== 1) throw fail("expected one _count and one _sum");
    if (counts[0]!.value !== buckets.at(-1)!.value) throw fail("_count isn't the last bucket");
    if (group.length !== buckets.length + 2) throw fail("has further series");
  }
}

function checkFamily(family: ServedFamily): void {
  const { name, type, series } = family;
  const suffixes = type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
  for (const one of series) {
    if (!suffixes.some((suffix) => one.name === name + suffix)) {
      throw new Error(`${one.name} is among the series of ${name}`);
    }
    if (type === "counter" && one.value < 0) throw new Error(`${name} is below zero`);
  }
  if (type === "histogram") checkHistogram(family);
}

/** The families of a text as it is served. Throws at the first thing that isn't right. */
export function readExposition(text: string): ServedFamily[] {
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const families: ServedFamily[] = [];
  const seen = new Set<string>();
  let help: { name: string; text: string } | null = null;
  for (const line of text.slice(0, -1).split("\n")) {
    if (line === "") continue;
    const [, helped, helpText] = helpLine.exec(line) ?? [];
    if (helped !== undefined) {
      if (families.some(({ name }) => name === helped)) throw new Error(`HELP twice: ${line}`);
      help = { name: helped, text: helpText! };
      continue;
    }
    const [, typed, type] = typeLine.exec(line) ?? [];
    if (typed !== undefined) {
      if (help?.name !== typed) throw new Error(`TYPE without its HELP: ${line}`);
      families.push({ name: typed, help: help.text, type: type!, series: [] });
      help = null;
      continue;
    }
    const [, name, labelText = "", value] = seriesLine.exec(line) ?? [];
    if (name === undefined || help !== null) throw new Error(`can't be read: ${line}`);
    const labels = readLabels(labelText, line);
    const key = `${name}${JSON.stringify(Object.entries(labels).sort())}`;
    if (seen.has(key)) throw new Error(`twice: ${line}`);
    seen.add(key);
    const family = families.at(-1);
    if (family === undefined) throw new Error(`of no family: ${line}`);
    family.series.push({ name, labels, value: Number(value) });
  }
  families.forEach(checkFamily);
  return families;
}
