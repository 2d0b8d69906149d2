// Pages of the real service: the ranking of the first page's moment, whatever comes meanwhile; and
// boards as tables.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { boardOf } from "../oracles/board-oracle.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { type Answer, type RankstreamProcess, startRankstream } from "../support/service.ts";

interface Row {
  eventId: string;
  count: number;
  rank: number;
  lower: number;
  upper: number;
}

describe("pages", () => {
  let random: Random;
  let service: RankstreamProcess;
  const counts = new Map<string, number>();

  async function post(size: number): Promise<void> {
    const ids = Array.from({ length: size }, () => `item ${random.int(0, 400)}, "x"`);
    for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
    const events = ids.map((eventId) => ({ eventId, eventType: "play" }));
    expect((await service.post(events)).status).toBe(202);
  }

  beforeAll(async () => {
    random = randomFromEnvironment("pages");
    service = await startRankstream({ args: ["--freshness-wait-ms-max", "9000"] });
    await post(3000);
  });
  afterAll(() => service.stop());

  const ask = (query: Record<string, string>): Promise<Answer> =>
    service.get(`/leaderboard?${new URLSearchParams(query)}`);

  it.each(["exact", "approx", "auto"])(
    "are of one moment, while events come in (%s)",
    async (mode) => {
      for (const ties of ["competition", "dense", "ordinal"] as const) {
        const truth = boardOf(counts, { k: counts.size, offset: 0, ties });
        const first = await ask({
          eventType: "play",
          timeRange: "last_3_hours",
          k: "37",
          mode,
          ties,
        });
        const rows: Row[] = [...first.body.results];
        const { asOf, total } = first.body;
        expect(total).toBe(truth.total);
        let cursor: string | undefined = first.body.nextCursor;
        let size = 37;
        while (cursor !== undefined) {
          await post(random.int(1, 50));
          size = random.int(1, 100);
          const { status, body }: Answer = await ask({ cursor, k: String(size) });
          expect([status, body.asOf, body.total]).toEqual([200, asOf, total]);
          expect(body.results.length).toBeGreaterThan(0);
          rows.push(...body.results);
          cursor = body.nextCursor;
          const shown = rows.reduce((sum, { count }) => sum + count, 0);
          expect(body.others).toBe(total - shown);
          expect(body.certified).toBe(true);
        }
        expect(rows.map(({ eventId, count, rank }) => ({ eventId, count, rank }))).toEqual(
          truth.results,
        );
      }
    },
  );

  it("end with the ranking, and aren't there where one page holds it", async () => {
    const all = await ask({ eventType: "play", timeRange: "last_3_hours", k: "1000" });
    expect(all.body.nextCursor).toBeUndefined();
    const compared = { eventType: "play", timeRange: "last_3_hours", compare: "previous" };
    expect((await ask(compared)).body.nextCursor).toBeUndefined();
    const unknown = await ask({ cursor: "aaaaaaaaaaaaaaaa.0" });
    expect([unknown.status, unknown.body.code]).toEqual([410, "cursor_expired"]);
    const wrong = await ask({ cursor: "nonsense" });
    expect([wrong.status, wrong.body.code]).toEqual([400, "invalid_cursor"]);
  });

  it("are given again from kept answers, with a cursor that lives", async () => {
    const query = { eventType: "play", from: "0", to: String(Date.now() + 60_000), k: "5" };
    const first = await ask({ ...query, mode: "exact" });
    const again = await ask({ ...query, mode: "exact" });
    expect(again.headers.get("cache-status")).toBe("rankstream-l1; hit");
    expect(again.body.nextCursor).toBe(first.body.nextCursor);
    expect((await ask({ cursor: again.body.nextCursor })).body.results.length).toBe(5);
  });

  it("are tables where that is asked for", async () => {
    const query = { eventType: "play", timeRange: "last_3_hours", k: "3", mode: "exact" };
    const { body } = await ask(query);
    const plain = (row: Row & { share: number }) => [
      row.rank,
      `"${row.eventId.replaceAll('"', '""')}"`,
      row.count,
      row.lower,
      row.upper,
      row.share,
    ];
    const lines = ["rank,eventId,count,lower,upper,share", ...body.results.map(plain)];
    const text = lines.map((line) => `${line}\r\n`).join("");
    const path = `${service.url}/leaderboard?${new URLSearchParams(query)}`;
    for (const [address, accept] of [
      [`${path}&format=csv`, "*/*"],
      [path, "text/csv, */*;q=0.1"],
    ] as const) {
      const csv = await fetch(address, { headers: { accept } });
      expect(csv.headers.get("content-type")).toBe("text/csv; charset=utf-8; header=present");
      expect(await csv.text()).toBe(text);
      const cursor = csv.headers.get("x-next-cursor")!;
      const next = await fetch(`${service.url}/leaderboard?cursor=${cursor}&format=csv&k=2`);
      expect((await next.text()).split("\r\n").length).toBe(4);
    }
    for (const accept of [
      "text/csv;q=0",
      "text/csv;q=0.5, application/json",
      "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    ]) {
      const plain = await fetch(path, { headers: { accept } });
      expect(plain.headers.get("content-type"), accept).toContain("application/json");
    }
    const ndjson = await fetch(path, { headers: { accept: "application/x-ndjson" } });
    const rows = (await ndjson.text())
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(rows).toEqual(body.results);
    expect((await ask({ ...query, format: "xml" })).body.detail).toContain("json, csv, ndjson");
  });
});
