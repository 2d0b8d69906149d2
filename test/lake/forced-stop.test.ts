// A stop that takes too long, with a statement under way that nothing can interrupt.
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { catalogParts } from "../../src/model-lake.ts";
import { CutProxy } from "../support/cut-proxy.ts";
import { hasLake, startLake } from "../support/lake.ts";
import { lakeEnvironment } from "../support/lake-place.ts";
import { startRankstream } from "../support/service.ts";
import { until } from "../support/until.ts";

const msMax = 240_000;
const event = { eventId: "a", eventType: "play" };

describe.skipIf(!hasLake())("a stop that takes too long", () => {
  it("ends without an abort, and says why", { timeout: msMax }, async () => {
    const place = (await startLake()).placeInFolder();
    const { port, user, dbname } = catalogParts(place.catalog);
    const proxy = await new CutProxy().listen();
    proxy.target = Number(port);
    const catalog = `host=127.0.0.1 port=${new URL(proxy.url).port} user=${user} dbname=${dbname}`;
    const service = await startRankstream({
      env: lakeEnvironment({ ...place, catalog }),
      args: ["--shutdown-ms-max", "500"],
      readyMsMax: msMax,
    });
    await service.post(event);
    const board = "/leaderboard?eventType=play&mode=exact";
    await until(async () => expect((await service.get(board)).body.total).toBe(1), msMax);
    // PostgreSQL falls silent, and the next checkpoint waits for it.
    proxy.mode = "hang";
    await service.post(event);
    await sleep(3000);
    service.child.kill("SIGTERM");
    const { code, signal } = await service.exited;
    expect([code, signal]).not.toContain("SIGABRT");
    expect(service.stderr).toContain("the stop took too long");
    expect(service.stderr).not.toContain("terminate called");
    await proxy.close();
  });
});
