// Two regions unlike each other: "eu" in a lake with roles apart, one process that takes events
// and answers and some that count; "us" one process with a store and a log of its own.
import { expect } from "vitest";
import type { LakePlace } from "../../src/model-lake.ts";
import { lakeLocks, openCatalogClient } from "../../src/store/catalog-client.ts";
import { kafkaFlags } from "../kafka/kafka-world.ts";
import { RegionWorld } from "../region/region-world.ts";
import { lakeEnvironment } from "../support/lake-place.ts";
import type { Random } from "../support/random.ts";
import { RankstreamProcess, temporaryFolder } from "../support/service.ts";
import { until } from "../support/until.ts";

/** A member that stands still so long is given up by its group. */
const sessionTimeoutMs = 6000;
const readyMsMax = 240_000;
const waitMsMax = 120_000;
const queryMsMax = 10_000;
/** Answers and rounds of a lake take their time on a busy machine. */
const patient = { RANKSTREAM_EXACT_TIMEOUT_MS: "60000" };

export interface RegionsWorldOptions {
  random: Random;
  place: LakePlace;
  /** Address of the broker. */
  kafka: string;
  topic: string;
}

export class LakeRegionsWorld extends RegionWorld {
  /** Processes of "eu" that count, by name. */
  readonly counting = new Map<string, RankstreamProcess>();
  readonly #place: LakePlace;

  constructor({ random, place, kafka, topic }: RegionsWorldOptions) {
    const own = [...kafkaFlags(kafka, topic), "--partitions", "4", "--workers", "1"];
    own.push("--kafka-session-timeout-ms", String(sessionTimeoutMs), "--role", "edge,query");
    const eu = { args: own, env: { ...patient, ...lakeEnvironment(place) } };
    const us = { args: ["--store", "local", "--log", "embedded", "--partitions", "2"] };
    super({ random, of: { eu, us } });
    this.#place = place;
  }

  override async open(): Promise<this> {
    await this.pave();
    for (const name of ["eu", "us"] as const) this.ways[name].mode = "refuse";
    // It makes the lake.
    await this.count("first");
    await Promise.all([
      this.start("eu", { readyMsMax }),
      this.start("us", { readyMsMax }),
      this.count("second"),
    ]);
    return this;
  }

  /** One more process that counts. */
  async count(name: string, failPoint?: string): Promise<void> {
    const options = this.optionsOf("eu", {
      args: ["--role", "ingest"],
      readyMsMax,
      ...(failPoint !== undefined && { failPoint }),
    });
    const catalog = `${this.#place.catalog} application_name=${name}`;
    const env = { ...options.env, ...lakeEnvironment({ ...this.#place, catalog }) };
    const service = new RankstreamProcess({ ...options, env, dataDir: temporaryFolder() });
    this.counting.set(name, service);
    await service.ready();
  }

  /** Name of the process of "eu" that follows "us". */
  async follower(): Promise<string> {
    return until(async () => {
      const rows = await this.#ask(`SELECT application_name AS name FROM (${locks}) AS held`);
      expect(rows).toHaveLength(1);
      return rows[0].name;
    }, waitMsMax);
  }

  /** Takes the turn of whoever follows, who doesn't know it yet. */
  async takeTurn(): Promise<void> {
    await this.#ask(`SELECT pg_terminate_backend(pid) FROM (${locks}) AS held`);
  }

  async #ask(sql: string) {
    const client = await openCatalogClient(this.#place.catalog, () => undefined, { queryMsMax });
    try {
      return (await client.query(sql, [this.#place.schema])).rows;
    } finally {
      await client.end();
    }
  }

  /** What all processes of "eu" said last, for a failure's message. */
  outputs(): string {
    const all = [...this.counting, ["eu", this.services.eu], ["us", this.services.us]] as const;
    return all.map(([name, service]) => `${name}: ${service?.output()}\n`).join("");
  }
}

const locks = `SELECT pid, application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
  WHERE locktype = 'advisory' AND granted AND
    ((classid::bigint << 32) | objid::bigint) = hashtextextended($1, ${lakeLocks.follow})`;
