/**
 * Each kind of object of a repository cut short, with a bit turned, or gone: what verify says of
 * it, and what a restore does before it writes anything.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { runIo } from "../support/cli-io.ts";
import { temporaryFolder } from "../support/service.ts";
import { type Disaster, disaster, fillRawFile, type Place, restore } from "./backup-world.ts";

const testMsMax = 60_000;
const repository = temporaryFolder();
const place: Place = { RANKSTREAM_BACKUP_TO: repository };
let was: Disaster;
/** Names by kind. */
let names: Record<"document" | "base" | "list" | "store" | "raw" | "log" | "head", string>;
/** When what the damaged part of the log holds was received: epoch ms, first and last batch. */
let lost: [number, number];

interface Listed {
  path: string;
  codec: string;
  parts: string[];
}

function baseDocument(id: string): { list: string; createdAt: number; log: { segment: number } } {
  return JSON.parse(readFileSync(join(repository, "bases", `${id}.json`), "utf8"));
}

function objectPath(digest: string, codec: string): string {
  return join("objects", digest.slice(0, 2), `${digest}.${codec}`);
}

function filesOf(id: string): Listed[] {
  const list = objectPath(baseDocument(id).list, "br");
  return JSON.parse(String(brotliDecompressSync(readFileSync(join(repository, list)))));
}

function objectsOf(id: string, path: RegExp): string[] {
  return filesOf(id)
    .filter((file) => path.test(file.path))
    .flatMap(({ parts, codec }) => parts.map((part) => objectPath(part, codec)));
}

/** A part of the log that is gone shows by one that is there after it. */
const laterMin = 3;

const receiptsOf = (name: string) => name.split("/").at(-1)!.split("-").slice(2, 4).map(Number);

/** Parts of the log that hold what was received after the second backup, in order. */
function partsAfter(backups: Disaster["backups"]): string[] {
  const all = readdirSync(repository, { recursive: true }).map(String);
  const since = Date.parse(backups[1]!.receivedThrough);
  const parts = all.filter((name) => /^log\/.*\.br$/.test(name)).sort();
  return parts.filter((name) => receiptsOf(name)[0]! > since + 1);
}

beforeAll(async () => {
  const isEnough = (backups: Disaster["backups"]) => partsAfter(backups).length >= laterMin;
  was = await disaster("damage", place, 2400, fillRawFile, isEnough);
  const [first, second] = was.backups.map(({ id }) => id) as [string, string];
  const own = new Set(objectsOf(first, /./));
  const all = readdirSync(repository, { recursive: true }).map(String);
  const later = partsAfter(was.backups);
  const log = later[Math.floor(later.length / 2)]!;
  lost = receiptsOf(log) as [number, number];
  names = {
    document: "repository.json",
    base: `bases/${second}.json`,
    list: objectPath(baseDocument(second).list, "br"),
    store: objectsOf(second, /^store/).find((name) => !own.has(name))!,
    raw: objectsOf(second, /^raw/).find((name) => own.has(name))!,
    log,
    head: all.find((name) => name.endsWith("head.json"))!,
  };
  for (const name of Object.values(names)) expect(existsSync(join(repository, name))).toBe(true);
}, 120_000);

const damages = {
  "cut short": (bytes: Buffer) => bytes.subarray(0, Math.floor(bytes.length / 2)),
  "a bit turned": (bytes: Buffer) => {
    const turned = Buffer.from(bytes);
    turned[Math.floor(bytes.length / 2)]! ^= 4;
    return turned;
  },
  gone: () => null,
};
type How = keyof typeof damages;

/** With an object damaged; afterwards it is as it was. */
async function withDamage(
  kind: keyof typeof names,
  how: How,
  work: (name: string) => Promise<void>,
) {
  const name = names[kind];
  const path = join(repository, name);
  const whole = readFileSync(path);
  const bytes = damages[how](whole);
  try {
    if (bytes === null) rmSync(path);
    else writeFileSync(path, bytes);
    await work(name);
  } finally {
    writeFileSync(path, whole);
  }
}

async function verify(): Promise<string> {
  const { code, out } = await runIo(["verify", "--backups", "--json"], { environment: place });
  const [check] = JSON.parse(out).checks as { status: string; message: string }[];
  expect(code).toBe(check!.status === "ok" ? 0 : 1);
  return check!.status === "ok" ? "" : check!.message;
}

/** A restore that is refused: what it says. Nothing of it is left. */
async function refused(to: number | string, more: string[] = []): Promise<string> {
  const dataDir = join(temporaryFolder(), "restored");
  const { code, error } = await restore(place, dataDir, to, more);
  expect(code, error).toBe(1);
  if (existsSync(dataDir)) expect(readdirSync(dataDir)).toEqual([]);
  return error;
}

async function works(to: number | string, more: string[] = []): Promise<void> {
  const done = await restore(place, join(temporaryFolder(), "restored"), to, more);
  expect(done.error).toBe("");
  expect(done.code).toBe(0);
}

const latest = () => was.times.at(-1)! - 1;
const isoOf = (ms: number) => new Date(ms).toISOString();

describe("a repository", () => {
  it("is whole before", async () => {
    expect(await verify()).toBe("");
  });

  const hows = Object.keys(damages) as How[];
  const kinds = ["document", "list", "store", "raw", "log"] as const;
  const all = kinds.flatMap((kind) => hows.map((how) => [kind, how] as const));
  const cut = ["base", "head"].flatMap((kind) => [
    [kind as "base" | "head", "cut short"] as const,
    [kind as "base" | "head", "a bit turned"] as const,
  ]);
  it.each([...all, ...cut])("of which the %s is %s is not", async (kind, how) => {
    await withDamage(kind, how, async (name) => {
      const message = await verify();
      if (kind === "log" && how === "gone") {
        expect(message).toMatch(/nothing from segment \d+, byte \d+ to segment \d+, byte \d+/);
        return;
      }
      expect(message).toContain(name);
    });
  });
});

describe("a restore", () => {
  it.each(["cut short", "a bit turned", "gone"] as const)(
    "where an object of the backup is %s names another backup that does without it",
    async (how) => {
      for (const kind of ["list", "store"] as const) {
        await withDamage(kind, how, async (name) => {
          const error = await refused(latest());
          expect(error).toContain(name);
          expect(error).toContain(`--base ${was.backups[0]!.id} (of `);
        });
      }
    },
    testMsMax,
  );

  it("where an object of all backups is gone says that there is no other", async () => {
    await withDamage("raw", "cut short", async (name) => {
      const error = await refused("latest");
      expect(error).toContain(`${name}, of raw/`);
      expect(error).toContain("no other base of this log does without it");
    });
  });

  it(
    "where the newest backup can't be read begins with another one only if told to",
    async () => {
      await withDamage("base", "a bit turned", async (name) => {
        for (const to of [latest(), "latest"]) {
          const error = await refused(to);
          expect(error).toContain(name);
          expect(error).toContain(`say --base ${was.backups[0]!.id}`);
        }
        await works(latest(), ["--base", was.backups[0]!.id]);
        // The same moment, but from further away.
        expect(await refused(latest(), ["--base", was.backups[1]!.id])).toContain(name);
      });
      await withDamage("base", "gone", () => works(latest()));
    },
    testMsMax,
  );

  it.each(["cut short", "a bit turned"] as const)(
    "where a part of the log is %s names the last moment before it",
    async (how) => {
      await withDamage("log", how, async (name) => {
        const error = await refused(latest());
        expect(error).toContain(name);
        expect(error).toContain(`--to ${isoOf(lost[0] - 1)} does without it`);
        await works(lost[0] - 1);
      });
    },
    testMsMax,
  );

  it(
    "where a part of the log is gone says what is missing, and what can be restored",
    async () => {
      await withDamage("log", "gone", async () => {
        for (const to of [latest(), "latest"]) {
          const error = await refused(to);
          const [, after, before] = /received after (\S+) and before (\S+) is not/.exec(error)!;
          expect(Date.parse(after!)).toBeLessThanOrEqual(lost[0]);
          expect(Date.parse(before!)).toBeGreaterThanOrEqual(lost[1]);
          const [, from, end] = /any moment from (\S+) to (\S+) can be/.exec(error)!;
          expect(from).toBe(was.backups[0]!.receivedThrough);
          await works(end!);
        }
      });
    },
    testMsMax,
  );

  it(
    "needs neither the repository's own document nor the log's",
    async () => {
      await withDamage("document", "gone", () =>
        withDamage("head", "a bit turned", () => works(latest() - 1)),
      );
    },
    testMsMax,
  );
});
