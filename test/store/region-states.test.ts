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
  expect(await database.write((c) => addReset(c, { region: "eu-2", from: 5 }))).toBe(1);
  expect(await states()).toEqual([
    { region: "eu-2", state: null, resets: [{ generation: 1, from: 5 }] },
    { region: "us", state: "b", resets: [] },
  ]);
  for (let from = 2; from <= 40; from++) {
    expect(await database.write((c) => addReset(c, { region: "eu-2", from }))).toBe(from);
  }
  const resets = await database.read(60_000, (c) => readRegionResets(c, "eu-2"));
  expect(resets).toEqual(
    Array.from({ length: 16 }, (_, i) => ({ generation: 40 - i, from: 40 - i })),
  );
  expect(await database.read(60_000, (c) => readRegionResets(c, "eu"))).toEqual([]);
  await fixture.close();
});
