// What a backup says of erased users, put into a store that is restored.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { rowsOf } from "../../src/store/database.ts";
import type { ErasedUser, ErasedUsers } from "../../src/store/erase-questions.ts";
import { eraseRestored, readErasedUsers } from "../../src/store/erased-users.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { migrate, storeFormat } from "../../src/store/migrations.ts";

const program = "1.2.3";
const user = (userHash: string, more: Partial<ErasedUser> = {}): ErasedUser => ({
  userHash,
  erasedAt: 1000,
  metadataPatch: null,
  dropsMetadata: false,
  ...more,
});

let database: LocalDatabase;
beforeEach(async () => {
  database = await LocalDatabase.open(":memory:");
  await database.write((connection) => migrate(connection, program));
});
afterEach(() => database.close());

const read = () => readErasedUsers(database.writer, { erasureId: 0, userHash: "" });
const restore = (...erased: ErasedUsers[]) => eraseRestored(database.writer, erased, program);
const openErasures = async () =>
  (await rowsOf(database.writer, "SELECT status FROM erasures")).map((row) => row["status"]);

describe("erased users of a backup", () => {
  it("are to be erased once, whatever is said of them again", async () => {
    const { key } = await read();
    const patch = '"email":null';
    const said: ErasedUsers[] = [
      { key, users: [user("a"), user("b", { metadataPatch: patch })] },
      { key, users: [user("a", { erasedAt: 2000 })] },
    ];
    expect(await restore(...said)).toBe(2);
    expect(await openErasures()).toEqual(["finding"]);
    const after = await read();
    expect(after.users).toEqual([
      user("a", { erasedAt: 2000 }),
      user("b", { metadataPatch: patch }),
    ]);
    expect(after).toMatchObject({ next: null, settledBelow: 1 });
    expect(await restore(...said)).toBe(0);
    expect(await openErasures()).toEqual(["finding"]);
    // Of more keys, or of a later moment, it is another erasure.
    expect(await restore({ key, users: [user("b", { dropsMetadata: true })] })).toBe(1);
    expect(await restore({ key, users: [user("a", { erasedAt: 3000 })] })).toBe(1);
    expect(await openErasures()).toEqual(["finding", "finding", "finding"]);
  });

  it("of another service are not this one's", async () => {
    const { key } = await read();
    expect(await restore({ key: `not ${key}`, users: [user("a")] })).toBe(0);
    expect((await read()).users).toEqual([]);
    expect(await openErasures()).toEqual([]);
  });

  it("bring their key to a store from before there were erasures", async () => {
    for (const table of ["erasure_key", "erased_users", "erasures", "raw_erasures"]) {
      await database.writer.run(`DROP TABLE ${table}`);
    }
    await database.writer.run("UPDATE meta SET value = '2' WHERE key = 'format'");
    const of = (key: string, ...names: string[]) => ({
      key,
      users: names.map((one) => user(one)),
    });
    expect(await restore(of("one", "a"), of("two", "b", "c"))).toBe(2);
    const { key, users } = await read();
    expect([key, users.map(({ userHash }) => userHash)]).toEqual(["two", ["b", "c"]]);
    const [meta] = await rowsOf(database.writer, "SELECT value FROM meta WHERE key = 'format'");
    expect(meta!["value"]).toBe(String(storeFormat));
  });

  it("are told in pages, each once", async () => {
    const { key } = await read();
    const names = Array.from({ length: 12_000 }, (_, i) => String(i).padStart(5, "0"));
    expect(await restore({ key, users: names.map((name) => user(name)) })).toBe(names.length);
    const told: string[] = [];
    let pages = 0;
    let place: Parameters<typeof readErasedUsers>[1] | null = { erasureId: 0, userHash: "" };
    while (place !== null) {
      const page = await readErasedUsers(database.writer, place);
      told.push(...page.users.map(({ userHash }) => userHash));
      place = page.next;
      pages++;
    }
    expect([pages, told]).toEqual([3, names]);
  });
});
