// Metrics as they are served, and as docs/metrics.md lists them.
import { readExposition } from "../support/exposition.ts";
import { readPage } from "../support/markdown.ts";
import type { RankstreamProcess } from "../support/service.ts";

export interface Metric {
  name: string;
  type: string;
  labels: string;
  help: string;
}

/** Families as they are served; `le` of histograms goes without saying. */
export async function served({ url }: RankstreamProcess): Promise<Metric[]> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return readExposition(text).map(({ name, type, help, series }) => {
    const names = Object.keys(series[0]?.labels ?? {}).filter((label) => label !== "le");
    return { name, type, labels: names.map((label) => `\`${label}\``).join(", "), help };
  });
}

/** Rows of the page, by where they are served. */
export function documented(where: string): Metric[] {
  const section = readPage("docs/metrics.md").split(`\n## ${where}\n`)[1]?.split("\n## ")[0] ?? "";
  return [...section.matchAll(/^\| `(\w+)` \| (\w+) \| (.*?) ?\| (.+) \|$/gm)].map(
    ([, name, type, labels, help]) => ({ name: name!, type: type!, labels: labels!, help: help! }),
  );
}

export function byName(metrics: Metric[]): Metric[] {
  return metrics.sort((a, b) => (a.name < b.name ? -1 : 1));
}
