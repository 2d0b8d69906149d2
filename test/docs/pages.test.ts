// The documentation, as its readers try it: every command is run, every reply shown is compared.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { blocksOf, pageNames, readPage } from "../support/markdown.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";
import { root } from "../support/source-tree.ts";
import { DocWorld } from "./doc-world.ts";
import { type Capture, describePage, hasTests } from "./page-checks.ts";
import { fill, writeFiles } from "./page-data.ts";

/** Blocks that nothing runs, each with its reason in the page. More of them need a better page. */
const notRunMax = 12;
/** Pages that need more than the service. */
const testedElsewhere = new Map([
  ["docs/concepts.md", "test/docs/concepts.test.ts"],
  ["docs/container.md", "test/docs/container.test.ts"],
  ["docs/how-to/from-postgres.md", "test/docs/postgres.test.ts"],
  ["docs/operations.md", "test/docs/operations.test.ts"],
  ["docs/how-to/from-kafka.md", "test/docs/nodes.test.ts"],
  ["docs/how-to/from-a-web-page.md", "test/docs/web-page.test.ts"],
  ["docs/kafka.md", "test/docs/nodes.test.ts"],
  ["docs/scale-out.md", "test/docs/scale-out.test.ts"],
  ["docs/scaling.md", "test/docs/nodes.test.ts"],
  ["docs/how-to/behind-a-proxy.md", "test/docs/proxies.test.ts"],
]);
/** After all others: it leaves nothing of their events. */
const lastPage = "docs/deletes.md";
const captures: Record<string, Capture[]> = {
  "docs/jobs.md": [{ shown: "Yb3mX0c2u1vE8sT5qL7nRw", from: /^location: \/jobs\/(\S+)/im }],
  "docs/queries.md": [{ shown: "Yb3mX0c2u1vE8sT5.0", from: /"nextCursor":"([^"]+)"/ }],
};

const pages = pageNames();
const blocks = pages.flatMap((page) => blocksOf(page));
const own = pages.filter((page) => !testedElsewhere.has(page) && page !== lastPage);

let service: RankstreamProcess;
const worlds = new Map<string, DocWorld>();

beforeAll(async () => {
  service = await startRankstream();
  await fill(service);
});

for (const page of [...own, lastPage]) {
  if (!hasTests(page)) continue;
  const world = () => worlds.get(page)!;
  describe("run", () => {
    beforeAll(async () => {
      const made = new DocWorld(service.url);
      await writeFiles(made.folder);
      worlds.set(page, made);
    });
    describePage(page, world, { captures: captures[page] ?? [] });
  });
}

describe("code blocks", () => {
  it(`are run, all but at most ${notRunMax}, which say why not`, () => {
    const left = blocks.filter(({ marks }) => marks.notRun !== undefined);
    for (const { page, line, marks } of left) {
      process.stdout.write(`not run: ${page}:${line}: ${marks.notRun}\n`);
      expect(marks.notRun!.length, `${page}:${line}`).toBeGreaterThan(20);
    }
    expect(left.length).toBeLessThanOrEqual(notRunMax);
  });

  it("are run here or by the file named", () => {
    for (const [page, file] of testedElsewhere) {
      expect(pages, file).toContain(page);
      expect(readFileSync(join(root, file), "utf8")).toContain(page);
    }
  });
});

describe("the two commands", () => {
  it("are those of package.json and of .ci/run", () => {
    const readme = readPage("README.md");
    const scripts = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).scripts;
    const everyTest = "npm ci && npm run test:services && npm test";
    expect(readFileSync(join(root, ".ci", "run"), "utf8").split("\n")).toContain(everyTest);
    expect(readme).toMatch(/^npm ci && npm run demo\b/m);
    expect(pages.map(readPage).join("\n")).toContain(everyTest);
    expect(scripts.demo).toMatch(/node build\/cli\.js demo$/);
    expect(scripts.start).toMatch(/node build\/cli\.js start$/);
  });
});
