// What takes rows that checkpoints add: it is not begun for nothing, and never starves.
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { rowsOf } from "../../src/store/database.ts";
import { demandAlone } from "../../src/store/lake-alone.ts";
import { hasLake } from "../support/lake.ts";
import { twoMembers } from "./lake-member.ts";

const msMax = 300_000;
/** Longer than a checkpoint takes. */
const aWhileMs = 1000;
/** Of which DuckLake writes a file where they go. */
const manyParts =
  "INSERT INTO event_type_parts SELECT part.* FROM event_type_parts part, range(400)";

describe.skipIf(!hasLake())("a transaction that is alone", () => {
  const members = twoMembers(msMax);
  const offsets = [0, 0];
  const checkpoint = (partition: number) =>
    members.two.commit(0, partition, offsets[partition]!++, ["play"]);

  it("holds checkpoints of others up until it has committed", { timeout: msMax }, async () => {
    const { one, two } = members;
    await two.adopt(0, [0, 1]);
    const order: string[] = [];
    let tries = 0;
    let held: Promise<unknown> | undefined;
    await one.database.writeDeferrable(async (c) => {
      tries++;
      demandAlone(c);
      held = checkpoint(0).then(() => order.push("checkpoint"));
      await sleep(aWhileMs);
      await c.run("INSERT INTO type_graves VALUES (7)");
      order.push("alone");
    });
    await held;
    expect(order).toEqual(["alone", "checkpoint"]);
    // Nothing was done before it was alone.
    expect(tries).toBe(2);
  });

  it.each(["write", "writeDeferrable"] as const)(
    "is so at its first try where its caller is: %s",
    { timeout: msMax },
    async (way) => {
      const { one } = members;
      const order: string[] = [];
      let held: Promise<unknown> | undefined;
      let tries = 0;
      await one.database.alone(() =>
        one.database[way](async (c) => {
          tries++;
          demandAlone(c);
          held = checkpoint(0).then(() => order.push("checkpoint"));
          await sleep(aWhileMs);
          await c.run("INSERT INTO type_graves VALUES (8)");
          order.push("alone");
        }),
      );
      await held;
      expect(order).toEqual(["alone", "checkpoint"]);
      expect(tries).toBe(1);
    },
  );

  // One that had its turn with others gives that back first: it waits for none of its own.
  it.each(["writeDeferrable", "write"] as const)(
    "is what lost against a checkpoint before: %s",
    {
      timeout: msMax,
    },
    async (way) => {
      const { one } = members;
      const order: string[] = [];
      let tries = 0;
      let held: Promise<unknown> | undefined;
      await one.database.write((c) => c.run(manyParts));
      await one.database[way](async (c) => {
        tries++;
        await c.run("DELETE FROM event_type_parts");
        if (tries === 1) {
          await checkpoint(0);
          return;
        }
        held = checkpoint(1).then(() => order.push("checkpoint"));
        await sleep(aWhileMs);
        order.push("alone");
      });
      await held;
      expect(order).toEqual(["alone", "checkpoint"]);
      expect(tries).toBe(2);
      const rows = await one.database.write((c) => rowsOf(c, "FROM event_type_parts"));
      expect(rows.length).toBe(1);
    },
  );
});
