/** `rankstream start`: the service, until it is told to stop. */
import { constants, existsSync } from "node:fs";
import { access, mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Command, Option } from "commander";
import { type CliIo, exitCodes, type RunningService } from "./cli-io.ts";
import {
  bytesText,
  type Config,
  type ConfigName,
  configNames,
  expectedOf,
  flagOf,
  hasStore,
  type LoadedConfig,
  loadConfig,
  shownValue,
  variableOf,
} from "./config.ts";
import { needsKeys } from "./config-access.ts";
import { type ConfigOption, configOptions } from "./config-options.ts";
import { secretsOf } from "./config-secrets.ts";
import { nodeNameOf } from "./config-tracing.ts";
import { RankstreamError } from "./errors.ts";
import { restoreFolderName } from "./model-backup.ts";
import type { Logger } from "./telemetry.ts";
import type { ServiceLogger } from "./telemetry-log.ts";

const helpAfter = `
Flags win over variables, variables over the file, the file over defaults. Any variable with
_FILE after its name reads its value from that file. Logs go to stderr as JSON lines; stdout
gets one line when the service is ready. SIGTERM or SIGINT stops it: it finishes what is under
way, writes a checkpoint and exits with 0.
`;

function flagHelp(name: string, option: ConfigOption): string {
  const fallback = option.type === "bytes" ? bytesText(option.default) : `${option.default}`;
  const isTold = option.type === "text" || option.type === "choice";
  const takes = isTold ? "" : ` Takes ${expectedOf(option)}.`;
  return `${option.help}${takes} [${variableOf(name)}, default ${fallback}]`;
}

/** Gives a command options of the configuration, all unless some are named, and `--config`. */
export function addConfigOptions(
  command: Command,
  names: readonly ConfigName[] = configNames,
): void {
  command.addOption(new Option("--config <file>", "JSON file of options. [RANKSTREAM_CONFIG]"));
  for (const name of names) {
    const help = flagHelp(name, configOptions[name]);
    const option = new Option(`${flagOf(name)} <value>`, help);
    // Told to whoever completes; what is given is checked with all other values.
    const known: ConfigOption = configOptions[name];
    if (known.type === "choice") option.argChoices = [...known.choices];
    command.addOption(option);
  }
}

/** The configuration of a command with `addConfigOptions`. Throws ConfigError. */
export function loadConfigOf(given: Record<string, string>, io: CliIo): LoadedConfig {
  const { config: file, ...flags } = given;
  return loadConfig({ flags, environment: io.environment, file });
}

/** Adds the command; `done` is told its exit code. */
export function addStartCommand(program: Command, io: CliIo, done: (code: number) => void): void {
  const command = program
    .command("start")
    .description("Start the service: takes events, answers leaderboards.")
    .addHelpText("after", helpAfter)
    .action(async (given: Record<string, string>) => {
      done(await runService(loadConfigOf(given, io), io));
    });
  addConfigOptions(command);
}

/** Less free space than this and the first checkpoint may fail already. */
const freeBytesMin = 64 * 1024 * 1024;

/**
 * Makes the folder where missing; throws `data_folder_unwritable`, `data_folder_incomplete` or
 * `disk_nearly_full` in one line's words.
 */
async function checkDataFolder(path: string, io: CliIo): Promise<void> {
  if (existsSync(join(path, restoreFolderName))) {
    const detail = `the data folder ${resolve(path)} holds a restore that is not finished`;
    throw new RankstreamError("data_folder_incomplete", detail);
  }
  try {
    await mkdir(path, { recursive: true });
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    const detail = `the data folder ${resolve(path)} can not be written (${code})`;
    throw new RankstreamError("data_folder_unwritable", detail, { cause: error });
  }
  const freeBytes = await io.freeBytes(path);
  if (freeBytes >= freeBytesMin) return;
  throw new RankstreamError(
    "disk_nearly_full",
    `the data folder ${resolve(path)} has ${freeBytes} bytes of free space, at least ` +
      `${freeBytesMin} expected`,
  );
}

/** How long statements that are interrupted may still take. */
const abandonMsMax = 1000;

/** Ends the process without waiting for what it does: its service's store first. */
class Ending {
  readonly #io: CliIo;
  readonly #logger: ServiceLogger;
  /** Null: it is not started yet. */
  service: Pick<RunningService, "abandon"> | null = null;

  constructor(io: CliIo, logger: ServiceLogger) {
    this.#io = io;
    this.#logger = logger;
  }

  /**
   * Ends it with 1. DuckDB would end it by an abort while a statement runs, and some can't be
   * interrupted, those that wait for PostgreSQL: then it is killed.
   */
  async now(): Promise<void> {
    this.#logger.flush();
    const abandoned = this.service?.abandon().then(() => true) ?? Promise.resolve(false);
    const waited = sleep(abandonMsMax, false);
    const isFree = await Promise.race([abandoned, waited]).catch(() => false);
    if (isFree) return this.#io.exit(exitCodes.failure);
    this.#logger.fatal({}, "what DuckDB runs can not be ended: killing the process");
    this.#logger.flush();
    this.#io.kill();
  }

  /** Ends it when it still runs after that time. */
  after(shutdownMsMax: number, drainMs = 0): void {
    setTimeout(() => {
      this.#logger.fatal({ shutdownMsMax }, "the stop took too long");
      void this.now();
    }, drainMs + shutdownMsMax).unref();
  }
}

/**
 * Resolves at the first signal, from when on the process has `drainMs` and `shutdownMsMax` to
 * end; the second ends it at once.
 */
function untilSignal(
  io: CliIo,
  logger: Logger,
  ending: Ending,
  { shutdownMsMax, drainMs }: Config,
): Promise<void> {
  return new Promise((resolveSignal) => {
    let signals = 0;
    const listen = (signal: "SIGTERM" | "SIGINT") =>
      io.onSignal(signal, () => {
        signals += 1;
        if (signals > 1) return void ending.now();
        logger.info({ signal }, "stopping");
        ending.after(shutdownMsMax, drainMs);
        resolveSignal();
      });
    listen("SIGTERM");
    listen("SIGINT");
  });
}

async function makeLogger({ config }: LoadedConfig, { version }: CliIo): Promise<ServiceLogger> {
  const { createLogger } = await import("./telemetry-log.ts");
  return createLogger({
    level: config.logLevel,
    version,
    nodeName: nodeNameOf(config),
    secrets: secretsOf(config),
    repeats: { linesMax: config.logRepeatsMax },
  });
}

/** One line with all that was set, without passwords. */
function tellStart({ config, origins }: LoadedConfig, io: CliIo, logger: Logger): void {
  const set = configNames.filter((name) => origins[name] !== "default");
  const options = Object.fromEntries(set.map((name) => [name, shownValue(name, config[name])]));
  logger.info({ role: config.role, node: io.nodeVersion, options }, "starting");
}

/** What a command does beside the running service: rejects when it can't go on. */
export type Alongside = (url: string, stopping: AbortSignal) => Promise<"stay" | "stop">;

/**
 * Runs the service until a signal, a failure, or `alongside` wants it to stop. Resolves with the
 * exit code; throws what `alongside` throws, once the service has stopped.
 */
export async function runService(
  loaded: LoadedConfig,
  io: CliIo,
  alongside?: Alongside,
): Promise<number> {
  const logger = await makeLogger(loaded, io);
  try {
    return await serve(loaded, io, logger, alongside);
  } finally {
    logger.flush();
  }
}

async function serve(
  loaded: LoadedConfig,
  io: CliIo,
  logger: ServiceLogger,
  alongside?: Alongside,
): Promise<number> {
  const { config, warnings } = loaded;
  tellStart(loaded, io, logger);
  for (const warning of warnings) logger.warn({}, warning);
  // A node without a store has no folder.
  if (hasStore(config)) await checkDataFolder(config.dataDir, io);
  const ending = new Ending(io, logger);
  const signalled = untilSignal(io, logger, ending, config);
  const service = await io.startService(config, logger);
  ending.service = service;
  const host = service.host.includes(":") ? `[${service.host}]` : service.host;
  const scheme = config.tlsCert === "none" ? "http" : "https";
  const url = `${scheme}://${host}:${service.port}`;
  // Otherwise it ends the process, as it does where a terminal is closed.
  if (needsKeys(config)) io.onSignal("SIGHUP", () => void service.reload());
  logger.info({ url }, "ready");
  io.writeOut(`Rankstream is ready on ${url}\n`);
  const stopping = new AbortController();
  const beside = alongside?.(url, stopping.signal).then(
    (wish) => (wish === "stop" ? undefined : signalled),
    (error: unknown) => ({ error }),
  );
  const ends = [signalled, service.failed, ...(beside === undefined ? [] : [beside])];
  const end = await Promise.race(ends);
  const failure = typeof end === "string" ? end : undefined;
  if (failure !== undefined) {
    logger.fatal({}, failure);
    io.writeError(`rankstream: the service can not go on: ${failure}\n`);
    ending.after(config.shutdownMsMax);
  }
  if (end === undefined && config.drainMs > 0) {
    service.drain();
    await sleep(config.drainMs);
  }
  stopping.abort();
  await beside;
  await service.stop();
  logger.info({}, "stopped");
  if (typeof end === "object") throw end.error;
  return failure === undefined ? exitCodes.done : exitCodes.failure;
}
