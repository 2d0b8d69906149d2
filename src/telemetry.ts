/** Logging: JSON lines on stderr. */
import { destination, pino } from "pino";

type LogFields = Readonly<Record<string, unknown>>;

/** What the parts log through. Errors go under `err`. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  fatal(fields: LogFields, message: string): void;
}

const stderrDescriptor = 2;

/** A logger of JSON lines on stderr; written at once, so that the last one survives a crash. */
export function createLogger(level: string): Logger {
  return pino(
    { level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"` },
    destination({ fd: stderrDescriptor, sync: true }),
  );
}

/** Logs nothing. */
export const silentLogger: Logger = Object.freeze({
  debug() {},
  info() {},
  warn() {},
  error() {},
  fatal() {},
});
