// A real server that speaks S3, of a test file's own, on loopback.
import { afterAll } from "vitest";
import { findVersitygw } from "../../tools/services.mjs";
import { type S3Server, startedS3 } from "./s3-server.ts";

const running = new Set<S3Server>();

afterAll(async () => {
  await Promise.all([...running].map((server) => server.remove()));
});

/** Whether there is one here; without it these tests don't run, save in CI. */
export function hasS3(): boolean {
  if (findVersitygw() !== undefined) return true;
  if (process.env["CI"] !== undefined) {
    throw new Error("no versitygw: npm run test:services brings it");
  }
  process.stderr.write("no versitygw here: tests of backups in S3 don't run\n");
  return false;
}

/** A fresh one, removed when the test file has ended. */
export async function startS3(): Promise<S3Server> {
  const server = await startedS3();
  running.add(server);
  return server;
}
