/** `rankstream verify`: is a data folder, or a repository of backups, as it was written? */
import { Command } from "commander";
import { type CliIo, exitCodes } from "./cli-io.ts";
import { painter, takesColor } from "./cli-paint.ts";
import { configOf, ProgressLine, placeOptions, refuseLake, stopSignal } from "./cli-restore.ts";
import { addConfigOptions } from "./cli-start.ts";
import { padded, printable } from "./cli-text.ts";

const helpAfter = `
Of a data folder: holds each raw file against its checksums, counts all raw events anew and
compares every item of every minute, hour, day and month with it, and the log with the store. No
service may run on the folder. With --backups, of the backups at --backup-to: holds each object
against its digest and each batch of the log against its checksum; reads all of it, unless --quick
only looks that everything is there.

Examples:
  rankstream verify --data-dir ./restored
  rankstream verify --backups --backup-to /mnt/backups
  rankstream verify --json | jq '.checks[] | select(.status != "ok")'

With --json: {"ok", "checks": [{"name", "status": "ok"|"fail", "message"}]}.
Exit codes: 0 all is well, 1 something is not, 2 usage.
`;

interface VerifyFlags {
  backups?: boolean;
  quick?: boolean;
  json?: boolean;
  color?: boolean;
}

const nameColumns = 10;

async function runVerify(
  given: VerifyFlags & Record<string, unknown>,
  io: CliIo,
): Promise<number> {
  const config = configOf(given, ["backups", "quick", "json", "color"], io);
  refuseLake(config, "verify");
  const { verifyBackups, verifyFolder } = await import("./service-verify.ts");
  const line = new ProgressLine(io);
  const hooks = {
    onProgress: (share: number, what: string) => line.show(share, what),
    signal: stopSignal(io),
  };
  try {
    const isOfBackups = given.backups === true;
    const report = isOfBackups
      ? await verifyBackups(config, given.quick === true, hooks)
      : await verifyFolder(config, hooks);
    line.clear();
    if (given.json === true) io.writeOut(`${JSON.stringify(report)}\n`);
    else {
      const paint = painter(takesColor(io, "out", given.color !== false));
      for (const { name, status, message } of report.checks) {
        const mark = paint(status === "ok" ? "green" : "red", padded(status, 4, "left"));
        io.writeOut(`${mark} ${padded(name, nameColumns, "left")} ${printable(message)}\n`);
      }
    }
    return report.ok ? exitCodes.done : exitCodes.failure;
  } finally {
    line.clear();
  }
}

/** Adds the command; `done` is told its exit code. */
export function addVerifyCommand(program: Command, io: CliIo, done: (code: number) => void): void {
  const command = new Command("verify")
    .description("Hold a data folder, or backups, against checksums, and count anew.")
    .option("--backups", "the backups at --backup-to, instead of the data folder")
    .option("--quick", "of backups: only that everything is there")
    .option("--json", "print the checks as JSON")
    .option("--no-color", "no colours")
    .addHelpText("after", helpAfter)
    .action(async (given: VerifyFlags & Record<string, unknown>) => {
      done(await runVerify(given, io));
    });
  addConfigOptions(command, ["dataDir", "storeMemoryBytesMax", ...placeOptions]);
  program.addCommand(command);
}
