// PostgreSQL gone in the middle of a read of rows that lie there: whoever reads goes on.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rowsOf } from "../../src/store/database.ts";
import { namedLakeError } from "../../src/store/lake-errors.ts";
import { type CutCommits, startCutCommits } from "../support/cut-commits.ts";
import { hasLake, startLake } from "../support/lake.ts";
import { Member } from "./lake-member.ts";

const msMax = 300_000;
const told = expect.objectContaining({
  code: "store_failed",
  message: expect.stringContaining("its connection was lost while rows were read"),
});

describe.skipIf(!hasLake())("a lake whose PostgreSQL is gone in the middle of a read", () => {
  let way: CutCommits;
  let one: Member;

  beforeAll(async () => {
    const place = (await startLake()).placeInFolder();
    way = await startCutCommits(place.catalog);
    one = await Member.open({ ...place, catalog: way.catalog });
    await one.adopt(0, [0, 1]);
    await one.commit(0, 0, 0, ["a"]);
  }, msMax);
  afterAll(() => one?.database.close());

  const reads: [string, (next: number) => Promise<unknown>][] = [
    ["a transaction", () => one.database.write((c) => rowsOf(c, "FROM fence_0"))],
    ["maintenance", () => one.database.writeDeferrable((c) => rowsOf(c, "FROM fence_0"))],
    ["a look how far partitions are", () => one.database.reached()],
    ["a checkpoint", (next) => one.commit(0, 0, next, ["a"])],
    ["a question", () => one.database.read(msMax, (c) => rowsOf(c, "FROM raw_recent"))],
  ];
  it.each(reads)("goes on after %s", { timeout: msMax }, async (_, read) => {
    const [{ next }] = (await one.database.write((c) =>
      rowsOf(
        c,
        "SELECT max(next_offset)::INTEGER AS next FROM offsets_reached WHERE partition = 0",
      ),
    )) as [{ next: number }];
    await one.database.follow();
    way.cutNextRead();
    const cuts = way.cuts();
    await expect(read(next)).rejects.toEqual(told);
    expect(way.cuts()).toBe(cuts + 1);
    await one.commit(0, 0, next, ["a"]);
    await one.database.follow();
    expect(await one.database.reached()).toEqual([next + 1, 0, 0]);
    expect((await one.types()).map(([name, , total]) => [name, total])).toEqual([["a", next + 1]]);
  });
});

describe("an error of a lake", () => {
  it("stays as it is where it names no lost connection and no statement", () => {
    const other = new Error("INTERNAL Error: Attempted to access index 3 within vector of size 2");
    expect(namedLakeError(other)).toBe(other);
  });

  it.each([
    [
      `Failed to execute query "INSERT INTO t VALUES ('a "quoted": user');": ERROR:  no table t`,
      'Failed to execute query "INSERT…": ERROR:  no table t',
    ],
    [
      `IO Error: Failed to prepare COPY "COPY t FROM 'user'": ERROR:  syntax\nLINE 1: 'user'`,
      'IO Error: Failed to prepare COPY "COPY…": ERROR:  syntax',
    ],
    [
      `x\nFailed to execute query "\na\nb": ERROR:  null\nDETAIL:  Row contains (user)\n`,
      'x\nFailed to execute query "…": ERROR:  null',
    ],
    [
      `Failed to execute query "INSERT ('x\nLINE 1: "user": it');": ERROR:  null\nHINT:  user`,
      'Failed to execute query "INSERT…": ERROR:  null',
    ],
    [
      `Failed to prepare query "SELECT 'user'" (no result returned): user`,
      'Failed to prepare query "SELECT…"',
    ],
    [
      `Failed to fetch header for COPY "COPY (SELECT 'user') TO STDOUT": ERROR:  gone`,
      'Failed to fetch header for COPY "COPY…": ERROR:  gone',
    ],
  ])("is told without its statement and values: %s", (given, told) => {
    const named = namedLakeError(new Error(given)) as Error;
    expect(named.message).toBe(told);
    expect(`${named.stack} ${String(named.cause)}`).not.toContain("user");
  });
});
