// Metrics as they are served, and as docs/metrics.md lists them.
import { readPage } from "../support/markdown.ts";
import type { RankstreamProcess } from "../support/service.ts";

export interface Metric {
  name: string;
  type: string;
  labels: string;
  help: string;
}

/** Families as they are served. */
export async function served({ url }: RankstreamProcess): Promise<Metric[]> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return [...text.matchAll(/^# HELP (\S+) (.+)\n# TYPE \S+ (\S+)$/gm)].map(
    ([, name, help, type]) => {
      const sample = new RegExp(`^${name}\\{(.+)\\} `, "m").exec(text)?.[1] ?? "";
      const labels = [...sample.matchAll(/(\w+)="/g)]
        .map(([, label]) => `\`${label}\``)
        .join(", ");
      return { name: name!, type: type!, labels, help: help! };
    },
  );
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
