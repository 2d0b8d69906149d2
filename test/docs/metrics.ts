// Metrics as they are served, and as docs/metrics.md lists them.
import { readExposition } from "../support/exposition.ts";
import { readPage } from "../support/markdown.ts";
import type { RankstreamProcess } from "../support/service.ts";

export interface Metric {
  name: string;
  type: string;
  /** Null: none has come up yet, so nobody knows. */
  labels: string | null;
  unit: string;
  help: string;
}

/** By the conventions of Prometheus the name says it. */
function unitOf(name: string): string {
  const [, unit] = /_(seconds|bytes|ratio)(?:_total)?$/.exec(name) ?? [];
  return unit ?? "";
}

/** Families as they are served; `le` of histograms goes without saying. */
export async function served({ url }: RankstreamProcess): Promise<Metric[]> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return readExposition(text).map(({ name, type, help, series }) => {
    const names = series.map(({ labels }) =>
      Object.keys(labels)
        .filter((label) => label !== "le")
        .map((label) => `\`${label}\``)
        .join(", "),
    );
    return { name, type, labels: names[0] ?? null, unit: unitOf(name), help };
  });
}

/** Rows of the page, by where they are served. */
export function documented(where: string): Metric[] {
  const section = readPage("docs/metrics.md").split(`\n## ${where}\n`)[1]?.split("\n## ")[0] ?? "";
  return [...section.matchAll(/^\| `(\w+)` \| (\w+) \| (.*?) ?\| (.*?) ?\| (.+) \|$/gm)].map(
    ([, name, type, labels, unit, help]) => {
      return { name: name!, type: type!, labels: labels!, unit: unit!, help: help! };
    },
  );
}

/** In one order, and with the page's word for labels that nothing was served of yet. */
export function compared(page: Metric[], found: Metric[]): { page: Metric[]; found: Metric[] } {
  const labelsOf = new Map(page.map(({ name, labels }) => [name, labels]));
  const byName = (metrics: Metric[]) => metrics.sort((a, b) => (a.name < b.name ? -1 : 1));
  const known = found.map((metric) => {
    return { ...metric, labels: metric.labels ?? labelsOf.get(metric.name) ?? null };
  });
  return { page: byName(page), found: byName(known) };
}
