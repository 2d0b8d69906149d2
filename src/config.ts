/**
 * Configuration: one table of options, read from flags, then the environment, then a file,
 * then the defaults; checked once, then frozen.
 */
import { readFileSync } from "node:fs";
import { accessProblem } from "./config-access.ts";
import { backupProblem } from "./config-backup.ts";
import { kafkaProblem } from "./config-kafka.ts";
import { isInLake, lakeProblem } from "./config-lake.ts";
import { networkProblem } from "./config-network.ts";
import {
  type ChoiceOption,
  type ConfigOption,
  configOptions,
  GiB,
  KiB,
  MiB,
  type NumberOption,
} from "./config-options.ts";
import { originProblem } from "./config-origins.ts";
import { regionProblem } from "./config-regions.ts";
import { tracingProblem } from "./config-tracing.ts";
import { didYouMean, quoted } from "./errors.ts";
import { withoutPasswords } from "./model-lake.ts";

type Table = typeof configOptions;
export type ConfigName = keyof Table;
type ValueOf<O> = O extends ChoiceOption<infer T> ? T : O extends NumberOption ? number : string;

/** A checked, frozen configuration. Names end in their unit. */
export type Config = { readonly [K in ConfigName]: ValueOf<Table[K]> };

/** The configuration can not be used; `message` is one line that says what to change first. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** All there is to change, a line each. */
  readonly problems: readonly string[];

  constructor(message: string, problems: readonly string[] = [message]) {
    super(message);
    this.problems = problems;
  }
}

export interface ConfigSources {
  /** Values of flags, by option name; undefined where the flag was not given. */
  flags?: Readonly<Record<string, string | undefined>>;
  environment?: Readonly<Record<string, string | undefined>>;
  /** Path of a JSON file; `RANKSTREAM_CONFIG` names one too. */
  file?: string | undefined;
}

export interface LoadedConfig {
  config: Config;
  /** Where each value is from: `--port`, `RANKSTREAM_PORT`, `the file …`, `default`. */
  origins: Readonly<Record<ConfigName, string>>;
  /** Lines worth telling: variables that look like options but are none. */
  warnings: string[];
}

export const configNames = Object.freeze(Object.keys(configOptions)) as readonly ConfigName[];

/** `dataDir` → `--data-dir`. */
export function flagOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `dataDir` → `RANKSTREAM_DATA_DIR`. */
export function variableOf(name: string): string {
  const snake = name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`);
  return `RANKSTREAM_${snake.toUpperCase()}`;
}

/** What an option takes, for messages and help: `an integer 0..65535`. */
export function expectedOf(option: ConfigOption): string {
  if (option.type === "choice") {
    const { choices } = option;
    return choices.length === 1 ? `only ${choices[0]}` : `one of ${choices.join(", ")}`;
  }
  if (option.type === "text") return "text";
  if (option.type === "integer") return `an integer ${option.min}..${option.max}`;
  return `${bytesText(option.min)}..${bytesText(option.max)} (bytes, or with KiB, MiB, GiB)`;
}

/** `16 MiB` for 16777216. */
export function bytesText(value: number): string {
  for (const [unit, size] of [
    ["GiB", GiB],
    ["MiB", MiB],
    ["KiB", KiB],
  ] as const) {
    if (value >= size && value % size === 0) return `${value / size} ${unit}`;
  }
  return `${value} bytes`;
}

function parseNumber(option: NumberOption, given: unknown): number | null {
  let value = Number.NaN;
  if (typeof given === "number") value = given;
  if (typeof given === "string") {
    const match = /^(\d{1,15})(?:\s*(KiB|MiB|GiB))?$/i.exec(given.trim());
    if (match === null) return null;
    const unit = match[2]?.toLowerCase();
    if (unit !== undefined && option.type !== "bytes") return null;
    const size = unit === "gib" ? GiB : unit === "mib" ? MiB : unit === "kib" ? KiB : 1;
    value = Number(match[1]) * size;
  }
  const fits = Number.isSafeInteger(value) && value >= option.min && value <= option.max;
  return fits ? value : null;
}

function parseValue(option: ConfigOption, given: unknown): string | number | null {
  if (option.type === "choice") {
    return typeof given === "string" && option.choices.includes(given) ? given : null;
  }
  if (option.type === "text") {
    return typeof given === "string" && given !== "" && !given.includes("\0") ? given : null;
  }
  return parseNumber(option, given);
}

function checked(name: ConfigName, given: unknown, where: string): string | number {
  const option: ConfigOption = configOptions[name];
  const value = parseValue(option, given);
  if (value !== null) return value;
  const got = typeof given === "string" ? quoted(given) : JSON.stringify(given);
  throw new ConfigError(`${name}: expected ${expectedOf(option)}, got ${got} (from ${where})`);
}

function readText(path: string, where: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new ConfigError(`${where}: the file ${quoted(path, 200)} can not be read (${reason})`);
  }
}

function readFileOptions(path: string, where: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readText(path, where));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const reason = (error as Error).message;
    throw new ConfigError(`${where}: ${quoted(path, 200)} is not JSON: ${reason}`);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new ConfigError(`${where}: ${quoted(path, 200)} must hold one JSON object`);
  }
  for (const name of Object.keys(parsed)) {
    if (!Object.hasOwn(configOptions, name)) {
      const hint = didYouMean(name, configNames);
      throw new ConfigError(`${quoted(path, 200)}: there is no option ${quoted(name)}.${hint}`);
    }
  }
  return parsed as Record<string, unknown>;
}

/** The value a variable gives, itself or through `<variable>_FILE`; undefined when unset. */
function fromEnvironment(
  name: ConfigName,
  environment: Readonly<Record<string, string | undefined>>,
): { given: string; where: string } | undefined {
  const variable = variableOf(name);
  const given = environment[variable];
  const path = environment[`${variable}_FILE`];
  if (given !== undefined && path !== undefined) {
    throw new ConfigError(`${variable} and ${variable}_FILE are both set: keep one of them`);
  }
  if (path !== undefined) {
    const where = `${variable}_FILE`;
    return { given: readText(path, where).replace(/\r?\n$/, ""), where };
  }
  return given === undefined ? undefined : { given, where: variable };
}

function unknownVariables(environment: Readonly<Record<string, string | undefined>>): string[] {
  const known = configNames.map(variableOf);
  const taken = new Set([
    ...known,
    ...known.map((name) => `${name}_FILE`),
    "RANKSTREAM_CONFIG",
    "RANKSTREAM_URL",
    "RANKSTREAM_KEY",
    "RANKSTREAM_KEY_FILE",
  ]);
  return Object.keys(environment)
    .filter((name) => name.startsWith("RANKSTREAM_") && !taken.has(name))
    .map((name) => `${name} is set, but is no option.${didYouMean(name, known)}`);
}

/** A value as it may be shown: without passwords. */
export function shownValue(name: ConfigName, value: string | number): string | number {
  const option: ConfigOption = configOptions[name];
  if (typeof value === "number" || value === option.default) return value;
  if (option.type === "text" && option.isSecret === true) return "***";
  return withoutPasswords(value);
}

/** Throws ConfigError for a flag that holds what must not be shown. */
function checkShown(name: ConfigName, value: string | number): void {
  if (shownValue(name, value) === value) return;
  const variable = variableOf(name);
  throw new ConfigError(
    `${flagOf(name)}: expected no secret, since everybody on this machine sees flags: ` +
      `give it as ${variable}_FILE or ${variable}`,
  );
}

/** What native modules are built for, as their files are named: `linux_x64_115`. */
export function nativeBuild(): string {
  const { platform, arch, versions } = process;
  return `${platform}_${arch}_${versions.modules}`;
}

/** Memory that the process takes: all of it, JavaScript's heap, and buffers beside that. */
export function processFigures() {
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rssBytes: rss, heapBytes: heapUsed, bufferBytes: external };
}

function checkOrigins(config: Config): void {
  const problems = [
    originProblem,
    networkProblem,
    backupProblem,
    lakeProblem,
    tracingProblem,
    kafkaProblem,
    regionProblem,
  ];
  for (const problem of problems.map((f) => f(config))) {
    if (problem !== undefined) throw new ConfigError(problem);
  }
}

function checkAccess(config: Config): void {
  const problem = accessProblem(config);
  if (problem !== undefined) throw new ConfigError(problem);
}

function isUrl(text: string, protocols: readonly string[]): boolean {
  return URL.canParse(text) && protocols.includes(new URL(text).protocol);
}

/** What a process does; a store of its own has who counts. */
export function rolesOf({ role }: Pick<Config, "role">): {
  edge: boolean;
  ingest: boolean;
  query: boolean;
} {
  const named = role === "all" ? ["edge", "ingest", "query"] : role.split(",");
  const [edge, ingest, query] = ["edge", "ingest", "query"].map((name) => named.includes(name));
  return { edge: edge!, ingest: ingest!, query: query! };
}

/** Whether the process has a store: who counts, and of a lake who answers from it, too. */
export function hasStore(config: Pick<Config, "role" | "store">): boolean {
  const { ingest, query } = rolesOf(config);
  return ingest || (query && isInLake(config));
}

/** Throws ConfigError for roles that make no sense, with what to start instead. */
function checkRole(config: Config): void {
  const { role, upstream, log } = config;
  const { edge, ingest, query } = rolesOf(config);
  const isLed = upstream !== "none";
  const isShared = isInLake(config);
  const refuse = (why: string): never => {
    throw new ConfigError(`role ${role}: ${why}`);
  };
  if (isLed && !isUrl(upstream, ["http:", "https:"])) {
    refuse(`expected --upstream http://host:port, got ${quoted(upstream)}`);
  }
  if (hasStore(config) && isLed) {
    const instead = isShared ? "--role edge" : "--role edge,query";
    refuse(
      "it has a store of its own, so it takes no upstream: leave --upstream out, " +
        `or start with ${instead}`,
    );
  }
  if (hasStore(config) && log === "embedded" && role !== "all") {
    refuse("the embedded log is of one process: start with --role all, or with --log kafka");
  }
  if (ingest && !query && !isShared) {
    const instead = edge ? "all" : "ingest,query";
    refuse(
      `only the process with the store can answer from it: start with --role ${instead}, ` +
        "or share a store by --store ducklake:…",
    );
  }
  if (query && !hasStore(config) && !isLed) {
    refuse(
      "it answers from the service behind it: expected --upstream http://host:port, got none",
    );
  }
  if (edge && !ingest && log === "embedded" && !isLed) {
    refuse("expected --log kafka or --upstream http://host:port: it has no log of its own");
  }
}

function checkRedis({ redisUrl }: Config): void {
  if (redisUrl === "none" || isUrl(redisUrl, ["redis:", "rediss:"])) return;
  // It may hold a password: not shown.
  throw new ConfigError("redisUrl: expected redis://host:port or rediss://host:port");
}

function checkBounds(config: Config): void {
  if (config.unpackedBytesMax < config.bodyBytesMax) {
    throw new ConfigError(
      `unpackedBytesMax (${bytesText(config.unpackedBytesMax)}) must not be less than ` +
        `bodyBytesMax (${bytesText(config.bodyBytesMax)})`,
    );
  }
  if (config.ingestBytesMax < config.bodyBytesMax + config.unpackedBytesMax) {
    throw new ConfigError(
      `ingestBytesMax (${bytesText(config.ingestBytesMax)}) must hold one body packed and ` +
        `unpacked (${bytesText(config.bodyBytesMax + config.unpackedBytesMax)})`,
    );
  }
  if (config.logBytesMax < 2 * config.logSegmentBytes) {
    throw new ConfigError(
      `logBytesMax (${bytesText(config.logBytesMax)}) must hold two segments of ` +
        `logSegmentBytes (${bytesText(config.logSegmentBytes)})`,
    );
  }
}

/** Runs each check; what they throw together is one ConfigError. */
function allOf(checks: readonly (() => void)[]): void {
  const problems: string[] = [];
  for (const check of checks) {
    try {
      check();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(...error.problems);
    }
  }
  const [first] = problems;
  if (first !== undefined) throw new ConfigError(first, problems);
}

/**
 * Reads and checks the whole configuration: flags > environment > file > defaults.
 * Throws ConfigError with one line that says what was expected, what came and from where.
 */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const flags = sources.flags ?? {};
  const environment = sources.environment ?? {};
  for (const name of Object.keys(flags)) {
    if (!Object.hasOwn(configOptions, name)) {
      const hint = didYouMean(flagOf(name), configNames.map(flagOf));
      throw new ConfigError(`there is no flag ${flagOf(name)}.${hint}`);
    }
  }
  const path = sources.file ?? environment["RANKSTREAM_CONFIG"];
  const pathFrom = sources.file === undefined ? "RANKSTREAM_CONFIG" : "--config";
  const file = path === undefined ? {} : readFileOptions(path, pathFrom);
  const values: Record<string, string | number> = {};
  const origins: Record<string, string> = {};
  const take = (name: ConfigName, given: unknown, where: string) => {
    values[name] = checked(name, given, where);
    origins[name] = where;
  };
  const read = (name: ConfigName) => {
    const variable = fromEnvironment(name, environment);
    if (flags[name] !== undefined) {
      take(name, flags[name], flagOf(name));
      checkShown(name, values[name]!);
    } else if (variable) take(name, variable.given, variable.where);
    else if (Object.hasOwn(file, name)) take(name, file[name], `the file ${path}`);
    else {
      values[name] = configOptions[name].default;
      origins[name] = "default";
    }
  };
  allOf(configNames.map((name) => () => read(name)));
  const config = Object.freeze(values) as Config;
  const together = [checkAccess, checkOrigins, checkRole, checkRedis, checkBounds];
  allOf(together.map((check) => () => check(config)));
  const known = Object.freeze(origins) as LoadedConfig["origins"];
  return { config, origins: known, warnings: unknownVariables(environment) };
}
