/** What a store keeps of other regions beside their counts. */
import { expect, it } from "vitest";
import {
  addReset,
  readRegionResets,
  readRegionStates,
  writeRegionState,
} from "../../src/store/region-states.ts";
import { temporaryFolder } from "../support/service.ts";
import { DeleteFixture } from "./delete-fixture.ts";

it("keeps a state and the last deletes of each region", async () => {
  const options = { candidatesMax: 9, vectorsMax: 4096, hasSketches: false };
  const fixture = await new DeleteFixture(temporaryFolder(), options).open();
  const { database } = fixture;
  const states = () => database.read(60_000, readRegionStates);
  expect(await states()).toEqual([]);
  await database.write((c) => writeRegionState(c, { region: "us", state: "a" }));
  await database.write((c) => writeRegionState(c, { region: "us", state: "b" }));
  const add = (from: number, now: number) =>
    database.write((c) => addReset(c, { region: "eu-2", from }, now));
  expect(await add(5, 1000)).toEqual({ generation: 1000, after: 0, from: 5 });
  expect(await states()).toEqual([
    { region: "eu-2", state: null, resets: [{ generation: 1000, after: 0, from: 5 }] },
    { region: "us", state: "b", resets: [] },
  ]);
  // Also by a clock that stands still, or was set back.
  for (let n = 1; n <= 39; n++) expect((await add(n, 900 + n)).generation).toBe(1000 + n);
  const resets = await database.read(60_000, (c) => readRegionResets(c, "eu-2"));
  expect(resets).toEqual(
    Array.from({ length: 16 }, (_, i) => ({
      generation: 1039 - i,
      after: 1038 - i,
      from: 39 - i,
    })),
  );
  expect((await add(7, 5000)).generation).toBe(5000);
  expect(await database.read(60_000, (c) => readRegionResets(c, "eu"))).toEqual([]);
  await fixture.close();
});
