/** What a region tells others leaves no file behind, however far it was read. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, it } from "vitest";
import type { FreshnessDeps } from "../../src/query/freshness.ts";
import { RegionSource } from "../../src/region/source.ts";
import type { Store } from "../../src/store/store.ts";
import { temporaryFolder } from "../support/service.ts";
import { until } from "../support/until.ts";

const request = { level: "minute", from: 0, to: 1, horizons: [], itemsMax: null } as const;
const waitMsMax = 10_000;

/** Counts of one line, in a file. */
function sourceOf() {
  const path = join(temporaryFolder(), "counts.ndjson");
  const counts = async () => {
    writeFileSync(path, '[0,"play","a",1]\n');
    return { path, rows: 1, generation: 0 };
  };
  const store = { regions: { counts } } as unknown as Pick<Store, "regions" | "loadTypeSettings">;
  const source = new RegionSource({ region: "us", store, freshness: {} as FreshnessDeps });
  const isGone = () => until(async () => expect(existsSync(path)).toBe(false), waitMsMax);
  return { source, isGone };
}

it("ends with how many counts there were", async () => {
  const { source, isGone } = sourceOf();
  const lines = await source.counts({ ...request, horizons: [] });
  expect(await text(lines)).toBe('[0,"play","a",1]\n{"rows":1}\n');
  await isGone();
});

it("removes the file where nobody has begun to read it", async () => {
  const { source, isGone } = sourceOf();
  const lines = await source.counts({ ...request, horizons: [] });
  lines.destroy();
  await isGone();
});

it.each(["before", "after"])("removes it where who asks hangs up %s it is made", async (when) => {
  const { source, isGone } = sourceOf();
  const asking = new AbortController();
  if (when === "before") asking.abort();
  const lines = await source.counts({ ...request, horizons: [] }, { signal: asking.signal });
  asking.abort();
  await isGone();
  expect(lines.destroyed).toBe(true);
});
