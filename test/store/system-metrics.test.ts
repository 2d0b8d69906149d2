// The service's own numbers where several processes keep theirs in a lake.
import { expect, it } from "vitest";
import { rowsOf } from "../../src/store/database.ts";
import { MetricsKeeper } from "../../src/store/system-metrics.ts";
import { hasLake } from "../support/lake.ts";
import { twoMembers } from "./lake-member.ts";

const msMax = 120_000;

const members = hasLake() ? twoMembers(msMax) : null;

it.skipIf(!hasLake())(
  "Old numbers in a lake go, whoever keeps newer",
  async () => {
    const databases = [members!.one.database, members!.two.database];
    const [one, other] = databases.map((database) => new MetricsKeeper(() => database));
    const part = (at: number, keepFrom: number) => {
      return { at, keepFrom, samples: [{ name: "a", value: at, labels: { process: "p" } }] };
    };
    const kept = async () => {
      const sql = "SELECT value FROM system_metrics ORDER BY value";
      return (await databases[0]!.write((c) => rowsOf(c, sql))).map(({ value }) => value);
    };
    await one!.put(part(1000, 0));
    await one!.put(part(2000, 0));
    await other!.put(part(3000, 2000));
    expect(await kept()).toEqual([2000, 3000]);
    // A process looks once an hour: each look is one more state of the lake.
    await other!.put(part(4000, 4000));
    expect(await kept()).toEqual([2000, 3000, 4000]);
  },
  msMax,
);
