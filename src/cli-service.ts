/** What the commands that talk to a running service have in common. */
import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "commander";
import { type CliIo, CommandFailure, exitCodes } from "./cli-io.ts";
import { type Paint, painter, takesColor } from "./cli-paint.ts";
import {
  type ClientOptions,
  ProblemError,
  RankstreamClient,
  UnreachableError,
} from "./client/client.ts";
import { ImportError, ImportUsageError } from "./import/import-error.ts";

export const defaultUrl = "http://127.0.0.1:8080";
export const urlVariable = "RANKSTREAM_URL";
/** A question is tried again for so long. */
const retryMsMax = 5000;

/** Reads `--url`; for commander. */
export function urlArgument(value: string): string {
  if (URL.canParse(value) && /^https?:/.test(value)) return value;
  throw new InvalidArgumentError(`Expected something like ${defaultUrl}.`);
}

/** By which key a service is asked, where it wants one. */
export const keyVariable = "RANKSTREAM_KEY";
const keyFileVariable = `${keyVariable}_FILE`;

/** `--key-file`: a key itself would be seen by everybody in the process list. */
export function keyFileOption(): Option {
  const what = "file of the key to ask with, where the service wants one";
  return new Option("--key-file <file>", `${what} [${keyVariable}, ${keyFileVariable}]`);
}

/** Where a service is, and by which key it is asked. */
export interface ServiceTarget {
  url: string;
  keyFile?: string;
}

function keyIn(path: string, where: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    const message = `${where}: the file ${path} can not be read (${reason})`;
    throw new CommandFailure(message, exitCodes.usage);
  }
  return text.trim();
}

/** The key to ask with; undefined for none. Throws CommandFailure, without showing it. */
export function keyOf({ keyFile }: Pick<ServiceTarget, "keyFile">, io: CliIo): string | undefined {
  const { [keyVariable]: given, [keyFileVariable]: file } = io.environment;
  if (keyFile === undefined && given !== undefined && file !== undefined) {
    const message = `${keyVariable} and ${keyFileVariable} are both set: keep one of them`;
    throw new CommandFailure(message, exitCodes.usage);
  }
  const [path, where] = keyFile === undefined ? [file, keyFileVariable] : [keyFile, "--key-file"];
  const key = path === undefined ? given : keyIn(path, where);
  if (key === undefined || (path === undefined && key === "")) return undefined;
  if (/^[\w.-]+$/.test(key)) return key;
  const place = path === undefined ? keyVariable : where;
  throw new CommandFailure(`${place}: expected one key and nothing else`, exitCodes.usage);
}

/** `--url`, whose default the environment may say. */
export function urlOption(io: CliIo, what = "the service"): Option {
  const given = io.environment[urlVariable];
  const option = new Option("--url <url>", `${what} [${urlVariable}]`).argParser(urlArgument);
  return option.default(given === undefined || given === "" ? defaultUrl : given);
}

export interface ServiceFlags extends ServiceTarget {
  json?: boolean;
  color: boolean;
}

/** Gives a command `--url`, `--key-file`, `--json` and `--no-color`. */
export function addServiceOptions(command: Command, io: CliIo, json: string): Command {
  return command
    .addOption(urlOption(io))
    .addOption(keyFileOption())
    .option("--json", json)
    .option("--no-color", "no colours");
}

/** The service at this address, asked by this key. Throws CommandFailure for one that is none. */
export function clientOf(
  target: ServiceTarget,
  io: CliIo,
  options: Partial<ClientOptions> = {},
): RankstreamClient {
  const key = keyOf(target, io);
  const who = key === undefined ? {} : { key };
  return new RankstreamClient({ url: checkedUrl(target.url), retryMsMax, ...who, ...options });
}

/**
 * What the environment says has not been looked at yet; nor whether there is a password in it,
 * which commander would show. Throws CommandFailure.
 */
export function checkedUrl(url: string): string {
  if (URL.canParse(url) && /^https?:/.test(url)) {
    const { username, password } = new URL(url);
    if (username === "" && password === "") return url;
    const message = `--url, ${urlVariable}: expected an address without name and password`;
    throw new CommandFailure(`${message}; --key-file says who asks`, exitCodes.usage);
  }
  const message = `${urlVariable}: expected something like ${defaultUrl}, got ${url}`;
  throw new CommandFailure(message, exitCodes.usage);
}

/** Paints for stdout. */
export function outPaint(io: CliIo, flags: { color: boolean }): Paint {
  return painter(takesColor(io, "out", flags.color));
}

/** Columns that stdout has; null where it is no terminal. */
export function outColumns(io: CliIo): number | null {
  return io.terminal?.isOut === true ? io.terminal.columns : null;
}

/** One line for what the client or the import threw; anything else is thrown on. */
export function asFailure(error: unknown): CommandFailure {
  if (error instanceof CommandFailure) return error;
  if (error instanceof ImportError) {
    const isUsage = error instanceof ImportUsageError;
    return new CommandFailure(error.message, isUsage ? exitCodes.usage : exitCodes.failure);
  }
  if (error instanceof UnreachableError) {
    const hint = `Is it running (rankstream start)? --url or ${urlVariable} says where`;
    return new CommandFailure(`${error.message}. ${hint}`, exitCodes.unreachable);
  }
  if (error instanceof ProblemError) {
    const isKey = error.status === 401;
    const hint = isKey ? `--key-file or ${keyVariable} says by which key to ask` : error.hint;
    const message = `the service refused (${error.code}): ${error.message}. ${hint}`;
    return new CommandFailure(message, exitCodes.failure);
  }
  throw error;
}

/** Aborted at the first SIGINT or SIGTERM; the second ends the process. */
export interface Stopping {
  signal: AbortSignal;
  /** The exit code that the signal stands for; 0 while there was none. */
  readonly code: number;
}

/** Listens for the signals from now on. */
export function stopping(io: CliIo): Stopping {
  const stop = new AbortController();
  const result = { signal: stop.signal, code: exitCodes.done as number };
  const stopAt = (signal: "SIGINT" | "SIGTERM", code: number) =>
    io.onSignal(signal, () => {
      if (stop.signal.aborted) return io.exit(code);
      result.code = code;
      stop.abort();
    });
  stopAt("SIGINT", exitCodes.interrupted);
  stopAt("SIGTERM", exitCodes.terminated);
  return result;
}
