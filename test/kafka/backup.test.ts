// Backups where the log is in Kafka: a base is a snapshot of the store with its offsets in the
// topic, and a restore goes on from there, to the topic's end. The topic itself is not copied.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { restore, sorted, takeBackup, untilCounted } from "../backup/backup-world.ts";
import { runIo } from "../support/cli-io.ts";
import { freshTopic, sharedKafka } from "../support/kafka.ts";
import { startRankstream, temporaryFolder } from "../support/service.ts";
import { kafkaFlags } from "./kafka-world.ts";

const testMsMax = 120_000;

it(
  "are restored as they were taken, and go on from the topic; a moment is refused",
  async () => {
    const { address } = await sharedKafka();
    const args = [...kafkaFlags(address, freshTopic("backup")), "--backup-interval-ms", "0"];
    const env = { RANKSTREAM_BACKUP_TO: temporaryFolder() };
    const service = await startRankstream({ args, env });
    const post = async (weight: number) => {
      const events = [1, 2, 3].map((i) => ({ eventId: `i${i}`, eventType: "play", weight }));
      expect((await service.post(events)).status).toBe(202);
      await untilCounted(service, "play");
    };
    await post(5);
    const { id } = await takeBackup(service);
    await post(7);
    const to = Date.now();
    await service.kill();
    rmSync(service.dataDir, { recursive: true });

    const listed = await runIo(["backups", "--json"], { environment: env });
    expect(JSON.parse(listed.out).backups).toMatchObject([
      { id, log: "kafka", restorableFrom: null, restorableTo: null },
    ]);
    expect(await runIo(["verify", "--backups"], { environment: env })).toMatchObject({ code: 0 });

    const dataDir = join(temporaryFolder(), "restored");
    const refused = await restore(env, dataDir, to);
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.error).toContain("the log of these backups is in Kafka");
    expect(refused.error).toContain(`--base ${id} (of `);
    expect(refused.error).toContain("--to latest");

    const done = await restore(env, dataDir, "latest");
    expect(done, done.error).toMatchObject({ code: 0 });
    const again = await startRankstream({ dataDir, args, env });
    await untilCounted(again, "play");
    const { body } = await again.get("/leaderboard", {
      eventType: "play",
      timeRange: "all",
      mode: "exact",
    });
    const counts = body.results.map(({ eventId, count }: { eventId: string; count: number }) => [
      eventId,
      count,
    ]);
    expect(sorted(new Map(counts))).toEqual([
      ["i1", 12],
      ["i2", 12],
      ["i3", 12],
    ]);
    await again.kill();
  },
  testMsMax,
);
