/** `rankstream snapshot`: what a running service holds, as files that any DuckDB reads. */
import { randomBytes } from "node:crypto";
import { access, copyFile, link, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import { type CliIo, CommandFailure, exitCodes } from "./cli-io.ts";
import {
  asFailure,
  clientOf,
  keyFileOption,
  type ServiceTarget,
  urlOption,
} from "./cli-service.ts";
import { countText } from "./import/progress.ts";

/** The service gives up later than this. */
const snapshotMsMax = 2 * 3_600_000;

const helpAfter = `
Examples:
  rankstream snapshot --to ./snapshot
  cd ./snapshot && duckdb rankstream.duckdb 'SELECT * FROM event_types'

The folder holds Parquet files and rankstream.duckdb, views over them by relative paths: open it
from within the folder, or SET file_search_path to it.
`;

interface SnapshotFlags extends ServiceTarget {
  to: string;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Links each file, or copies it where the target is on another disk. */
async function copyFolder(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) {
      await copyFolder(source, target);
      continue;
    }
    await link(source, target).catch(() => copyFile(source, target));
    await syncPath(target);
  }
  await syncPath(to);
}

/** Whole or not at all. */
async function placeSnapshot(from: string, to: string): Promise<void> {
  const temporary = `${to}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    await copyFolder(from, temporary);
    await rename(temporary, to);
    await syncPath(dirname(to));
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

async function runSnapshot(flags: SnapshotFlags, io: CliIo): Promise<number> {
  const target = resolve(flags.to);
  if (await exists(target)) {
    const message = `--to: expected a folder that is not there yet, got ${target}`;
    throw new CommandFailure(message, exitCodes.usage);
  }
  const client = clientOf(flags, io, { requestMsMax: snapshotMsMax, retryMsMax: 0 });
  try {
    const taken = await client.takeSnapshot(`cli-${randomBytes(8).toString("hex")}`);
    if (!(await exists(taken.path))) {
      const message = `the snapshot is in ${taken.path} on the service's machine; fetch it there`;
      throw new CommandFailure(message, exitCodes.failure);
    }
    try {
      await placeSnapshot(taken.path, target);
    } finally {
      await client.dropSnapshot(taken.name);
    }
    const rows = `${countText(taken.events)} events and ${countText(taken.counts)} counts`;
    io.writeOut(`${rows} as of ${taken.asOf} in ${target}\n`);
    return exitCodes.done;
  } catch (error) {
    throw asFailure(error);
  }
}

/** Adds the command; `done` is told its exit code. */
export function addSnapshotCommand(
  program: Command,
  io: CliIo,
  done: (code: number) => void,
): void {
  program
    .command("snapshot")
    .description("Write what a running service holds to files that any DuckDB reads.")
    .requiredOption("--to <folder>", "where to; made, and not there before")
    .addOption(urlOption(io, "the service, on this machine"))
    .addOption(keyFileOption())
    .addHelpText("after", helpAfter)
    .action(async (flags: SnapshotFlags) => {
      done(await runSnapshot(flags, io));
    });
}
