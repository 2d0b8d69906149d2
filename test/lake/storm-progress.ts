// How far each partition is counted, as PostgreSQL has it, beside how far the topic reaches: by
// clients of the test's own, a few times a second.
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import type { LakePlace } from "../../src/model-lake.ts";
import { kafkaAdmin } from "../support/kafka.ts";
import { until } from "../support/until.ts";
import type { StormDiary } from "./storm-diary.ts";

const lookEveryMs = 100;
const queryMsMax = 5000;
/** A busy machine may take long. */
const settleMsMax = 600_000;
/** The number of the lock that the process holds which does the maintenance. */
const leaderLock = 7_265_412;

interface Partition {
  counted: number;
  /** Since when records wait and none is counted; null: all are. */
  since: number | null;
}

export class StormProgress {
  readonly #place: LakePlace;
  readonly #topic: string;
  readonly #diary: StormDiary;
  readonly #admin: Awaited<ReturnType<typeof kafkaAdmin>>;
  readonly #partitions = new Map<number, Partition>();
  #ends: number[] = [];
  #client: Client | null = null;
  #isOver = false;
  #looking: Promise<void> = Promise.resolve();

  private constructor(
    place: LakePlace,
    topic: string,
    diary: StormDiary,
    admin: Awaited<ReturnType<typeof kafkaAdmin>>,
  ) {
    this.#place = place;
    this.#topic = topic;
    this.#diary = diary;
    this.#admin = admin;
  }

  /** Looks from now on, and notes in the diary how long each partition stood still. */
  static async start(place: LakePlace, kafka: string, topic: string, diary: StormDiary) {
    const progress = new StormProgress(place, topic, diary, await kafkaAdmin(kafka));
    progress.#looking = progress.#look();
    return progress;
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#looking;
    await this.#client?.end().catch(() => undefined);
  }

  /** Resolves once all that is in the topic now is counted. */
  async settled(): Promise<void> {
    const ends = await until(() => this.#readEnds(), settleMsMax);
    await until(async () => {
      const counted = [...this.#partitions].sort(([a], [b]) => a - b).map(([, p]) => p.counted);
      if (ends.some((end, partition) => (counted[partition] ?? 0) < end)) {
        throw new Error(`counting doesn't go on: ${counted} of ${ends}`);
      }
    }, settleMsMax);
  }

  /** The application_name of who does the maintenance. Rejects while nobody does. */
  async leader(): Promise<string> {
    const rows = await this.#query(
      `SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
       WHERE locktype = 'advisory' AND granted AND
         ((classid::bigint << 32) | objid::bigint) = hashtextextended($1, ${leaderLock})`,
      [this.#place.schema],
    );
    if (rows.length !== 1) throw new Error(`${rows.length} sessions hold the leader's lock`);
    return rows[0].application_name;
  }

  async #look(): Promise<void> {
    while (!this.#isOver) {
      try {
        const counted = await this.#readCounted();
        await this.#readEnds().catch(() => undefined);
        this.#note(counted);
      } catch {
        // PostgreSQL is away: nothing is counted.
      }
      await sleep(lookEveryMs);
    }
  }

  #note(counted: ReadonlyMap<number, number>): void {
    const now = performance.now();
    for (const [partition, offset] of counted) {
      const known = this.#partitions.get(partition) ?? { counted: 0, since: null };
      if (offset > known.counted && known.since !== null) {
        this.#diary.note("stall", known.since, now);
        known.since = null;
      }
      known.counted = offset;
      if (offset < (this.#ends[partition] ?? 0)) known.since ??= now;
      this.#partitions.set(partition, known);
    }
  }

  async #readEnds(): Promise<number[]> {
    const offsets = await this.#admin.fetchTopicOffsets(this.#topic);
    for (const { partition, high } of offsets) this.#ends[partition] = Number(high);
    return [...this.#ends];
  }

  async #readCounted(): Promise<Map<number, number>> {
    const { schema } = this.#place;
    const tables = await this.#query(
      `SELECT t.table_name FROM ${schema}.ducklake_inlined_data_tables AS t
       JOIN ${schema}.ducklake_table AS own USING (table_id)
       WHERE own.table_name = 'offsets_reached'`,
    );
    const counted = new Map<number, number>();
    for (const { table_name: table } of tables) {
      const rows = await this.#query(
        `SELECT partition, max(next_offset) AS next FROM ${schema}.${table} GROUP BY partition`,
      );
      for (const { partition, next } of rows) {
        counted.set(partition, Math.max(counted.get(partition) ?? 0, Number(next)));
      }
    }
    return counted;
  }

  // biome-ignore lint/suspicious/noExplicitAny: rows are what was asked for.
  async #query(text: string, values: unknown[] = []): Promise<any[]> {
    try {
      return (await (await this.#connected()).query(text, values)).rows;
    } catch (error) {
      void this.#client?.end().catch(() => undefined);
      this.#client = null;
      throw error;
    }
  }

  async #connected(): Promise<Client> {
    if (this.#client !== null) return this.#client;
    const parts = this.#place.catalog.split(" ").map((part) => part.split("="));
    const { host, port, user, dbname } = Object.fromEntries(parts);
    const place = { host, port: Number(port), user, database: dbname };
    const client = new Client({ ...place, query_timeout: queryMsMax });
    client.on("error", () => undefined);
    await client.connect();
    this.#client = client;
    return client;
  }
}
