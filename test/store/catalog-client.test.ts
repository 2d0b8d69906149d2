// Node's own connection to a catalog's PostgreSQL, against a real one without TLS.
import { beforeAll, expect, it } from "vitest";
import { lakeLocks, openCatalogClient } from "../../src/store/catalog-client.ts";
import { Authority, type Pair } from "../support/certificates.ts";
import { startPostgres } from "../support/postgres.ts";
import type { PostgresServer } from "../support/postgres-server.ts";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});

const ignored = () => undefined;

it("is found by libpq's text and by a URL, and takes what both say", async () => {
  const port = server.environment["PGPORT"];
  for (const catalog of [
    `host=127.0.0.1 port=${port} user=postgres dbname=postgres application_name='an edge'`,
    `postgres://postgres@127.0.0.1:${port}/postgres?application_name=an%20edge`,
    `host=127.0.0.1 port=${port} user=postgres application_name='an edge' sslmode=disable`,
  ]) {
    const client = await openCatalogClient(catalog, ignored);
    const { rows } = await client.query("SELECT current_setting('application_name') AS name");
    expect(rows).toEqual([{ name: "an edge" }]);
    await client.end();
  }
});

it("asks for TLS where that is said, and says that the server has none", async () => {
  const catalog = `host=127.0.0.1 port=${server.environment["PGPORT"]} user=postgres`;
  for (const mode of ["require", "verify-ca", "verify-full"]) {
    await expect(openCatalogClient(`${catalog} sslmode=${mode}`, ignored)).rejects.toThrow(
      "does not support SSL",
    );
  }
});

it("takes TLS where there is one, and holds its certificate to what sslmode says", async () => {
  const [authority, other] = await Promise.all([Authority.make(), Authority.make()]);
  const restart = async (pair: Pair) => {
    await server.kill();
    server.useTls(pair);
    await server.start();
  };
  const isSecured = async (mode: string) => {
    const place = `host=127.0.0.1 port=${server.environment["PGPORT"]} user=postgres`;
    const client = await openCatalogClient(`${place} ${mode}`, ignored);
    try {
      const sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
      return (await client.query<{ ssl: boolean }>(sql)).rows[0]!.ssl;
    } finally {
      await client.end();
    }
  };
  const own = `sslrootcert=${authority.ca}`;
  await restart(await authority.sign("postgres"));
  for (const [mode, ssl] of [
    ["", true],
    ["sslmode=disable", false],
    ["sslmode=require", true],
    [`sslmode=require ${own}`, true],
    [`sslmode=verify-full ${own}`, true],
  ] as const) {
    expect(await isSecured(mode), mode).toBe(ssl);
  }
  const another = `sslrootcert=${other.ca}`;
  for (const mode of [`require ${another}`, `verify-ca ${another}`, "verify-full"]) {
    await expect(isSecured(`sslmode=${mode}`), mode).rejects.toThrow(/certificate/);
  }
  await restart(await authority.sign("elsewhere", 30, "subjectAltName=DNS:elsewhere.example"));
  expect(await isSecured(`sslmode=verify-ca ${own}`)).toBe(true);
  await expect(isSecured(`sslmode=verify-full ${own}`)).rejects.toThrow(/certificate/);
});

it("tells of a connection that ends later, instead of ending the process", async () => {
  const ended = new Promise<Error>((resolve, reject) => {
    const catalog = `host=127.0.0.1 port=${server.environment["PGPORT"]} user=postgres`;
    const run = async () => {
      const client = await openCatalogClient(catalog, resolve);
      const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      server.query(`SELECT pg_terminate_backend(${rows[0]!.pid})`);
    };
    run().catch(reject);
  });
  expect((await ended).message).toMatch(/terminat/);
});

it("has a number of its own for every lock", () => {
  const numbers = Object.values(lakeLocks);
  expect(new Set(numbers).size).toBe(numbers.length);
});
