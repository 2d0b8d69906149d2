// A real PostgreSQL of a test file's own, on loopback.
import { afterAll } from "vitest";
import { type PostgresServer, startedPostgres } from "./postgres-server.ts";

const running = new Set<PostgresServer>();

afterAll(async () => {
  await Promise.all([...running].map((server) => server.remove()));
});

/** A fresh one, removed when the test file has ended. */
export async function startPostgres(): Promise<PostgresServer> {
  const server = await startedPostgres();
  running.add(server);
  return server;
}
