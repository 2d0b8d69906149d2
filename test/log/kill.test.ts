import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { nodeFiles } from "../../src/files.ts";
import { EmbeddedLog } from "../../src/log/embedded-log.ts";
import { randomFromEnvironment } from "../support/random.ts";
import { payload, readAll } from "./log-fixture.ts";

const kills = 6;
const numbersApart = 1_000_000;

/** Runs the child until `wanted` batches are acknowledged, kills it, returns all it printed. */
async function acknowledgedUntilKilled(
  folder: string,
  first: number,
  wanted: number,
): Promise<number[]> {
  const script = fileURLToPath(new URL("./kill-child.mjs", import.meta.url));
  const child = spawn(process.execPath, [script, folder, String(first), "8"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  let text = "";
  child.stdout.setEncoding("latin1").on("data", (part: string) => {
    text += part;
    if (text.split("\n").length > wanted) child.kill("SIGKILL");
  });
  await closed;
  expect(child.signalCode).toBe("SIGKILL");
  return text.split("\n").slice(0, -1).map(Number);
}

test("what a killed process acknowledged is there, on a real disk", async () => {
  const random = randomFromEnvironment("log kill");
  const data = await mkdtemp(join(tmpdir(), "rankstream-log-"));
  const folder = join(data, "log");
  const acknowledged = new Set<number>();
  try {
    for (let kill = 0; kill < kills; kill++) {
      const wanted = random.int(1, 400);
      const numbers = await acknowledgedUntilKilled(folder, kill * numbersApart, wanted);
      for (const number of numbers) acknowledged.add(number);
      const log = await EmbeddedLog.open(nodeFiles, folder, { partitionCount: 2 });
      const seen = new Map<number, number>();
      for (const { partition, value } of await readAll(nodeFiles, folder, log, 1 << 20)) {
        const number = Number.parseInt(Buffer.from(value).toString("latin1"), 10);
        const expected = payload(`${number}/${partition}`, (number * 37) % 2000);
        if (Buffer.compare(value, expected) !== 0) expect(value).toEqual(expected);
        seen.set(number, (seen.get(number) ?? 0) + 1);
      }
      expect([...seen].filter(([, count]) => count !== 2)).toEqual([]);
      expect([...acknowledged].filter((number) => !seen.has(number))).toEqual([]);
      await log.close();
    }
  } finally {
    await rm(data, { recursive: true });
  }
});
