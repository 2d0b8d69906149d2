import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { SerialQueue } from "../src/serial-queue.ts";

test("work runs one after another, in the order it was given", async () => {
  const queue = new SerialQueue();
  const seen: string[] = [];
  const work = (name: string, ms: number) => async () => {
    seen.push(`${name} begins`);
    await sleep(ms);
    seen.push(`${name} ends`);
    return name;
  };
  const all = [queue.run(work("a", 20)), queue.run(work("b", 0)), queue.run(work("c", 5))];
  expect(seen).toEqual([]);
  expect(await Promise.all(all)).toEqual(["a", "b", "c"]);
  const each = (name: string) => [`${name} begins`, `${name} ends`];
  expect(seen).toEqual([...each("a"), ...each("b"), ...each("c")]);
});

test("a failure is its caller's alone", async () => {
  const queue = new SerialQueue();
  const failed = queue.run(() => Promise.reject(new Error("no")));
  const thrown = queue.run((): Promise<never> => {
    throw new Error("neither");
  });
  const after = queue.run(async () => "done");
  await expect(failed).rejects.toThrow("no");
  await expect(thrown).rejects.toThrow("neither");
  expect(await after).toBe("done");
});

test("it settles once all has ended, well or not", async () => {
  const queue = new SerialQueue();
  await queue.settled();
  let ended = 0;
  const work = async () => {
    await sleep(5);
    ended++;
    throw new Error("no");
  };
  const all = [queue.run(work), queue.run(work)].map((one) => one.catch(() => undefined));
  await queue.settled();
  expect(ended).toBe(2);
  await Promise.all(all);
});
