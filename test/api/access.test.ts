// Who may ask for what, over both HTTP servers: every route without a key, with a wrong one, and
// with one of each scope.
import { describe, expect, it } from "vitest";
import { GuardedAccess } from "../../src/access/access.ts";
import { ruleOf } from "../../src/api/access-table.ts";
import { silentLogger } from "../../src/telemetry.ts";
import { keyOf, writeKeys } from "../access/access-fixture.ts";
import { describeOverEach, makeApi, onSocket } from "./api-fixture.ts";

const ids = ["ingest", "read", "admin"] as const;
const byScope = ids.map((scope) => keyOf(scope, { scopes: [scope] }));
const expired = keyOf("expired", { expiresAt: "2020-01-01T00:00:00Z" });
const disabled = keyOf("disabled", { disabled: true });

async function guarded() {
  const keysPath = writeKeys([...byScope, expired, disabled]);
  return GuardedAccess.open({ keysPath, logger: silentLogger });
}

interface OpenApi {
  paths: Record<string, Record<string, object>>;
}

/** Every documented route: its method, and its address with something in the place of names. */
function routesOf(document: OpenApi): { method: string; route: string; address: string }[] {
  return Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => ({
      method: method.toUpperCase(),
      route: path.replaceAll(/\{(\w+)\}/g, ":$1"),
      address: path.replaceAll(/\{\w+\}/g, "x"),
    })),
  );
}

describeOverEach("who may ask", () => {
  it("is said for every route, and held", async () => {
    const { app } = await makeApi({ access: await guarded() });
    const { host, port } = await onSocket(app);
    const url = `http://${host}:${port}`;
    const document = (await (await fetch(`${url}/openapi.json`)).json()) as OpenApi;
    const routes = routesOf(document);
    expect(routes.length).toBeGreaterThan(30);
    const ask = async (method: string, address: string, headers: Record<string, string>) => {
      const reply = await fetch(`${url}${address}`, { method, headers });
      const isProblem = reply.headers.get("content-type") === "application/problem+json";
      if (!isProblem) {
        await reply.body?.cancel();
        return { status: reply.status, code: "", challenge: null };
      }
      const { code } = (await reply.json()) as { code: string };
      return { status: reply.status, code, challenge: reply.headers.get("www-authenticate") };
    };
    for (const { method, route, address } of routes) {
      const scope = ruleOf(method, route)?.scope;
      const label = `${method} ${route}`;
      const without = await ask(method, address, {});
      if (scope === null) {
        expect([401, 403], label).not.toContain(without.status);
        continue;
      }
      const missing = {
        status: 401,
        code: "key_required",
        challenge: 'Bearer realm="rankstream"',
      };
      expect(without, label).toEqual(missing);
      const wrong = [keyOf("read").headers, disabled.headers, { authorization: "Basic YTpi" }];
      for (const headers of wrong) {
        expect(await ask(method, address, headers), label).toMatchObject({
          status: 401,
          code: "key_invalid",
          challenge: expect.stringContaining('error="invalid_token"'),
        });
      }
      expect((await ask(method, address, expired.headers)).code, label).toBe("key_expired");
      for (const [i, id] of ids.entries()) {
        const { status, code } = await ask(method, address, byScope[i]!.headers);
        if (id === scope) expect([401, 403], label).not.toContain(status);
        else expect([status, code], label).toEqual([403, "forbidden_scope"]);
      }
    }
  });
});

describe("a route that the table doesn't know", () => {
  it("is not registered", async () => {
    const { app } = await makeApi();
    expect(ruleOf("GET", "/nothing")).toBeUndefined();
    expect(ruleOf("POST", "/web/x")).toBeUndefined();
    expect(app.hasRoute({ method: "GET", url: "/status" })).toBe(true);
  });
});
