// The pages of reference that are made from the service, or held against it: docs/api.md,
// docs/metrics.md.
import { beforeAll, describe, expect, it } from "vitest";
import { apiPage } from "../../tools/reference-pages.mjs";
import { freePort } from "../support/free-port.ts";
import { pageNames, readPage } from "../support/markdown.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";
import { compared, documented, served } from "./metrics.ts";

let service: RankstreamProcess;
let node: RankstreamProcess;

beforeAll(async () => {
  service = await startRankstream();
  const nobody = `redis://127.0.0.1:${await freePort()}`;
  const args = ["--role", "edge,query", "--upstream", service.url, "--redis-url", nobody];
  node = await startRankstream({ args });
  await service.post([{ eventId: "a", eventType: "play" }]);
});

describe("docs/api.md", () => {
  it("is what the service says of itself (node tools/reference-pages.mjs)", async () => {
    const { body } = await service.get("/openapi.json");
    expect(readPage("docs/api.md")).toBe(apiPage(body));
  });

  it("names every call", async () => {
    const { body } = await service.get("/openapi.json");
    const calls = Object.entries(body.paths as Record<string, object>).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `### ${method.toUpperCase()} ${path}`),
    );
    expect(calls.length).toBeGreaterThan(20);
    const page = readPage("docs/api.md").split("\n");
    for (const call of calls) expect(page).toContain(call);
  });
});

describe("docs/metrics.md", () => {
  it("has every metric that other pages name", () => {
    const listed = readPage("docs/metrics.md");
    const named = pageNames().flatMap((page) =>
      [...readPage(page).matchAll(/`(rankstream_\w+)(?:`|\{)/g)].map(([, name]) => name!),
    );
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !listed.includes(`| \`${name}\` |`))).toEqual([]);
  });

  it("lists what a process with a store serves", async () => {
    const sections = ["Every process", "A process with a store", "With a log of its own"];
    const { page, found } = compared(sections.flatMap(documented), await served(service));
    expect(found).toEqual(page);
    expect(found.length).toBeGreaterThan(90);
  });

  it("lists what a node with Redis serves beside", async () => {
    const names = new Set(documented("A process with a store").map(({ name }) => name));
    const own = (await served(node)).filter(({ name }) => !names.has(name));
    const expected = ["Every process", "With Redis", "With an upstream"].flatMap(documented);
    const { page, found } = compared(expected, own);
    expect(found).toEqual(page);
  });
});
