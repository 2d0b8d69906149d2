/** How far a region's counts are here, where some of them were deleted meanwhile. */
import { expect, it } from "vitest";
import { newState, noteResets, type RegionState, readState } from "../../src/region/state.ts";

const at = 1_700_000_000_000;
const now = at + 60_000;

function stateOf(more: Partial<RegionState> = {}): RegionState {
  const known = { completeThrough: at, candidatesAsOf: at + 5000, generation: 3 };
  return { ...newState("us", false), ...known, ...more };
}

const timesOf = ({ completeThrough, candidatesAsOf, generation }: RegionState) => [
  completeThrough,
  candidatesAsOf,
  generation,
];

it("goes back to where the first of several deletes began", () => {
  const state = stateOf();
  noteResets(state, [
    { generation: 9, after: 5, from: at - 1000 },
    { generation: 5, after: 3, from: at - 9000 },
    { generation: 3, after: 0, from: 0 },
  ]);
  expect(timesOf(state)).toEqual([at - 9000, at - 9000, 9]);
  noteResets(state, [{ generation: 9, after: 5, from: 0 }]);
  expect(timesOf(state)).toEqual([at - 9000, at - 9000, 9]);
});

it("knows nothing to be in where all was deleted, or it isn't told any more what was", () => {
  const all = stateOf();
  noteResets(all, [{ generation: 4, after: 3, from: 0 }]);
  expect(timesOf(all)).toEqual([null, null, 4]);
  const untold = stateOf();
  noteResets(untold, [{ generation: 6, after: 5, from: at - 1000 }]);
  expect(timesOf(untold)).toEqual([null, null, 6]);
});

it("stays where it is for a delete of later times, and of a region that is lost", () => {
  const state = stateOf();
  noteResets(state, [{ generation: 4, after: 3, from: at + 60_000 }]);
  expect(timesOf(state)).toEqual([at, at + 5000, 4]);
  const lost = stateOf({ isLost: true });
  noteResets(lost, [{ generation: 4, after: 3, from: 0 }]);
  expect(timesOf(lost)).toEqual([at, at + 5000, 4]);
});

it("is read as it was kept, less what was deleted since", () => {
  const { region, isLost, ...kept } = stateOf({ state: "following" });
  const state = JSON.stringify(kept);
  expect(
    readState({ region, state, resets: [{ generation: 3, after: 2, from: 0 }] }, isLost, now),
  ).toEqual(stateOf({ state: "following" }));
  const resets = [{ generation: 4, after: 3, from: at - 1 }];
  expect(readState({ region, state, resets }, isLost, now).completeThrough).toBe(at - 1);
  expect(readState({ region, state: null, resets: [] }, false, now)).toEqual(
    newState("us", false),
  );
  expect(readState({ region, state: "{", resets: [] }, true, now)).toEqual(newState("us", true));
});

it("is read without what a clock that ran ahead once said", () => {
  const { region, isLost, ...kept } = stateOf();
  const read = readState({ region, state: JSON.stringify(kept), resets: [] }, isLost, at - 7);
  expect(timesOf(read)).toEqual([at - 7, at - 7, 3]);
});
