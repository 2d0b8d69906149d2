// docs/operations.md: its unit as systemd reads it, its figures as the benches printed them.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { configOptions } from "../../src/config-options.ts";
import { onPath } from "../../tools/programs.mjs";
import { blocksOf, readPage } from "../support/markdown.ts";
import { root } from "../support/service.ts";
import { DocWorld } from "./doc-world.ts";

const page = "docs/operations.md";
/** It is in no container and on no Mac. */
const hasSystemd = onPath("systemd-analyze") !== undefined;
const verifyMsMax = 30_000;
const unit = blocksOf(page).find(({ marks }) => marks.file === "rankstream.service")!.text;

/** systemd checks that what a unit starts is there: stand-ins of this machine. */
function localUnit(): string {
  return unit
    .replace("/usr/bin/node", process.execPath)
    .replace("/opt/rankstream/build", join(root, "build"))
    .replace("User=rankstream", `User=${userInfo().username}`);
}

describe("the unit", () => {
  it.runIf(hasSystemd)("has no fault that systemd finds", () => {
    const world = new DocWorld("http://127.0.0.1:1");
    const path = world.write("rankstream.service", localUnit());
    const done = spawnSync("systemd-analyze", ["verify", "--man=no", path], {
      encoding: "utf8",
      timeout: verifyMsMax,
    });
    const own = done.stderr.split("\n").filter((line) => line.includes("rankstream.service"));
    expect(own).toEqual([]);
    const broken = world.write("rankstream.service", localUnit().replace("exec", "never"));
    const found = spawnSync("systemd-analyze", ["verify", "--man=no", broken], {
      encoding: "utf8",
      timeout: verifyMsMax,
    });
    expect(found.stderr).toContain("never");
  });

  it("sets what the service reads, and stops it in time", () => {
    const variables = [...unit.matchAll(/^Environment=(RANKSTREAM_\w+)=/gm)].map(
      ([, name]) => name,
    );
    expect(variables).toEqual(["RANKSTREAM_DATA_DIR"]);
    const seconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)![1]);
    expect(seconds * 1000).toBeGreaterThan(configOptions.shutdownMsMax.default);
  });
});

/** The page's figures, and the line of bench/RESULTS.md that each rounds. */
const figures: [string, string, RegExp][] = [
  ["five minutes | 780,000 |", "sustained", /to an exact answer \| 78\d,\d{3} \|/],
  ["64 connections | 22,000/s |", "single", /events\/s, durable \| 22,0\d\d /],
  ["(http-servers.md) | 35,000/s |", "single", /events\/s, durable \| 35,\d{3} /],
  ["| 2.1 µs an event", "sustained", /CPU of the service, µs\/event \| 2\.(08|1\d?) \|/],
  ["that rate | 1.3 GiB |", "sustained", /resident memory, MiB: .* \| .*, 1,3\d\d \|/],
  ["| 17.5 bytes an event", "sustained", /store on disk, bytes\/event \| 17\.5 \|/],
  ["175 where ids are 512 bytes", "growth", /ids of 512 bytes, .* \| 174\.7 \|/],
  ["| 27 bytes an event", "throughput", /log on disk, bytes\/event \| 27\.\d \|/],
  ["same cores | 336,000/s |", "kafka", /to an exact answer \| 335,9\d\d /],
  ["p50, p99 | 217, 312 |", "sustained", /approximate board meanwhile, .* \| 216\.9 \/ 311\.6 /],
  ["took 1.1 s (p50)", "latency", /approx last_hour, .* \| 1113\.5 /],
];

describe("the figures", () => {
  const results = readFileSync(join(root, "bench", "RESULTS.md"), "utf8");
  const text = readPage(page);

  it.each(figures)("%s", (shown, bench, line) => {
    expect(text).toContain(shown);
    const section = results.split(`<!-- bench: ${bench} -->`)[1]!.split("<!-- bench:")[0]!;
    expect(section).toMatch(line);
  });
});
