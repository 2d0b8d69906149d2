// What stays open, and the keys it was opened with.
import { once } from "node:events";
import { get as httpGet, type IncomingMessage } from "node:http";
import { expect, it, onTestFinished, vi } from "vitest";
import { GuardedAccess } from "../../src/access/access.ts";
import { silentLogger } from "../../src/telemetry.ts";
import { keyOf, writeKeys } from "../access/access-fixture.ts";
import { describeOverEach } from "./api-fixture.ts";
import { makeLive, StreamClient, subscribe, waiting } from "./live-fixture.ts";

async function makeGuarded() {
  const kept = keyOf("kept");
  const passing = keyOf("passing");
  const keysPath = writeKeys([kept, passing]);
  const access = await GuardedAccess.open({ keysPath, logger: silentLogger, pollMs: 20 });
  onTestFinished(() => access.close());
  const changes = { read: () => new Promise<never>(() => undefined) };
  const live = await makeLive({}, { access, changes });
  const asKey = (key: string) => ["rankstream", `rankstream.bearer.${key}`];
  return { ...live, kept, passing, keysPath, asKey };
}

/** A reply that doesn't end; whether its connection has. */
async function openReply(url: string, headers: Record<string, string>) {
  const asked = httpGet(url, { headers, agent: false });
  const state = { isOver: false };
  asked.on("error", () => undefined);
  asked.once("close", () => {
    state.isOver = true;
  });
  return { asked, state };
}

describeOverEach("what a key has opened", (server) => {
  it("is opened by a header or a subprotocol, which is not answered with the key", async () => {
    const { open, kept, asKey } = await makeGuarded();
    const byHeader = await open(kept.headers);
    const bySubprotocol = await open({}, asKey(kept.key));
    for (const client of [byHeader, bySubprotocol]) {
      client.send(subscribe("a"));
      expect((await client.until(({ id }) => id === "a")).type).toBe("board");
    }
    expect([byHeader.socket.protocol, bySubprotocol.socket.protocol]).toEqual(["", "rankstream"]);
    for (const protocols of [[], ["rankstream"], asKey(keyOf("kept").key), asKey("a.b.c")]) {
      const refused = await open({}, protocols);
      await vi.waitFor(() => expect(refused.closed).not.toBeNull(), waiting);
      expect(refused.messages).toEqual([]);
    }
  });

  it("is ended when the key is, and nothing else is", async () => {
    const { open, address, kept, passing, keysPath, asKey } = await makeGuarded();
    const url = `http://${address.host}:${address.port}`;
    const sockets = [await open({}, asKey(passing.key)), await open(kept.headers)];
    for (const socket of sockets) socket.send(subscribe("a"));
    const streams = await Promise.all(
      [passing, kept].map(({ headers }) => StreamClient.open(address, "eventType=t", headers)),
    );
    const tails = await Promise.all(
      [passing, kept].map(({ headers }) => openReply(`${url}/tail`, headers)),
    );
    const polls = await Promise.all(
      [passing, kept].map(({ headers }) => openReply(`${url}/changes?waitMs=30000`, headers)),
    );
    for (const { asked } of tails) {
      const [reply] = (await once(asked, "response")) as [IncomingMessage];
      reply.on("error", () => undefined).resume();
    }
    writeKeys([kept], keysPath);
    const [ended, open2] = sockets;
    await vi.waitFor(() => expect(ended?.closed).toEqual({ code: 4401 }), waiting);
    const problem = await streams[0]?.until(({ type }) => type === "problem");
    expect(problem?.data).toMatchObject({ code: "key_expired", status: 401 });
    await vi.waitFor(() => expect(streams[0]?.isEnded).toBe(true), waiting);
    for (const [gone, stays] of [tails, polls]) {
      await vi.waitFor(() => expect(gone?.state.isOver).toBe(true), waiting);
      expect(stays?.state.isOver, server).toBe(false);
    }
    expect([open2?.closed, streams[1]?.isEnded]).toEqual([null, false]);
    for (const { asked } of [...tails, ...polls]) asked.destroy();
  });

  it("is ended when the key's rights are others", async () => {
    const { open, kept, passing, keysPath } = await makeGuarded();
    const socket = await open(passing.headers);
    const limited = { ...passing, stored: { ...passing.stored, eventTypes: ["a"] } };
    writeKeys([kept, limited], keysPath);
    await vi.waitFor(() => expect(socket.closed).toEqual({ code: 4401 }), waiting);
    const again = await open(passing.headers);
    again.send(subscribe("t"));
    const refused = await again.until(({ id }) => id === "t");
    expect(refused.problem["code"]).toBe("forbidden_event_type");
  });
});
