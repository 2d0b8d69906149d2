/**
 * Log lines: JSON on stderr, one a line, under the field names of the Elastic Common Schema (ECS),
 * without secrets and user ids, equal ones not over and over.
 */
import { destination, type Logger as PinoLogger, pino } from "pino";
import { RankstreamError } from "./errors.ts";
import type { LogFields, Logger, LogLevel } from "./telemetry.ts";
import { isSecretName, Redactor } from "./telemetry-redaction.ts";
import { Repeats, type RepeatsOptions, repeatsDefaults } from "./telemetry-repeats.ts";

export interface LogOptions {
  /** The least severe level written; `silent` for none. */
  level: string;
  version?: string;
  /** Names this process among others. */
  nodeName?: string;
  /** Values that are never written. */
  secrets?: readonly string[];
  repeats?: Partial<RepeatsOptions>;
  /** Takes each line, with its end; default stderr, written at once. */
  write?: (line: string) => void;
}

/** The logger of a process. */
export interface ServiceLogger extends Logger {
  /** Writes what is still to be said of lines that were left out. */
  flush(): void;
}

/** Of which request a line speaks: the field `request`. */
export interface RequestNote {
  id?: string;
  traceId?: string | undefined;
  spanId?: string | undefined;
  /** What its client sent that no line may hold: user ids, session ids, values of filters. */
  secrets?: readonly string[];
}

const ecsVersion = "8.11.0";
const stderrDescriptor = 2;
const depthMax = 4;
const membersMax = 50;
const causesMax = 5;
/** Lines of these levels are written however often they come: they were asked for, or are last. */
const unlimited: ReadonlySet<LogLevel> = new Set(["trace", "debug", "fatal"]);

/** Fields of ours and the names they have in the schema. */
const ecsNames: Readonly<Record<string, string>> = {
  thread: "process.thread.name",
  code: "error.code",
  reason: "error.message",
};

type Members = Record<string, unknown>;

/** The error's stack with those of what caused it. */
function stackOf(error: Error): string {
  const stacks: string[] = [];
  for (let at: unknown = error; at instanceof Error && stacks.length < causesMax; at = at.cause) {
    stacks.push(at.stack ?? `${at.name}: ${at.message}`);
  }
  return stacks.join("\nCaused by: ");
}

function codeOf(error: Error): unknown {
  return error instanceof RankstreamError ? error.code : (error as NodeJS.ErrnoException).code;
}

/** What a line must not hold, by the fields it is of. */
function secretsOf({ request, secrets = [] }: LogFields): readonly string[] {
  return [...(secrets as string[]), ...((request as RequestNote | undefined)?.secrets ?? [])];
}

/** Makes a line's members of what a part gave. */
class Formatter {
  readonly #redactor: Redactor;

  constructor(redactor: Redactor) {
    this.#redactor = redactor;
  }

  text(text: string, fields: LogFields): string {
    return this.#redactor.text(text, secretsOf(fields));
  }

  record(fields: LogFields): Members {
    const { part, err, request, secrets: _own, ...rest } = fields;
    const secrets = secretsOf(fields);
    const dataset = part === undefined ? "rankstream" : `rankstream.${String(part)}`;
    const record: Members = { "event.dataset": dataset };
    for (const [name, value] of Object.entries(rest)) {
      const isEcs = name.includes(".");
      record[ecsNames[name] ?? (isEcs ? name : `rankstream.${name}`)] = isSecretName(name)
        ? "***"
        : this.#value(value, secrets, depthMax);
    }
    if (err !== undefined) Object.assign(record, this.#error(err, secrets));
    const { id, traceId, spanId } = (request ?? {}) as RequestNote;
    if (id !== undefined) record["http.request.id"] = this.#redactor.text(id, secrets);
    if (traceId !== undefined) record["trace.id"] = traceId;
    if (spanId !== undefined) record["span.id"] = spanId;
    return record;
  }

  #error(error: unknown, secrets: readonly string[]): Members {
    if (!(error instanceof Error)) {
      return { "error.message": this.#redactor.text(String(error), secrets) };
    }
    const code = codeOf(error);
    return {
      "error.type": error.name,
      "error.message": this.#redactor.text(error.message, secrets),
      ...(typeof code === "string" && { "error.code": code }),
      "error.stack_trace": this.#redactor.text(stackOf(error), secrets),
    };
  }

  #value(value: unknown, secrets: readonly string[], depth: number): unknown {
    if (typeof value === "string") return this.#redactor.text(value, secrets);
    if (typeof value === "bigint") return String(value);
    if (value instanceof Error) return this.#redactor.text(value.message, secrets);
    if (value instanceof Date) return value.toISOString();
    if (typeof value !== "object" || value === null) return value;
    if (depth === 0) return "…";
    if (Array.isArray(value)) {
      return value.slice(0, membersMax).map((one) => this.#value(one, secrets, depth - 1));
    }
    const members = Object.entries(value).slice(0, membersMax);
    return Object.fromEntries(
      members.map(([name, one]) => {
        const shown = isSecretName(name) ? "***" : this.#value(one, secrets, depth - 1);
        return [name, shown];
      }),
    );
  }
}

function makePino({ level, version, nodeName, write }: LogOptions): PinoLogger {
  const base = {
    "ecs.version": ecsVersion,
    "service.name": "rankstream",
    ...(version !== undefined && { "service.version": version }),
    ...(nodeName !== undefined && { "service.node.name": nodeName }),
  };
  const options = {
    level,
    base,
    messageKey: "message",
    timestamp: () => `,"@timestamp":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ "log.level": label }) },
  };
  // At once: the last line before a crash is the one that is wanted.
  if (write === undefined) {
    return pino(options, destination({ fd: stderrDescriptor, sync: true }));
  }
  return pino(options, { write });
}

interface Line {
  level: LogLevel;
  part: unknown;
  message: string;
}

/** A logger of lines as docs/logs.md describes them. */
export function createLogger(options: LogOptions): ServiceLogger {
  const out = makePino(options);
  const formatter = new Formatter(new Redactor(options.secrets));
  const bounds = { ...repeatsDefaults, ...options.repeats };
  const repeats = new Repeats<Line>(bounds, ({ level, part, message }, leftOut) =>
    out[level](formatter.record({ part, leftOut }), message),
  );
  const isOn = (level: LogLevel) => out.isLevelEnabled(level);
  const write = (level: LogLevel, fields: LogFields, given: string) => {
    if (!isOn(level)) return;
    const message = formatter.text(given, fields);
    const { part } = fields;
    const isLimited = bounds.linesMax > 0 && !unlimited.has(level);
    const key = `${level}\n${part}\n${message}`;
    if (isLimited && !repeats.admit(key, { level, part, message })) return;
    // What follows may be the process's end.
    if (level === "fatal") repeats.flush();
    out[level](formatter.record(fields), message);
  };
  const at = (level: LogLevel) => (fields: LogFields, message: string) =>
    write(level, fields, message);
  return {
    trace: at("trace"),
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    fatal: at("fatal"),
    isOn,
    flush: () => repeats.flush(),
  };
}
