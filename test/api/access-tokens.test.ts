// Tokens over both HTTP servers: who they are of is known only a moment after the request came.
import { expect, it } from "vitest";
import { GuardedAccess } from "../../src/access/access.ts";
import { silentLogger } from "../../src/telemetry.ts";
import { LocalIssuer } from "../access/local-issuer.ts";
import { describeOverEach, makeApi, onSocket } from "./api-fixture.ts";

async function makeServed() {
  const issuer = await LocalIssuer.start();
  const tokens = {
    issuer: issuer.url,
    audience: "rankstream",
    jwksUrl: null,
    scopeClaim: "scope",
    typesClaim: "rankstream_event_types",
    clockToleranceSeconds: 5,
    failureMs: 60_000,
  };
  const access = await GuardedAccess.open({ keysPath: null, tokens, logger: silentLogger });
  const { app, log, budget } = await makeApi({ access });
  const { host, port } = await onSocket(app);
  const ask = async (token: string, body: string | null, path = "/events") => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const init = body === null ? { headers } : { method: "POST", headers, body };
    const reply = await fetch(`http://${host}:${port}${path}`, init);
    const { code } = (await reply.json()) as { code?: string };
    return { status: reply.status, code, retryAfter: reply.headers.get("retry-after") };
  };
  return { issuer, log, budget, ask };
}

const event = '{"eventId":"a","eventType":"t"}';
/** More than comes in one piece. */
const large = JSON.stringify(Array.from({ length: 2500 }, () => JSON.parse(event)));

describeOverEach("a request with a token", () => {
  it("is taken once it is known whose it is", async () => {
    const { issuer, log, budget, ask } = await makeServed();
    for (const body of [event, large]) {
      const token = await issuer.sign({ scope: "ingest", sub: `of ${body.length}` });
      // The first time the issuer's keys are asked for, then the token is known.
      for (let i = 0; i < 2; i++) expect((await ask(token, body)).status).toBe(202);
    }
    expect(log.appended).toHaveLength(4);
    const reader = await issuer.sign({ scope: "read" });
    for (const body of [event, large]) {
      expect(await ask(reader, body)).toMatchObject({ status: 403, code: "forbidden_scope" });
    }
    expect((await ask(reader, null, "/event-types")).status).toBe(200);
    const forged = await issuer.sign({ aud: "another" });
    for (const body of [event, large, null]) {
      expect(await ask(forged, body)).toMatchObject(
        body === null ? { status: 405 } : { status: 401, code: "key_invalid" },
      );
    }
    expect([log.appended.length, budget.bytesHeld]).toEqual([4, 0]);
  });

  it("is refused for a while where the issuer does not answer", async () => {
    const { issuer, log, budget, ask } = await makeServed();
    issuer.isFailing = true;
    const token = await issuer.sign({ scope: "ingest read" });
    for (const [body, path] of [
      [event, "/events"],
      [large, "/events"],
      [null, "/event-types"],
    ] as const) {
      const refused = { status: 503, code: "identity_unavailable", retryAfter: "60" };
      expect(await ask(token, body, path)).toEqual(refused);
    }
    expect([log.appended.length, budget.bytesHeld]).toEqual([0, 0]);
  });
});
