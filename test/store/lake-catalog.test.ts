// A process's own session in a lake's PostgreSQL.
import { expect, it, onTestFinished } from "vitest";
import { LakeCatalog } from "../../src/store/lake-catalog.ts";
import { startCutCommits } from "../support/cut-commits.ts";
import { hasLake, startLake } from "../support/lake.ts";
import { Member } from "./lake-member.ts";

const msMax = 120_000;
const queryMsMax = 2000;

it.skipIf(!hasLake())("is another one after it fell silent", { timeout: msMax }, async () => {
  const place = (await startLake()).placeInFolder();
  const member = await Member.open(place);
  onTestFinished(() => member.database.close());
  const way = await startCutCommits(place.catalog);
  const catalogs = [way.catalog, place.catalog].map(
    (catalog) => new LakeCatalog({ ...place, catalog }, { queryMsMax }),
  );
  const [one, other] = catalogs as [LakeCatalog, LakeCatalog];
  onTestFinished(async () => {
    for (const catalog of catalogs) await catalog.close();
  });
  const { snapshot } = await one.latest();
  expect(await one.claim("a job")).toBe(true);
  expect(await other.claim("a job")).toBe(false);

  way.mute();
  // Whoever waits behind the one that is not answered is asked for on the next session.
  const [silent, next] = await Promise.allSettled([one.latest(), one.latest()]);
  expect(silent).toMatchObject({ status: "rejected", reason: { code: "store_failed" } });
  expect(next).toMatchObject({ status: "fulfilled", value: { snapshot } });
  // What it had claimed went with its session: another may have it by now.
  await expect.poll(() => other.claim("a job"), { timeout: msMax }).toBe(true);
  expect(await one.claim("a job")).toBe(false);
});

it.skipIf(!hasLake())("holds no more than it may", { timeout: msMax }, async () => {
  const place = (await startLake()).placeInFolder();
  const member = await Member.open(place);
  onTestFinished(() => member.database.close());
  const catalogs = [new LakeCatalog(place), new LakeCatalog(place)];
  const [one, other] = catalogs as [LakeCatalog, LakeCatalog];
  onTestFinished(async () => {
    for (const catalog of catalogs) await catalog.close();
  });
  for (let i = 0; i < 500; i++) await one.claim(`job ${i}`);
  await expect(one.claim("job 500")).rejects.toThrow(/^500 jobs, deletes and erasures/);
  // What it has stays its own.
  expect(await one.claim("job 0")).toBe(true);
  expect(await other.claim("job 0")).toBe(false);
  await one.release("job 0");
  expect(await other.claim("job 0")).toBe(true);
  expect(await one.claim("job 500")).toBe(true);
  await one.release("never claimed");
});
