// What brings the services says in seconds what is missing, and finds each where it may be.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root, temporaryFolder } from "./service.ts";

const checkMsMax = 10_000;

function check(env: Record<string, string>) {
  const program = join(root, "tools", "services.mjs");
  const done = spawnSync(process.execPath, [program, "--check"], {
    env: { PATH: "", HOME: temporaryFolder(), ...env },
    encoding: "utf8",
    timeout: checkMsMax,
  });
  const line = (name: string) => done.stdout.split("\n").find((text) => text.startsWith(name));
  return { status: done.status, stderr: done.stderr, line };
}

/** A folder with programs that only print. */
function programs(texts: Record<string, string>): string {
  const folder = temporaryFolder();
  for (const [name, text] of Object.entries(texts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

function java(version: string): string {
  return `echo 'openjdk version "${version}" 2025-04-15' >&2`;
}

/** A Kafka as it is unpacked, all of it empty. */
function unpackedKafka(): string {
  const home = temporaryFolder();
  for (const folder of ["bin", "libs"]) mkdirSync(join(home, folder));
  writeFileSync(join(home, "bin", "kafka-server-start.sh"), "", { mode: 0o755 });
  return home;
}

describe("npm run test:services -- --check", () => {
  it("names what is missing, and what to do", () => {
    const { status, stderr, line } = check({});
    expect(status).toBe(1);
    for (const name of ["Redis", "Kafka", "kcat"]) expect(line(name)).toContain("missing");
    expect(stderr).toMatch(/To get Kafka:\n {2}Java 17 or newer is missing\n.*\n {2}Maven is/s);
    expect(stderr).toContain("apt-get install -y kcat");
  });

  it("takes a broker's address at its word", () => {
    expect(check({ KAFKA_BROKERS: "broker:9092" }).line("Kafka")).toContain("broker:9092");
  });

  it("finds an unpacked Kafka by KAFKA_HOME and by PATH, with a Java that is new enough", () => {
    const home = unpackedKafka();
    const path = programs({ java: java("17.0.15") });
    const found = check({ PATH: path, KAFKA_HOME: home });
    expect(found.line("Kafka")).toBe(`Kafka: ${join(home, "libs")} with ${join(path, "java")}`);
    const both = `${path}:${join(home, "bin")}`;
    expect(check({ PATH: both }).line("Kafka")).toContain(join(home, "libs"));
    const old = check({ PATH: programs({ java: java("11.0.2") }), KAFKA_HOME: home });
    expect(old.line("Kafka")).toContain("missing");
    expect(old.stderr).toContain("Java 17 or newer is missing");
    expect(old.stderr).not.toContain("Maven is missing");
  });

  it("finds kept jars, and what could fetch or replace them", () => {
    const cache = temporaryFolder();
    const tools = { java: java("21"), mvn: "", podman: "" };
    const env = { PATH: programs(tools), RANKSTREAM_TEST_CACHE: cache };
    const before = check(env);
    expect(before.line("Kafka")).toContain("missing");
    expect(before.stderr).toContain("npm run test:services fetches them");
    expect(before.stderr).toMatch(/podman run -d -p 9092:9092 apache\/kafka:4/);
    mkdirSync(join(cache, "kafka-4.4.0-with-tools"));
    writeFileSync(join(cache, "kafka-4.4.0-with-tools", "kafka_2.13-4.4.0.jar"), "");
    expect(check(env).line("Kafka")).toContain(join(cache, "kafka-4.4.0-with-tools"));
  });
});
