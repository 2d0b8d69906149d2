/** `rankstream doctor`: is everything there that the service needs, and is the service well? */
import type { Command } from "commander";
import { type CliIo, exitCodes } from "./cli-io.ts";
import type { Paint } from "./cli-paint.ts";
import {
  checkedUrl,
  clientOf,
  defaultUrl,
  keyFileOption,
  keyVariable,
  outPaint,
  type ServiceFlags,
  type ServiceTarget,
  urlVariable,
} from "./cli-service.ts";
import { addConfigOptions, loadConfigOf } from "./cli-start.ts";
import { padded, printable } from "./cli-text.ts";
import { ProblemError, type Status } from "./client/client.ts";
import { type Config, ConfigError, loadConfig } from "./config.ts";
import { isInLake } from "./config-lake.ts";
import { countText, durationText } from "./import/progress.ts";
import { checkAccess } from "./service-access.ts";
import { type Check, checkMachine, isPortFree } from "./service-checks.ts";

const requestMsMax = 5000;
const skewMsGood = 1000;
/** Events so far ahead of their receipt are refused. */
const skewMsMax = 300_000;
const lagMsGood = 60_000;
const nodeMajorsTested = [20, 22, 24];
const MiB = 1024 * 1024;

const helpAfter = `
Takes the flags and variables that 'rankstream start' takes and looks at what a start with them
would need: Node, WebAssembly, the data folder and its disk, open files, the port; Redis, Kafka and
a lake's extensions, PostgreSQL and bucket where they are used. Then at the service at --url, where
one answers. Nothing is changed, but for a file written and removed again in the data folder to see
how long the disk takes.

Examples:
  rankstream doctor
  rankstream doctor --config rankstream.json --data-dir /var/lib/rankstream
  rankstream doctor --json | jq '.checks[] | select(.status != "ok")'

With --json: {"ok", "checks": [{"name", "status": "ok"|"warn"|"fail", "message", "hint"?}]}.
Exit codes: 0 nothing failed, 1 something did, 2 usage.
`;

type DoctorFlags = ServiceFlags;

function nodeCheck(version: string): Check {
  const name = "node";
  const message = `Node ${version}`;
  const major = Number(version.split(".")[0]);
  if (nodeMajorsTested.includes(major)) return { name, status: "ok", message };
  const hint = `it is tried with ${nodeMajorsTested.join(", ")}`;
  return { name, status: "warn", message, hint };
}

function configChecks(given: Record<string, string>, io: CliIo): [Config | null, Check[]] {
  const name = "configuration";
  try {
    const { config, warnings } = loadConfigOf(given, io);
    const notes = warnings.map((message): Check => {
      return { name, status: "warn", message, hint: "correct its name, or unset it" };
    });
    return [config, [{ name, status: "ok", message: "valid" }, ...notes]];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const hint = "rankstream config check tells more";
    const faults = error.problems.map((message): Check => {
      return { name, status: "fail", message, hint };
    });
    return [null, faults];
  }
}

async function lakeChecks(config: Config | null): Promise<Check[]> {
  if (config === null || !isInLake(config)) return [];
  // Loaded where it is needed: with it come DuckDB and the client of PostgreSQL.
  const { checkLake } = await import("./service-lake-checks.ts");
  return checkLake(config);
}

function clockCheck({ now }: Status, askedAt: number, answeredAt: number): Check {
  const name = "clock";
  const theirs = Date.parse(now);
  // What the way takes is no difference.
  const skewMs = Math.max(askedAt - theirs, theirs - answeredAt, 0);
  const message = `${Math.round(skewMs)} ms apart`;
  if (skewMs <= skewMsGood) return { name, status: "ok", message };
  const hint = "set both clocks by NTP: events five minutes ahead of the service's are refused";
  return { name, status: skewMs > skewMsMax ? "fail" : "warn", message, hint };
}

function statusChecks(status: Status, version: string): Check[] {
  const checks: Check[] = [];
  const parts = status.notReady.join(", ");
  if (status.status === "ready") {
    const up = durationText(status.uptimeSeconds);
    checks.push({ name: "service", status: "ok", message: `ready, up for ${up}` });
  } else {
    const hint = "its log says why";
    checks.push({ name: "service", status: "fail", message: `not ready: ${parts}`, hint });
  }
  const isSame = status.version === version;
  checks.push({
    name: "version",
    status: isSame ? "ok" : "warn",
    message: isSame ? version : `the service is ${status.version}, this is ${version}`,
    ...(!isSame && { hint: "use the same version on both sides" }),
  });
  const { lag, disk } = status;
  if (lag !== null) {
    const message = `${countText(lag.records)} records wait to be counted`;
    const isLong = lag.ms > lagMsGood;
    const hint = "a large import may do that; else see its log";
    checks.push({ name: "lag", status: isLong ? "warn" : "ok", message, ...(isLong && { hint }) });
  }
  if (disk !== null) {
    const own = `store ${countText(disk.storeBytes / MiB)} MiB`;
    const log = disk.logBytes === null ? "" : `, log ${countText(disk.logBytes / MiB)} MiB`;
    checks.push({ name: "sizes", status: "ok", message: `${own}${log}` });
  }
  return checks;
}

const wantsKey = `--key-file or ${keyVariable} says by which key to ask: one with the scope read`;

/** The service, or the port where none answers. `isNamed`: somebody said that it is there. */
async function serviceChecks(
  target: ServiceTarget,
  isNamed: boolean,
  config: Config | null,
  io: CliIo,
): Promise<Check[]> {
  const client = clientOf(target, io, { retryMsMax: 0, requestMsMax });
  try {
    const askedAt = Date.now();
    const status = await client.status();
    return [...statusChecks(status, io.version), clockCheck(status, askedAt, Date.now())];
  } catch (error) {
    const message = printable((error as Error).message);
    // It is there, and says so.
    if (error instanceof ProblemError) {
      const hint = error.status === 401 ? wantsKey : error.hint;
      return [{ name: "service", status: "warn", message, hint }];
    }
    const hint = isNamed ? "start it, or correct the address" : "rankstream start starts it";
    const service: Check = { name: "service", status: isNamed ? "fail" : "warn", message, hint };
    if (config === null) return [service];
    const place = `${config.host}:${config.port}`;
    if (await isPortFree(config)) {
      return [service, { name: "port", status: "ok", message: `${place} is free` }];
    }
    const taken = "choose another --port, or stop what listens there";
    return [service, { name: "port", status: "fail", message: `${place} is taken`, hint: taken }];
  }
}

const marks = Object.freeze({
  ok: ["green", "ok"],
  warn: ["yellow", "warn"],
  fail: ["red", "FAIL"],
} as const);
const markColumns = 4;

/** A line a check, its hint below it. */
export function checksText(checks: readonly Check[], paint: Paint): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  return checks
    .map(({ name, status, message, hint }) => {
      const [style, word] = marks[status];
      const mark = paint(style, padded(word, markColumns, "left"));
      const indent = " ".repeat(markColumns + width + 4);
      const more = hint === undefined ? "" : `${indent}${paint("dim", hint)}\n`;
      return `${mark}  ${padded(name, width, "left")}  ${message}\n${more}`;
    })
    .join("");
}

/** Where a service would be by the configuration, when nobody says it. */
function urlOf(flags: DoctorFlags, isNamed: boolean, config: Config | null): string {
  if (isNamed) return checkedUrl(flags.url);
  if (config === null || config.port === 0) return defaultUrl;
  const host = config.host === "0.0.0.0" || config.host === "::" ? "127.0.0.1" : config.host;
  const scheme = config.tlsCert === "none" ? "http" : "https";
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${config.port}`;
}

async function runDoctor(
  given: Record<string, string>,
  flags: DoctorFlags,
  isNamed: boolean,
  io: CliIo,
): Promise<number> {
  const [config, configured] = configChecks(given, io);
  const url = urlOf(flags, isNamed, config);
  const [machine, lake, access, service] = await Promise.all([
    checkMachine(config ?? loadConfig({}).config),
    lakeChecks(config),
    config === null ? [] : checkAccess(config),
    serviceChecks({ ...flags, url }, isNamed, config, io),
  ]);
  const checks = [nodeCheck(io.nodeVersion), ...configured, machine, lake, access, service].flat();
  const ok = checks.every(({ status }) => status !== "fail");
  if (flags.json === true) io.writeOut(`${JSON.stringify({ ok, checks })}\n`);
  else io.writeOut(checksText(checks, outPaint(io, flags)));
  return ok ? exitCodes.done : exitCodes.failure;
}

/** Adds the command; `done` is told its exit code. */
export function addDoctorCommand(program: Command, io: CliIo, done: (code: number) => void): void {
  const command = program
    .command("doctor")
    .description("Check the machine, the configuration and the service.")
    .option("--url <url>", `the service (default: by the configuration) [${urlVariable}]`)
    .addOption(keyFileOption())
    .option("--json", "print the checks as JSON")
    .option("--no-color", "no colours")
    .addHelpText("after", helpAfter)
    .action(async (all: Record<string, string> & Omit<DoctorFlags, "url"> & { url?: string }) => {
      const { json, color, url, keyFile, ...given } = all;
      const named = url ?? io.environment[urlVariable];
      const flags: DoctorFlags = {
        url: named ?? "",
        color,
        ...(json !== undefined && { json }),
        ...(keyFile !== undefined && { keyFile }),
      };
      done(await runDoctor(given, flags, named !== undefined && named !== "", io));
    });
  addConfigOptions(command);
}
