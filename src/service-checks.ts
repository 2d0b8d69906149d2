/** What a machine has to have for the service to run well: each check a line of `doctor`. */
import { constants, type Stats } from "node:fs";
import { access, mkdtemp, open, readFile, rm, stat, statfs } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import { type Config, hasStore } from "./config.ts";
import { isInLake } from "./config-lake.ts";
import { loadKernelModule } from "./kernel/module.ts";
import { readCertificate } from "./service-tls.ts";

export interface Check {
  name: string;
  status: "ok" | "warn" | "fail";
  /** What was found. */
  message: string;
  /** What to do about it; only where something is to be done. */
  hint?: string;
}

const MiB = 1024 * 1024;
const freeBytesMin = 64 * MiB;
const freeBytesGood = 2048 * MiB;
const syncs = 5;
const syncBytes = 64 * 1024;
/** A batch is acknowledged after one sync. */
const syncMsGood = 20;
/** Files of the log, the store and its readers. */
const otherFiles = 1000;
const connectMsMax = 2000;

const memoryOnly = "it is gone with the machine's memory: choose another --data-dir";
const overNetwork = "locks and syncs may not hold over a network: choose a local --data-dir";
/** By statfs's magic number: a name, and what is wrong with it. */
const fileSystems: Readonly<Record<number, readonly [name: string, hint?: string]>> = {
  61267: ["ext4"],
  1481003842: ["xfs"],
  2435016766: ["btrfs"],
  801189825: ["zfs"],
  2035054128: ["overlay", "in a container, mount a volume: this folder goes with the container"],
  16914836: ["tmpfs", memoryOnly],
  2240043254: ["ramfs", memoryOnly],
  26985: ["nfs", overNetwork],
  4283649346: ["cifs", overNetwork],
  4266872130: ["smb2", overNetwork],
};

function sizeText(bytes: number): string {
  const GiB = 1024 * MiB;
  return bytes >= GiB ? `${(bytes / GiB).toFixed(1)} GiB` : `${Math.floor(bytes / MiB)} MiB`;
}

/** Whether this machine runs the kernel as it is built. */
export async function checkKernel(): Promise<Check> {
  const name = "webassembly";
  try {
    await loadKernelModule();
    return { name, status: "ok", message: "the kernel compiles, with SIMD" };
  } catch (error) {
    const hint = "use a processor and a Node that know WebAssembly SIMD, or build the package";
    return { name, status: "fail", message: `the kernel: ${(error as Error).message}`, hint };
  }
}

/** Which process has a lock on a file, by Linux's own list; null: none, undefined: not known. */
export async function lockHolder(path: string): Promise<number | null | undefined> {
  const file = await stat(path).catch(() => null);
  if (file === null) return null;
  const locks = await readFile("/proc/locks", "utf8").catch(() => undefined);
  if (locks === undefined) return undefined;
  for (const line of locks.split("\n")) {
    const found = /(\d+) [0-9a-f]+:[0-9a-f]+:(\d+) /.exec(line);
    if (found !== null && Number(found[2]) === file.ino) return Number(found[1]);
  }
  return null;
}

async function checkLock(folder: string, file: string): Promise<Check> {
  const name = "lock";
  const holder = await lockHolder(join(folder, file));
  if (holder === undefined) {
    return { name, status: "ok", message: "who holds the folder is not known here" };
  }
  if (holder === null) return { name, status: "ok", message: "no process holds the folder" };
  return { name, status: "ok", message: `process ${holder} holds the folder: it is in use` };
}

async function checkSpace(folder: string): Promise<Check[]> {
  const { bavail, bsize, type } = await statfs(folder);
  const free = bavail * bsize;
  const space: Check = { name: "space", status: "ok", message: `${sizeText(free)} free` };
  if (free < freeBytesGood) {
    space.status = free < freeBytesMin ? "fail" : "warn";
    space.hint = "free some space, or choose another --data-dir";
  }
  const [known, hint] = fileSystems[type] ?? [`type 0x${type.toString(16)}`];
  const message = `${known}`;
  const name = "filesystem";
  if (hint === undefined) return [space, { name, status: "ok", message }];
  return [space, { name, status: "warn", message, hint }];
}

/** How long a write takes until it is on the disk. */
async function checkSync(folder: string): Promise<Check> {
  const own = await mkdtemp(join(folder, ".doctor-"));
  try {
    const file = await open(join(own, "sync"), "w");
    const times: number[] = [];
    try {
      for (let i = 0; i < syncs; i++) {
        const started = performance.now();
        await file.write(Buffer.alloc(syncBytes, i));
        await file.datasync();
        times.push(performance.now() - started);
      }
    } finally {
      await file.close();
    }
    const median = times.sort((a, b) => a - b)[Math.floor(syncs / 2)]!;
    const message = `64 KiB are on the disk after ${median.toFixed(1)} ms`;
    if (median <= syncMsGood) return { name: "sync", status: "ok", message };
    const hint = "a batch waits for one sync: send large batches, or use a faster disk";
    return { name: "sync", status: "warn", message, hint };
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

async function mayWrite(path: string): Promise<boolean> {
  return access(path, constants.R_OK | constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** The folder, or the nearest of those above it that is there. */
async function nearest(path: string): Promise<{ path: string; stats: Stats }> {
  for (let at = resolve(path); ; at = dirname(at)) {
    const stats = await stat(at).catch(() => null);
    if (stats !== null) return { path: at, stats };
  }
}

/** The data folder: there or to be made, writable, on what disk, held by whom. */
export async function checkFolder(config: Config): Promise<Check[]> {
  const folder = resolve(config.dataDir);
  // Of a lake it has a copy.
  const file = isInLake(config) ? "mirror.duckdb" : "store.duckdb";
  const { path, stats } = await nearest(folder);
  const name = "data folder";
  if (!stats.isDirectory() || !(await mayWrite(path))) {
    const what = stats.isDirectory() ? "can not be written" : "is no folder";
    const hint = "choose another --data-dir, or correct its owner and rights";
    return [{ name, status: "fail", message: `${path} ${what}`, hint }];
  }
  if (path !== folder) {
    const message = `${folder} is not there yet; the first start makes it`;
    return [{ name, status: "ok", message }, ...(await checkSpace(path))];
  }
  return [
    { name, status: "ok", message: `${folder} can be written` },
    await checkLock(folder, file),
    ...(await checkSpace(folder)),
    await checkSync(folder),
  ];
}

/** The bound on open files; none where it isn't known. */
export async function checkOpenFiles({ connectionsMax }: Config): Promise<Check[]> {
  const limits = await readFile("/proc/self/limits", "utf8").catch(() => "");
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  if (soft === undefined) return [];
  const wanted = connectionsMax + otherFiles;
  const message = `${soft} may be open at once`;
  const name = "open files";
  if (Number(soft) >= wanted) return [{ name, status: "ok", message }];
  const hint = `${connectionsMax} connections want ${wanted}: ulimit -n ${wanted}`;
  return [{ name, status: "warn", message, hint }];
}

/** Whether the port can be listened on; null: somebody does. */
export async function isPortFree({ host, port }: Config): Promise<boolean> {
  const server = createServer();
  return new Promise((done) => {
    server.once("error", () => done(false));
    server.listen(port, host, () => server.close(() => done(true)));
  });
}

/** Whether somebody takes a connection at `host:port`. */
async function checkAddress(name: string, host: string, port: number): Promise<Check> {
  const place = `${host}:${port}`;
  const failure = await new Promise<string | null>((done) => {
    const socket = connect({ host, port, timeout: connectMsMax });
    const end = (why: string | null) => {
      socket.destroy();
      done(why);
    };
    socket.once("connect", () => end(null));
    socket.once("timeout", () => end(`no answer in ${connectMsMax} ms`));
    socket.once("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
  if (failure === null) return { name, status: "ok", message: `${place} takes connections` };
  const hint = "start it, or correct its address";
  return { name, status: "fail", message: `${place}: ${failure}`, hint };
}

const dayMs = 86_400_000;
const daysLeftGood = 14;

/** The service's own certificate, where it has one: of use, and for how long. */
export function checkCertificate(config: Config, now: number): Check[] {
  if (config.tlsCert === "none") return [];
  const name = "certificate";
  try {
    const days = Math.floor((readCertificate(config).expiresAt - now) / dayMs);
    const message = days < 0 ? "has expired" : `expires in ${days} days`;
    if (days >= daysLeftGood) return [{ name, status: "ok", message }];
    const hint = "replace the files: the service reads them again by itself";
    return [{ name, status: days < 0 ? "fail" : "warn", message, hint }];
  } catch (error) {
    const hint = "tlsCert and tlsKey take PEM files of a certificate and its own key";
    return [{ name, status: "fail", message: (error as Error).message, hint }];
  }
}

/** What the configuration leans on: Redis, Kafka's brokers, the upstream. */
export async function checkOthers(config: Config): Promise<Check[]> {
  const { redisUrl, log, kafkaBrokers, upstream } = config;
  const checks: Promise<Check>[] = [];
  const addUrl = (name: string, url: string, fallback: number) => {
    const { hostname, port } = new URL(url);
    const host = hostname.replace(/^\[|\]$/g, "");
    checks.push(checkAddress(name, host, Number(port || fallback)));
  };
  if (redisUrl !== "none") addUrl("redis", redisUrl, 6379);
  if (upstream !== "none") addUrl("upstream", upstream, upstream.startsWith("https") ? 443 : 80);
  if (log === "kafka") {
    for (const broker of kafkaBrokers.split(",")) addUrl("kafka", `tcp://${broker.trim()}`, 9092);
  }
  return Promise.all(checks);
}

/** All of these, of a process with these roles; the folder's where it has a store. */
export async function checkMachine(config: Config): Promise<Check[]> {
  const folder = hasStore(config) ? checkFolder(config) : [];
  const certificate = checkCertificate(config, Date.now());
  const parts = [checkKernel(), folder, certificate, checkOpenFiles(config), checkOthers(config)];
  return (await Promise.all(parts)).flat();
}
