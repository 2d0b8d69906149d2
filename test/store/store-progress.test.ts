import { expect, it } from "vitest";
import { StoreProgress } from "../../src/store/store-progress.ts";

const touched = [{ eventType: "play", from: 0, to: 1 }];

function watched() {
  const progress = new StoreProgress();
  const versions: number[] = [];
  const commits: (readonly number[])[] = [];
  progress.begin([5, 5], 0);
  progress.onChange((version) => versions.push(version));
  progress.onCommit((offsets) => commits.push(offsets));
  return { progress, versions, commits };
}

it("tells each version once and rising, in whatever order a lake's news come", () => {
  const { progress, versions, commits } = watched();
  progress.note({ kind: "mutated", touched, mutations: 1 });
  // Read before that delete was committed, and told after it.
  progress.note({ kind: "followed", offsets: [5, 6], touched, mutations: 0 });
  progress.note({ kind: "followed", offsets: [5, 6], touched, mutations: 1 });
  // The other way round: seen in the mirror first.
  progress.note({ kind: "followed", offsets: [6, 6], touched, mutations: 2 });
  progress.note({ kind: "mutated", touched, mutations: 2 });
  expect(versions).toEqual([11, 12, 14]);
  expect(commits).toEqual([
    [5, 6],
    [6, 6],
  ]);
  expect(progress.version).toBe(14);
});

it("leaves a lake's commits until they can be read", () => {
  const { progress, versions } = watched();
  const commit = { kind: "committed", touched, seconds: 0, counts: [] } as const;
  progress.note({ ...commit, touched: [...touched], counts: [], offsets: null });
  expect([progress.offsets, versions]).toEqual([[5, 5], []]);
  progress.note({ ...commit, touched: [...touched], counts: [], offsets: [5, 7] });
  expect([progress.offsets, versions]).toEqual([[5, 7], [12]]);
});

it("counts nothing of a lake's new partitions before it can be read", () => {
  const { progress, versions } = watched();
  progress.grow([5, 5, 500], true);
  expect(progress.offsets).toEqual([5, 5, 0]);
  // Of before the topic grew.
  progress.note({ kind: "followed", offsets: [5, 6], touched, mutations: 0 });
  progress.note({ kind: "followed", offsets: [5, 6, 500], touched, mutations: 0 });
  expect(versions).toEqual([11, 511]);
  progress.grow([5, 6, 500, 7], false);
  expect(progress.offsets).toEqual([5, 6, 500, 7]);
});
