// docs/concepts.md: its worked example is what the service says and what its table adds up to.
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { blocksOf, readPage } from "../support/markdown.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";
import { DocWorld } from "./doc-world.ts";
import { describePage } from "./page-checks.ts";

const page = "docs/concepts.md";
const listed = 3;
const sealMsMax = 40_000;
const blocks = blocksOf(page);
const plays = blocks.find(({ marks }) => marks.file === "plays.ndjson")!.text;
const shown = JSON.parse(blocks.find(({ language }) => language === "json")!.text);
const question = /'http:\/\/127\.0\.0\.1:8080([^']+mode=approx)'/.exec(readPage(page))![1]!;

interface Play {
  eventId: string;
  timestamp: string;
  weight: number;
}

let service: RankstreamProcess;
let world: DocWorld;

beforeAll(async () => {
  const lists = ["--candidates-max", String(listed), "--sealed-sketches", "off"];
  const quick = ["--seal-quiet-ms", "0", "--seal-interval-ms", "100"];
  // An answer kept from before the hours sealed would go on holding.
  const unkept = ["--cache-bytes-max", "0", "--cache-store-bytes-max", "0"];
  service = await startRankstream({ args: [...lists, ...quick, ...unkept] });
  world = new DocWorld(service.url);
});

describePage(page, () => world);

/** Bounds by the page's own rule, from the page's plays; null stands for any item on no list. */
function boundsOf(item: string | null): { lower: number; upper: number } {
  const events = plays.split("\n").map((line) => JSON.parse(line) as Play);
  let [lower, upper] = [0, 0];
  for (const hour of new Set(events.map(({ timestamp }) => timestamp))) {
    const ofHour = events.filter(({ timestamp }) => timestamp === hour);
    const list = ofHour.sort((a, b) => b.weight - a.weight).slice(0, listed);
    const own = list.find(({ eventId }) => eventId === item);
    lower += own?.weight ?? 0;
    upper += own?.weight ?? list.at(-1)!.weight;
  }
  return { lower, upper };
}

describe("the worked example", () => {
  it("is what the service answers once the hours are sealed", async () => {
    const deadline = Date.now() + sealMsMax;
    for (;;) {
      const { body } = await service.get(question);
      if (body.plan.windows.hour === 2) {
        expect(body).toMatchObject(shown);
        return;
      }
      if (Date.now() > deadline) throw new Error(`not sealed: ${JSON.stringify(body.plan)}`);
      await sleep(200);
    }
  });

  it("is certain of two ranks and no more", async () => {
    const { body } = await service.get(question.replace("k=3", "k=2"));
    expect(body).toMatchObject({ mode: "approx", certified: true, certifiedRanks: 2 });
  });

  it("adds up as its table says", () => {
    const row = /^\| (\w|any other) \| .+ \| (\d+) \| (\d+) \| \d+ \|$/gm;
    const rows = [...readPage(page).matchAll(row)];
    const table = rows.map(([, item, lower, upper]) => [item, Number(lower), Number(upper)]);
    const names = ["a", "c", "b", "d", null];
    const counted = names.map((item) => {
      const { lower, upper } = boundsOf(item);
      return [item ?? "any other", lower, upper];
    });
    expect(table).toEqual(counted);
  });
});
