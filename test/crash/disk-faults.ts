// Faults of the disk under a running service: no room, and I/O errors. What is answered meanwhile
// says so by its code; nothing that was acknowledged is lost.
import { spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { RankstreamProcess, temporaryFolder } from "../support/service.ts";
import { CrashWorld, within } from "./crash-world.ts";
import { atRandom, type Fault } from "./faults.ts";

const clients = 4;
const diskMiB = 160;
const blockBytes = 64 * 1024;
const goesOnMsMax = 20_000;
const failsMsMax = 15_000;
const segmentsAhead = 40;

/** A disk of its own, of so many MiB; null where none can be mounted. */
function mountSmallDisk(): string | null {
  const path = join(temporaryFolder(), "disk");
  mkdirSync(path);
  const size = `size=${diskMiB}m`;
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", size, "tmpfs", path]);
  return mounted.status === 0 ? path : null;
}

/** Takes all the room there is, but for the last `leaveBytes`. */
function fill(path: string, leaveBytes: number): void {
  const file = openSync(path, "w");
  let bytes = 0;
  try {
    for (;;) bytes += writeSync(file, Buffer.alloc(blockBytes));
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe("ENOSPC");
  }
  closeSync(file);
  truncateSync(path, Math.max(0, bytes - leaveBytes));
}

/**
 * While there is no room: 503 `log_full`, or where the log is elsewhere events go on, and only
 * commits fail. Killed then, or given room, all goes on.
 */
async function fillAndFree(world: CrashWorld, ballast: string) {
  const { random, load } = world;
  const isElsewhere = world.target.broker !== null;
  load.allowedErrors = new Set(["log_full", "store_failed", "query_timeout"]);
  world.begin({ largeChance: random.pick([0, 0.1]) });
  // While commits fail an exact question waits for them in vain.
  const env = { RANKSTREAM_EXACT_TIMEOUT_MS: "3000" };
  const service = await world.start({ env });
  let isOver = false;
  const running = load.run(service, clients, () => isOver);
  running.catch(() => undefined);
  await sleep(random.int(200, 800));
  fill(ballast, random.pick([0, 0, 100_000, 1_000_000]));
  const isNoticed = isElsewhere
    ? async () => (await service.get("/health/ready")).status === 503
    : () => (load.totals.errors["log_full"] ?? 0) > 0;
  const isFull = await within(failsMsMax, isNoticed);
  if (isElsewhere) await expectTaken(world, service);
  await sleep(random.int(0, 2500));
  const isKilled = random.chance(0.4);
  if (isKilled) await service.kill();
  rmSync(ballast);
  const { acknowledged } = load.totals;
  const goesOn = () => isKilled || load.totals.acknowledged > acknowledged + clients;
  const went = await within(goesOnMsMax, goesOn);
  isOver = true;
  await running;
  const noticed = isElsewhere ? "not ready" : "log_full";
  expect(isFull, `${noticed} was expected: ${service.output()}`).toBe(true);
  expect(went, `nothing is taken any more: ${service.output()}`).toBe(true);
  if (isKilled) return "killed while the disk was full";
  const isReady = async () => (await service.get("/health/ready")).status === 200;
  expect(await within(goesOnMsMax, isReady), service.output()).toBe(true);
  load.allowedErrors = new Set();
  if (isElsewhere) await world.settled(service);
  await world.expectRight(service);
  await service.kill();
  return "the disk was full, and went on once it wasn't";
}

/** Events go on into the log while the store has no room. */
async function expectTaken({ load }: CrashWorld, service: RankstreamProcess): Promise<void> {
  const { acknowledged } = load.totals;
  const goesOn = () => load.totals.acknowledged > acknowledged + clients;
  expect(await within(goesOnMsMax, goesOn), service.output()).toBe(true);
  expect(load.totals.errors["log_full"]).toBe(undefined);
}

/** On a small disk of its own, which is full for a while. */
export const fullDisk: Fault = async ({ random, target }) => {
  const disk = mountSmallDisk();
  if (disk === null) {
    return { how: "left out: no disk can be mounted here (Linux, as root)", kills: 0 };
  }
  try {
    const world = new CrashWorld(random, target, join(disk, "data"));
    const how = await fillAndFree(world, join(disk, "ballast"));
    await world.expectSurvived();
    await world.expectAllRounds();
    return { how, kills: 1 };
  } finally {
    spawnSync("umount", ["-l", disk]);
  }
};

/** A command before the service that lets calls of it fail, of these files only; Linux's own. */
export function failing(calls: string, when: string, paths: readonly string[]): string[] | null {
  if (process.platform !== "linux") return null;
  const inject = `inject=${calls}:error=EIO:when=${when}`;
  const quiet = ["-f", "-D", "-qq", "--seccomp-bpf", "-o", "/dev/null"];
  const only = paths.flatMap((path) => ["-P", path]);
  return ["strace", ...quiet, ...only, "-e", `trace=${calls}`, "-e", inject];
}

const withoutTrace = { how: "left out: strace is Linux's own", kills: 0 };

/** The segment files that are there and those that come next. */
function segmentPaths(dataDir: string): string[] {
  const folder = join(dataDir, "log");
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  const last = names.at(-1) ?? "0000000000000001.log";
  const digits = last.length - ".log".length;
  const first = Number.parseInt(last, 10);
  const name = (n: number) => `${String(n).padStart(digits, "0")}.log`;
  return Array.from({ length: segmentsAhead }, (_, i) => join(folder, name(first + i)));
}

/** The log's disk fails to write or sync: `log_failed` until a restart, and answers go on. */
export const logError: Fault = async (world) => {
  const { random, load, dataDir } = world;
  const call = random.pick(["fdatasync", "write,writev"]);
  if (load.rounds.length === 0) await atRandom(world);
  const wrapper = failing(call, `${random.int(1, 30)}+`, segmentPaths(dataDir));
  if (wrapper === null) return withoutTrace;
  load.allowedErrors = new Set(["log_failed"]);
  world.begin();
  const service = await world.start({ wrapper, env: { UV_USE_IO_URING: "0" } });
  let isOver = false;
  const running = load.run(service, clients, () => isOver);
  running.catch(() => undefined);
  const failed = () => load.totals.errors["log_failed"] ?? 0;
  const before = failed();
  const isNamed = await within(failsMsMax, () => failed() > before);
  await sleep(random.int(0, 500));
  isOver = true;
  await running;
  expect(isNamed, `log_failed was expected: ${JSON.stringify(load.totals)}`).toBe(true);
  await world.expectRight(service);
  // What got no answer but that may turn up only now.
  for (const batch of load.rounds.at(-1)!.batches) batch.seen = { times: [], sent: 0 };
  await service.kill();
  load.allowedErrors = new Set();
  return { how: `EIO of ${call}: log_failed`, kills: 1 };
};

/** The store's disk fails once or for good: what is answered is right or an error's code. */
export const storeError: Fault = async (world) => {
  const { random, load, dataDir } = world;
  // Only files that are there can be told apart by their names.
  if (load.rounds.length === 0) await atRandom(world);
  const call = random.pick<"write" | "fsync" | "pwrite64">([
    "write",
    "write",
    "fsync",
    "fsync",
    "pwrite64",
  ]);
  const isOnce = random.chance(0.5);
  const files = ["store.duckdb", "store.duckdb.wal"].map((name) => join(dataDir, name));
  const nth = random.int(1, { write: 20, fsync: 4, pwrite64: 1 }[call]);
  const wrapper = failing(call, `${nth}${isOnce ? "" : "+"}`, files);
  if (wrapper === null) return withoutTrace;
  load.allowedErrors = new Set(["store_failed", "query_timeout", "log_full", "shutting_down"]);
  world.begin({ largeChance: random.pick([0, 0.2]) });
  const env = { UV_USE_IO_URING: "0", RANKSTREAM_EXACT_TIMEOUT_MS: "2000" };
  const service = new RankstreamProcess(world.options({ wrapper, env }));
  const isUp = await service.ready().then(
    () => true,
    () => false,
  );
  const named = /Input\/output error|EIO|i\/o error|fsync failed|FATAL Error/i;
  if (!isUp) {
    expect(service.output()).toMatch(named);
    load.allowedErrors = new Set();
    return { how: `EIO of ${call}, while starting`, kills: 1 };
  }
  const until = performance.now() + (world.isBrisk ? 2000 : random.int(2000, 5000));
  await load.run(service, clients, () => performance.now() > until);
  load.allowedErrors = new Set();
  const outcome = await judgeStoreError(world, service, isOnce, named.test(service.output()));
  await service.kill();
  return { how: `EIO of ${call}${isOnce ? " once" : ""}: ${outcome}`, kills: 1 };
};

/** What DuckDB gave up ends the service, which says so; after any other error all goes on. */
async function judgeStoreError(
  world: CrashWorld,
  service: RankstreamProcess,
  isOnce: boolean,
  isMet: boolean,
): Promise<string> {
  if (!isMet) return "not met";
  if (/FATAL Error/.test(service.output())) {
    await Promise.race([service.exited, sleep(failsMsMax)]);
    expect(service.child.exitCode, service.output()).toBe(1);
    expect(service.stderr).toMatch(/the service can not go on: .*FATAL Error/);
    return "ended";
  }
  if (!isOnce) return "goes on failing";
  const isReady = async () => (await service.get("/health/ready")).status === 200;
  expect(await within(goesOnMsMax, isReady), service.output()).toBe(true);
  await world.expectRight(service);
  return "went on";
}
