// The files of docker/prometheus and docker/alertmanager by their own tools, as docs/monitoring.md
// runs them; each alert with its tests and its runbook.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { findAlertmanager, findPrometheus } from "../../tools/services.mjs";
import { blocksOf, readPage } from "../support/markdown.ts";
import { temporaryFolder } from "../support/service.ts";
import {
  alertmanagerFile,
  allRules,
  prometheusFile,
  type Rule,
  type RuleTests,
  readYaml,
  ruleFiles,
  ruleTestFiles,
} from "./monitoring-files.ts";

const toolMsMax = 120_000;
const programs = { promtool: findPrometheus()?.promtool, amtool: findAlertmanager()?.amtool };

/** What the tool said; throws with it where the tool found a fault. */
function run(tool: keyof typeof programs, ...args: string[]): string {
  const program = programs[tool];
  if (program === undefined) throw new Error(`no ${tool}: npm run test:services brings it`);
  const done = spawnSync(program, args, { encoding: "utf8", timeout: toolMsMax });
  const said = `${done.stdout}${done.stderr}`;
  if (done.status !== 0) throw new Error(`${tool} ${args.join(" ")}: ${said}`);
  return said;
}

const alerts = allRules().filter((rule) => rule.alert !== undefined) as (Rule & {
  alert: string;
})[];
const severities = ["page", "ticket", "business", "heartbeat"];

describe("the rules", () => {
  it("are sound to promtool, as the configuration that names them is", () => {
    run("promtool", "check", "rules", ...ruleFiles);
    // It looks for the file of the key as well, and for the rules beside the configuration.
    const folder = temporaryFolder();
    const key = join(folder, "key");
    const config = readYaml<Record<string, never>>(prometheusFile);
    const text = stringify(config).replace("/run/secrets/metrics_key", key);
    const rules = text.replace("rules/*.yml", join(prometheusFile, "..", "rules", "*.yml"));
    writeFileSync(key, "secret");
    writeFileSync(join(folder, "prometheus.yml"), rules);
    const said = run("promtool", "check", "config", join(folder, "prometheus.yml"));
    expect(said).toContain(`${ruleFiles.length} rule files found`);
    const [shown] = blocksOf("docs/monitoring.md").filter(({ language }) => language === "yaml");
    const { scrape_configs: jobs } = parse(shown!.text) as { scrape_configs: unknown[] };
    expect(config["scrape_configs"]).toContainEqual(jobs[0]);
  });

  it.each(ruleTestFiles.map((path) => [basename(path), path]))("hold in %s", (_, path) => {
    run("promtool", "test", "rules", path);
  });

  it("fire and don't in a test of each", () => {
    const tests = ruleTestFiles.flatMap((path) => readYaml<RuleTests>(path).tests);
    const asked = tests.flatMap(({ alert_rule_test }) => alert_rule_test);
    const fires = asked.filter(({ exp_alerts }) => exp_alerts.length > 0);
    const rests = asked.filter(({ exp_alerts }) => exp_alerts.length === 0);
    const named = (of: typeof asked) => [...new Set(of.map(({ alertname }) => alertname))].sort();
    const all = alerts.map(({ alert }) => alert).sort();
    expect(named(fires)).toEqual(all);
    expect(named(rests)).toEqual(all.filter((alert) => alert !== "RankstreamWatchdog"));
    expect(new Set(all).size).toBe(all.length);
  });

  it("say how bad it is, what it is and where to read on", () => {
    for (const { alert, labels, annotations } of alerts) {
      expect(severities, alert).toContain(labels?.["severity"]);
      expect(Object.keys(annotations!).sort(), alert).toEqual([
        "description",
        "runbook_url",
        "summary",
      ]);
      expect(annotations!["runbook_url"]).toBe(
        `{{ $externalLabels.runbooks }}#${alert.toLowerCase()}`,
      );
    }
  });
});

describe("docs/runbooks.md", () => {
  const sections = readPage("docs/runbooks.md").split(/^## /m).slice(1);
  const runbooks = sections.filter((section) => section.startsWith("Rankstream"));

  it("has a section for each alert, and for no other", () => {
    const named = runbooks.map((section) => section.split("\n", 1)[0]!);
    expect(named.sort()).toEqual(alerts.map(({ alert }) => alert).sort());
  });

  it("says of each what it means, whom it hurts, what to look at and what to do", () => {
    for (const section of runbooks) {
      const words = [...section.matchAll(/^\*\*(\w+)\*\* \S/gm)].map(([, word]) => word);
      expect(words, section).toEqual(["Means", "Hurts", "Look", "Do"]);
    }
  });
});

describe("Alertmanager's example", () => {
  it("is sound to amtool", () => {
    expect(run("amtool", "check-config", alertmanagerFile)).toContain("SUCCESS");
  });

  const routes: [string, string][] = [
    ["page", "page,page-second-line"],
    ["ticket", "ticket"],
    ["business", "business"],
    ["heartbeat", "heartbeat"],
    ["unheard-of", "ticket"],
  ];
  it.each(routes)("sends severity %s to %s", (severity, receivers) => {
    const labels = [`severity=${severity}`, "alertname=RankstreamAny", "job=rankstream"];
    const args = ["config", "routes", "test", `--config.file=${alertmanagerFile}`, ...labels];
    expect(run("amtool", ...args).split("\n", 1)[0]).toBe(receivers);
  });

  it("holds no secret, and calls receivers on this machine alone", () => {
    const text = stringify(parse(stringify(readYaml(alertmanagerFile))));
    const urls = [...text.matchAll(/url: (\S+)/g)].map(([, url]) => new URL(url!));
    expect(urls.length).toBe(5);
    for (const url of urls) expect([url.hostname, url.username]).toEqual(["127.0.0.1", ""]);
    expect(text).not.toMatch(/password|api_key|routing_key|token/i);
  });

  it("names in its inhibitions only alerts that there are", () => {
    const { inhibit_rules: rules } = readYaml<{
      inhibit_rules: { source_matchers: string[]; target_matchers: string[] }[];
    }>(alertmanagerFile);
    const matchers = rules.flatMap((rule) => [...rule.source_matchers, ...rule.target_matchers]);
    const named = matchers.flatMap((text) => text.match(/Rankstream\w+/g) ?? []);
    const all = new Set(alerts.map(({ alert }) => alert));
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((name) => !all.has(name))).toEqual([]);
  });
});
