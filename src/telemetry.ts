/** What the parts log through; telemetry-log.ts writes the lines. */

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal";

/**
 * What a line says beside its message. `part` names who speaks, `err` is an error, `reason` its
 * message where there is no more of it, `code` its code, `thread` where it happened, `request` of
 * which request (RequestNote), `secrets` texts that the line must not hold; names with a dot are
 * ECS fields as they are, all others are ours (`rankstream.<name>`).
 */
export type LogFields = Readonly<Record<string, unknown>>;

/** What the parts log through. docs/logs.md says what belongs to which level. */
export interface Logger {
  trace(fields: LogFields, message: string): void;
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  fatal(fields: LogFields, message: string): void;
  /** Whether lines of this level are written: for those that cost something to make. */
  isOn(level: LogLevel): boolean;
}

/** Logs nothing. */
export const silentLogger: Logger = Object.freeze({
  trace() {},
  debug() {},
  info() {},
  warn() {},
  error() {},
  fatal() {},
  isOn: () => false,
});
