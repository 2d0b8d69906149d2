/** How lines of threads reach the log: as messages, which the main thread writes. */
import { RankstreamError } from "./errors.ts";
import type { LogFields, Logger, LogLevel } from "./telemetry.ts";

/** A line on its way; errors travel without their codes. */
export interface ThreadLine {
  level: LogLevel;
  fields: LogFields;
  message: string;
}

function sendable(fields: LogFields): LogFields {
  const { err } = fields;
  return err instanceof RankstreamError ? { ...fields, code: err.code } : { ...fields };
}

/** A thread's logger; what is written of it the main thread decides. */
export function threadLogger(send: (line: ThreadLine) => void): Logger {
  const to = (level: LogLevel) => (fields: LogFields, message: string) =>
    send({ level, fields: sendable(fields), message });
  return {
    trace: to("trace"),
    debug: to("debug"),
    info: to("info"),
    warn: to("warn"),
    error: to("error"),
    fatal: to("fatal"),
    isOn: () => true,
  };
}

/** Writes a thread's line under the thread's name. */
export function writeThreadLine(logger: Logger, thread: string, line: ThreadLine): void {
  logger[line.level]({ ...line.fields, thread }, line.message);
}
