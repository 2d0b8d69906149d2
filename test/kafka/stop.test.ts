// A service stopped as soon as it is ready: its group is being joined and partitions adopted
// meanwhile, and no statement may be left to a store that closes.
import { expect, it } from "vitest";
import { freshTopic, sharedKafka } from "../support/kafka.ts";
import { startRankstream } from "../support/service.ts";
import { kafkaFlags } from "./kafka-world.ts";

const stops = 5;

it("ends with 0, whatever was under way", async () => {
  const { address } = await sharedKafka();
  for (let i = 0; i < stops; i++) {
    const args = kafkaFlags(address, freshTopic("stop"));
    const service = await startRankstream({ args });
    await service.stop();
    expect(await service.exited, service.stderr).toEqual({ code: 0, signal: null });
  }
});
