// Files damaged between a kill and the next start, on a copy of the data folder: what is wrong is
// named, with its place, or does no harm; no count comes out wrong.
import {
  cpSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { Random } from "../support/random.ts";
import { RankstreamProcess, temporaryFolder } from "../support/service.ts";
import type { Round } from "./crash-load.ts";
import { expectRoundCounted, readCounts } from "./crash-verdict.ts";
import type { CrashWorld } from "./crash-world.ts";
import { atRandom, type Fault, inParquet } from "./faults.ts";
import { parquetFiles } from "./kills.ts";

const endsMsMax = 5000;
const minuteMs = 60_000;
/** Of a frame of the log: where it says up to where the file was durable when it was written. */
const frameMagic = Buffer.from([0xff, 0x52, 0x4b, 0x46]);
const syncedThroughAt = 20;

/** Flips one bit at or after `from` and before `to`; returns its byte. */
function flipBit(random: Random, path: string, from: number, to: number): number {
  const bytes = readFileSync(path);
  const at = random.int(from, to - 1);
  bytes[at]! ^= 1 << random.int(0, 7);
  writeFileSync(path, bytes);
  return at;
}

/** Bytes of a segment that were surely durable: before its last group of frames. */
function durableBytes(path: string): number {
  const bytes = readFileSync(path);
  let durable = 0;
  for (let at = bytes.indexOf(frameMagic); at >= 0; at = bytes.indexOf(frameMagic, at + 1)) {
    if (at + syncedThroughAt + 4 > bytes.length) break;
    durable = Math.max(durable, bytes.readUInt32LE(at + syncedThroughAt));
  }
  return Math.min(durable, bytes.length);
}

/** A copy of the world's folder, started after the damage; says how that went. */
async function startDamaged(world: CrashWorld, dataDir: string) {
  const service = new RankstreamProcess(world.options({ dataDir }));
  const isReady = await service.ready().then(
    () => true,
    () => false,
  );
  return { service, isReady };
}

/** A segment of the log: the start, or reading on, names file and byte; or nothing is lost. */
export const logDamage: Fault = async (world) => {
  const { random, load } = world;
  const { how } = await atRandom(world);
  const dataDir = join(temporaryFolder(), "copy");
  cpSync(world.dataDir, dataDir, { recursive: true });
  const folder = join(dataDir, "log");
  const names = readdirSync(folder).sort();
  const name = random.chance(0.6) ? names.at(-1)! : random.pick(names);
  const path = join(folder, name);
  const end = name === names.at(-1) ? durableBytes(path) : statSync(path).size;
  if (end === 0) return { how: `${how}; the log was too short to damage`, kills: 1 };
  const isCut = name !== names.at(-1) && random.chance(0.3);
  const at = isCut ? random.int(0, end - 1) : flipBit(random, path, 0, end);
  if (isCut) truncateSync(path, at);
  const what = `${name} ${isCut ? "cut" : "flipped"} at byte ${at}`;
  const { service, isReady } = await startDamaged(world, dataDir);
  let outcome = "refused";
  if (isReady) outcome = await judgeRunning(service, load.rounds.slice(-2), what);
  if (outcome !== "harmless") {
    const { code } = await service.exited;
    const output = service.output();
    expect(code, `${what}: ${output}`).toBe(1);
    expect(output, what).toMatch(new RegExp(`${name}(?::|, byte)`));
    expect(output, what).toMatch(/byte \d+|\d+ bytes, \d+ expected|header says/);
  }
  await service.kill();
  rmSync(dataDir, { recursive: true });
  return { how: `${how}; ${what}: ${outcome}`, kills: 1 };
};

/** Right counts, or an end of its own accord. */
async function judgeRunning(service: RankstreamProcess, rounds: Round[], what: string) {
  try {
    for (const round of rounds) await expectRoundCounted(service, round);
    return "harmless";
  } catch (error) {
    await Promise.race([service.exited, sleep(endsMsMax)]);
    if (!service.hasExited) throw new Error(`${what}: ${error}`, { cause: error });
    return "ended";
  }
}

/** A file of raw events: counts are right, and what reads the file says what is wrong with it. */
export const rawDamage: Fault = async (world) => {
  const { random, load } = world;
  const { how } = await inParquet(world);
  // What was written when the kill came is counted, or swept, by now.
  await (await world.start()).stop();
  const dataDir = join(temporaryFolder(), "copy");
  cpSync(world.dataDir, dataDir, { recursive: true });
  const files = parquetFiles(dataDir);
  if (files.length === 0) return { how: `${how}; there was no file to damage`, kills: 1 };
  const path = random.pick(files);
  const { size } = statSync(path);
  const kind = random.pick(["flip", "flip", "cut", "gone"]);
  const at = kind === "flip" ? flipBit(random, path, 0, size) : random.int(0, size - 1);
  if (kind === "cut") truncateSync(path, at);
  if (kind === "gone") rmSync(path);
  const what = `${basename(path)} ${kind} at byte ${at} of ${size}`;
  const { service, isReady } = await startDamaged(world, dataDir);
  expect(isReady, `${what}: ${service.output()}`).toBe(true);
  let named = 0;
  for (const round of load.rounds) {
    await expectRoundCounted(service, round, load.isSplit);
    named += await expectHalvesOrNamed(service, round, path, what);
  }
  expect(named, `${what}: nobody noticed`).toBeGreaterThan(0);
  await service.kill();
  rmSync(dataDir, { recursive: true });
  return { how: `${how}; ${what}: named`, kills: 1 };
};

/** Half a minute, which only raw events know: right, or an error that names the file (1). */
async function expectHalvesOrNamed(
  service: RankstreamProcess,
  round: Round,
  path: string,
  what: string,
): Promise<number> {
  const { eventType, minuteStart: from } = round;
  const cuts = [from, from + 29_999, from + minuteMs];
  const whole = await readCounts(service, eventType, from, from + minuteMs);
  const sum = new Map<string, number>();
  for (const [i, cut] of cuts.slice(1).entries()) {
    const query = { eventType, from: cuts[i]!, to: cut, k: 1, mode: "exact" };
    const { status, body } = await service.get("/leaderboard", query);
    if (status !== 200) {
      expect([status, body.code], what).toEqual([500, "raw_corrupt"]);
      expect(body.detail, what).toContain(basename(path));
      return 1;
    }
    const half = await readCounts(service, eventType, cuts[i]!, cut);
    for (const [id, count] of half) sum.set(id, (sum.get(id) ?? 0) + count);
  }
  expect(sum.size, what).toBe(whole.size);
  for (const [id, count] of sum) expect(count, `${what}: ${id}`).toBe(whole.get(id));
  return 0;
}
