/** Every option of the service, with its bounds: one table. */

interface OptionBase {
  help: string;
}
interface TextOption extends OptionBase {
  type: "text";
  default: string;
  /** Never shown. */
  isSecret?: boolean;
}
export interface ChoiceOption<T extends string> extends OptionBase {
  type: "choice";
  default: T;
  choices: readonly T[];
}
export interface NumberOption extends OptionBase {
  /** `bytes` also takes KiB, MiB and GiB. */
  type: "integer" | "bytes";
  default: number;
  min: number;
  max: number;
}
export type ConfigOption = TextOption | ChoiceOption<string> | NumberOption;

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

const text = (fallback: string, help: string): TextOption => ({
  type: "text",
  default: fallback,
  help,
});
const choice = <const T extends string>(choices: readonly [T, ...T[]], help: string) =>
  ({ type: "choice", default: choices[0], choices, help }) satisfies ChoiceOption<T>;
const integer = (fallback: number, min: number, max: number, help: string): NumberOption => ({
  type: "integer",
  default: fallback,
  min,
  max,
  help,
});
const bytes = (fallback: number, min: number, max: number, help: string): NumberOption => ({
  type: "bytes",
  default: fallback,
  min,
  max,
  help,
});

const dayMs = 86_400_000;

/** Every option, by the name it has in the file; flags and variables are made from it. */
export const configOptions = Object.freeze({
  host: text("127.0.0.1", "Address to listen on; 0.0.0.0 for all of this machine's."),
  port: integer(8080, 0, 65_535, "Port to listen on; 0 takes a free one."),
  httpServer: choice(["fastify", "uws"], "What takes HTTP; uws needs uWebSockets.js."),
  dataDir: text("./rankstream-data", "Folder of the log and the store; made where missing."),
  role: choice(
    ["all", "edge", "query", "ingest", "edge,query", "edge,ingest", "ingest,query"],
    "What this process does: takes events, counts them, answers.",
  ),
  upstream: text("none", "Of a node without a store: the service behind it, http(s)://host:port."),
  upstreamCa: text("none", "PEM file of who signed the upstream's certificate."),
  upstreamClientCert: text("none", "PEM file of this node's own certificate for the upstream."),
  upstreamClientKey: text("none", "PEM file of its key."),
  store: text(
    "local",
    "Where counts are kept: local, in dataDir; or ducklake:postgres:<address of PostgreSQL>.",
  ),
  storeSchema: text("rankstream", "Of a lake: the schema of its catalog in PostgreSQL."),
  data: text("none", "Of a lake: where its files go, s3://bucket/prefix or an absolute folder."),
  dataS3Endpoint: text("none", "Of another server than AWS's: http://host:port."),
  dataS3Region: text("none", "Region of the lake's bucket; none: as AWS's own variables say."),
  dataS3AccessKeyId: text("none", "Key of that bucket; none: whatever AWS's own rules find."),
  dataS3SecretAccessKey: {
    ...text("none", "Its secret; best given as RANKSTREAM_DATA_S3_SECRET_ACCESS_KEY_FILE."),
    isSecret: true,
  },
  extensionDirectory: text(
    "./duckdb-extensions",
    "Of a lake: folder of DuckDB's extensions, which npm run extensions fetches.",
  ),
  log: choice(["embedded", "kafka"], "Where accepted events are kept until counted."),
  partitions: integer(4, 1, 256, "Parts the log is split into; fixed by the first start."),
  kafkaBrokers: text("none", "Brokers of Kafka or Redpanda, by comma: host:port."),
  kafkaTopic: text("rankstream-events", "Topic of the events; made where missing."),
  kafkaDeadLetterTopic: text(
    "own",
    "Topic of records that are no events; own: named after the topic; none: not kept.",
  ),
  kafkaClientId: text("rankstream", "What the brokers know this process as."),
  kafkaReplication: integer(0, 0, 15, "Copies of a topic made here; 0: three, or one a broker."),
  kafkaRetentionHours: integer(168, 1, 87_600, "How long a topic made here keeps records."),
  kafkaCompression: choice(
    ["lz4", "none", "gzip", "snappy", "zstd"],
    "How records are packed on their way to the brokers.",
  ),
  kafkaTls: choice(["off", "on"], "Whether the brokers are spoken to over TLS."),
  kafkaTlsCa: text("none", "PEM file of who signed the brokers' certificates."),
  kafkaTlsCert: text("none", "PEM file of this process's own certificate."),
  kafkaTlsKey: text("none", "PEM file of its key."),
  kafkaSasl: choice(
    ["none", "plain", "scram-sha-256", "scram-sha-512"],
    "How this process says who it is.",
  ),
  kafkaSaslUsername: text("none", "Its name there."),
  kafkaSaslPassword: {
    ...text("none", "Its password; best given as RANKSTREAM_KAFKA_SASL_PASSWORD_FILE."),
    isSecret: true,
  },
  kafkaSessionTimeoutMs: integer(
    10_000,
    1000,
    300_000,
    "Silence after which the group gives a reader's partitions to others.",
  ),
  kafkaAppendTimeoutMs: integer(
    10_000,
    500,
    300_000,
    "Longest time an append may take; then 503.",
  ),
  kafkaStallMsMax: integer(
    60_000,
    1000,
    3_600_000,
    "A partition that stands still so long while it has records: its readers start anew.",
  ),
  workers: integer(1, 1, 64, "Threads that count events."),
  bodyBytesMax: bytes(16 * MiB, KiB, GiB, "Largest body of a POST, as sent."),
  unpackedBytesMax: bytes(64 * MiB, KiB, GiB, "Largest body of a POST, unpacked."),
  ingestBytesMax: bytes(256 * MiB, MiB, 64 * GiB, "Bodies held at once; beyond: 503."),
  eventTypesMax: integer(10_000, 1, 1_000_000, "Distinct event types; beyond: refused."),
  candidatesMax: integer(4000, 1, 100_000, "Items listed a window and event type."),
  checkpointMs: integer(
    1000,
    10,
    60_000,
    "Longest time between checkpoints; five times as long while nobody asks for anything.",
  ),
  checkpointBytesMax: bytes(128 * MiB, MiB, 4 * GiB, "Log bytes counted between checkpoints."),
  sealIntervalMs: integer(1000, 10, 3_600_000, "How often windows are looked at for sealing."),
  sealQuietMs: integer(5000, 0, dayMs, "An hour, day or month seals after so long without news."),
  coarsenAfterMs: integer(
    3_600_000,
    0,
    dayMs,
    "Windows finer than their type's aggregationWindow stay so long after their use.",
  ),
  sealedSketches: choice(["on", "off"], "Closer bounds for items off the windows' lists."),
  openMinuteEventsMin: integer(
    200_000,
    0,
    1e9,
    "Events that make a running minute's sketch answer.",
  ),
  storeMemoryBytesMax: bytes(
    512 * MiB,
    64 * MiB,
    1024 * GiB,
    "Memory the store's DuckDB may take.",
  ),
  freshnessWaitMsMax: integer(50, 0, 10_000, "How long an answer waits for what came before it."),
  exactTimeoutMs: integer(5000, 10, 600_000, "Longest time a query may take."),
  metrics: choice(["on", "off"], "Whether numbers are measured and served at /metrics."),
  metricsIntervalMs: integer(
    60_000,
    1000,
    3_600_000,
    "How often the service's own numbers are kept.",
  ),
  metricsRetentionDays: integer(7, 0, 365, "How long they are kept; 0: not at all."),
  cacheBytesMax: bytes(64 * MiB, 0, 64 * GiB, "Memory for kept answers; 0 keeps none."),
  redisUrl: text("none", "Redis that nodes share kept answers in: redis://host:port."),
  redisTimeoutMs: integer(50, 1, 5000, "How long a question waits for Redis."),
  cacheStoreBytesMax: bytes(64 * MiB, 0, GiB, "Answers about the past kept over restarts."),
  cacheFarMsMin: integer(20, 0, 60_000, "Answers made sooner are kept in memory only."),
  exactQueueMax: integer(64, 1, 10_000, "Exact questions waiting for their turn; beyond: jobs."),
  personalMetadataKeys: text("none", "Metadata keys, by comma, that go when a user is erased."),
  jobsMax: integer(100, 1, 10_000, "Jobs known at once, also those that are done; beyond: 503."),
  jobTimeoutMs: integer(600_000, 10, dayMs, "Longest time a job may run."),
  jobResultTtlMs: integer(3_600_000, 100, 7 * dayMs, "How long a job is known after its end."),
  logBytesMax: bytes(8 * GiB, 16 * MiB, 1024 * GiB, "Size of the log; beyond: 503."),
  logSegmentBytes: bytes(256 * MiB, MiB, 4 * GiB, "Size of one file of the log."),
  logQueueBytesMax: bytes(64 * MiB, MiB, 4 * GiB, "Batches waiting to be written; beyond: 503."),
  accessKeys: text("none", "File of the API keys; where there is one, nothing is asked without."),
  oidcIssuer: text(
    "none",
    "Whose tokens are taken as keys are: an OpenID Connect issuer, https://…",
  ),
  oidcAudience: text("none", "What the tokens must be issued for: their aud."),
  oidcJwksUrl: text("discovered", "Where the issuer's keys are, unless it says so itself."),
  oidcScopeClaim: text("scope", "The claim that names scopes; a path by dots where it is deeper."),
  oidcTypesClaim: text(
    "rankstream_event_types",
    "The claim that names event types, * for any text; tokens without it are for all.",
  ),
  oidcClockToleranceSeconds: integer(30, 0, 300, "How far the issuer's clock may be off."),
  openAccess: choice(
    ["off", "on"],
    "Whether to listen beyond this machine although nobody needs a key.",
  ),
  upstreamKey: {
    ...text("none", "A node's key at its upstream; best given as RANKSTREAM_UPSTREAM_KEY_FILE."),
    isSecret: true,
  },
  region: text("none", "This region's name among several; none: there is but one."),
  regionPeers: text(
    "none",
    "The other regions, by comma: name=https://host, or name=lost, which is not asked any more.",
  ),
  regionKey: {
    ...text("none", "This region's key at the others; best given as RANKSTREAM_REGION_KEY_FILE."),
    isSecret: true,
  },
  regionCa: text("none", "PEM file of who signed the other regions' certificates."),
  regionIntervalMs: integer(5000, 200, 3_600_000, "How often each other region is asked."),
  regionLagMsMax: integer(
    120_000,
    1000,
    7 * dayMs,
    "Answers are partial without a region that lags further behind.",
  ),
  backupTo: text("none", "Where backups go: a folder, or s3://bucket/prefix; none: nowhere."),
  backupS3Endpoint: text("none", "Of another server than AWS's: http://host:port."),
  backupS3Region: text("none", "Region of the bucket; none: as AWS's own variables say."),
  backupS3AccessKeyId: text("none", "Key of the bucket; none: whatever AWS's own client finds."),
  backupS3SecretAccessKey: {
    ...text("none", "Its secret; best given as RANKSTREAM_BACKUP_S3_SECRET_ACCESS_KEY_FILE."),
    isSecret: true,
  },
  backupIntervalMs: integer(
    21_600_000,
    0,
    30 * dayMs,
    "From one backup of the store to the next; 0: only when asked for.",
  ),
  backupKeep: text(
    "last=3,hourly=24,daily=14,weekly=8,monthly=12",
    "Backups kept: so many newest ones, and the newest of so many hours, days, weeks, months.",
  ),
  backupLogIntervalMs: integer(10_000, 100, 3_600_000, "How often the log is backed up."),
  backupLogDays: integer(7, 0, 3650, "Any moment of so many days can be restored."),
  backupLogLagBytesMax: bytes(
    4 * GiB,
    MiB,
    1024 * GiB,
    "So much of the log waits for its backup; beyond, it is freed without.",
  ),
  liveOrigins: text("own", "Origins, by comma, whose pages may open /live beside the own."),
  corsOrigins: text(
    "none",
    "Origins, by comma, whose pages may send events, ask and open /live; *: all.",
  ),
  embedOrigins: text(
    "none",
    "Who may frame the board (/?embed=1): none, *, own, origins by comma.",
  ),
  tlsCert: text("none", "PEM file of the service's certificate and those above it: https://."),
  tlsKey: text("none", "PEM file of its key."),
  tlsClientCa: text("none", "PEM file of who signs clients' certificates; then they need one."),
  allowedHosts: text(
    "auto",
    "Names, by comma, it may be asked under; auto: any, but on loopback localhost alone.",
  ),
  trustedProxies: text(
    "none",
    "Proxies, addresses or ranges by comma, whose X-Forwarded-For, -Proto and -Host are believed.",
  ),
  requestsPerSecondMax: integer(
    0,
    0,
    1_000_000,
    "Requests a second of one key, or one address where nobody has a key; 0: any number.",
  ),
  eventsPerSecondMax: integer(0, 0, 1e9, "Events a second of the same; 0: any number."),
  eventsPerDayMax: integer(0, 0, 1e12, "Events a day (UTC) of the same; 0: any number."),
  streamsPerCallerMax: integer(
    0,
    0,
    1_000_000,
    "Live boards, tails and exports open at once of the same; 0: any number.",
  ),
  wrongKeysPerMinuteMax: integer(
    20,
    1,
    100_000,
    "Wrong keys a minute of one address; beyond: 429.",
  ),
  connectionsPerAddressMax: integer(
    0,
    0,
    1_000_000,
    "Connections held at once of one address that is no trusted proxy; 0: any number.",
  ),
  connectionsMax: integer(10_000, 1, 1_000_000, "Connections held at once."),
  requestTimeoutMs: integer(30_000, 100, dayMs, "How long a request may take to arrive."),
  shutdownMsMax: integer(10_000, 100, 600_000, "How long a stop may take."),
  drainMs: integer(
    0,
    0,
    300_000,
    "How long before a stop the process says it isn't ready, and goes on all the same.",
  ),
  logLevel: choice(
    ["info", "debug", "trace", "warn", "error", "fatal", "silent"],
    "Least severe message written to stderr.",
  ),
  logRepeatsMax: integer(
    10,
    0,
    1_000_000,
    "Equal messages written in ten seconds; of more only how many; 0: all are.",
  ),
  logClientAddresses: choice(["off", "on"], "Whether the lines of requests name the client."),
  slowRequestMs: integer(
    1000,
    0,
    dayMs,
    "A request that takes longer has a line at level info; 0: none has.",
  ),
  traceExporterUrl: text(
    "none",
    "Where spans are sent by OTLP over HTTP, http://host:4318; none: nothing is traced.",
  ),
  traceHeaders: {
    ...text(
      "none",
      "Sent with spans, name=value by comma; best as RANKSTREAM_TRACE_HEADERS_FILE.",
    ),
    isSecret: true,
  },
  traceSampleRatio: text("0.01", "Share of requests traced that bring no trace, 0..1."),
  tracesPerSecondMax: integer(
    100,
    1,
    1_000_000,
    "Requests traced in a second, those that bring a trace among them.",
  ),
  nodeName: text("own", "What logs and traces call this process; own: the host's name."),
});
