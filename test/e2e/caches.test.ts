// Kept answers of the real service: given again, dropped by just what changes them, and never
// older than what was acknowledged.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";
import { isLakeRun } from "../support/service-store.ts";

const hourMs = 3_600_000;

describe("kept answers", () => {
  const base = Math.floor(Date.now() / hourMs) * hourMs - 100 * hourMs;
  let random: Random;
  let service: RankstreamProcess;

  beforeAll(async () => {
    random = randomFromEnvironment("caches");
    service = await startRankstream({ args: ["--freshness-wait-ms-max", "9000"] });
    for (const eventType of ["play", "view"]) {
      const events = Array.from({ length: 500 }, () => ({
        eventId: `item-${random.int(0, 20)}`,
        eventType,
        timestamp: base + random.int(0, 20 * hourMs - 1),
      }));
      expect((await service.post(events)).status).toBe(202);
    }
    // From here on everything is counted.
    await service.get("/leaderboard?eventType=play&mode=exact");
  });
  afterAll(() => service.stop());

  const hours = (from: number, to: number, eventType = "play") =>
    `eventType=${eventType}&from=${base + from * hourMs}&to=${base + to * hourMs}`;

  async function levelOf(path: string): Promise<string> {
    const { status, headers } = await service.get(path);
    expect(status).toBe(200);
    const given = headers.get("cache-status")!;
    // Where a new answer takes long, the one before stands in, marked: it does not hold any more.
    return given === "rankstream; fwd=miss" || given.endsWith("fwd=stale")
      ? "made"
      : given.replace(/^rankstream-(\w+); hit$/, "$1");
  }

  it("are given again, by the same tag, and not at all where the client has them", async () => {
    for (const mode of ["approx", "exact", "auto"]) {
      const path = `/leaderboard?${hours(0, 10)}&mode=${mode}`;
      const first = await service.get(path);
      expect(first.headers.get("cache-status")).toBe("rankstream; fwd=miss");
      const again = await service.get(path);
      expect(again.headers.get("cache-status")).toBe("rankstream-l1; hit");
      expect(again.body).toEqual(first.body);
      const etag = first.headers.get("etag")!;
      expect(etag).toMatch(/^"[\w-]{22}"$/);
      expect(again.headers.get("etag")).toBe(etag);
      expect(again.headers.get("vary")).toBe("accept");
      const age = Number(again.headers.get("age"));
      expect(age).toBeLessThan(60);
      const control = mode === "exact" ? "no-cache" : `max-age=${10 + age}`;
      expect(again.headers.get("cache-control")).toBe(control);
      const headers = { "if-none-match": `"other", W/${etag}` };
      const known = await fetch(`${service.url}${path}`, { headers });
      expect([known.status, await known.text()]).toEqual([304, ""]);
      expect(known.headers.get("etag")).toBe(etag);
    }
    const now = await service.get("/leaderboard?eventType=play&timeRange=last_3_hours");
    expect(now.headers.get("cache-control")).toBe("no-cache");
  });

  it("are dropped by a late event, those that hold it and no others", async () => {
    const kept = [
      `/leaderboard?${hours(0, 20)}`,
      `/leaderboard?${hours(5, 6)}&mode=exact`,
      `/leaderboard?${hours(6, 8)}`,
      `/leaderboard?${hours(0, 20, "view")}`,
      `/event-types/play/series?${hours(0, 20).replace("eventType=play&", "")}`,
      `/event-types/play/series?${hours(6, 20).replace("eventType=play&", "")}`,
      `/trending?${hours(6, 9)}`,
      `/trending?${hours(8, 9)}`,
    ];
    for (const path of kept) await service.get(path);
    for (const path of kept) expect(await levelOf(path), path).toBe("l1");
    const before = (await service.get(kept[0]!)).body.total;
    const late = { eventId: "late", eventType: "play", timestamp: base + 5 * hourMs + 10 };
    expect((await service.post(late)).status).toBe(202);
    // Trending looks at the period before, too.
    const isHit = [false, false, true, true, false, true, false, true];
    for (const [i, path] of kept.entries()) {
      expect(await levelOf(path), path).toBe(isHit[i] ? "l1" : "made");
    }
    expect((await service.get(kept[0]!)).body.total).toBe(before + 1);
  });

  it("are dropped by a delete, those that held what went", async () => {
    const [whole, part, other] = [hours(0, 20), hours(10, 12), hours(15, 16)];
    for (const range of [whole, part, other]) await service.get(`/leaderboard?${range}`);
    const gone = hours(10, 11).replace("eventType=play&", "");
    const path = `/event-types/play/events?${gone}`;
    const { status, body } = await service.request(path, { method: "DELETE" });
    expect(status).toBe(200);
    expect(body.events).toBeGreaterThan(0);
    expect(await levelOf(`/leaderboard?${whole}`)).toBe("made");
    expect(await levelOf(`/leaderboard?${part}`)).toBe("made");
    expect(await levelOf(`/leaderboard?${other}`)).toBe("l1");
  });

  it("are dropped by hand", async () => {
    const paths = [`/leaderboard?${hours(0, 3)}`, `/leaderboard?${hours(0, 3, "view")}`];
    const drop = (body: object) =>
      service.request("/admin/cache/invalidate", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    for (const path of paths) await service.get(path);
    const { status, body } = await drop({ eventType: "play", from: base, to: base + hourMs });
    expect(status).toBe(200);
    expect(body.invalidated).toBeGreaterThan(0);
    expect(await levelOf(paths[0]!)).toBe("made");
    expect(await levelOf(paths[1]!)).toBe("l1");
    expect((await drop({ all: true })).status).toBe(200);
    expect(await levelOf(paths[1]!)).toBe("made");
    for (const wrong of [{}, { all: false }, { all: true, eventType: "a" }, { type: "a" }, []]) {
      expect((await drop(wrong)).status, JSON.stringify(wrong)).toBe(400);
    }
  });

  it("can be kept elsewhere: what changed is told, at once or when it comes", async () => {
    // On a busy machine it may take more than one wait.
    const changesSince = async (version: number) => {
      for (;;) {
        const { status, body } = await service.get(`/changes?since=${version}&settle=true`);
        expect(status).toBe(200);
        if (body.settled) return body;
      }
    };
    const first = await changesSince(0);
    const { version } = first;
    expect(await changesSince(version)).toMatchObject({ version, reset: false, changes: [] });
    const waiting = service.get(`/changes?since=${version}&waitMs=20000`);
    const late = { eventId: "late", eventType: "view", timestamp: base + 7 * hourMs + 10 };
    expect((await service.post(late)).status).toBe(202);
    const hour = { from: base + 7 * hourMs, to: base + 8 * hourMs };
    for (const body of [await changesSince(version), (await waiting).body]) {
      expect(body.version).toBeGreaterThan(version);
      expect(body.changes).toEqual([{ eventType: "view", version: body.version, ...hour }]);
    }
    const gone = "/items/view/late";
    expect((await service.request(gone, { method: "DELETE" })).status).toBe(200);
    expect((await changesSince(version)).changes.length).toBe(2);
    expect((await service.get("/changes?since=-1")).status).toBe(400);
    expect((await service.get("/changes?wait=1")).status).toBe(400);
  });

  it("never lack what was acknowledged before, while events come in and others ask", async () => {
    const now = "eventType=hot&timeRange=last_3_hours";
    const totals = { posted: 0 };
    // An answer can only be given again before the next events: a lake takes a second to count.
    const pausesMs = isLakeRun ? [0, 5, 4000] : [0, 5, 150];
    const until = Date.now() + (isLakeRun ? 30_000 : 4000);
    let hits = 0;
    const asking = Array.from({ length: 6 }, async (_, i) => {
      const mode = i % 2 === 0 ? "exact" : "auto";
      while (Date.now() < until) {
        const least = totals.posted;
        const { status, body, headers } = await service.get(`/leaderboard?${now}&mode=${mode}`);
        expect(status).toBe(200);
        if (headers.get("cache-status")!.includes("hit")) hits++;
        if (mode === "exact" || body.stale === false) {
          expect(body.total, `${mode} ${headers.get("cache-status")}`).toBeGreaterThanOrEqual(
            least,
          );
        }
      }
    });
    const posting = (async () => {
      while (Date.now() < until) {
        const events = Array.from({ length: random.int(1, 20) }, () => ({
          eventId: `item-${random.int(0, 5)}`,
          eventType: "hot",
        }));
        expect((await service.post(events)).status).toBe(202);
        totals.posted += events.length;
        await new Promise((resolve) => setTimeout(resolve, random.pick(pausesMs)));
      }
    })();
    await Promise.all([...asking, posting]);
    expect(hits).toBeGreaterThan(0);
    const last = await service.get(`/leaderboard?${now}&mode=exact`);
    expect(last.body.total).toBe(totals.posted);
  });
});
