// docker/compose*.yaml: every option is one, nothing is reachable that need not be, no secret
// stands in them. What docker/compose.growth.yaml starts is tried by failover.test.ts.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { configNames, loadConfig, variableOf } from "../../src/config.ts";
import { lakePlace } from "../../src/config-lake.ts";
import { configOptions } from "../../src/config-options.ts";
import { root } from "../support/service.ts";
import { type ComposeService, composeNames, readCompose, readDocker } from "./compose-files.ts";

const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const ownImage = `rankstream:${version}`;
const secretNames = configNames.filter((name) => {
  return "isSecret" in configOptions[name] || ["redisUrl", "store"].includes(name);
});

/** What the service would read, with files of secrets as what they hold. */
function environmentOf({ environment = {} }: ComposeService): Record<string, string> {
  const contents: Record<string, string> = {
    redis_url: "redis://:x@redis:6379",
    store_address: "ducklake:postgres:host=postgres password=x",
  };
  const pairs = Object.entries(environment).map(([name, value]) => {
    if (!name.endsWith("_FILE")) return [name, value];
    return [name.slice(0, -"_FILE".length), contents[value.split("/").at(-1)!] ?? "x"];
  });
  return { RANKSTREAM_HOST: "0.0.0.0", ...Object.fromEntries(pairs) };
}

function millisecondsOf(duration: unknown): number {
  const [, seconds] = /^(\d+)s$/.exec(String(duration)) ?? [];
  return Number(seconds) * 1000;
}

describe.each(composeNames)("docker/%s", (name) => {
  const compose = readCompose(name);
  const services = Object.entries(compose.services);
  const own = services.filter(([, { image }]) => image.startsWith("rankstream:"));

  it("names images by version, our own by this one", () => {
    for (const [, { image }] of services) {
      // PostgreSQL's versions have two numbers.
      expect(image).toMatch(/^[\w./-]+:v?\d+\.\d+(\.\d+)?(-alpine)?$/);
    }
    expect(own.map(([, { image }]) => image)).toEqual(own.map(() => ownImage));
    const builds = services.filter(([, { build }]) => build !== undefined);
    expect(builds).toHaveLength(1);
    expect(existsSync(join(root, "docker", builds[0]![1].build!.context, ".dockerignore"))).toBe(
      true,
    );
    expect(existsSync(join(root, builds[0]![1].build!.dockerfile))).toBe(true);
  });

  it("sets options that there are, to values that go together", () => {
    for (const [, service] of own) {
      const environment = environmentOf(service);
      const { warnings, config } = loadConfig({ environment });
      expect(warnings).toEqual([]);
      expect(config.accessKeys).toBe("/etc/rankstream/keys.json");
      if (service["profiles"] !== undefined) continue;
      expect(service.command).toEqual(["start"]);
      const graceMs = millisecondsOf(service["stop_grace_period"]);
      expect(graceMs).toBeGreaterThan(config.drainMs + config.shutdownMsMax);
    }
  });

  it("has no secret in it, and a script that makes those it names", () => {
    const script = readDocker("make-secrets.sh");
    for (const [, { environment = {}, secrets = [] }] of services) {
      for (const variable of Object.keys(environment)) {
        if (/PASSWORD|TOKEN/.test(variable)) expect(variable).toMatch(/_FILE$/);
        expect(secretNames.map(variableOf)).not.toContain(variable);
      }
      for (const path of Object.values(environment)) {
        if (!path.startsWith("/run/secrets/")) continue;
        expect(secrets).toContain(path.slice("/run/secrets/".length));
      }
      for (const secret of secrets) expect(Object.keys(compose.secrets!)).toContain(secret);
    }
    for (const { file } of Object.values(compose.secrets ?? {})) {
      const made = file.replace(/^\.\//, "").replace(/(\w+)-key$/, "$1-key");
      const key = /^secrets\/(\w+)-key$/.exec(made)?.[1];
      expect(script).toContain(key === undefined ? made : `\nkey ${key} `);
    }
    expect(readFileSync(join(root, ".gitignore"), "utf8")).toContain("docker/secrets/");
  });

  it("lets each do no more than it needs", () => {
    for (const [service, options] of services) {
      expect(options["cap_drop"], service).toEqual(["ALL"]);
      expect(options["security_opt"], service).toEqual(["no-new-privileges:true"]);
      expect(options["mem_limit"], service).toMatch(/^\d+[mg]$/);
      expect(options["pids_limit"], service).toBeGreaterThan(0);
      // Redpanda writes its own configuration.
      if (service !== "redpanda") expect(options["read_only"], service).toBe(true);
      expect(options["privileged"] ?? options["cap_add"], service).toBeUndefined();
    }
  });

  it("publishes ports on this machine alone, and keeps the rest among themselves", () => {
    const published = services.filter(([, { ports = [] }]) => ports.length > 0);
    for (const [service, { ports = [], networks }] of services) {
      for (const port of ports) expect(port, service).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
      if (compose.networks === undefined || networks === undefined) continue;
      if (ports.length === 0) expect(networks, service).toEqual(["inside"]);
    }
    expect(published.length).toBeGreaterThan(0);
    if (compose.networks === undefined) return;
    expect(compose.networks["inside"]?.internal).toBe(true);
    for (const [service, { networks, network_mode }] of services) {
      expect(networks?.[0] ?? network_mode, service).toBeDefined();
    }
  });

  it("mounts files that there are, and volumes that it declares", () => {
    for (const [service, { volumes = [], depends_on = [] }] of services) {
      for (const mount of volumes) {
        const [source] = mount.split(":");
        // Fetched first, by a line of the file's head.
        if (source === "./duckdb-extensions") continue;
        if (source!.startsWith(".")) {
          expect(existsSync(join(root, "docker", source!)), `${service}: ${source}`).toBe(true);
        } else expect(Object.keys(compose.volumes!)).toContain(source);
      }
      const needed = Array.isArray(depends_on) ? depends_on : Object.keys(depends_on);
      for (const other of needed) expect(Object.keys(compose.services)).toContain(other);
    }
  });
});

it("trusts what stands in the network of the containers, and no others", () => {
  for (const name of composeNames.slice(1)) {
    const { services, networks } = readCompose(name);
    const inside = networks!["inside"] as { ipam: { config: { subnet: string }[] } };
    for (const { environment = {} } of Object.values(services)) {
      const trusted = environment["RANKSTREAM_TRUSTED_PROXIES"];
      if (trusted !== undefined) expect(trusted).toBe(inside.ipam.config[0]!.subnet);
    }
  }
});

it("has the nodes that haproxy.cfg sends to, at its port", () => {
  const config = readDocker("haproxy/haproxy.cfg");
  const servers = [...config.matchAll(/^ {2}server (\w+) (\w+):(\d+)$/gm)];
  expect(servers.map(([, , host]) => host)).toEqual(["node1", "node2"]);
  for (const [, , , port] of servers) expect(Number(port)).toBe(configOptions.port.default);
  const bound = /^ {2}bind :(\d+)$/m.exec(config)![1];
  for (const name of composeNames.slice(1)) {
    const { services } = readCompose(name);
    expect(Object.keys(services)).toEqual(expect.arrayContaining(["node1", "node2"]));
    expect(services["haproxy"]!.ports![0]!.split(":").at(-1)).toBe(bound);
  }
});

it("has lakes that every process finds at one place, counted by two and answered by two", () => {
  const { services } = readCompose("compose.lake.yaml");
  const places = Object.entries(services).flatMap(([name, service]) => {
    if (!/^(ingest|node)\d$/.test(name)) return [];
    const { config } = loadConfig({ environment: environmentOf(service) });
    const { catalog, dataPath, extensionDirectory } = lakePlace(config)!;
    for (const folder of [dataPath, extensionDirectory]) {
      expect(service.volumes!.map((mount) => mount.split(":")[1])).toContain(folder);
    }
    return [[config.role, catalog, dataPath].join(" ")];
  });
  const place = "host=postgres password=x /lake";
  const roles = ["edge,query", "edge,query", "ingest", "ingest"];
  expect(places.toSorted()).toEqual(roles.map((role) => `${role} ${place}`));
  // A volume that is new takes its owner from the image.
  expect(readDocker("Dockerfile")).toMatch(/install -d -o 10001 .* \/lake /);
});

it("has what Prometheus and Grafana ask, under their names", () => {
  const { services } = readCompose("compose.scale.yaml");
  const jobs = parse(readDocker("prometheus/prometheus.yml"));
  const targets = jobs.scrape_configs.flatMap((job: { static_configs: { targets: string[] }[] }) =>
    job.static_configs.flatMap((each) => each.targets),
  );
  const alertmanagers = jobs.alerting.alertmanagers[0].static_configs[0].targets;
  const { datasources } = parse(readDocker("grafana/provisioning/datasources/prometheus.yml"));
  const hosts = [...targets, ...alertmanagers].map((target: string) => target.split(":")[0]);
  const asked = [...hosts, new URL(datasources[0].url).hostname];
  for (const host of asked.filter((name) => name !== "localhost")) {
    expect(Object.keys(services)).toContain(host);
  }
  expect(asked).toEqual(expect.arrayContaining(["store", "node1", "node2", "alertmanager"]));
  const [own] = jobs.scrape_configs;
  const [, secret] = /^\/run\/secrets\/(\w+)$/.exec(own.authorization.credentials_file)!;
  expect(services["prometheus"]!.secrets).toContain(secret);
});
