// A member of a consumer group over a real broker: it reads from where it is told, goes on after
// its client was started anew, and takes nothing of an assignment that is over.
import { expect, it } from "vitest";
import { AssignmentChanged } from "../../src/log/log.ts";
import { sharedKafka } from "../support/kafka.ts";
import { begun, read, setUp, starts, values } from "./kafka-reader-fixture.ts";

it("begins where it is told, and again after its client was started anew", async () => {
  const { reader, produce } = await setUp((await sharedKafka()).address);
  await produce(20);
  void reader.start();
  const first = (await reader.assigned())!;
  expect(first.partitions).toEqual([0, 1]);
  expect(reader.begin(first.epoch, starts(3))).toBe(true);
  expect(values(await read(reader, 14))).toEqual(Array.from({ length: 14 }, (_, i) => i + 6));

  const restarted = reader.restart();
  await expect(reader.next()).rejects.toThrow(AssignmentChanged);
  // Whoever counts asks at once where to go on, before the client has joined.
  reader.again();
  const second = (await reader.assigned())!;
  expect(reader.begin(first.epoch, starts(10))).toBe(false);
  expect(reader.begin(second.epoch, starts(9))).toBe(true);
  await produce(4);
  expect(values(await read(reader, 6))).toEqual([18, 19, 20, 21, 22, 23]);
  await restarted;
  await produce(2);
  expect(values(await read(reader, 2))).toEqual([24, 25]);
});

it("goes on where it was after a failure that its client gives up at", async () => {
  let failures = 1;
  const onNews = () => {
    // Whoever looks for a coordinator while it goes away fails like that, and isn't tried again.
    if (failures-- > 0) throw Object.assign(new Error("of no use"), { retriable: false });
  };
  const { reader, produce } = await setUp((await sharedKafka()).address, {}, { onNews });
  await begun(reader, 0);
  await produce(6);
  expect(values(await read(reader, 6))).toEqual([0, 1, 2, 3, 4, 5]);
  await produce(2);
  expect(values(await read(reader, 2))).toEqual([6, 7]);
});
