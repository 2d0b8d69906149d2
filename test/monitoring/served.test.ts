// What rules and dashboard ask for is really served, by name and label, and every query of theirs
// works on a real Prometheus that scrapes a real service and a node before it. At last the node is
// killed, and a real Alertmanager calls.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorKinds } from "../../src/errors-table.ts";
import { documented } from "../docs/metrics.ts";
import { readExposition, type ServedFamily } from "../support/exposition.ts";
import { freePort } from "../support/free-port.ts";
import { readPage } from "../support/markdown.ts";
import { RedisServer } from "../support/redis.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import {
  allRules,
  askedBy,
  dashboardQueries,
  filledIn,
  readDashboard,
  type Selector,
} from "./monitoring-files.ts";
import { MonitoringWorld } from "./monitoring-world.ts";

const filledMsMax = 40_000;
const alertMsMax = 40_000;
const world = new MonitoringWorld();
const rules = allRules();
const recorded = new Set(rules.flatMap(({ record }) => record ?? []));
const queries = [
  ...rules.map((rule) => ({ where: rule.alert ?? rule.record!, expr: rule.expr })),
  ...dashboardQueries().map(({ where, expr }) => ({ where, expr: filledIn(expr) })),
];
const redis = new RedisServer(await freePort());

let store: RankstreamProcess;
let node: RankstreamProcess;
let families: Map<string, ServedFamily>;

beforeAll(async () => {
  await redis.start();
  const backups = ["--backup-to", temporaryFolder()];
  store = await startRankstream({ args: ["--seal-quiet-ms", "100", ...backups] });
  await store.post(eventsFrom(lastHour));
  await untilSealed();
  const role = ["--role", "edge,query", "--upstream", store.url, "--redis-url", redis.url];
  node = await startRankstream({ args: role });
  const host = (url: string) => new URL(url).host;
  await world.start([host(store.url), host(node.url)]);
  await use();
  const texts = await Promise.all(
    [store, node].map(async ({ url }) => (await fetch(`${url}/metrics`)).text()),
  );
  families = new Map(texts.flatMap(readExposition).map((family) => [family.name, family]));
});
afterAll(() => world.stop());

const hourMs = 3_600_000;
const lastHour = Math.floor(Date.now() / hourMs) * hourMs - hourMs;

function eventsFrom(time: number) {
  const eventType = "song_play";
  return Array.from({ length: 50 }, (_, i) => {
    return { eventId: `song_${i % 7}`, eventType, timestamp: time + i };
  });
}

/** A little of everything that is measured. */
async function use(): Promise<void> {
  await store.post(eventsFrom(Date.now()));
  await node.post(eventsFrom(Date.now()));
  await store.post("no event");
  for (const mode of ["approx", "exact"]) {
    await node.get("/leaderboard", { eventType: "song_play", timeRange: "all", mode });
    await store.get("/leaderboard", { eventType: "song_play", timeRange: "all", mode });
  }
}

/**
 * Until the hour before is a window of its own. Its distinct items are looked up once a minute at
 * most, so nobody may ask for them before.
 */
async function untilSealed(): Promise<void> {
  const deadline = Date.now() + filledMsMax;
  while (!/"rankstream\.windowsBuilt":1/.test(store.stderr)) {
    if (Date.now() > deadline)
      throw new Error(`not sealed in ${filledMsMax} ms ${store.output()}`);
    await sleep(100);
  }
}

/** Served or not, what docs/metrics.md lists; a test of it holds the page against processes. */
const page = readPage("docs/metrics.md");
const sections = [...page.matchAll(/^## (.+)$/gm)].flatMap(([, name]) => documented(name!));
const listed = new Map(sections.map((metric) => [metric.name, metric]));
/** Sections of what neither of the two processes here has. */
const elsewhere = /Kafka|TLS/;

function familyOf(metric: string): string {
  const base = metric.replace(/_(?:bucket|sum|count)$/, "");
  return listed.get(base)?.type === "histogram" ? base : metric;
}

const ownLabels = ["job", "instance", "le", "day"];
const own = (selector: Selector) => !/^(?:up|ALERTS)$/.test(selector.metric);

describe("rules and dashboard", () => {
  it("ask only for what is recorded, or documented and served", () => {
    const asked = queries.flatMap(({ expr }) => askedBy(expr).selectors).filter(own);
    const names = new Set(asked.map(({ metric }) => metric));
    const raw = [...names].filter((name) => !recorded.has(name)).map(familyOf);
    expect(raw.length).toBeGreaterThan(40);
    const named = (section: string) => documented(section).map(({ name }) => name);
    const absent = [...page.matchAll(/^## (.+)$/gm)]
      .filter(([, name]) => elsewhere.test(name!))
      .flatMap(([, name]) => named(name!));
    const unserved = raw.filter((name) => !families.has(name));
    expect(unserved.filter((name) => !absent.includes(name))).toEqual([]);
    expect(raw.filter((name) => !listed.has(name))).toEqual([]);
    const used = [...recorded].filter((name) => !names.has(name));
    expect(used, "recorded, and asked for by nothing").toEqual([]);
  });

  it("match and group by labels that there are", () => {
    for (const { where, expr } of queries) {
      const { selectors, grouping } = askedBy(expr);
      const known = new Set(ownLabels);
      for (const { metric, matchers } of selectors) {
        const [levels, name] = metric.split(":");
        const labels =
          name === undefined
            ? (listed.get(familyOf(metric))?.labels ?? "`alertname` `alertstate`")
            : levels!.replace("job_event_type", "`event_type`");
        const names = [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label!);
        for (const label of names) known.add(label);
        for (const { label } of matchers) {
          expect([...ownLabels, ...names], `${where}: ${metric}`).toContain(label);
        }
      }
      for (const label of grouping) expect([...known], where).toContain(label);
    }
  });

  it("match values that there are", () => {
    const selectors = queries.flatMap(({ expr }) => askedBy(expr).selectors);
    const matchers = selectors.flatMap((selector) => selector.matchers);
    const codes = matchers.filter(({ label }) => label === "code");
    expect(codes.length).toBeGreaterThan(1);
    for (const { value } of codes) {
      for (const code of value.split("|")) expect(Object.keys(errorKinds)).toContain(code);
    }
    // Values of what was used: each is served by the store or the node.
    const served = (label: string) =>
      new Set(
        [...families.values()].flatMap(({ series }) =>
          series.flatMap(({ labels }) => labels[label] ?? []),
        ),
      );
    for (const label of ["mode", "method", "certified", "window"]) {
      const own = matchers.filter((matcher) => matcher.label === label);
      expect(own.length, label).toBeGreaterThan(0);
      for (const { value } of own) expect([...served(label)], label).toContain(value);
    }
    const routes = matchers.filter(({ label, operator }) => label === "route" && operator === "=");
    for (const { value } of routes) expect([...served("route")]).toContain(value);
  });
});

/** Those of which nothing is there while nothing is wrong, or before a week has gone by. */
const mayBeEmpty =
  /failures_total|errors_total|_failed_|dead_letters|ALERTS|process_start_time|same_hour/;

describe("a real Prometheus", () => {
  it("works out every rule without a complaint", async () => {
    const deadline = Date.now() + filledMsMax;
    let found = await world.rules();
    while (found.some(({ health }) => health === "unknown") && Date.now() < deadline) {
      await sleep(500);
      found = await world.rules();
    }
    expect(found.length).toBe(rules.length);
    expect(found.filter(({ health }) => health !== "ok")).toEqual([]);
  });

  it("answers every query of the dashboard, with something where there must be", async () => {
    const deadline = Date.now() + filledMsMax;
    let empty = dashboardQueries();
    while (empty.length > 0 && Date.now() < deadline) {
      // Rates and quantiles of the last seconds need something to be going on.
      await use();
      const kept: typeof empty = [];
      for (const one of empty) {
        const found = await world.query(filledIn(one.expr));
        if (found.length === 0 && !mayBeEmpty.test(one.expr)) kept.push(one);
      }
      empty = kept;
    }
    expect(empty).toEqual([]);
  });

  it("has the events that were sent", async () => {
    const [found] = await world.query("sum(rankstream_event_type_events_total)");
    const { body } = await store.get("/event-types/song_play");
    expect(found!.value).toBeGreaterThan(0);
    expect(found!.value).toBeLessThanOrEqual(body.total);
  });

  it("has Alertmanager call who is paged when a node was killed", async () => {
    await node.kill();
    const instance = new URL(node.url).host;
    const calls = () =>
      world.calls.filter(({ alerts }) =>
        alerts.some(
          ({ labels, status }) =>
            labels["alertname"] === "RankstreamDown" &&
            labels["instance"] === instance &&
            status === "firing",
        ),
      );
    const deadline = Date.now() + alertMsMax;
    const paths = () => new Set(calls().map(({ path }) => path));
    while (!(paths().has("/page") && paths().has("/page-second-line")) && Date.now() < deadline) {
      await sleep(200);
    }
    expect([...paths()].sort()).toEqual(["/page", "/page-second-line"]);
    const { labels, annotations } = calls()[0]!.alerts.find(
      (alert) => alert.labels["alertname"] === "RankstreamDown",
    )!;
    expect(labels).toEqual({
      alertname: "RankstreamDown",
      instance,
      job: "rankstream",
      severity: "page",
    });
    expect(annotations["summary"]).toBe(`${instance} does not answer`);
    expect(annotations["runbook_url"]).toMatch(/runbooks\.md#rankstreamdown$/);
    // The watchdog goes elsewhere, and of the dead node nothing else is said.
    const heartbeats = world.calls.filter(({ path }) => path === "/heartbeat");
    expect(heartbeats.length).toBeGreaterThan(0);
    const told = world.calls.flatMap(({ alerts }) => alerts);
    const ofNode = told.filter((alert) => alert.labels["instance"] === instance);
    expect(new Set(ofNode.map((alert) => alert.labels["alertname"]))).toEqual(
      new Set(["RankstreamDown"]),
    );
  });
});

describe("the dashboard", () => {
  const { panels, templating, uid } = readDashboard();

  it("has panels that don't overlap, each with a title, an explanation and an id", () => {
    const cells = new Set<string>();
    for (const { title, type, description, gridPos } of panels) {
      expect(title).not.toBe("");
      if (type !== "row") expect(description, title).toMatch(/\.$/);
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(cells.has(`${x}/${y}`), title).toBe(false);
          cells.add(`${x}/${y}`);
        }
      }
    }
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(uid).toBe("rankstream");
  });

  it("asks by its variables, which are asked for by names that there are", () => {
    expect(templating.list.map(({ name }) => name)).toEqual(["datasource", "job", "instance"]);
    for (const { query, type } of templating.list) {
      if (type !== "query") continue;
      const text = typeof query === "string" ? query : query.query;
      expect(text).toMatch(/^label_values\(rankstream_build_info(?:\{job=~"\$job"\})?, \w+\)$/);
    }
    const unfilled = dashboardQueries().filter(({ expr }) => filledIn(expr).includes("$"));
    expect(unfilled).toEqual([]);
  });
});
