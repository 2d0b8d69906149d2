// Lakes for a test file, in a real PostgreSQL and a real S3 server: those that the whole run
// shares, or a pair of the file's own to be killed.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, inject } from "vitest";
import type { LakePlace } from "../../src/model-lake.ts";
import { findExtensions } from "../../tools/duckdb-extensions.mjs";
import { findPostgres, findVersitygw } from "../../tools/services.mjs";
import { lakePlaceIn } from "./lake-place.ts";
import { type PostgresServer, startedPostgres } from "./postgres-server.ts";
import { type S3Server, startedS3 } from "./s3-server.ts";
import { type LakeServers, lakeServersOf } from "./shared-lake.ts";

const own = new Set<PostgresServer | S3Server>();
const folders = new Set<string>();

/** Registered by whoever imports this file: no process and no folder outlives it. */
afterAll(async () => {
  await Promise.all([...own].map((server) => server.remove()));
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Whether all is here that a lake needs; without it these tests don't run, save in CI. */
export function hasLake(): boolean {
  const needed = {
    PostgreSQL: findPostgres(),
    versitygw: findVersitygw(),
    "DuckDB's extensions": findExtensions(),
  };
  const missing = Object.entries(needed).flatMap(([name, found]) => (found ? [] : [name]));
  if (missing.length === 0) return true;
  const what = `no ${missing.join(", no ")}`;
  if (process.env["CI"] !== undefined) throw new Error(`${what}: npm run test:services`);
  process.stderr.write(`${what} here: tests of a store in a lake don't run\n`);
  return false;
}

/** Where stores of the tests may be. */
export class Lake {
  readonly servers: LakeServers;

  constructor(servers: LakeServers) {
    this.servers = servers;
  }

  /** A fresh place: schema and prefix that nobody else has. */
  place(): LakePlace {
    return lakePlaceIn(this.servers);
  }

  /** The same with its files in a folder, which is removed when the test file has ended. */
  placeInFolder(): LakePlace {
    const folder = mkdtempSync(join(tmpdir(), "rankstream-lake-"));
    folders.add(folder);
    return { ...this.place(), dataPath: folder, s3: null };
  }
}

/** In the run's servers, which its first file that asks starts. */
export async function startLake(): Promise<Lake> {
  const response = await fetch(inject("sharedLakeUrl"));
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return new Lake(JSON.parse(text) as LakeServers);
}

/**
 * In servers of the file's own, on this address: for tests that kill them and start them again.
 */
export async function startOwnLake(host?: string): Promise<{
  lake: Lake;
  postgres: PostgresServer;
  s3: S3Server;
}> {
  const postgres = await startedPostgres(host);
  own.add(postgres);
  const s3 = await startedS3(host);
  own.add(s3);
  return { lake: new Lake(lakeServersOf(postgres, s3)), postgres, s3 };
}
