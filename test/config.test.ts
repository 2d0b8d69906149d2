import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  bytesText,
  ConfigError,
  configNames,
  flagOf,
  loadConfig,
  shownValue,
  variableOf,
} from "../src/config.ts";
import { configOptions } from "../src/config-options.ts";
import { originsOf } from "../src/config-origins.ts";

const folder = mkdtempSync(join(tmpdir(), "rankstream-config-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function fileOf(content: unknown): string {
  files += 1;
  const path = join(folder, `${files}.json`);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

function refusal(sources: Parameters<typeof loadConfig>[0]): string {
  try {
    loadConfig(sources);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  throw new Error("it was taken");
}

describe("the configuration", () => {
  it("has the defaults of the contract", () => {
    const { config, warnings } = loadConfig({});
    expect(config).toMatchObject({
      host: "127.0.0.1",
      port: 8080,
      dataDir: "./rankstream-data",
      role: "all",
      log: "embedded",
      partitions: 4,
      bodyBytesMax: 16_777_216,
      unpackedBytesMax: 67_108_864,
      eventTypesMax: 10_000,
      freshnessWaitMsMax: 50,
    });
    expect(warnings).toEqual([]);
  });

  it("takes flags over variables over the file over defaults", () => {
    const file = fileOf({ port: 1, partitions: 2, workers: 3 });
    const environment = { RANKSTREAM_PORT: "11", RANKSTREAM_PARTITIONS: "12" };
    const { config } = loadConfig({ flags: { port: "21" }, environment, file });
    expect([config.port, config.partitions, config.workers]).toEqual([21, 12, 3]);
    const fromVariable = loadConfig({ environment: { RANKSTREAM_CONFIG: file } });
    expect(fromVariable.config.partitions).toBe(2);
  });

  it("is frozen", () => {
    const { config } = loadConfig({});
    expect(() => {
      (config as { port: number }).port = 1;
    }).toThrow(TypeError);
  });

  it("names flags and variables after the options", () => {
    expect(flagOf("dataDir")).toBe("--data-dir");
    expect(variableOf("dataDir")).toBe("RANKSTREAM_DATA_DIR");
    expect(new Set(configNames.map(variableOf)).size).toBe(configNames.length);
  });

  it("refuses roles that lack something, or have too much", () => {
    const node = { role: "edge,query", upstream: "http://10.0.0.1:8080" };
    expect(loadConfig({ flags: node }).config.upstream).toBe(node.upstream);
    expect(refusal({ flags: { role: "edge,query" } })).toBe(
      "role edge,query: it answers from the service behind it: " +
        "expected --upstream http://host:port, got none",
    );
    expect(refusal({ flags: { ...node, upstream: "10.0.0.1:8080" } })).toContain("got");
    expect(refusal({ flags: { upstream: node.upstream } })).toContain("leave --upstream out");
    const kafka = { log: "kafka", kafkaBrokers: "127.0.0.1:9092,[::1]:9093" };
    for (const role of ["all", "edge", "ingest,query"]) {
      expect(loadConfig({ flags: { ...kafka, role } }).config.role).toBe(role);
    }
    for (const [role, why] of [
      ["ingest", "start with --role ingest,query"],
      ["edge,ingest", "start with --role all"],
      ["query", "expected --upstream http://host:port, got none"],
      ["edge,query", "expected --upstream http://host:port, got none"],
    ] as const) {
      expect(refusal({ flags: { ...kafka, role } }), role).toContain(why);
    }
    expect(refusal({ flags: { role: "ingest,query" } })).toContain("or with --log kafka");
    expect(refusal({ flags: { role: "edge" } })).toContain("expected --log kafka or --upstream");
    const environment = { RANKSTREAM_REDIS_URL: "rediss://a:b@c:1/2" };
    expect(loadConfig({ environment }).config.redisUrl).toContain("c:1");
    const secret = refusal({ environment: { RANKSTREAM_REDIS_URL: "http://user:secret@host" } });
    expect(secret).toBe("redisUrl: expected redis://host:port or rediss://host:port");
  });

  it("takes no secret by a flag, where everybody sees it", () => {
    const secret = "a-secret";
    for (const [flag, value] of [
      ["upstreamKey", secret],
      ["kafkaSaslPassword", secret],
      ["backupS3SecretAccessKey", secret],
      ["redisUrl", `redis://me:${secret}@cache:6379`],
      ["redisUrl", `redis://me:with@${secret}@cache:6379`],
      ["upstream", `http://me:${secret}@store:8080`],
      ["traceHeaders", `authorization=${secret}`],
    ] as const) {
      const message = refusal({ flags: { [flag]: value } });
      expect(message).toContain(`give it as ${variableOf(flag)}_FILE or ${variableOf(flag)}`);
      expect(message).not.toContain(secret);
      const environment = {
        [variableOf(flag)]: value,
        ...(flag === "backupS3SecretAccessKey" && { RANKSTREAM_BACKUP_S3_ACCESS_KEY_ID: "a" }),
        ...(flag === "upstream" && { RANKSTREAM_ROLE: "edge,query" }),
      };
      expect(loadConfig({ environment }).config[flag]).toBe(value);
    }
    expect(loadConfig({ flags: { redisUrl: "redis://cache:6379" } }).config.redisUrl).toBeTruthy();
    expect(shownValue("redisUrl", "redis://me:with@a-secret@cache:1")).toBe(
      "redis://me:***@cache:1",
    );
  });

  it("takes its own defaults from every source", () => {
    for (const name of configNames) {
      const value = configOptions[name].default;
      expect(loadConfig({ flags: { [name]: `${value}` } }).config[name]).toBe(value);
      expect(loadConfig({ file: fileOf({ [name]: value }) }).config[name]).toBe(value);
    }
  });

  it("reads sizes with their units", () => {
    const given = { bodyBytesMax: "2 MiB", unpackedBytesMax: "3mib", ingestBytesMax: "1GiB" };
    const { config } = loadConfig({ flags: given });
    expect(config.bodyBytesMax).toBe(2_097_152);
    expect(config.unpackedBytesMax).toBe(3_145_728);
    expect(config.ingestBytesMax).toBe(1_073_741_824);
  });

  it("reads a variable's value from a file", () => {
    const path = fileOf("127.0.0.2\n");
    const { config, warnings } = loadConfig({ environment: { RANKSTREAM_HOST_FILE: path } });
    expect(config.host).toBe("127.0.0.2");
    expect(warnings).toEqual([]);
    const both = { RANKSTREAM_HOST_FILE: path, RANKSTREAM_HOST: "::1" };
    expect(refusal({ environment: both })).toContain("RANKSTREAM_HOST_FILE are both set");
    const missing = { RANKSTREAM_HOST_FILE: join(folder, "none") };
    expect(refusal({ environment: missing })).toMatch(/RANKSTREAM_HOST_FILE.*ENOENT/);
  });
});

describe("docs/configuration.md", () => {
  it("lists every option with its names and default", () => {
    const path = join(import.meta.dirname, "..", "docs", "configuration.md");
    const rows = readFileSync(path, "utf8")
      .split("\n")
      .filter((line) => line.startsWith("| `"));
    const found = rows.map((row) => {
      const [, name, flag, variable, , fallback, help] = row
        .split(" | ")
        .flatMap((cell, i) => (i === 0 ? ["", cell.slice(2)] : [cell.replace(/ \|$/, "")]));
      return [name, flag, variable, fallback, help].join(" / ");
    });
    const expected = configNames.map((name) => {
      const option = configOptions[name];
      const fallback = option.type === "bytes" ? bytesText(option.default) : option.default;
      const names = [name, flagOf(name), variableOf(name)].map((text) => `\`${text}\``);
      return [...names, fallback, option.help].join(" / ");
    });
    expect(found).toEqual(expected);
  });
});

describe("who may frame the board", () => {
  it.each([
    ["none", "'none'"],
    ["own", "'self'"],
    ["*", "*"],
    ["own, https://a.example", "'self' https://a.example"],
  ])("%s: %s", (embedOrigins, expected) => {
    const { config } = loadConfig({ flags: { embedOrigins } });
    expect(originsOf(config).frameAncestors).toBe(expected);
  });
});

describe("where nobody needs a key", () => {
  it.each(["127.0.0.1", "127.9.9.9", "localhost", "::1", "::ffff:127.0.0.1"])(
    "%s is this machine's own",
    (host) => {
      expect(loadConfig({ flags: { host } }).config.host).toBe(host);
    },
  );

  it.each(["0.0.0.0", "::", "10.0.0.1", "example.org", "1270.0.0.1", "127.0.0.1.example.org"])(
    "%s is refused unless that is meant",
    (host) => {
      const message = refusal({ flags: { host } });
      expect(message).toContain(`host ${host}: others than this machine could reach`);
      expect(message).toMatch(/rankstream keys create.*--access-keys.*--open-access on/);
      for (const flags of [{ openAccess: "on" }, { accessKeys: "keys.json" }]) {
        expect(loadConfig({ flags: { host, ...flags } }).config.host).toBe(host);
      }
    },
  );

  it("is not said beside keys", () => {
    const flags = { openAccess: "on", accessKeys: "keys.json" };
    expect(refusal({ flags })).toContain("openAccess: expected off beside accessKeys");
  });
});

const onKafka = { log: "kafka", kafkaBrokers: "127.0.0.1:9092" };

describe("a configuration that can not be used", () => {
  it.each([
    [{ liveOrigins: "own,example.org" }, "liveOrigins: expected own, or origins such as"],
    [{ embedOrigins: "own,example.org" }, "embedOrigins: expected none, *, own, or origins"],
    [{ embedOrigins: "*,own" }, 'got "*"'],
    [{ liveOrigins: "https://example.org/" }, 'got "https://example.org/"'],
    [{ corsOrigins: "*,shop.example" }, "corsOrigins: expected none, *, or origins such as"],
    [{ port: "65536" }, 'port: expected an integer 0..65535, got "65536" (from --port)'],
    [{ port: "80.5" }, 'got "80.5"'],
    [{ port: "-1" }, 'got "-1"'],
    [{ port: "1e3" }, 'got "1e3"'],
    [{ port: "" }, 'got ""'],
    [{ port: "1KiB" }, 'got "1KiB"'],
    [{ log: "nats" }, 'log: expected one of embedded, kafka, got "nats"'],
    [{ log: "kafka" }, "kafkaBrokers: expected host:port, several by comma, got none"],
    [{ log: "kafka", kafkaBrokers: "kafka://a:9092" }, 'got "kafka://a:9092"'],
    [{ ...onKafka, kafkaTopic: "a b" }, 'and underscores, got "a b"'],
    [{ ...onKafka, kafkaTopic: "a", kafkaDeadLetterTopic: "a" }, "expected another topic"],
    [{ ...onKafka, kafkaSasl: "plain" }, "expected kafkaSaslUsername and -Password"],
    [{ ...onKafka, kafkaTlsCert: "a.pem" }, "expected both or none"],
    [{ trustedProxies: "10.0.0.0/33" }, 'such as 10.0.0.0/8 by comma, got "10.0.0.0/33"'],
    [{ trustedProxies: "0.0.0.0/0" }, 'got "0.0.0.0/0"'],
    [{ trustedProxies: "proxy.example" }, 'got "proxy.example"'],
    [{ allowedHosts: "a.example:80" }, 'names such as boards.example.org by comma, got "a.'],
    [{ httpServer: "uws", connectionsPerAddressMax: "9" }, "of connections: take fastify"],
    [
      { httpServer: "uws", tlsCert: "a.pem", tlsKey: "b.pem", tlsClientCa: "c.pem" },
      "tlsClientCa: uWebSockets.js can't ask for clients' certificates: take fastify",
    ],
    [{ logLevel: "loud" }, "logLevel: expected one of info, debug"],
    [{ host: "" }, 'host: expected text, got ""'],
    [{ bodyBytesMax: "1" }, "expected 1 KiB..1 GiB"],
    [{ bodyBytesMax: "17 MiB", unpackedBytesMax: "16 MiB" }, "must not be less than"],
    [{ ingestBytesMax: "2 MiB" }, "must hold one body"],
    [{ logBytesMax: "16 MiB" }, "must hold two segments"],
  ])("is refused: flags %j", (flags, message) => {
    expect(refusal({ flags })).toContain(message);
  });

  it("says which variable or file it came from", () => {
    expect(refusal({ environment: { RANKSTREAM_PORT: "x" } })).toContain("(from RANKSTREAM_PORT)");
    const file = fileOf({ port: "many" });
    expect(refusal({ file })).toContain(`(from the file ${file})`);
    expect(refusal({ file: fileOf({ port: null }) })).toContain("got null");
    expect(refusal({ file: fileOf({ port: [1] }) })).toContain("got [1]");
  });

  it("suggests the name that was meant", () => {
    expect(refusal({ file: fileOf({ dataDri: "x" }) })).toContain('Did you mean "dataDir"?');
    expect(refusal({ file: fileOf({ "data-dir": "x" }) })).toContain('Did you mean "dataDir"?');
    expect(refusal({ file: fileOf('{"__proto__": 1}') })).toContain('no option "__proto__"');
    const { warnings } = loadConfig({ environment: { RANKSTREAM_PROT: "1", OTHER: "2" } });
    expect(warnings).toEqual([
      'RANKSTREAM_PROT is set, but is no option. Did you mean "RANKSTREAM_PORT"?',
    ]);
  });

  it("is refused where the file is missing or not one object", () => {
    expect(refusal({ file: join(folder, "none.json") })).toContain("ENOENT");
    expect(refusal({ file: fileOf("{") })).toContain("is not JSON");
    expect(refusal({ file: fileOf("[]") })).toContain("must hold one JSON object");
  });
});
