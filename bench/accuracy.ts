/**
 * How well summaries of equal size find the heaviest items of a stream: ours while a minute runs
 * and over sealed windows, plain Count-Min, Filtered Space-Saving, and those of others. Judged by
 * counting in a Map; a bound of ours that doesn't hold ends the bench.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openMinute, sealedWindows } from "./accuracy-ours.ts";
import { type Peer, peersOf } from "./accuracy-peers.ts";
import { filteredSpaceSaving, plainCountMin } from "./accuracy-plain.ts";
import { makeStream, streamNames } from "./accuracy-streams.ts";
import { judgeSummary, type Summary, trueCounts, type Verdict } from "./accuracy-verdict.ts";
import { idText } from "./event-stream.ts";
import type { BenchOptions } from "./options.ts";
import { type Grid, type Outcome, say, whole } from "./report.ts";

/** A sketch of 1 MiB and 4,000 candidates: the service's defaults for a running minute. */
const memoryBytes = 1.5 * 2 ** 20;
const ours = "Rankstream";

interface StreamResult {
  stream: string;
  distinct: number;
  verdicts: Verdict[];
}

/** Those that are there; why the others aren't goes to `notes`. */
async function present(peers: readonly Peer[], notes: string[]): Promise<Peer[]> {
  const found: Peer[] = [];
  for (const peer of peers) {
    const lack = await peer.lack();
    if (lack === null) found.push(peer);
    else notes.push(`NOT MEASURED: ${peer.name}: ${lack}`);
  }
  return found;
}

function writeIds(file: string, items: Uint32Array): void {
  const texts: string[] = [];
  for (const item of items) texts.push(idText(item));
  writeFileSync(file, `${texts.join("\n")}\n`);
}

async function judgeStream(
  name: string,
  { seed, events, ids }: { seed: number; events: number; ids: number },
  peers: readonly Peer[],
  folder: string,
): Promise<StreamResult> {
  const { items } = makeStream(name, seed, events, ids);
  const truth = trueCounts(items);
  const summaries: Summary[] = [
    ...(await openMinute(items, memoryBytes)),
    await sealedWindows(items, memoryBytes),
    plainCountMin(items, memoryBytes),
    filteredSpaceSaving(items, memoryBytes),
  ];
  if (peers.length > 0) {
    const file = join(folder, "ids.txt");
    writeIds(file, items);
    for (const peer of peers) {
      say(`accuracy: ${name}, ${peer.name}`);
      summaries.push(await peer.ask(file));
    }
  }
  const verdicts = summaries.map((summary) => judgeSummary(summary, truth));
  for (const { name: of, violations } of verdicts) {
    if (!of.startsWith(ours) || violations === 0) continue;
    throw new Error(`${name}: ${violations} bounds of ${of} don't hold`);
  }
  return { stream: name, distinct: truth.size, verdicts };
}

function digits(value: number | null, places: number): string {
  return value === null ? "–" : value.toFixed(places);
}

function gridOf({ stream, distinct, verdicts }: StreamResult): Grid {
  const rows = verdicts.map((verdict) => [
    verdict.name,
    digits(verdict.recall100, 3),
    digits(verdict.recall1000, 3),
    digits(verdict.errorMean, 4),
    digits(verdict.errorMax, 3),
    digits(verdict.violations, 0),
    digits(verdict.provenRanks, 0),
    digits(verdict.usPerUpdate, 3),
    digits(verdict.memoryBytes === null ? null : verdict.memoryBytes / 2 ** 20, 2),
  ]);
  const columns = ["recall@100", "@1000", "error mean", "max", "broken bounds", "ranks proven"];
  const head = [`${stream}, ${whole(distinct)} items`, ...columns, "µs an update", "MiB"];
  return { head, rows };
}

/** Over all streams, by summary: the least recall, the mean error, broken bounds. */
function overall(results: readonly StreamResult[]): Outcome["rows"] {
  const names = [...new Set(results.flatMap(({ verdicts }) => verdicts.map(({ name }) => name)))];
  return names.map((name) => {
    const own = results.flatMap(({ verdicts }) => verdicts.filter((of) => of.name === name));
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    const recalls = own.map(({ recall1000 }) => recall1000);
    const errors = own.flatMap(({ errorMean }) => errorMean ?? []);
    const broken = own.flatMap(({ violations }) => violations ?? []);
    const error = errors.length === 0 ? "–" : mean(errors).toFixed(3);
    const bounds = broken.length === 0 ? "none" : String(broken.reduce((a, b) => a + b, 0));
    const recall = `${Math.min(...recalls).toFixed(3)} / ${mean(recalls).toFixed(3)}`;
    return [name, `${recall} / ${error} / ${bounds}`];
  });
}

/** Every stream of the options to everyone; throws when a bound of ours doesn't hold. */
export async function runAccuracy(options: BenchOptions): Promise<Outcome[]> {
  const events = options.events ?? (options.smoke ? 30_000 : 2_000_000);
  const ids = options.ids ?? (options.smoke ? 15_000 : 1_000_000);
  const notes: string[] = [];
  const peers = options.smoke ? [] : await present(peersOf(options, memoryBytes), notes);
  const folder = mkdtempSync(join(tmpdir(), "rankstream-accuracy-"));
  const results: StreamResult[] = [];
  try {
    for (const name of options.streams ?? streamNames) {
      say(`accuracy: ${name}`);
      results.push(await judgeStream(name, { seed: options.seed, events, ids }, peers, folder));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const described = results[0]!.verdicts.map(({ name, note }) => `${name}: ${note}`);
  const title =
    `Accuracy: ${whole(events)} events over up to ${whole(ids)} ids, ` +
    `${(memoryBytes / 2 ** 20).toFixed(1)} MiB each, one thread`;
  const rows: Outcome["rows"] = [
    ["recall@1000 least / mean, relative error, broken bounds", ""],
    ...overall(results),
  ];
  const tables = results.map(gridOf);
  return [
    { name: "accuracy", title, rows, tables, notes: [...notes, ...described], data: { results } },
  ];
}
