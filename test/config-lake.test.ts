// The options of a store in a lake: what is refused, what they come to, what is never shown.
import { describe, expect, it } from "vitest";
import { ConfigError, hasStore, loadConfig, shownValue, variableOf } from "../src/config.ts";
import { lakePlace } from "../src/config-lake.ts";
import { secretsOf } from "../src/config-secrets.ts";
import { catalogParts, catalogSecrets } from "../src/model-lake.ts";
import { Redactor } from "../src/telemetry-redaction.ts";

const data = "s3://events/lake";
const store = "ducklake:postgres:host=db port=5433 dbname=lake user=me";
const kafka = { log: "kafka", kafkaBrokers: "127.0.0.1:9092" };

function refusal(flags: Record<string, string>): string {
  try {
    loadConfig({ flags });
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  throw new Error("it was taken");
}

function ofEnvironment(options: Record<string, string>) {
  const named = Object.entries(options).map(([name, value]) => [variableOf(name), value]);
  return loadConfig({ environment: Object.fromEntries(named) }).config;
}

describe("the place of a lake", () => {
  it("is nowhere by default", () => {
    expect(lakePlace(loadConfig({}).config)).toBe(null);
  });

  it("is the catalog, its schema, and files in a bucket or a folder", () => {
    const place = lakePlace(
      ofEnvironment({
        store: "ducklake:postgres:postgres://me:s3cret@db/lake",
        storeSchema: "ranks_2",
        data,
        dataS3Endpoint: "http://127.0.0.1:7071",
        dataS3AccessKeyId: "id",
        dataS3SecretAccessKey: "key",
        extensionDirectory: "/opt/extensions",
      }),
    );
    expect(place).toEqual({
      catalog: "postgres://me:s3cret@db/lake",
      schema: "ranks_2",
      dataPath: data,
      s3: {
        endpoint: "http://127.0.0.1:7071",
        region: null,
        credentials: { accessKeyId: "id", secretAccessKey: "key" },
      },
      extensionDirectory: "/opt/extensions",
    });
    const inFolder = lakePlace(loadConfig({ flags: { store, data: "/mnt/lake" } }).config);
    expect(inFolder).toMatchObject({ schema: "rankstream", dataPath: "/mnt/lake", s3: null });
  });

  it.each([
    [{ store: "duckdb" }, "store: expected local or ducklake:postgres:<address of Post"],
    [{ store: "ducklake:sqlite:a.db", data }, 'got "ducklake:sqlite…"'],
    [{ store: "ducklake:postgres:", data }, "expected an address of PostgreSQL such as host=db"],
    [{ store: "ducklake:postgres:lake", data }, "character 0 begins something else"],
    [{ store: `${store} 'x`, data }, "expected key=value by spaces"],
    [{ store: `${store} hots=b`, data }, "expected keys of host, port"],
    [{ store: `${store} hots=b`, data }, "got hots"],
    [{ store: "ducklake:postgres:host=a,b", data }, "expected one host"],
    [{ store: "ducklake:postgres:host=a port=0", data }, "expected a port 1..65535"],
    [{ store: "ducklake:postgres:host=a sslmode=on", data }, "expected sslmode of disable, pre"],
    [{ store: "ducklake:postgres:host=a sslkey=k", data }, "expected sslcert and sslkey"],
    [{ store: "ducklake:postgres:postgres://a:b:c/d", data }, "expected postgres://user@host"],
    [{ store: "ducklake:postgres:postgres://h/d?ssl=on", data }, "got ssl"],
    [{ store }, "an absolute folder beside --store ducklake:…, got none"],
    [
      { store, data: "lake" },
      'data: expected s3://bucket/prefix or an absolute folder, got "lake"',
    ],
    [{ store, data: "gs://events" }, 'got "gs://events"'],
    [{ store, data: "s3://B" }, 'got "s3://B"'],
    [{ store, data, backupTo: "/b" }, "backupTo: expected none beside --store ducklake:…"],
    [{ data }, "data: expected none beside --store local"],
    [{ storeSchema: "Ranks" }, "storeSchema: expected a name of lower-case letters"],
    [{ storeSchema: `a${"b".repeat(63)}` }, "storeSchema: expected"],
    [{ dataS3Endpoint: "db:7071" }, 'dataS3Endpoint: expected http://host:port, got "db:7071"'],
    [{ dataS3AccessKeyId: "id" }, "dataS3AccessKeyId and dataS3SecretAccessKey: expected both"],
  ])("is refused: %j", (flags, message) => {
    expect(refusal(flags)).toContain(message);
  });
});

describe("roles over a lake", () => {
  const lake = { store, data };

  it("may each run apart, and more than once, over Kafka", () => {
    const roles = ["all", "edge", "ingest", "query", "edge,query", "edge,ingest", "ingest,query"];
    for (const role of roles) {
      const { config } = loadConfig({ flags: { ...lake, ...kafka, role } });
      expect(hasStore(config), role).toBe(role !== "edge");
    }
    expect(hasStore(loadConfig({ flags: lake }).config)).toBe(true);
    const node = { role: "edge,query", upstream: "http://a:1" };
    expect(hasStore(loadConfig({ flags: node }).config)).toBe(false);
  });

  it("are of one process where the log is", () => {
    for (const role of ["ingest", "query", "edge,ingest", "edge,query", "ingest,query"]) {
      expect(refusal({ ...lake, role }), role).toContain("the embedded log is of one process");
    }
    expect(refusal({ ...lake, role: "edge" })).toContain("expected --log kafka or --upstream");
  });

  it("take no upstream where they have the store", () => {
    const led = { ...lake, ...kafka, upstream: "http://a:1" };
    expect(refusal({ ...led, role: "query" })).toContain("or start with --role edge");
    expect(loadConfig({ flags: { ...led, role: "edge" } }).config.role).toBe("edge");
  });

  it("are told of it where a local store can't do it", () => {
    expect(refusal({ ...kafka, role: "ingest" })).toContain("share a store by --store ducklake:");
  });
});

describe("a catalog's address", () => {
  it.each([
    ["host=db", { host: "db" }],
    [" host = db  dbname='two words' ", { host: "db", dbname: "two words" }],
    [String.raw`password='it\'s \\'`, { password: String.raw`it's \ `.trim() }],
    [String.raw`password=a\ b user=''`, { password: "a b", user: "" }],
    ["postgres:///lake", { dbname: "lake" }],
    [
      "postgresql://me:p%40ss@[::1]:5433/lake?sslmode=require&application_name=x",
      {
        host: "::1",
        port: "5433",
        dbname: "lake",
        user: "me",
        password: "p@ss",
        sslmode: "require",
        application_name: "x",
      },
    ],
  ])("is read: %s", (catalog, parts) => {
    expect(catalogParts(catalog)).toEqual(parts);
  });

  const withSecrets = [
    ["host=db password=s3cret user=me", ["s3cret"]],
    ["host=db password = 's3cret a' user=me", ["s3cret a"]],
    [String.raw`password='s3cret\'a' host=db`, [String.raw`s3cret\'a`, "s3cret'a"]],
    ["password=s3cret&a host=db", ["s3cret&a"]],
    ["postgres://me:s3cret%40a@db:5433/lake", ["s3cret%40a", "s3cret@a"]],
    ["postgres://me@db/lake?password=s3cret%40a&sslmode=require", ["s3cret%40a", "s3cret@a"]],
  ] as const;

  it.each(withSecrets)("keeps its password: %s", (catalog, secrets) => {
    expect(catalogSecrets(catalog).toSorted()).toEqual([...secrets].toSorted());
    const given = `ducklake:postgres:${catalog}`;
    const shown = shownValue("store", given);
    expect(shown).toMatch(/^ducklake:postgres:.*\*\*\*/);
    expect(shown).not.toMatch(/s3cret|@a|'a/);
    const config = ofEnvironment({ store: given, data });
    expect(secretsOf(config)).toEqual(expect.arrayContaining([...secrets]));
    const redactor = new Redactor(secretsOf(config));
    expect(redactor.text(`Unable to connect to Postgres at "${catalog}"`)).not.toContain("s3cret");
    // By its look, where nobody said what to hide.
    expect(new Redactor().text(`at "${catalog.replace(" = ", "=")}"`)).not.toContain("s3cret");
    const message = refusal({ store: given, data });
    expect(message).toContain("give it as RANKSTREAM_STORE_FILE or RANKSTREAM_STORE");
    expect(message).not.toContain("s3cret");
  });

  it.each([
    "host=db password=s3cret 's3cret",
    "host=db password='s3cret",
    "host=db pasword=s3cret",
    "host=db password=s3cret s3cret",
    "postgres://me:s3cret:a@db:x/lake",
    "postgres://me:s3cret@db/lake/s3cret",
    "password=s3cret sslmode=s3cret",
  ])("is refused without showing it: %s", (catalog) => {
    for (const scheme of ["ducklake:postgres:", "ducklake:mysql:"]) {
      const environment = { RANKSTREAM_STORE: `${scheme}${catalog}`, RANKSTREAM_DATA: data };
      let message = "";
      try {
        loadConfig({ environment });
      } catch (error) {
        message = (error as Error).message;
      }
      expect(message).toContain("store: ");
      expect(message).not.toContain("s3cret");
    }
  });
});
