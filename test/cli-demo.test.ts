import { DuckDBInstance } from "@duckdb/node-api";
import { beforeAll, describe, expect, it } from "vitest";
import { counted, FlightChecks, sealed } from "./e2e/flight-checks.ts";
import { FlightOracle, flightsFile } from "./oracles/flight-oracle.ts";
import { runCommand } from "./support/command.ts";
import { randomFromEnvironment } from "./support/random.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "./support/service.ts";

const dataDir = temporaryFolder();
const demoMsMax = 180_000;
/** `npm run test:oracle` asks for more. */
const ranges = Number(process.env["RANKSTREAM_FLIGHT_RANGES"] ?? 8);
const rangesUnsealed = Math.ceil(ranges / 5);
const rangesMsMax = 900_000;
/** What a service lists by default: more than there are destinations or routes. */
const candidatesMax = 4000;
const wholeRange = { from: "2001-01-01T00:00:00Z", to: "2001-07-02T00:00:00Z" };
const oneDay = { from: "2001-06-28T00:00:00Z", to: "2001-06-29T00:00:00Z" };

/** The top 10 by a recount of the file. */
async function recount(item: string, { from, to }: { from: string; to: string }) {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const reader = await connection.runAndReadAll(
    `SELECT ${item} AS item, count(*)::INTEGER AS n FROM '${flightsFile}'
      WHERE date >= TIMESTAMP '${from.slice(0, 19)}' AND date < TIMESTAMP '${to.slice(0, 19)}'
      GROUP BY item ORDER BY n DESC, item LIMIT 10`,
  );
  const rows = reader.getRows().map(([name, count]) => [String(name), Number(count)] as const);
  connection.closeSync();
  instance.closeSync();
  return rows;
}

const items = { flight_to: "destination", flight_route: "origin || '-' || destination" };
let expected: Record<string, (readonly [string, number])[]>;
beforeAll(async () => {
  expected = {
    "flight_to, 2001-01-01": await recount(items.flight_to, wholeRange),
    "flight_route, 2001-01-01": await recount(items.flight_route, wholeRange),
    "flight_to, 2001-06-28": await recount(items.flight_to, oneDay),
    "flight_route, 2001-06-28": await recount(items.flight_route, oneDay),
  };
});

/** The boards in the demo's output, by the beginning of their titles. */
function boardsIn(out: string): Record<string, (readonly [string, number])[]> {
  const boards: Record<string, (readonly [string, number])[]> = {};
  for (const part of out.split("\n\n").slice(1)) {
    const [title = "", , ...lines] = part.split("\n");
    const rows = lines.flatMap((line) => {
      const match = /^ *\d+ {2}(\S+) +([\d,]+) +[\d.]+%$/.exec(line);
      return match === null ? [] : [[match[1]!, Number(match[2]!.replaceAll(",", ""))] as const];
    });
    if (rows.length > 0) boards[title.slice(0, title.indexOf(" 00:00"))] = rows;
  }
  return boards;
}

function demo(args: string[]) {
  const own = ["demo", "--port", "0", "--data-dir", dataDir, "--log-level", "warn"];
  return runCommand([...own, ...args]);
}

/** Starts the service on the demo's data; stops it whatever `work` comes to. */
async function withService(
  args: string[],
  work: (service: RankstreamProcess) => Promise<void>,
): Promise<void> {
  const service = await startRankstream({ dataDir, args });
  try {
    await work(service);
  } finally {
    await service.stop();
  }
}

describe("rankstream demo", () => {
  it("counts the flights as a recount of the file does", { timeout: demoMsMax }, async () => {
    const { code, out, error } = await demo(["--exit-after-load"]).ended;
    expect([code, error]).toEqual([0, expect.not.stringContaining("rankstream:")]);
    expect(out).toMatch(/^Rankstream is ready on http:\/\/127\.0\.0\.1:\d+\n/);
    expect(out).toContain("\nflight_to: 3,000,000 events counted in ");
    expect(out).toContain("\n6,000,000 events sent, counted and queryable in ");
    expect(boardsIn(out)).toEqual(expected);
    expect(expected["flight_to, 2001-01-01"]!.slice(0, 3)).toEqual([
      ["ORD", 165573],
      ["DFW", 156515],
      ["ATL", 124232],
    ]);
    expect(out.match(/^certified: every count and rank is exact/gm)?.length).toBe(4);
  });

  it("answers any range right before, while and after it seals", {
    timeout: rangesMsMax,
  }, async () => {
    const random = randomFromEnvironment("ranges of flights");
    const oracle = await FlightOracle.ofAll();
    const busiestMinute = await oracle.busiestMinute();
    const checks = new FlightChecks({ oracle, candidatesMax, busiestMinute });
    const modes = ["exact", "approx"] as const;
    const resting = ["--seal-interval-ms", "3600000"];
    await withService(resting, async (service) => {
      await counted(service);
      await checks.checkMany(service, random, rangesUnsealed, modes, false);
    });
    await withService(["--seal-quiet-ms", "0"], async (service) => {
      await sealed(service, () => checks.check(service, random, modes, false));
      await checks.checkMany(service, random, ranges, modes, true);
    });
    oracle.close();
    process.stderr.write(checks.summary("flights"));
    // All lists are complete, so nothing is left to doubt.
    expect(checks.approximate).toBeGreaterThan(ranges);
    expect(checks.certified).toBe(checks.approximate);
    expect(checks.certifiedRanks).toBe(checks.ranks);
  });

  it("shows the same again, flies on live, and ends with 0", { timeout: demoMsMax }, async () => {
    const run = demo([]);
    let out = "";
    const isLive = new Promise<string>((resolve) => {
      run.onOut((text) => {
        out += text;
        const match = /^The live board: (http\S+)\//m.exec(out);
        if (match !== null) resolve(match[1]!);
      });
    });
    const url = await Promise.race([isLive, run.ended.then((end) => JSON.stringify(end))]);
    expect(url).toMatch(/^http/);
    expect(out).toContain("flight_to: 0 events counted in ");
    expect(out).toContain("150 of 150 batches were already counted (3,000,000 events)");
    expect(boardsIn(out)).toEqual(expected);
    const liveTotal = async (type: string) => {
      const query = `eventType=${type}&timeRange=last_1_hour&mode=exact`;
      const board = (await (await fetch(`${url}/leaderboard?${query}`)).json()) as {
        total: number;
      };
      return board.total;
    };
    const before = await liveTotal("live_flight_to");
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const after = await liveTotal("live_flight_to");
    expect(after - before).toBeGreaterThan(100);
    expect(after - before).toBeLessThan(1500);
    expect(await liveTotal("live_flight_route")).toBeGreaterThan(100);
    run.kill("SIGINT");
    expect(await run.ended).toMatchObject({ code: 0, signal: null });
  });

  it("is ready and answers while it loads, and stops in the middle", async () => {
    const run = runCommand(["demo", "--data-dir", temporaryFolder()], {
      RANKSTREAM_PORT: "0",
      RANKSTREAM_LOG_LEVEL: "warn",
    });
    const url = await new Promise<string>((resolve) => {
      run.onOut((text) => resolve(/http\S+/.exec(text)![0]));
    });
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    run.kill("SIGTERM");
    const { code, out } = await run.ended;
    expect(code).toBe(0);
    expect(out).not.toContain("queryable");
  });

  it("leaves the boards to whoever starts the service after it", async () => {
    const service = await startRankstream({ dataDir });
    const query = { ...wholeRange, eventType: "flight_to", mode: "exact" };
    const { body } = await service.get("/leaderboard", query);
    const rows: { eventId: string; count: number }[] = body.results;
    expect(rows.map(({ eventId, count }) => [eventId, count])).toEqual(
      expected["flight_to, 2001-01-01"],
    );
    await service.stop();
  });
});
