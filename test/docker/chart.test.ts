// docker/helm/rankstream: its values against its schema, and what Helm makes of it, where there is
// Helm (HELM_PATH, or on the PATH): else that part says that it didn't run.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { loadConfig } from "../../src/config.ts";
import { findHelm } from "../../tools/services.mjs";
import { root } from "../support/service.ts";
import { readDocker } from "./compose-files.ts";

const chart = join(root, "docker", "helm", "rankstream");
const helmMsMax = 60_000;
const helm = findHelm();
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const values = parse(readDocker("helm/rankstream/values.yaml"));
const keys = "keysSecret=keys";
const everything = [
  keys,
  "redis.secret=redis",
  "kafka.brokers=kafka:9092",
  "kafka.saslSecret=sasl",
  "config.kafkaSasl=plain",
  "config.logBytesMax=8589934592",
  "trustedProxies={10.0.0.0/8}",
  "serviceMonitor.enabled=true",
  "ingress.enabled=true",
  "ingress.host=boards.example.org",
].join(",");

// biome-ignore lint/suspicious/noExplicitAny: a manifest is looked into, whatever it holds.
type Manifest = any;

function runHelm(...args: string[]): { status: number | null; out: string; error: string } {
  const done = spawnSync(helm!, args, { encoding: "utf8", timeout: helmMsMax });
  return { status: done.status, out: done.stdout, error: done.stderr };
}

function template(set: string) {
  return runHelm("template", "demo", chart, "--kube-version", "1.30.0", "--set", set);
}

function rendered(set: string): Manifest[] {
  const { status, out, error } = template(set);
  expect(status, error).toBe(0);
  return parseAllDocuments(out).map((document) => document.toJS());
}

function workloads(manifests: Manifest[]): Manifest[] {
  return manifests.filter(({ kind }) => kind === "StatefulSet" || kind === "Deployment");
}

/** As the service reads it, with files of secrets as what they hold. */
function environmentOf(container: Manifest): Record<string, string> {
  const pairs = container.env.map(({ name, value = "pod" }: Manifest) => {
    const secret = name.includes("REDIS") ? "redis://:x@redis:6379" : "x";
    return name.endsWith("_FILE") ? [name.slice(0, -"_FILE".length), secret] : [name, value];
  });
  expect(new Set(pairs.map(([name]: string[]) => name)).size).toBe(pairs.length);
  return { RANKSTREAM_HOST: "0.0.0.0", ...Object.fromEntries(pairs) };
}

describe("the chart's files", () => {
  const schema = JSON.parse(readDocker("helm/rankstream/values.schema.json"));
  const isValid = new Ajv({ allowUnionTypes: true }).compile(schema);

  it("are of this version", () => {
    const { appVersion, version: own } = parse(readDocker("helm/rankstream/Chart.yaml"));
    expect([appVersion, own]).toEqual([version, version]);
  });

  it("have values that fit their schema, which describes every one of them", () => {
    expect(isValid(values), JSON.stringify(isValid.errors)).toBe(true);
    const described = Object.keys(schema.properties).filter((name) => name !== "global");
    expect(described.sort()).toEqual(Object.keys(values).sort());
    for (const [name, value] of Object.entries(values)) {
      const inner = schema.properties[name].properties;
      if (inner === undefined || name === "podDisruptionBudget") continue;
      expect(Object.keys(inner).sort(), name).toEqual(Object.keys(value as object).sort());
    }
  });

  it("refuse what is misspelt, and secrets among the options", () => {
    for (const wrong of [
      { replicas: 2 },
      { config: { redisUrl: "redis://:x@h:1" } },
      { nodes: { config: { upstreamKey: "x" } } },
      { kafka: { brokers: "kafka" } },
      { image: { digest: "sha256:abc" } },
    ]) {
      expect(isValid(wrong), JSON.stringify(wrong)).toBe(false);
    }
  });
});

describe("what Helm makes of it", () => {
  it("is without a fault", (context) => {
    if (helm === undefined) return context.skip("there is no Helm: set HELM_PATH to one");
    const { status, out, error } = runHelm("lint", chart, "--strict", "--set", keys);
    expect(status, out + error).toBe(0);
  });

  it("wants keys, or to be told that it needs none", (context) => {
    if (helm === undefined) return context.skip("there is no Helm: set HELM_PATH to one");
    const { status, error } = template("");
    expect([status, error]).toEqual([1, expect.stringContaining("set keysSecret")]);
    for (const { spec } of workloads(rendered("openAccess=true"))) {
      const environment = environmentOf(spec.template.spec.containers[0]);
      expect(environment["RANKSTREAM_OPEN_ACCESS"]).toBe("on");
    }
  });

  it.for([keys, everything])("starts processes that can be: %s", (set, context) => {
    if (helm === undefined) return context.skip("there is no Helm: set HELM_PATH to one");
    const manifests = rendered(set);
    const roles: string[] = [];
    for (const { spec, metadata } of workloads(manifests)) {
      const pod = spec.template.spec;
      const [container] = pod.containers;
      const environment = environmentOf(container);
      const { config, warnings } = loadConfig({ environment });
      expect(warnings).toEqual([]);
      roles.push(config.role);
      const graceMs = pod.terminationGracePeriodSeconds * 1000;
      expect(graceMs).toBeGreaterThan(config.drainMs + config.shutdownMsMax);
      expect(container.image).toBe(`rankstream:${version}`);
      expect(spec.selector.matchLabels).toEqual(
        expect.objectContaining({ "app.kubernetes.io/instance": "demo" }),
      );
      const mounted = container.volumeMounts.map(({ name }: Manifest) => name);
      const claimed = (spec.volumeClaimTemplates ?? []).map(
        (claim: Manifest) => claim.metadata.name,
      );
      const declared = [...pod.volumes.map(({ name }: Manifest) => name), ...claimed];
      expect(mounted.sort(), metadata.name).toEqual(declared.sort());
      // Else a Service named rankstream sets RANKSTREAM_PORT to what is no port.
      expect(pod.enableServiceLinks).toBe(false);
    }
    const store = set === keys ? "all" : "ingest,query";
    expect(roles.sort()).toEqual([store, "edge,query"].sort());
  });

  it("confines, asks for health, and lets one node be away", (context) => {
    if (helm === undefined) return context.skip("there is no Helm: set HELM_PATH to one");
    const manifests = rendered(everything);
    for (const { spec } of workloads(manifests)) {
      const pod = spec.template.spec;
      const [container] = pod.containers;
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 10001 });
      expect(pod.automountServiceAccountToken).toBe(false);
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
      expect(container.resources.limits.memory).toMatch(/Gi$/);
      expect(container.livenessProbe.httpGet.path).toBe("/health/live");
      expect(container.readinessProbe.httpGet.path).toBe("/health/ready");
      expect(container.startupProbe).toBeDefined();
    }
    const byKind = (kind: string) => manifests.filter((each) => each.kind === kind);
    const nodes = byKind("Deployment")[0];
    const labels = nodes.spec.template.metadata.labels;
    const budget = byKind("PodDisruptionBudget")[0].spec;
    expect(budget.minAvailable).toBeLessThan(nodes.spec.replicas);
    for (const chosen of [budget.selector.matchLabels, byKind("Service")[0].spec.selector]) {
      expect(labels).toMatchObject(chosen);
    }
    expect(byKind("NetworkPolicy")).toHaveLength(2);
    expect(byKind("ServiceMonitor")).toHaveLength(1);
    expect(byKind("Ingress")).toHaveLength(1);
  });
});
