/** What commands are given of the process, so that they can be run without one. */
import type { Readable, Writable } from "node:stream";
import type { Config } from "./config.ts";
import type { Logger } from "./telemetry.ts";

/** A running service. */
export interface RunningService {
  host: string;
  port: number;
  /** Resolves with what went wrong when the service can't go on. */
  failed: Promise<string>;
  /** Reads again what may change without a restart; never rejects. */
  reload(): Promise<void>;
  /** From now on it says that it isn't ready, and does its work as before. */
  drain(): void;
  /** Takes no more, finishes what is under way, writes a checkpoint. */
  stop(): Promise<void>;
  /** Gives up what the store is at; resolves once nothing there holds the process. */
  abandon(): Promise<void>;
}

/** Resolves when the service takes events and answers queries. */
export type StartService = (config: Config, logger: Logger) => Promise<RunningService>;

export interface CliIo {
  version: string;
  /** `20.15.0`. */
  nodeVersion: string;
  environment: Readonly<Record<string, string | undefined>>;
  /** Data. */
  writeOut(text: string): void;
  /** Messages. */
  writeError(text: string): void;
  /** Data as bytes, with backpressure: stdout. */
  output: Writable;
  /** Stdin. */
  input: Readable;
  onSignal(signal: "SIGTERM" | "SIGINT" | "SIGHUP", listener: () => void): void;
  /** Ends the process, once what DuckDB runs has ended: by an abort where something runs. */
  exit(code: number): void;
  /** Ends the process at once, by SIGKILL. */
  kill(): void;
  startService: StartService;
  /** Bytes that may still be written to the disk that holds this folder. */
  freeBytes(path: string): Promise<number>;
  /** Left out where neither stream is a terminal. */
  terminal?: Terminal;
}

export interface Terminal {
  /** Whether stdout is one. */
  isOut: boolean;
  /** Whether stderr is one. */
  isError: boolean;
  /** Characters a line, and lines, now. */
  readonly columns: number;
  readonly rows: number;
  /** Told whenever these have changed. */
  onResize(listener: () => void): void;
}

/** A command can't go on: one line for stderr, and the exit code. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/**
 * Exit codes: 0 done, 1 failure, 2 usage or configuration, 3 no service answers, 130 and 143
 * interrupted by SIGINT and SIGTERM before it was done. docs/cli.md tells of them.
 */
export const exitCodes = Object.freeze({
  done: 0,
  failure: 1,
  usage: 2,
  unreachable: 3,
  interrupted: 130,
  terminated: 143,
});
