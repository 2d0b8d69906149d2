// A reader whose broker goes away and comes back, with a session that outlasts the test: it would
// show if the group waited for the member that it knew before.
import { expect, it } from "vitest";
import { startKafka } from "../support/kafka.ts";
import { begun, read, setUp, values } from "./kafka-reader-fixture.ts";

const sessionTimeoutMs = 300_000;
const testMsMax = 180_000;

it("reads on soon after its broker was stopped, and after it was killed", {
  timeout: testMsMax,
}, async () => {
  const broker = await startKafka();
  const { reader, produce } = await setUp(broker.address, { sessionTimeoutMs });
  await produce(2);
  await begun(reader, 0);
  expect(values(await read(reader, 2))).toEqual([0, 1]);
  await broker.stop();
  await broker.start();
  await produce(2);
  expect(values(await read(reader, 2))).toEqual([2, 3]);
  await broker.kill();
  await broker.start();
  await produce(2);
  expect(values(await read(reader, 2))).toEqual([4, 5]);
});
