// Processes that tests have started.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

export function hasExited({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** Sends the signal; resolves when the process is gone. One that is gone already is left alone. */
export async function endBy(
  own: ChildProcess,
  signal: "SIGKILL" | "SIGTERM" | "SIGQUIT",
): Promise<void> {
  if (hasExited(own)) return;
  const exit = once(own, "exit");
  own.kill(signal);
  await exit;
}
