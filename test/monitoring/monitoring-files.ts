// docker/prometheus, docker/alertmanager and docker/grafana, read; what an expression asks for.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parser } from "@prometheus-io/lezer-promql";
import { parse } from "yaml";
import { root } from "../support/source-tree.ts";

export const prometheusFolder = join(root, "docker", "prometheus");
export const prometheusFile = join(prometheusFolder, "prometheus.yml");
export const alertmanagerFile = join(root, "docker", "alertmanager", "alertmanager.yml");
export const grafanaFolder = join(root, "docker", "grafana");

export interface Rule {
  alert?: string;
  record?: string;
  expr: string;
  for?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

export interface RuleFile {
  groups: { name: string; interval?: string; rules: Rule[] }[];
}

export interface RuleTests {
  tests: {
    name: string;
    alert_rule_test: { alertname: string; exp_alerts: unknown[] }[];
  }[];
}

/** Paths of the YAML files of a folder. */
function yamlFiles(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".yml"))
    .sort()
    .map((name) => join(folder, name));
}

export const ruleFiles = yamlFiles(join(prometheusFolder, "rules"));
export const ruleTestFiles = yamlFiles(join(prometheusFolder, "tests"));

export function readYaml<T>(path: string): T {
  return parse(readFileSync(path, "utf8")) as T;
}

export function allRules(): Rule[] {
  return ruleFiles.flatMap((path) =>
    readYaml<RuleFile>(path).groups.flatMap(({ rules }) => rules),
  );
}

interface Target {
  expr: string;
  legendFormat?: string;
}

export interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: Target[];
}

interface Variable {
  name: string;
  type: string;
  query: string | { query: string };
}

export interface Dashboard {
  uid: string;
  panels: Panel[];
  annotations: { list: { expr?: string }[] };
  templating: { list: Variable[] };
}

export function readDashboard(): Dashboard {
  const path = join(grafanaFolder, "dashboards", "rankstream.json");
  return JSON.parse(readFileSync(path, "utf8")) as Dashboard;
}

/** Every query of the dashboard, with where it is from. */
export function dashboardQueries(): { where: string; expr: string }[] {
  const { panels, annotations } = readDashboard();
  const shown = panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ where: title, expr })),
  );
  const marks = annotations.list.flatMap(({ expr }) =>
    expr === undefined ? [] : [{ where: "annotations", expr }],
  );
  return [...shown, ...marks];
}

/** As Grafana would send it: variables of the dashboard filled in. */
export function filledIn(expr: string): string {
  return expr
    .replaceAll("$__rate_interval", "10s")
    .replaceAll("$job", ".*")
    .replaceAll("$instance", ".*");
}

/** One selector of an expression. */
export interface Selector {
  metric: string;
  matchers: { label: string; operator: string; value: string }[];
}

export interface Asked {
  selectors: Selector[];
  /** Labels by which it groups, joins or leaves out. */
  grouping: string[];
}

/** What an expression asks for. Throws where it can't be read. */
export function askedBy(expr: string): Asked {
  const asked: Asked = { selectors: [], grouping: [] };
  const text = (from: number, to: number) => expr.slice(from, to);
  parser.parse(expr).iterate({
    enter: ({ type, from, to, node }) => {
      if (type.isError) throw new Error(`can't be read at ${from}: ${expr}`);
      if (type.name === "VectorSelector") {
        const name = node.getChild("Identifier");
        if (name === null) throw new Error(`a selector without a name: ${text(from, to)}`);
        asked.selectors.push({ metric: text(name.from, name.to), matchers: [] });
      }
      if (type.name === "UnquotedLabelMatcher") {
        const [label, operator, value] = ["LabelName", "MatchOp", "StringLiteral"].map((part) => {
          const found = node.getChild(part);
          if (found === null) throw new Error(`no ${part}: ${text(from, to)}`);
          return text(found.from, found.to);
        }) as [string, string, string];
        asked.selectors.at(-1)!.matchers.push({ label, operator, value: value.slice(1, -1) });
      }
      if (type.name === "GroupingLabels") {
        for (const label of node.getChildren("LabelName")) {
          asked.grouping.push(text(label.from, label.to));
        }
      }
    },
  });
  return asked;
}
