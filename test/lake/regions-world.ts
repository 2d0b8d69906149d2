// Two regions, each with a topic and a lake of its own and roles apart: of "eu" one process takes
// events and answers and some count, of "us" one takes and counts and one answers.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "vitest";
import type { LakePlace } from "../../src/model-lake.ts";
import { lakeLocks, openCatalogClient } from "../../src/store/catalog-client.ts";
import { findPostgres } from "../../tools/services.mjs";
import { kafkaFlags } from "../kafka/kafka-world.ts";
import { type RegionName, RegionWorld, regionNames } from "../region/region-world.ts";
import { lakeEnvironment } from "../support/lake-place.ts";
import type { Random } from "../support/random.ts";
import { RankstreamProcess, temporaryFolder } from "../support/service.ts";
import { until } from "../support/until.ts";

/** A member that stands still so long is given up by its group. */
const sessionTimeoutMs = 6000;
const readyMsMax = 240_000;
const waitMsMax = 120_000;
const queryMsMax = 10_000;
const programMsMax = 60_000;
/** A round over a lake takes a part of a second of CPU. */
const intervalMs = 2000;
/** Each minute with late events is sealed anew, by transactions. */
const momentsMax = 3;
/** Answers of a lake take their time on a busy machine. */
const patient = { RANKSTREAM_EXACT_TIMEOUT_MS: "60000" };
const execute = promisify(execFile);

export interface RegionsWorldOptions {
  random: Random;
  places: Record<RegionName, LakePlace>;
  /** Address of the broker. */
  kafka: string;
  topics: Record<RegionName, string>;
}

export class LakeRegionsWorld extends RegionWorld {
  /** Processes of "eu" that count, by name. */
  readonly counting = new Map<string, RankstreamProcess>();
  readonly #places: Record<RegionName, LakePlace>;
  /** Of "us", takes events and counts them. */
  #taking!: RankstreamProcess;

  constructor({ random, places, kafka, topics }: RegionsWorldOptions) {
    const own = (name: RegionName) => {
      const args = [...kafkaFlags(kafka, topics[name]), "--partitions", "4", "--workers", "1"];
      args.push("--kafka-session-timeout-ms", String(sessionTimeoutMs));
      args.push("--region-interval-ms", String(intervalMs));
      return { args, env: patient };
    };
    super({ random, of: { eu: own("eu"), us: own("us") }, momentsMax });
    this.#places = places;
  }

  /** They know of each other, and there is no way between them yet. */
  override async open(): Promise<this> {
    await this.pave();
    for (const name of regionNames) this.ways[name].mode = "refuse";
    // These make the lakes.
    await Promise.all([this.count("first"), this.#take()]);
    await Promise.all([this.count("second"), this.#answer("eu"), this.#answer("us")]);
    return this;
  }

  override edgeOf(name: RegionName): RankstreamProcess {
    return name === "us" ? this.#taking : this.services[name];
  }

  /** One more process of "eu" that counts. */
  async count(name: string, failPoint?: string): Promise<void> {
    this.counting.set(name, await this.#begin("eu", name, "ingest", failPoint));
  }

  /** kill -9 of all of "eu" that count. */
  async killCounting(): Promise<void> {
    await Promise.all([...this.counting.values()].map((service) => service.kill()));
    this.counting.clear();
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

  /** The catalog of "us" as it is now, as a file for `putBack`. */
  async dump(): Promise<string> {
    const { catalog, schema } = this.#places.us;
    const file = join(temporaryFolder(), "us.sql");
    await this.#run("pg_dump", ["-d", catalog, "-n", schema, "-f", file]);
    return file;
  }

  /** kill -9 of "us"; it comes back with a catalog of before, and its bucket and topic of now. */
  async putBack(file: string): Promise<void> {
    await Promise.all([this.#taking.kill(), this.services.us.kill()]);
    const { catalog, schema } = this.#places.us;
    const drop = `DROP SCHEMA "${schema}" CASCADE`;
    const args = ["-d", catalog, "-q", "-v", "ON_ERROR_STOP=1", "-c", drop, "-f", file];
    await this.#run("psql", args);
    await this.#take();
    await this.#answer("us");
  }

  /** What all processes said last, for a failure's message. */
  outputs(): string {
    const { eu, us } = this.services;
    const all = [...this.counting, ["eu", eu], ["us", us], ["us takes", this.#taking]] as const;
    return all.map(([name, service]) => `${name}: ${service?.output()}\n`).join("");
  }

  async #take(): Promise<void> {
    this.#taking = await this.#begin("us", "takes", "edge,ingest");
  }

  async #answer(name: RegionName): Promise<void> {
    const service = await this.#begin(name, "answers", name === "eu" ? "edge,query" : "query");
    this.services[name] = service;
    this.ways[name].target = Number(new URL(service.url).port);
  }

  async #begin(region: RegionName, name: string, role: string, failPoint?: string) {
    const place = this.#places[region];
    const catalog = `${place.catalog} application_name=${name}`;
    const { env, ...options } = this.optionsOf(region, {
      args: ["--role", role],
      readyMsMax,
      ...(failPoint !== undefined && { failPoint }),
    });
    const service = new RankstreamProcess({
      ...options,
      env: { ...env, ...lakeEnvironment({ ...place, catalog }) },
      dataDir: temporaryFolder(),
    });
    await service.ready();
    return service;
  }

  async #run(program: string, args: string[]): Promise<void> {
    await execute(join(findPostgres()!, program), args, { timeout: programMsMax });
  }

  async #ask(sql: string) {
    const { catalog, schema } = this.#places.eu;
    const client = await openCatalogClient(catalog, () => undefined, { queryMsMax });
    try {
      return (await client.query(sql, [schema])).rows;
    } finally {
      await client.end();
    }
  }
}

const locks = `SELECT pid, application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
  WHERE locktype = 'advisory' AND granted AND
    ((classid::bigint << 32) | objid::bigint) = hashtextextended($1, ${lakeLocks.follow})`;
