/** What another region says is looked at before it is used: it comes from another machine. */
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import type { RegionTotalsReply } from "../../src/model-region-wire.ts";
import { RegionPeer, RegionRefusal } from "../../src/region/peer.ts";

const minute = 29_000_000;
const asked = {
  spans: [{ level: "minute" as const, from: minute, to: minute + 60 }],
  horizons: [],
};
const fine: RegionTotalsReply = {
  format: 1,
  region: "us",
  asOf: minute * 60_000,
  completeThrough: minute,
  coarsestSeconds: 60,
  horizons: [{ eventType: "play", minute: 1440 }],
  cells: [[[minute, 7, 0]]],
};

function totalsOf(reply: object, statusCode = 200): Promise<RegionTotalsReply> {
  const body = Readable.from([Buffer.from(JSON.stringify(reply))]);
  const request = async () => ({ statusCode, headers: {}, body });
  const upstream = { request } as never;
  const peer = new RegionPeer({ name: "us", own: "eu", upstream, onBytes: () => undefined });
  return peer.totals(asked, new AbortController().signal);
}

describe("the totals of another region", () => {
  it("are taken as they are", async () => {
    expect(await totalsOf(fine)).toEqual(fine);
    const { horizons: _, ...plain } = fine;
    expect(await totalsOf({ ...plain, horizons: [], cells: [[]] })).toMatchObject({ cells: [[]] });
  });

  it.each<[string, object]>([
    ["SQL for a minute", { horizons: [{ eventType: "play", minute: "(SELECT 1)" }] }],
    ["half a minute", { horizons: [{ eventType: "play", minute: 0.5 }] }],
    ["a horizon of nothing", { horizons: [null] }],
    ["a name without end", { horizons: [{ eventType: "x".repeat(70_000), minute: 0 }] }],
    ["a name with a NUL", { horizons: [{ eventType: "x\0", minute: 0 }] }],
    ["horizons without end", { horizons: Array(20_001).fill(fine.horizons[0]) }],
    ["a time that no calendar has", { asOf: 1e15 }],
    ["a minute that no calendar has", { completeThrough: 1e14 }],
    ["a time before all", { completeThrough: -1 }],
    ["no time", { asOf: "now" }],
    ["windows without end", { coarsestSeconds: 1e15 }],
    ["a cell outside", { cells: [[[minute + 60, 7, 0]]] }],
    ["less than nothing", { cells: [[[minute, -7, 0]]] }],
    ["half a cell", { cells: [[[minute, 7]]] }],
    ["a cell of its own kind", { cells: [[[minute, 7, 2]]] }],
    ["fewer spans than asked", { cells: [] }],
  ])("are refused with %s", async (_, change) => {
    const refused = totalsOf({ ...fine, ...change });
    await expect(refused).rejects.toThrow(RegionRefusal);
    await expect(refused).rejects.toThrow("its totals are not of the form expected");
  });

  it("are no more than so many bytes where they are refused", async () => {
    await expect(totalsOf({ why: "key" }, 403)).rejects.toThrow('403: {"why":"key"}');
    const long = totalsOf({ why: "x".repeat(100_000) }, 403);
    await expect(long).rejects.toThrow("a reply is over 65536 bytes");
  });
});
