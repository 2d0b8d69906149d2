// Minutes of a lake that late events come to after they were folded, and are folded again: the
// lake and whoever follows it count each event once.

import type { DuckDBConnection } from "@duckdb/node-api";
import { expect, it } from "vitest";
import { rowsOf } from "../../src/store/database.ts";
import { Sealer, sealDefaults } from "../../src/store/seal.ts";
import { hasLake, startLake } from "../support/lake.ts";
import { randomFromEnvironment } from "../support/random.ts";
import { Member } from "./lake-member.ts";

const msMax = 600_000;
const steps = 30;

const countsSql = `SELECT event_id, sum(count)::BIGINT AS n FROM (
  SELECT event_id, count FROM count_deltas UNION ALL
  SELECT event_id, count FROM list_minute UNION ALL SELECT event_id, count FROM tail_minute)
  GROUP BY 1`;

it.skipIf(!hasLake())("count each event once", { timeout: msMax }, async () => {
  const random = randomFromEnvironment("late folds");
  const place = (await startLake()).place();
  const one = await Member.open(place);
  const two = await Member.open(place);
  const options = { ...sealDefaults, candidatesMax: 20, quietMs: 0 };
  const sealers = [one, two].map(({ database }) => new Sealer(database, options, null));
  const truth = new Map<string, number>();
  const counts = async (read: Promise<Record<string, unknown>[]>) =>
    Object.fromEntries((await read).map((row) => [String(row["event_id"]), Number(row["n"])]));
  const log: string[] = [];
  for (let step = 0; step < steps; step++) {
    const kind = random.pick(["add", "add", "add", "fold", "fold", "flush", "follow", "follow"]);
    log.push(kind);
    if (kind === "add") {
      const rows = random.chance(0.3) ? 400 : random.int(1, 40);
      const values = Array.from({ length: rows }, () => {
        const item = `item ${random.int(0, 60)}`;
        truth.set(item, (truth.get(item) ?? 0) + 1);
        return `(${random.int(100, 103)}, 0, '${item}', 0, 1)`;
      });
      await one.database.write((c) => c.run(`INSERT INTO count_deltas VALUES ${values}`));
    } else if (kind === "fold") await random.pick(sealers).seal(200, Date.now());
    else if (kind === "flush") {
      const table = random.pick(["count_deltas", "list_minute", "tail_minute", "window_minute"]);
      const flush = `CALL ducklake_flush_inlined_data('lake', table_name => '${table}')`;
      await one.database.upkeep(flush);
    } else {
      const sql = (c: DuckDBConnection) => rowsOf(c, countsSql);
      const lake = await counts(one.database.write(sql));
      expect(lake, `the lake after ${log}`).toEqual(Object.fromEntries(truth));
      await two.database.follow();
      const mirror = await counts(two.database.read(msMax, sql));
      expect(mirror, `its mirror after ${log}`).toEqual(Object.fromEntries(truth));
    }
  }
  await Promise.all([one.database.close(), two.database.close()]);
});
