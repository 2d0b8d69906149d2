// Erasures against a plain list of events, of which each erasure takes what it says: at every step
// what is read is the list, and once an erasure is done no file holds what it took.

import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nodeFiles } from "../../src/files.ts";
import { foreverMs } from "../../src/model.ts";
import type { Touched } from "../../src/store/changes.ts";
import { rowsOf } from "../../src/store/database.ts";
import { Eraser, eraseDefaults } from "../../src/store/erase.ts";
import type { ErasureAnswer, ErasureInfo } from "../../src/store/erase-questions.ts";
import { ErasedArrivals } from "../../src/store/erased-arrivals.ts";
import { Exports, exportsDefaults } from "../../src/store/exports.ts";
import { Snapshots, snapshotDefaults } from "../../src/store/snapshot.ts";
import { filesHolding } from "../support/folder-scan.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { temporaryFolder } from "../support/service.ts";
import { DeleteFixture, type StoredEvent } from "./delete-fixture.ts";

const first = Date.UTC(2026, 8, 1);
const waitMsMax = 60_000;
const steps = 60;
/** Long enough that no compression of a few bytes hides them, and short enough to be ids. */
const users = Array.from({ length: 6 }, (_, i) => `user-${i}-of-the-secret-list`);

/** A store whose users can be erased. */
class EraseFixture extends DeleteFixture {
  stored: StoredEvent[] = [];
  arrivals!: ErasedArrivals;
  eraser!: Eraser;
  exports!: Exports;
  snapshots!: Snapshots;
  readonly touched: Touched[] = [];
  readonly failures: unknown[] = [];
  #later = 0;

  override async open(): Promise<this> {
    await super.open();
    const { database, rawFiles, folder, checkpointer } = this;
    const own = { folder, files: nodeFiles };
    this.arrivals = await ErasedArrivals.load(database.writer);
    this.exports = await Exports.start(database, rawFiles, { ...exportsDefaults, ...own });
    this.snapshots = await Snapshots.open(database, rawFiles, { ...snapshotDefaults, ...own });
    const { arrivals, exports, snapshots } = this;
    const deps = { database, rawFiles, checkpointer, arrivals, exports, snapshots };
    this.eraser = await Eraser.open(
      {
        ...deps,
        onTouch: async () => undefined,
        onErase: (touched) => this.touched.push(...touched),
        onFailure: (error) => this.failures.push(error),
      },
      eraseDefaults,
    );
    return this;
  }

  override async close(): Promise<void> {
    await this.eraser.stop();
    await this.exports.stop();
    await super.close();
  }

  override async add(events: StoredEvent[]): Promise<void> {
    await super.add(events);
    this.stored.push(...events);
  }

  /** As a checkpoint may: later than any before. */
  received(): number {
    return Date.now() - 60_000 + this.#later++;
  }

  begin(userId: string, metadataKeys: string[] = []): Promise<ErasureInfo> {
    const more = { dropsSnapshots: false, owner: "", keepMs: 60_000 };
    return this.eraser.begin({ userId, metadataKeys, ...more });
  }

  async done({ jobId }: ErasureInfo): Promise<ErasureAnswer> {
    const info = await this.eraser.info(jobId, waitMsMax);
    expect(info, String(this.failures[0])).toMatchObject({ status: "done", progress: 1 });
    return JSON.parse(info!.answer!) as ErasureAnswer;
  }

  /** Takes the user out of the truth; returns their events. */
  take(userId: string, metadataKeys: readonly string[]): StoredEvent[] {
    const own = this.stored.filter((event) => event.userId === userId);
    for (const event of own) {
      const kept = Object.entries(JSON.parse(event.metadata ?? "{}") as object).filter(
        ([key]) => !metadataKeys.includes(key) && !metadataKeys.includes("*"),
      );
      const isChanged = metadataKeys.length > 0;
      event.userId = null;
      event.sessionId = null;
      if (isChanged) {
        event.metadata = kept.length === 0 ? null : JSON.stringify(Object.fromEntries(kept));
      }
    }
    return own;
  }
}

let fixture: EraseFixture;
beforeEach(async () => {
  const options = { candidatesMax: 4, vectorsMax: 4096, hasSketches: false };
  fixture = await new EraseFixture(temporaryFolder(), options).open();
});
afterEach(() => fixture.close());

function eventsOf(random: Random, count: number, from = users): StoredEvent[] {
  return Array.from({ length: count }, () => {
    const userId = random.chance(0.2) ? null : random.pick(from);
    const secret = userId === null ? "nobody" : `mail-${users.indexOf(userId)}@example.org`;
    const metadata = { email: secret, plan: random.pick(["a", "b"]) };
    return {
      eventId: `item ${random.int(0, 20)}`,
      eventType: random.pick(["play", "visit"]),
      timeMs: first + random.int(0, 40 * 86_400_000),
      receivedMs: fixture.received(),
      weight: random.int(1, 3),
      userId,
      sessionId: userId === null ? null : `session of ${userId}`,
      metadata: random.chance(0.1) ? null : JSON.stringify(metadata),
    };
  });
}

function eventOf(userId: string, more: StoredEvent | object = {}): StoredEvent {
  return {
    eventId: "item 1",
    eventType: "play",
    timeMs: first,
    receivedMs: fixture.received(),
    weight: 1,
    userId,
    sessionId: `session of ${userId}`,
    metadata: null,
    ...more,
  };
}

const columns = ["event_id", "event_type", "user_id", "session_id", "metadata"];
const lineOf = (cells: unknown[]) => cells.map((cell) => String(cell)).join(" | ");

/** All events as questions read them. */
async function readAll(): Promise<string[]> {
  return fixture.database.read(60_000, async (connection) => {
    const source = await fixture.rawFiles.source(connection, 0, foreverMs);
    const sql = `SELECT epoch_ms(event_time) AS at, weight, ${columns.join(", ")} FROM ${source}`;
    const rows = await rowsOf(connection, sql);
    return rows.map((row) => lineOf(["at", "weight", ...columns].map((name) => row[name]))).sort();
  });
}

function truth(): string[] {
  return fixture.stored
    .map((event) =>
      lineOf([
        event.timeMs,
        event.weight,
        event.eventId,
        event.eventType,
        event.userId ?? null,
        event.sessionId ?? null,
        event.metadata ?? null,
      ]),
    )
    .sort();
}

const holding = (text: string) => filesHolding(fixture.folder, text);

describe("an erasure", () => {
  it("takes what it says and nothing else, at whatever step it is", {
    timeout: 180_000,
  }, async () => {
    const random = randomFromEnvironment("erasures");
    const open: { info: ErasureInfo; userId: string; events: number }[] = [];
    const finish = async () => {
      for (const { info, userId, events } of open.splice(0)) {
        const answer = await fixture.done(info);
        expect(answer.events).toBe(events);
        expect(await holding(userId)).toEqual([]);
      }
    };
    for (let step = 0; step < steps; step++) {
      const kind = random.pick(["add", "add", "flush", "merge", "delete", "erase", "restart"]);
      if (kind === "add") {
        // Nobody who is being erased has new events: these would be there when all is looked for.
        const erased = open.map(({ userId }) => userId);
        const others = users.filter((userId) => !erased.includes(userId));
        if (others.length > 0) await fixture.add(eventsOf(random, random.int(1, 60), others));
      } else if (kind === "flush") {
        await fixture.rawFiles.flushRecent(true);
      } else if (kind === "merge") {
        await fixture.rawFiles.mergeSmall(Date.now());
      } else if (kind === "delete" && fixture.stored.length > 0) {
        await finish();
        const { eventType, eventId } = random.pick(fixture.stored);
        const scope = { eventType, eventId, from: 0, to: foreverMs };
        await fixture.deleter.run(scope);
        fixture.stored = fixture.stored.filter(
          (event) => event.eventType !== eventType || event.eventId !== eventId,
        );
      } else if (kind === "erase") {
        const userId = random.pick(users);
        if (open.some((one) => one.userId === userId)) continue;
        const keys = random.pick([[], ["email"], ["*"], ["email", "none such"]]);
        const info = await fixture.begin(userId, keys);
        open.push({ info, userId, events: fixture.take(userId, keys).length });
        if (random.chance(0.5)) continue;
        await finish();
      } else if (kind === "restart") {
        // What was decided is gone on with, by the hash alone.
        await fixture.restart();
      }
      if (open.length === 0) expect(await readAll()).toEqual(truth());
    }
    await finish();
    expect(fixture.failures).toEqual([]);
    expect(await readAll()).toEqual(truth());
  });

  it("takes named keys of metadata, in whatever form they were sent", async () => {
    const [userId] = users as [string];
    const sent = '{ "e\\u006dail" : "mail of a secret" , "k\\"1": "\\u00fc", "plan":"a"}';
    await fixture.add([eventOf(userId, { metadata: sent })]);
    await fixture.rawFiles.flushRecent(true);
    await fixture.add([eventOf(userId, { metadata: sent })]);
    await fixture.done(await fixture.begin(userId, ["email", "plan", 'none"such']));
    fixture.take(userId, []);
    for (const event of fixture.stored) event.metadata = '{"k\\"1":"ü"}';
    expect(await readAll()).toEqual(truth());
    expect(await holding("mail of a secret")).toEqual([]);
  });

  it("keeps what comes later, and erases it by another", async () => {
    const [userId] = users as [string];
    await fixture.add([eventOf(userId), eventOf(userId)]);
    expect((await fixture.done(await fixture.begin(userId))).events).toBe(2);
    fixture.take(userId, []);
    await fixture.add([eventOf(userId, { receivedMs: Date.now() + 1000 })]);
    await fixture.rawFiles.flushRecent(true);
    expect(await readAll()).toEqual(truth());
    expect((await fixture.done(await fixture.begin(userId))).events).toBe(1);
    const [row] = await rowsOf(fixture.database.writer, "SELECT count(*) AS n FROM erased_users");
    // One row says what both did.
    expect(Number(row!["n"])).toBe(1);
  });

  it("waits for reads, exports and backups that need what was", async () => {
    const [userId] = users as [string];
    await fixture.add([eventOf(userId)]);
    await fixture.rawFiles.flushRecent(true);
    const exported = await fixture.exports.open({
      eventTypes: null,
      from: 0,
      to: foreverMs,
      horizons: [],
      format: "ndjson",
    });
    const unpin = fixture.rawFiles.replaced.pin();
    const info = await fixture.begin(userId);
    const isRemoving = async () =>
      (await fixture.eraser.info(info.jobId, 0))?.status === "removing";
    while (!(await isRemoving())) await sleep(5);
    // Nobody reads it from now on, though it lies there still.
    fixture.take(userId, []);
    expect(await readAll()).toEqual(truth());
    await sleep(300);
    expect(await isRemoving()).toBe(true);
    expect(await holding(userId)).not.toEqual([]);
    await fixture.exports.close(exported.id);
    unpin();
    await fixture.done(info);
    expect(await holding(userId)).toEqual([]);
  });

  it("names snapshots that hold the user, and removes them where it is told to", async () => {
    const [userId, other] = users as [string, string];
    await fixture.add([eventOf(other)]);
    await fixture.snapshots.take("without");
    await fixture.add([eventOf(userId)]);
    await fixture.snapshots.take("with");
    const told = await fixture.begin(userId);
    await fixture.done(told);
    const info = await fixture.eraser.info(told.jobId, 0);
    expect(JSON.parse(info!.snapshots!)).toMatchObject([{ name: "with", events: 1 }]);
    expect(await holding(userId)).not.toEqual([]);
    const query = { userId, metadataKeys: [], dropsSnapshots: true, owner: "", keepMs: 1000 };
    const dropping = await fixture.eraser.begin(query);
    await fixture.done(dropping);
    expect((await fixture.snapshots.list()).map(({ name }) => name)).toEqual(["without"]);
    expect(await holding(userId)).toEqual([]);
  });

  it("forgets questions kept as jobs that name the user", async () => {
    const [userId, other] = users as [string, string];
    const request = (id: string) => JSON.stringify({ selection: { userIds: ["x", id] } });
    const insert = `INSERT INTO jobs (id, kind, request, event_types, status, created_at)
      VALUES ($1, 'leaderboard', $2, '["play"]', 'done', 0)`;
    await fixture.database.writer.run(insert, ["one", request(userId)]);
    await fixture.database.writer.run(insert, ["two", request(other)]);
    await fixture.done(await fixture.begin(userId));
    const rows = await rowsOf(fixture.database.writer, "SELECT id FROM jobs");
    expect(rows.map((row) => row["id"])).toEqual(["two"]);
    expect(await holding(userId)).toEqual([]);
    expect(await holding(other)).not.toEqual([]);
  });
});
