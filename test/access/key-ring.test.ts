import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeKey } from "../../src/access/credential.ts";
import { KeyRing } from "../../src/access/key-ring.ts";
import type { RankstreamError } from "../../src/errors.ts";
import { mayUseType, nobody } from "../../src/model-access.ts";
import { keyOf } from "./access-fixture.ts";

const now = Date.UTC(2026, 10, 24, 10);
const iso = (ms: number) => new Date(ms).toISOString();

function ringOf(...keys: ReturnType<typeof keyOf>[]): KeyRing {
  const ring = new KeyRing(nobody);
  ring.replace(keys.map(({ stored }) => stored));
  return ring;
}

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return `${(error as RankstreamError).code}: ${(error as Error).message}`;
  }
  return "taken";
}

describe("a ring of keys", () => {
  it("knows whose key it is, and tells who doesn't know the secret nothing", () => {
    const [web, shop] = [keyOf("web", { scopes: ["read"] }), keyOf("shop", { disabled: true })];
    const ring = ringOf(web, shop);
    expect(ring.verify(web.key, now)).toMatchObject({ id: "web", scopes: ["read"] });
    const same = "key_invalid: the key is not known";
    const wrong = web.key.replace(/.$/, (last) => (last === "A" ? "Q" : "A"));
    for (const key of [wrong, makeKey("web").key, makeKey("shop").key, makeKey("other").key]) {
      expect(refusal(() => ring.verify(key, now))).toBe(same);
    }
    for (const key of ["", "rsk_", "rsk_web_", web.key.slice(0, -1), `${web.key}A`, "Web", "é"]) {
      expect(refusal(() => ring.verify(key, now))).toBe(same);
    }
    expect(refusal(() => ring.verify(shop.key, now))).toBe(
      'key_invalid: the key "shop" is disabled',
    );
  });

  it("lets keys expire", () => {
    const web = keyOf("web", { expiresAt: iso(now + 1000) });
    const ring = ringOf(web);
    const principal = ring.verify(web.key, now);
    expect([ring.holds(principal, now), ring.holds(principal, now + 1000)]).toEqual([true, false]);
    expect(refusal(() => ring.verify(web.key, now + 1000))).toContain("key_expired");
  });

  it("takes the secret of before a rotation until its time is up", () => {
    const [old, fresh] = [keyOf("web"), keyOf("web")];
    const { secretSha256 } = old.stored;
    const previous = { secretSha256, until: iso(now + 1000) };
    const ring = ringOf({ ...fresh, stored: { ...fresh.stored, previous } });
    const [late, current] = [ring.verify(old.key, now), ring.verify(fresh.key, now)];
    expect([late.id, current.id]).toEqual(["web", "web"]);
    expect([ring.holds(late, now), ring.holds(late, now + 1000)]).toEqual([true, false]);
    expect(ring.holds(current, now + 1000)).toBe(true);
    expect(refusal(() => ring.verify(old.key, now + 1000))).toContain("key_expired");
  });

  it("ends what a key was known by when the key is gone or changed, and nothing else", () => {
    const [web, shop, cart] = [keyOf("web"), keyOf("shop"), keyOf("cart")];
    const ring = ringOf(web, shop, cart);
    const known = [web, shop, cart].map(({ key }) => ring.verify(key, now));
    ring.replace([{ ...web.stored, scopes: ["read"] }, { ...shop.stored }]);
    expect(known.map((principal) => ring.holds(principal, now))).toEqual([false, true, false]);
    expect(ring.verify(web.key, now).scopes).toEqual(["read"]);
  });

  it("compares twice and in constant time whatever comes, before it tells anything", () => {
    const path = join(import.meta.dirname, "../../src/access/key-ring.ts");
    const source = readFileSync(path, "utf8");
    const start = source.indexOf("  verify(credential");
    const body = source.slice(start, source.indexOf("\n  }\n", start));
    const compared = body.lastIndexOf("timingSafeEqual(");
    expect(body.match(/timingSafeEqual\(/g)).toHaveLength(2);
    // No way out before both, and no `&&` or `||` that would leave one out.
    expect(body.slice(0, compared)).not.toMatch(/\breturn\b|\bthrow\b|\bif\b|&&|\|\|/);
    expect(body.slice(0, compared)).toContain("?? this.#decoy");
  });
});

describe("a pattern of event types", () => {
  it.each([
    ["song_*", "song_play", true],
    ["song_*", "song_", true],
    ["song_*", "a_song_play", false],
    ["*_play", "song_play", true],
    ["song", "song", true],
    ["song", "songs", false],
    ["a*a", "a", false],
    ["a*a", "aa", true],
    ["a*b*c", "a-b-b-c", true],
    ["a*b*c", "acb", false],
    ["a*bc*c", "abc", false],
    ["*", "", true],
    ["a.c", "abc", false],
    ["*a*", "bab", true],
  ])("%s, %s: %s", (pattern, name, expected) => {
    expect(mayUseType({ eventTypes: [["none", pattern]] }, name)).toBe(expected);
    expect(mayUseType({ eventTypes: [["*"], [pattern]] }, name)).toBe(expected);
    expect(mayUseType({ eventTypes: [["*"], [pattern], ["zzz"]] }, name)).toBe(false);
  });
});
