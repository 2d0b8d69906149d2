// Runs the built command line in a process of its own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const program = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), "build", "cli.js");

export interface CommandRun {
  kill(signal: "SIGINT" | "SIGTERM" | "SIGKILL"): void;
  /** Told of what comes on stdout from now on. */
  onOut(listener: (text: string) => void): void;
  ended: Promise<{ code: number | null; signal: string | null; out: string; error: string }>;
}

/** Starts `rankstream …args`, without settings of whoever runs the tests. */
export function runCommand(args: string[], env: Record<string, string> = {}): CommandRun {
  const own: Record<string, string | undefined> = { ...process.env, ...env };
  for (const name of Object.keys(process.env)) {
    if (name.startsWith("RANKSTREAM_")) delete own[name];
  }
  const stdio = ["ignore", "pipe", "pipe"] as const;
  const child = spawn(process.execPath, [program, ...args], { env: own, stdio: [...stdio] });
  let out = "";
  let error = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    error += text;
  });
  const ended = once(child, "close").then(([code, signal]) => ({ code, signal, out, error }));
  return {
    kill: (signal) => child.kill(signal),
    onOut: (listener) => child.stdout?.on("data", listener),
    ended,
  };
}
