import { chmodSync, existsSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { addKey, revokeKey, rotateKey } from "../../src/access/key-changes.ts";
import { keysDocumentText, readKeysDocument } from "../../src/access/keys-document.ts";
import { changeKeysFile, readKeysFile } from "../../src/access/keys-file.ts";
import { WatchedKeys } from "../../src/access/watched-keys.ts";
import type { RankstreamError } from "../../src/errors.ts";
import { type Logger, silentLogger } from "../../src/telemetry.ts";
import { keyOf, keysPath, writeKeys } from "./access-fixture.ts";

const web = keyOf("web", { scopes: ["read"], eventTypes: ["song_*"] });
const now = Date.UTC(2026, 10, 24, 10);

async function refusal(act: () => unknown): Promise<string> {
  try {
    await act();
  } catch (error) {
    expect((error as RankstreamError).code).toBe("keys_unusable");
    return (error as Error).message;
  }
  return "taken";
}

describe("the text of a file of keys", () => {
  it("is read as it is written", () => {
    const full = {
      ...web.stored,
      previous: { secretSha256: "0".repeat(64), until: "2026-11-24T10:30:00.000Z" },
      limits: { requestsPerSecond: 10, connections: 2 },
      createdAt: "2026-11-24T10:30:00Z",
      expiresAt: "2027-11-24T10:30:00Z",
      description: "the shop",
      disabled: false,
    };
    expect(readKeysDocument(keysDocumentText([full]))).toEqual([full]);
    expect(readKeysDocument('{"version":1,"keys":[]}')).toEqual([]);
  });

  const sha = "a".repeat(64);
  const one = (more: object) => ({
    version: 1,
    keys: [{ id: "a", secretSha256: sha, scopes: ["read"], ...more }],
  });
  it.each([
    ["{", "it is not JSON, or cut off"],
    [[], "the file: expected an object"],
    [{ version: 2, keys: [] }, 'version: expected 1, got "2"'],
    [{ version: 1 }, "keys: expected an array, got nothing"],
    [{ version: 1, keys: [], more: 1 }, 'the file: there is no member "more"'],
    [one({ id: "A" }), "keys[0].id: expected 1..63 small letters"],
    [one({ scopes: [] }), "keys[0].scopes: expected at least one of ingest, read, admin"],
    [one({ scopes: ["write"] }), "keys[0].scopes: expected"],
    [one({ secretSha256: "secret" }), "keys[0].secretSha256: expected 64 hexadecimal digits"],
    [one({ eventType: ["a"] }), 'keys[0]: there is no member "eventType". Did you mean "eventTyp'],
    [one({ eventTypes: [] }), "keys[0].eventTypes: expected 1..32 texts"],
    [one({ eventTypes: [""] }), "keys[0].eventTypes"],
    [one({ limits: { requests: 1 } }), 'keys[0].limits: there is no member "requests"'],
    [one({ limits: { eventsPerDay: 0 } }), "keys[0].limits.eventsPerDay: expected an integer"],
    [one({ expiresAt: "tomorrow" }), "keys[0].expiresAt: expected a time such as"],
    [one({ expiresAt: "2026-13-01T00:00:00Z" }), "keys[0].expiresAt"],
    [one({ disabled: "no" }), "keys[0].disabled: expected true or false"],
    [one({ previous: { secretSha256: sha } }), "keys[0].previous.until: expected a time"],
    [
      { version: 1, keys: [one({}).keys[0], one({}).keys[0]] },
      "keys[1].id: expected an id of its",
    ],
  ])("%j is refused", async (content, expected) => {
    const text = typeof content === "string" ? content : JSON.stringify(content);
    const message = await refusal(() => readKeysDocument(text));
    expect(message).toContain(expected);
    expect(message).not.toContain(sha);
  });
});

describe("a file of keys", () => {
  it("is refused where it is missing, or others may write it", async () => {
    const missing = keysPath();
    expect(await refusal(() => readKeysFile(missing))).toContain("can not be read (ENOENT)");
    const path = writeKeys([web]);
    for (const mode of [0o620, 0o602, 0o666]) {
      chmodSync(path, mode);
      const message = await refusal(() => readKeysFile(path));
      expect(message).toContain(`others than its owner may write it (${mode.toString(8)})`);
    }
    chmodSync(path, 0o644);
    const file = await readKeysFile(path);
    expect(file?.keys).toEqual([web.stored]);
    expect(await readKeysFile(path, file?.mark)).toBeNull();
  });

  it("is changed as one, for its owner alone", async () => {
    const path = keysPath();
    let made = "";
    await changeKeysFile(path, (keys) => {
      expect(keys).toBeNull();
      const asked = addKey([], { id: "shop", scopes: ["ingest"] }, now);
      made = asked.key;
      return asked.keys;
    });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const text = readFileSync(path, "utf8");
    expect(text).not.toContain(made.slice(-43));
    expect(existsSync(`${path}.new`)).toBe(false);
    // A change that fails leaves what there was.
    await expect(
      changeKeysFile(path, () => {
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    expect([readFileSync(path, "utf8"), existsSync(`${path}.new`)]).toEqual([text, false]);
    // One that is under way, or was killed, is in the way of others.
    writeFileSync(`${path}.new`, "");
    expect(await refusal(() => changeKeysFile(path, () => []))).toContain('.new" is there');
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  it("keeps what is done to keys", async () => {
    const first = addKey([], { id: "shop", scopes: ["ingest"] }, now);
    const again = () => addKey(first.keys, { id: "shop", scopes: ["read"] }, now);
    expect(await refusal(again)).toContain('there is a key "shop" already');
    const asked = () => addKey([], { id: "Shop", scopes: ["read"] }, now);
    expect(await refusal(asked)).toContain("the id: expected 1..63 small letters");
    const rotated = rotateKey(first.keys, "shop", 1000, now + 5);
    expect(rotated.keys[0]?.previous).toEqual({
      secretSha256: first.keys[0]?.secretSha256,
      until: new Date(now + 1005).toISOString(),
    });
    expect(rotateKey(rotated.keys, "shop", 0, now).keys[0]).not.toHaveProperty("previous");
    expect(revokeKey(rotated.keys, "shop", false)[0]).toMatchObject({
      id: "shop",
      disabled: true,
    });
    expect(revokeKey(rotated.keys, "shop", true)).toEqual([]);
    expect(await refusal(() => rotateKey([], "shop", 0, now))).toBe('there is no key "shop"');
  });
});

describe("watched keys", () => {
  it("are those of the file, or the last good ones", async () => {
    const shop = keyOf("shop");
    const path = writeKeys([web]);
    const errors: string[] = [];
    const logger: Logger = { ...silentLogger, error: (_fields, text) => errors.push(text) };
    // Looked at by hand here; the polling is what the service's test waits for.
    const keys = await WatchedKeys.open({ path, logger, pollMs: 3_600_000 });
    const known = (key: string) => {
      try {
        return keys.verify(key, now).id;
      } catch {
        return null;
      }
    };
    const both = () => [known(web.key), known(shop.key)];
    expect(both()).toEqual(["web", null]);
    const whole = keysDocumentText([web.stored, shop.stored]);
    // Every way of being half written.
    for (const size of [0, 1, 20, Math.floor(whole.length / 2), whole.length - 3]) {
      writeFileSync(path, whole.slice(0, size));
      await keys.reload();
      expect(both(), `${size} bytes`).toEqual(["web", null]);
      expect(keys.failure).toContain("it is not JSON, or cut off");
    }
    expect(errors).toHaveLength(1);
    writeFileSync(path, whole);
    await keys.reload();
    expect([both(), keys.failure]).toEqual([["web", "shop"], null]);
    // Moved away, and back with other keys.
    renameSync(path, `${path}.away`);
    await keys.reload();
    expect([both(), errors.length]).toEqual([["web", "shop"], 2]);
    writeKeys([shop], path);
    await keys.reload();
    expect(both()).toEqual([null, "shop"]);
    chmodSync(path, 0o666);
    await keys.reload();
    expect(both()).toEqual([null, "shop"]);
    expect(errors.at(-1)).toMatch(/others than its owner.*the keys before stay in force$/);
    keys.close();
  });
});
