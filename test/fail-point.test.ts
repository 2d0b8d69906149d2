// A process that passes fail points, seen from outside: where it dies, and that it doesn't.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const moduleUrl = new URL("../build/fail-point.js", import.meta.url).href;

/** Passes `log.after_write` five times and another once, here or in a thread; prints each. */
function passes(failPoint: string | undefined, inThread = false): { text: string; end: string } {
  const { stringify } = JSON;
  const body = `
    import(${stringify(moduleUrl)}).then(({ failPoint }) => {
      const say = (text) => require("node:fs").writeSync(1, text);
      failPoint("log.before_write");
      for (let i = 1; i <= 5; i++) {
        failPoint("log.after_write");
        say(String(i));
      }
    });`;
  const threaded = `
    const { Worker } = require("node:worker_threads");
    new Worker(${stringify(body)}, { eval: true });`;
  const environment: NodeJS.ProcessEnv = { ...process.env };
  delete environment["RANKSTREAM_FAIL_POINT"];
  if (failPoint !== undefined) environment["RANKSTREAM_FAIL_POINT"] = failPoint;
  const done = spawnSync(process.execPath, ["-e", inThread ? threaded : body], {
    encoding: "utf8",
    env: environment,
    cwd: fileURLToPath(new URL("..", import.meta.url)),
  });
  return { text: done.stdout, end: done.signal ?? String(done.status) };
}

it.each([
  [undefined, "12345", "0"],
  ["", "12345", "0"],
  ["log.after_sync", "12345", "0"],
  ["log.before_write", "", "SIGKILL"],
  ["log.after_write", "", "SIGKILL"],
  ["log.after_write:1", "", "SIGKILL"],
  ["log.after_write:4", "123", "SIGKILL"],
  ["log.after_write:6", "12345", "0"],
])("with %j passes %j", (failPoint, text, end) => {
  expect(passes(failPoint)).toEqual({ text, end });
});

it("kills the whole process from a thread", () => {
  expect(passes("log.after_write:3", true)).toEqual({ text: "12", end: "SIGKILL" });
  expect(passes(undefined, true)).toEqual({ text: "12345", end: "0" });
});
