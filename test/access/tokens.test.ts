import { generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { describe, expect, it, vi } from "vitest";
import { GuardedAccess } from "../../src/access/access.ts";
import { callerText, narrowed, readCaller } from "../../src/access/caller.ts";
import { isKeyId } from "../../src/access/credential.ts";
import { Tokens, type TokensOptions } from "../../src/access/tokens.ts";
import type { RankstreamError } from "../../src/errors.ts";
import { everybody, mayUseType } from "../../src/model-access.ts";
import { silentLogger } from "../../src/telemetry.ts";
import { keyOf, writeKeys } from "./access-fixture.ts";
import { LocalIssuer } from "./local-issuer.ts";

async function makeTokens(overrides: Partial<TokensOptions> = {}) {
  const issuer = await LocalIssuer.start();
  const options = {
    issuer: issuer.url,
    audience: "rankstream",
    jwksUrl: null,
    scopeClaim: "scope",
    typesClaim: "rankstream_event_types",
    clockToleranceSeconds: 5,
    logger: silentLogger,
    cooldownMs: 0,
    failureMs: 50,
    ...overrides,
  };
  return { issuer, options, tokens: new Tokens(options) };
}

/** Its code, or "taken". */
async function codeOf(tokens: Pick<Tokens, "verify">, token: string): Promise<string> {
  try {
    await tokens.verify(token);
  } catch (error) {
    // Nothing of the token is told.
    for (const part of token.split(".").filter((text) => text.length > 8)) {
      expect((error as Error).message).not.toContain(part);
    }
    return (error as RankstreamError).code;
  }
  return "taken";
}

const seconds = (after: number) => Math.floor(Date.now() / 1000) + after;

describe("tokens of an issuer", () => {
  it.each(["RS256", "ES256", "EdDSA"])("are taken where they are signed by %s", async (alg) => {
    const { issuer, tokens } = await makeTokens();
    const key = await issuer.addKey(alg);
    const claims = { scope: "openid rankstream:read ingest", rankstream_event_types: ["song_*"] };
    const principal = await tokens.verify(await issuer.sign(claims, key));
    expect(principal).toMatchObject({ id: "token:alice", scopes: ["ingest", "read"], via: null });
    expect(mayUseType(principal, "song_play")).toBe(true);
    expect(mayUseType(principal, "other")).toBe(false);
    expect(principal.expiresAt).toBeGreaterThan(Date.now() + 500_000);
  });

  it("say scopes and types as a text or a list, also deeper", async () => {
    const { issuer, tokens } = await makeTokens({
      scopeClaim: "realm_access.roles",
      typesClaim: "https://rankstream.example/types",
    });
    const roles = ["rankstream:admin", "uma_authorization", 7];
    const types = { "https://rankstream.example/types": "a b_*" };
    const token = await issuer.sign({ realm_access: { roles }, ...types });
    const principal = await tokens.verify(token);
    expect([principal.scopes, principal.eventTypes]).toEqual([["admin"], [["a", "b_*"]]]);
    const plain = await tokens.verify(await issuer.sign({ realm_access: "read" }));
    expect([plain.scopes, plain.eventTypes]).toEqual([[], null]);
  });

  it("are refused unless everything is right", async () => {
    const { issuer, tokens } = await makeTokens();
    const claims: [string, object][] = [
      ["key_expired", { exp: seconds(-6) }],
      ["key_invalid", { nbf: seconds(60) }],
      ["key_invalid", { iss: "https://other.example" }],
      ["key_invalid", { aud: "another" }],
      ["key_invalid", { aud: undefined }],
      ["key_invalid", { sub: undefined }],
      ["key_invalid", { exp: undefined }],
      ["key_invalid", { rankstream_event_types: [] }],
      ["key_invalid", { rankstream_event_types: { a: 1 } }],
      ["key_invalid", { rankstream_event_types: "" }],
      ["taken", { exp: seconds(-3) }],
      ["taken", { aud: ["another", "rankstream"] }],
    ];
    for (const [code, more] of claims) {
      expect(
        await codeOf(tokens, await issuer.sign(more as JWTPayload)),
        JSON.stringify(more),
      ).toBe(code);
    }
    const good = await issuer.sign();
    const [header, payload, signature] = good.split(".") as [string, string, string];
    const forged = Buffer.from(JSON.stringify({ sub: "eve" })).toString("base64url");
    for (const token of ["x", "a.b.c", `${header}.${forged}.${signature}`, `${good}x`, ""]) {
      expect(await codeOf(tokens, token), token).toBe("key_invalid");
    }
    expect(await codeOf(tokens, `${header}.${payload}.`)).toBe("key_invalid");
  });

  it("are refused without a signature, or signed by what everybody knows", async () => {
    const { issuer, tokens } = await makeTokens();
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const { kid, jwk } = issuer.keys[0]!;
    const body = { iss: issuer.url, aud: "rankstream", sub: "eve", exp: seconds(600) };
    const bare = `${encode({ alg: "none", kid })}.${encode(body)}.`;
    expect(await codeOf(tokens, bare)).toBe("key_invalid");
    const publicKey = new TextEncoder().encode(JSON.stringify(jwk));
    const hs = new SignJWT(body).setProtectedHeader({ alg: "HS256", kid }).sign(publicKey);
    expect(await codeOf(tokens, await hs)).toBe("key_invalid");
    const { privateKey } = await generateKeyPair("RS256");
    const other = new SignJWT(body).setProtectedHeader({ alg: "RS256", kid }).sign(privateKey);
    expect(await codeOf(tokens, await other)).toBe("key_invalid");
    // Keys that come with a token are not looked at.
    const header = { alg: "RS256", jwk: jwk as never, kid: "own" };
    const own = new SignJWT(body).setProtectedHeader(header).sign(privateKey);
    expect(await codeOf(tokens, await own)).toBe("key_invalid");
  });

  it("go on when the issuer changes its keys", async () => {
    const { issuer, tokens } = await makeTokens();
    const [old] = issuer.keys;
    expect(await codeOf(tokens, await issuer.sign())).toBe("taken");
    const next = await issuer.addKey("ES256");
    expect(await codeOf(tokens, await issuer.sign({}, next))).toBe("taken");
    // One that is withdrawn is not taken any more once the keys are fetched again.
    issuer.keys = [next];
    const newest = await issuer.addKey("ES256");
    expect(await codeOf(tokens, await issuer.sign({}, newest))).toBe("taken");
    expect(await codeOf(tokens, await issuer.sign({ sub: "bob" }, old))).toBe("key_invalid");
  });

  it("ask the issuer once in a while, however many come", async () => {
    const { issuer, tokens } = await makeTokens({ cooldownMs: 60_000 });
    const good = await issuer.sign();
    await Promise.all(Array.from({ length: 20 }, () => codeOf(tokens, good)));
    expect(issuer.asked).toEqual(["/.well-known/openid-configuration", "/keys"]);
    const known = tokens.verify(good);
    expect(known).not.toBeInstanceOf(Promise);
    const stranger = await issuer.addKey("RS256");
    issuer.keys.pop();
    for (let i = 0; i < 20; i++) {
      const token = await issuer.sign({ sub: `eve${i}` }, stranger);
      expect(await codeOf(tokens, token)).toBe("key_invalid");
    }
    expect(issuer.asked).toHaveLength(2);
  });

  it("are told from an issuer that does not answer", async () => {
    const { issuer, tokens } = await makeTokens({ failureMs: 60_000 });
    issuer.isFailing = true;
    const token = await issuer.sign();
    for (let i = 0; i < 5; i++) expect(await codeOf(tokens, token)).toBe("identity_unavailable");
    expect(issuer.asked).toHaveLength(1);
  });

  it("are taken again when the issuer answers again", async () => {
    const { issuer, tokens } = await makeTokens();
    issuer.isFailing = true;
    const token = await issuer.sign();
    expect(await codeOf(tokens, token)).toBe("identity_unavailable");
    issuer.isFailing = false;
    await vi.waitFor(async () => expect(await codeOf(tokens, token)).toBe("taken"), {
      timeout: 20_000,
    });
  });

  it("are not taken by a description that is another's, or leads elsewhere", async () => {
    const { issuer, options } = await makeTokens();
    const token = await issuer.sign();
    for (const description of [
      { issuer: "https://other.example", jwks_uri: `${issuer.url}/keys` },
      { issuer: issuer.url, jwks_uri: "http://keys.example/keys" },
      { issuer: issuer.url, jwks_uri: "file:///etc/passwd" },
      { issuer: issuer.url },
    ]) {
      issuer.description = description;
      expect(await codeOf(new Tokens(options), token)).toBe("identity_unavailable");
    }
    const given = new Tokens({ ...options, jwksUrl: `${issuer.url}/keys` });
    expect(await codeOf(given, token)).toBe("taken");
  });
});

describe("who a token is of", () => {
  it("is its subject alone: no other one, no key, and nobody's caller", async () => {
    const { issuer, tokens } = await makeTokens();
    const idOf = async (sub: string) => (await tokens.verify(await issuer.sign({ sub }))).id;
    const long = "x".repeat(255);
    const subjects = ["board", "a/b", "a%2Fb", "a%2fb", "a", "token:a", long, `${long.slice(1)}y`];
    const ids = await Promise.all(subjects.map(idOf));
    expect(new Set(ids).size).toBe(subjects.length);
    for (const id of ids) {
      expect(isKeyId(id)).toBe(false);
      expect(id.slice("token:".length)).not.toContain("/");
    }
    // Whoever has a token may name a caller of theirs, and is never taken for somebody else.
    const { id } = await tokens.verify(await issuer.sign({ sub: "a" }));
    const principal = { ...everybody, id };
    const named = readCaller(callerText({ ...everybody, id: "b" }));
    expect(ids).not.toContain(narrowed(principal, named).id);
    expect(await codeOf(tokens, await issuer.sign({ sub: `${long}x` }))).toBe("key_invalid");
    const longest = callerText({ ...everybody, id: await idOf("/".repeat(255)) });
    expect(readCaller(longest)?.id).toContain("%2F%2F");
  });
});

describe("tokens beside keys", () => {
  it("leave keys alone when the issuer is away", async () => {
    const { issuer, options } = await makeTokens();
    issuer.isFailing = true;
    const web = keyOf("web");
    const access = await GuardedAccess.open({
      keysPath: writeKeys([web]),
      tokens: options,
      logger: silentLogger,
    });
    expect(access.authenticate({ authorization: web.headers.authorization })).toMatchObject({
      id: "web",
    });
    const authorization = `Bearer ${await issuer.sign()}`;
    await expect(access.authenticate({ authorization })).rejects.toMatchObject({
      code: "identity_unavailable",
      status: 503,
    });
    access.close();
  });

  it("end with their time", async () => {
    const { issuer, options } = await makeTokens({ clockToleranceSeconds: 0 });
    const access = await GuardedAccess.open({ keysPath: null, tokens: options, ...options });
    const authorization = `Bearer ${await issuer.sign({ exp: seconds(600) })}`;
    const principal = await access.authenticate({ authorization });
    expect(access.isCurrent(principal)).toBe(true);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 601_000 });
    try {
      expect(access.isCurrent(principal)).toBe(false);
      await expect((async () => access.authenticate({ authorization }))()).rejects.toMatchObject({
        code: "key_expired",
      });
    } finally {
      vi.useRealTimers();
    }
    const narrow = Buffer.from(
      JSON.stringify({ id: "x", scopes: ["read"], eventTypes: [["a"]] }),
    ).toString("base64url");
    const again = `Bearer ${await issuer.sign({ scope: "read admin" })}`;
    expect(await access.authenticate({ authorization: again, caller: narrow })).toMatchObject({
      id: "token:alice/x",
      scopes: ["read"],
      eventTypes: [["a"]],
    });
  });
});
