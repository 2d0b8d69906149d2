// A sender that gave a request up while the broker was away: it goes on with a new client, and the
// one before, which went on trying, keeps no connection.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { KafkaSender } from "../../src/log/kafka-sender.ts";
import { silentLogger } from "../../src/telemetry.ts";
import { freshTopic, kafkaAdmin, startKafka } from "../support/kafka.ts";
import { createTopic } from "../support/kafka-broker.ts";
import { logSettings } from "../support/log-settings.ts";

const appendTimeoutMs = 1000;

function connections(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
}

it("keeps one connection over a broker that was away", async () => {
  const broker = await startKafka();
  const topic = freshTopic("sender");
  const admin = await kafkaAdmin(broker.address);
  await createTopic(admin, topic, 2);
  await admin.disconnect();
  const before = connections();
  const settings = logSettings(broker.address, topic, { appendTimeoutMs });
  const sender = await KafkaSender.open({
    settings,
    logger: silentLogger,
    queueBytesMax: 1_000_000,
    batchBytesMax: 1_000_000,
    onDurable: () => undefined,
  });
  const send = () => {
    const record = { value: Buffer.from("x"), headers: {}, bytes: 100, timestamp: Date.now() };
    return sender.send([0, 1].map((partition) => ({ ...record, partition }))).then(
      () => "sent",
      ({ code, extensions }) => `${code} ${extensions?.outcome}`,
    );
  };
  await expect.poll(send, { timeout: 20_000 }).toBe("sent");
  await broker.kill();
  expect(await Promise.all([send(), send()])).toContain("log_unavailable unknown");
  await broker.start();
  await expect.poll(send, { timeout: 20_000 }).toBe("sent");
  const opened = () => connections() - before;
  // The client tries again every 2 s at the latest.
  await sleep(2500);
  await expect.poll(opened, { timeout: 5000 }).toBe(1);
  await sender.close();
});
