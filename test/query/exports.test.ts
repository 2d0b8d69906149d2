// The desk over a store that is scripted: bounds, ends and failures of streams.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ExportDesk, type ExportRequest } from "../../src/query/exports.ts";
import { temporaryFolder } from "../support/service.ts";

const folder = temporaryFolder();
const range = { from: 0, to: 10, effectiveFrom: 2, effectiveTo: 10 };
const request = { eventTypes: null, range, format: "ndjson" } as ExportRequest;

type Bounds = { exportsMax?: number; stallMsMax?: number; sliceMs?: number };

function deskOf(slices: (string | Error)[], { sliceMs = 0, ...more }: Bounds = {}) {
  const seen = { queries: [] as unknown[], made: 0, closed: [] as string[] };
  const store = {
    openExport: async (query: unknown) => {
      seen.queries.push(query);
      return { id: `e${seen.queries.length}`, rows: 7, slices: slices.length };
    },
    exportSlice: async ({ id, index }: { id: string; index: number }) => {
      const slice = slices[index]!;
      seen.made++;
      if (sliceMs > 0) await new Promise((resolve) => setTimeout(resolve, sliceMs));
      if (slice instanceof Error) throw slice;
      const path = join(folder, `${id}-${index}`);
      writeFileSync(path, slice);
      return path;
    },
    closeExport: async (id: string) => {
      seen.closed.push(id);
      return null;
    },
  };
  const freshness = {
    acknowledged: () => [1],
    ends: async () => [1],
    committed: async () => true,
    committedThrough: () => 0,
    exactTimeoutMs: 1000,
    freshnessWaitMsMax: 0,
  };
  const registry = { expiring: () => ["old", "new"], horizonOf: (n: string) => n.length };
  const regions = { areSeveral: false };
  const desk = new ExportDesk({ store, freshness, registry, regions, ...more });
  return { desk, seen };
}

describe("the desk for exports", () => {
  it("streams slice after slice, removes them, and closes what it opened", async () => {
    const { desk, seen } = deskOf(["a\n", "b\n", "c\n"]);
    const { events, body } = await desk.open(request);
    expect(events).toBe(7);
    const chunks = await body.toArray();
    expect(Buffer.concat(chunks).toString()).toBe("a\nb\nc\n");
    expect(seen).toMatchObject({ made: 3, closed: ["e1"] });
    expect(existsSync(join(folder, "e1-0"))).toBe(false);
    const horizons = [
      { eventType: "old", from: 3 },
      { eventType: "new", from: 3 },
    ];
    expect(seen.queries).toEqual([
      { eventTypes: null, format: "ndjson", from: 2, to: 10, horizons },
    ]);
  });

  it("makes no slice ahead of a client that takes nothing, and gives it up", async () => {
    const large = "x".repeat(2_000_000);
    const { desk, seen } = deskOf(Array(9).fill(large), { stallMsMax: 50 });
    const { body } = await desk.open(request);
    const failed = new Promise((resolve) => body.once("error", resolve));
    body.read(1);
    expect(String(await failed)).toContain("nobody took anything");
    expect(seen.made).toBeLessThan(4);
    expect(seen.closed).toEqual(["e1"]);
  });

  it("gives no client up for the time that a slice takes to be made", async () => {
    const { desk } = deskOf(["a\n", "b\n"], { stallMsMax: 100, sliceMs: 500 });
    const { body } = await desk.open(request);
    expect(Buffer.concat(await body.toArray()).toString()).toBe("a\nb\n");
  });

  it("refuses more at once than its bound, and takes others once one has ended", async () => {
    const { desk, seen } = deskOf(["a"], { exportsMax: 1 });
    const { body } = await desk.open(request);
    await expect(desk.open(request)).rejects.toMatchObject({ code: "too_many_exports" });
    body.destroy();
    await new Promise((resolve) => body.once("close", resolve));
    await (await desk.open(request)).body.toArray();
    expect(seen.closed).toEqual(["e1", "e2"]);
  });

  it("breaks off where a slice can't be made, or the client goes", async () => {
    const { desk, seen } = deskOf(["a", new Error("disk")]);
    const { body } = await desk.open(request);
    await expect(body.toArray()).rejects.toThrow("disk");
    expect(seen.closed).toEqual(["e1"]);
    const gone = new AbortController();
    const second = await desk.open(request, { signal: gone.signal });
    gone.abort();
    await expect(second.body.toArray()).rejects.toThrow();
    expect(seen.closed).toEqual(["e1", "e2"]);
  });
});
