import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runIo } from "./support/cli-io.ts";
import { temporaryFolder } from "./support/service.ts";

const environment = { RANKSTREAM_ACCESS_KEYS: join(temporaryFolder(), "keys.json") };
const run = (...args: string[]) => runIo(["keys", ...args], { environment });
const kept = () => JSON.parse(readFileSync(environment.RANKSTREAM_ACCESS_KEYS, "utf8")).keys;

describe("rankstream keys", () => {
  it("makes a key with what was asked, and shows it once", async () => {
    const limits = ["--requests-per-second", "5", "--events-per-day", "1000"];
    const asked = [
      "--scope",
      "ingest,read",
      "--types",
      "song_*",
      "--types",
      "x",
      "--expires",
      "9d",
    ];
    const made = await run("create", "shop", ...asked, ...limits, "--description", "it's\u001b");
    expect([made.code, made.error]).toEqual([0, ""]);
    expect(made.out).toMatch(/^rsk_shop_[\w-]{43}\n$/);
    expect(kept()).toEqual([
      {
        id: "shop",
        secretSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        scopes: ["ingest", "read"],
        eventTypes: ["song_*", "x"],
        limits: { requestsPerSecond: 5, eventsPerDay: 1000 },
        createdAt: expect.any(String),
        expiresAt: expect.any(String),
        description: "it's\u001b",
      },
    ]);
    const days = (Date.parse(kept()[0].expiresAt) - Date.now()) / 86_400_000;
    expect(Math.round(days)).toBe(9);
    const secret = made.out.trim().slice(-43);
    const { secretSha256 } = kept()[0];
    const listed = await run("list");
    const json = await run("list", "--json");
    for (const text of [listed.out, json.out, readFileSync(environment.RANKSTREAM_ACCESS_KEYS)]) {
      expect(String(text)).not.toContain(secret);
    }
    expect(`${listed.out}${json.out}`).not.toContain(secretSha256);
    expect(listed.out).toMatch(
      /shop +ingest, read +song_\*, x +requestsPerSecond 5, eventsPerDay/,
    );
    expect(listed.out).toContain("it's\\u001b");
    expect(JSON.parse(json.out).keys[0]).toMatchObject({ id: "shop", rotatedUntil: null });
  });

  it("rotates and revokes", async () => {
    const before = kept()[0].secretSha256;
    const rotated = await run("rotate", "shop", "--overlap", "2h");
    expect(rotated.out).toMatch(/^rsk_shop_[\w-]{43}\n$/);
    expect(kept()[0].previous.secretSha256).toBe(before);
    expect((await run("list")).out).toContain("good, the old secret until ");
    expect((await run("revoke", "shop")).error).toBe("the key shop is revoked\n");
    expect(kept()[0].disabled).toBe(true);
    expect((await run("list")).out).toContain("revoked");
    await run("revoke", "shop", "--forget");
    expect(kept()).toEqual([]);
  });

  it.each([
    [["create", "shop"], 2, "required option '--scope"],
    [["create", "Shop", "--scope", "read"], 1, "the id: expected 1..63 small letters"],
    [["create", "shop", "--scope", "write"], 2, "Expected ingest, read, admin"],
    [["create", "shop", "--scope", "read", "--expires", "soon"], 2, "Expected a time such as 90d"],
    [["create", "s", "--scope", "read", "--expires", "2001-01-01"], 2, "Expected a time to come"],
    [["create", "s", "--scope", "read", "--connections", "0"], 2, "an integer of 1 or more"],
    [["rotate", "none"], 1, 'there is no key "none"'],
    [["rotate", "none", "--access-keys", "/nowhere/keys.json"], 1, "can not be written (ENOENT)"],
    [["revoke", "none"], 1, 'there is no key "none"'],
  ])("%j is refused", async (args, code, message) => {
    const refused = await run(...args);
    expect([refused.code, refused.out]).toEqual([code, ""]);
    expect(refused.error).toContain(message);
  });
});
