import { Readable } from "node:stream";
import { expect, it } from "vitest";
import type { ExportRequest } from "../../src/query/exports.ts";
import { describeOverEach, makeApi, onSocket, rawConnection } from "./api-fixture.ts";

/** An API whose exports are these bytes; the error, if any, comes after them. */
async function apiOf(chunks: (string | Error)[]) {
  const asked: ExportRequest[] = [];
  const bodies: Readable[] = [];
  async function* bytes() {
    for (const chunk of chunks) {
      if (chunk instanceof Error) throw chunk;
      yield Buffer.from(chunk);
    }
  }
  const open = async (request: ExportRequest) => {
    asked.push(request);
    const body = Readable.from(bytes(), { objectMode: false });
    bodies.push(body);
    return { events: request.counts === undefined ? 2 : null, body };
  };
  const { app } = await makeApi({ exports: { open } });
  const address = await onSocket(app);
  const { host, port } = address;
  const get = (query: string) => fetch(`http://${host}:${port}/export?${query}`);
  return { asked, bodies, get, address };
}

describeOverEach("GET /export", (server) => {
  it("streams what was asked for", async () => {
    const { asked, get } = await apiOf(["a\n", "b\n"]);
    const query = "eventType=a,b&eventType=c&timeRange=2026-01-01T00:00:00Z/P1D&filter.x=y";
    const reply = await get(query);
    expect(reply.status).toBe(200);
    expect(reply.headers.get("content-type")).toBe("application/x-ndjson");
    expect(reply.headers.get("x-rankstream-events")).toBe("2");
    expect(reply.headers.get("content-disposition")).toContain("events.ndjson");
    expect(await reply.text()).toBe("a\nb\n");
    expect(asked[0]).toMatchObject({
      eventTypes: ["a", "b", "c"],
      format: "ndjson",
      range: { effectiveFrom: Date.UTC(2026, 0, 1), effectiveTo: Date.UTC(2026, 0, 2) },
      selection: { metadata: [{ key: "x", values: ["y"], isNot: false }] },
    });
    const counts = await get("counts=hour&format=parquet");
    expect(counts.headers.get("content-type")).toBe("application/vnd.apache.parquet");
    expect(counts.headers.get("x-rankstream-events")).toBeNull();
    expect(asked[1]).toMatchObject({ eventTypes: null, counts: "hour", format: "parquet" });
  });

  it("ends without its last chunk where it breaks off", async () => {
    const { get } = await apiOf(["a\n", new Error("disk")]);
    const broken = get("").then((reply) => reply.text());
    await expect(broken).rejects.toThrow();
  });

  // uWebSockets.js takes no HTTP/1.0.
  it.skipIf(server === "uws")(
    "refuses HTTP/1.0, where a reply that broke off looks whole",
    async () => {
      const { address, asked } = await apiOf(["a\n", new Error("disk")]);
      const { socket, ended } = rawConnection(address);
      socket.write("GET /export HTTP/1.0\r\nhost: x\r\n\r\n");
      expect(await ended).toMatch(/^HTTP\/1.1 505 [\s\S]*"http_version_too_old"/);
      expect(asked).toEqual([]);
    },
  );

  it("ends when the client goes", async () => {
    const { bodies, get } = await apiOf(Array(2000).fill("x".repeat(65_536)));
    const reply = await get("");
    const reader = reply.body!.getReader();
    await reader.read();
    await reader.cancel();
    await new Promise<void>((resolve) => {
      if (bodies[0]!.closed) resolve();
      else bodies[0]!.once("close", resolve);
    });
    expect(bodies[0]!.readableEnded).toBe(false);
  });

  it.each([
    ["by=users", "unknown_parameter"],
    ["format=xml", "invalid_parameter"],
    ["counts=week", "invalid_parameter"],
    ["eventType=", "invalid_parameter"],
    ["from=1", "invalid_time_range"],
  ])("refuses %s", async (query, code) => {
    const { asked, get } = await apiOf([]);
    const reply = await get(query);
    expect([reply.status, (await reply.json()).code]).toEqual([400, code]);
    expect(asked).toEqual([]);
  });
});
