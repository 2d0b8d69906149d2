import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { RunningService } from "../src/cli-io.ts";
import { runCli } from "../src/cli-program.ts";
import { type Config, configNames, flagOf, variableOf } from "../src/config.ts";
import { RankstreamError } from "../src/errors.ts";
import { makeIo } from "./support/cli-io.ts";
import { until } from "./support/until.ts";

const folder = mkdtempSync(join(tmpdir(), "rankstream-cli-"));
afterAll(() => rmSync(folder, { recursive: true }));
const quiet = { RANKSTREAM_LOG_LEVEL: "silent", RANKSTREAM_DATA_DIR: join(folder, "data") };

/** Runs the command line with a service that the test controls. */
function command(
  args: string[],
  start?: (config: Config) => Promise<Partial<RunningService>>,
  freeBytes = 2 ** 40,
) {
  let stdout = "";
  let stderr = "";
  const exits: (number | "killed")[] = [];
  const listeners = new Map<string, () => void>();
  let ready = () => {};
  const isReady = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const io = makeIo({
    environment: quiet,
    writeOut: (text) => {
      stdout += text;
      ready();
    },
    writeError: (text) => {
      stderr += text;
    },
    onSignal: (signal, listener) => listeners.set(signal, listener),
    exit: (code) => exits.push(code),
    kill: () => exits.push("killed"),
    freeBytes: async () => freeBytes,
    startService: async (config) => {
      const failed = new Promise<string>(() => {});
      const service = { host: "127.0.0.1", port: 1234, failed, reload: async () => {} };
      const ends = { drain() {}, stop: async () => {}, abandon: async () => {} };
      return { ...service, ...ends, ...(await start?.(config)) };
    },
  });
  const code = runCli(args, io);
  const signal = (name: string) => listeners.get(name)?.();
  return { code, isReady, signal, exits, out: () => stdout, error: () => stderr };
}

describe("the command line", () => {
  it("prints help and version on stdout", async () => {
    const help = command(["--help"]);
    expect(await help.code).toBe(0);
    expect(help.out()).toContain("Usage: rankstream");
    expect(help.out()).toContain("rankstream start --port 0");
    expect(help.error()).toBe("");
    const version = command(["--version"]);
    expect([await version.code, version.out()]).toEqual([0, "1.2.3\n"]);
  });

  it("describes every option with flag, variable and default", async () => {
    const help = command(["start", "--help"]);
    expect(await help.code).toBe(0);
    for (const name of configNames) {
      expect(help.out()).toContain(`${flagOf(name)} <value>`);
      expect(help.out().replaceAll(/\s+/g, " ")).toContain(`[${variableOf(name)}, default `);
    }
  });

  it.each([
    [[], "Usage: rankstream"],
    [["strat"], "Did you mean start?"],
    [["start", "--prot", "1"], "Did you mean --port?"],
    [["start", "--port"], "argument missing"],
    [["start", "more"], "too many arguments"],
    [["start", "--port", "x"], 'rankstream: port: expected an integer 0..65535, got "x"'],
    [["start", "--config", "/none.json"], "rankstream: --config: "],
  ])("exits with 2 for %j", async (args, message) => {
    const run = command(args);
    expect(await run.code).toBe(2);
    expect(run.error()).toContain(message);
    expect(run.out()).toBe("");
  });
});

describe("rankstream start", () => {
  it("says where it is ready, in one line, and ends with 0 at a signal", async () => {
    let stopped = 0;
    const configs: Config[] = [];
    const run = command(["start", "--port", "0", "--host", "::1"], async (config) => {
      configs.push(config);
      return {
        host: config.host,
        stop: async () => {
          stopped += 1;
        },
      };
    });
    await run.isReady;
    expect(run.out()).toBe("Rankstream is ready on http://[::1]:1234\n");
    expect(configs[0]).toMatchObject({ port: 0, host: "::1" });
    run.signal("SIGINT");
    expect(await run.code).toBe(0);
    expect([stopped, run.exits]).toEqual([1, []]);
  });

  it("says that it isn't ready for a while before it stops, where told so", async () => {
    const steps: [string, number][] = [];
    const note = (step: string) => steps.push([step, Date.now()]);
    const args = ["start", "--drain-ms", "150", "--shutdown-ms-max", "100"];
    const run = command(args, async () => ({
      drain: () => note("drain"),
      stop: async () => void note("stop"),
    }));
    await run.isReady;
    run.signal("SIGTERM");
    expect(await run.code).toBe(0);
    expect(steps.map(([step]) => step)).toEqual(["drain", "stop"]);
    // Timers may be early by a millisecond.
    expect(steps[1]![1] - steps[0]![1]).toBeGreaterThanOrEqual(149);
    expect(run.exits).toEqual([]);
  });

  it("ends at once at the second signal", async () => {
    const run = command(["start"], async () => ({ stop: () => new Promise(() => {}) }));
    await run.isReady;
    run.signal("SIGTERM");
    expect(run.exits).toEqual([]);
    run.signal("SIGTERM");
    await until(async () => expect(run.exits).toEqual([1]), 30_000);
  });

  it("kills itself where the store can't be given up", async () => {
    const never = () => new Promise<void>(() => {});
    const run = command(["start"], async () => ({ stop: never, abandon: never }));
    await run.isReady;
    run.signal("SIGTERM");
    run.signal("SIGTERM");
    await until(async () => expect(run.exits).toEqual(["killed"]), 30_000);
  });

  it("gives up on a stop that takes too long", async () => {
    const args = ["start", "--shutdown-ms-max", "100"];
    const run = command(args, async () => ({ stop: () => new Promise(() => {}) }));
    await run.isReady;
    run.signal("SIGTERM");
    const start = Date.now();
    while (run.exits.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(run.exits).toEqual([1]);
    expect(Date.now() - start).toBeLessThan(1000);
  });

  it("ends with 1 when the service can not go on", async () => {
    const run = command(["start"], async () => ({ failed: Promise.resolve("the disk is gone") }));
    expect(await run.code).toBe(1);
    expect(run.error()).toContain("the disk is gone");
  });

  it("ends with 1 and one line of what to do when it can not start", async () => {
    const run = command(["start"], async () => {
      throw new RankstreamError("port_in_use", "port 8080 of 127.0.0.1 is taken");
    });
    expect(await run.code).toBe(1);
    expect(run.error()).toMatch(/^rankstream: port 8080 of 127\.0\.0\.1 is taken\. .*--port.*\n$/);
    const file = join(folder, "file");
    writeFileSync(file, "");
    const unwritable = command(["start", "--data-dir", join(file, "data")]);
    expect(await unwritable.code).toBe(1);
    expect(unwritable.error()).toMatch(/^rankstream: the data folder .*file\/data .*ENOTDIR.*\n$/);
    const full = command(["start"], undefined, 1000);
    expect(await full.code).toBe(1);
    expect(full.error()).toMatch(
      /^rankstream: the data folder .* has 1000 bytes of free space.*\n$/,
    );
    expect(full.error()).toContain("Free some space");
  });
});

describe("the built program", () => {
  const program = join(import.meta.dirname, "..", "build", "cli.js");
  const run = (args: string[]) => spawnSync(process.execPath, [program, ...args]);

  it("passes exit codes on", () => {
    const version = run(["--version"]);
    expect(version.status).toBe(0);
    expect(version.stdout.toString()).toMatch(/^\d+\.\d+\.\d+\n$/);
    const mistaken = run(["strat"]);
    expect([mistaken.status, mistaken.stdout.toString()]).toEqual([2, ""]);
  });
});
