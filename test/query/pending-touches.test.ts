/** What is acknowledged and not committed, against a plain list. */
import { expect, it } from "vitest";
import { PendingTouches } from "../../src/query/pending-touches.ts";
import { randomFromEnvironment } from "../support/random.ts";

it("touches what no commit has passed, whatever came first: the commit or the note", () => {
  const random = randomFromEnvironment("pending touches");
  const end = [3, 5];
  const committed = [3, 4];
  const pending = new PendingTouches([...committed]);
  let batches: { offsets: number[]; first: number; last: number }[] = [];
  const noted = () => {
    const first = random.int(0, 90);
    const batch = { offsets: [...end], first, last: first + random.int(0, 9) };
    return batch;
  };
  for (let step = 0; step < 2000; step++) {
    const partition = random.int(0, 1);
    if (random.chance(0.5)) {
      end[partition]!++;
      const batch = noted();
      if (random.chance(0.3)) {
        // Committed while the edge is still at it.
        committed[0] = end[0]!;
        committed[1] = end[1]!;
        pending.release([...committed]);
      }
      pending.add(batch.offsets, batch.first, batch.last);
      batches.push(batch);
    } else {
      committed[partition] = random.int(committed[partition]!, end[partition]!);
      pending.release([...committed]);
    }
    batches = batches.filter(({ offsets }) => offsets.some((offset, i) => offset > committed[i]!));
    const from = random.int(0, 100);
    const to = from + random.int(1, 10);
    const isTouched = batches.some(({ first, last }) => first < to && last >= from);
    expect(pending.touch(from, to), `step ${step}`).toBe(isTouched);
  }
});

it("takes many batches together rather than growing without bound", () => {
  const pending = new PendingTouches([0]);
  for (let i = 1; i <= 10_002; i++) pending.add([i], i * 10, i * 10 + 1);
  expect(pending.touch(100_015, 100_019)).toBe(true);
  expect(pending.touch(15, 19)).toBe(false);
  pending.release([10_001]);
  expect(pending.touch(100_010, 100_011)).toBe(true);
  pending.release([10_002]);
  expect(pending.touch(0, 1_000_000)).toBe(false);
});
