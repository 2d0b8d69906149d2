// Asks the registry what is known against the packages that the service runs with, and whether
// they are the ones that were published.
//   node tools/audit.mjs            exit 1 for a flaw that is high or critical, a wrong signature
//   node tools/audit.mjs --strict   also where the registry could not be asked
// Where it could not be asked it says so, in capitals, and that is all: a build without network
// must not fail for it. What package-lock.json itself tells is held by test/audit.test.ts.
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const askMsMax = 120_000;
/** Flaws of these kinds fail the build. */
const grave = ["high", "critical"];

/** `npm`'s JSON; undefined where it wrote none. */
function parsed(text) {
  try {
    return JSON.parse(text) ?? undefined;
  } catch {
    return undefined;
  }
}

/**
 * What `npm audit --json` has answered. `status`: `good`, `flawed` or `unknown`, where nobody
 * could be asked; `lines`: to be shown.
 */
export function auditVerdict(text) {
  const answer = parsed(text);
  const counts = answer?.metadata?.vulnerabilities;
  if (counts === undefined) {
    const why = answer?.message ?? answer?.error?.summary ?? "no answer";
    return {
      status: "unknown",
      lines: [`the registry was not asked: ${String(why).split(" - ")[0]}`],
    };
  }
  const found = Object.entries(answer.vulnerabilities ?? {});
  const flaws = found.filter(([, { severity }]) => grave.includes(severity));
  const total = Object.values(answer.metadata.dependencies ?? {})[0] ?? "all";
  if (flaws.length === 0) {
    const lesser = found.map(([name, { severity }]) => `${name}: ${severity}`);
    return { status: "good", lines: [`${total} packages, nothing high or critical`, ...lesser] };
  }
  const lines = flaws.map(([name, { severity, range, fixAvailable }]) => {
    return `${name} ${range}: ${severity}${fixAvailable ? ", a fix is there" : ""}`;
  });
  return { status: "flawed", lines };
}

/** The same of `npm audit signatures --json`. */
export function signaturesVerdict(text) {
  const answer = parsed(text);
  if (answer === undefined || answer.error !== undefined || answer.invalid === undefined) {
    const why = answer?.error?.code ?? answer?.message ?? "no answer";
    return { status: "unknown", lines: [`signatures were not checked: ${why}`] };
  }
  const wrong = [...answer.invalid, ...(answer.missing ?? [])];
  if (wrong.length === 0)
    return { status: "good", lines: ["signatures are those of the registry"] };
  return {
    status: "flawed",
    lines: wrong.map(({ name, version }) => `${name}@${version}: signature`),
  };
}

function ask(args) {
  const options = { cwd: root, encoding: "utf8", timeout: askMsMax, maxBuffer: 64 * 1024 * 1024 };
  return spawnSync("npm", [...args, "--json"], options).stdout ?? "";
}

function main(isStrict) {
  const verdicts = {
    "npm audit": auditVerdict(ask(["audit", "--omit=dev", "--audit-level=high"])),
    "npm audit signatures": signaturesVerdict(ask(["audit", "signatures"])),
  };
  for (const [name, { status, lines }] of Object.entries(verdicts)) {
    const word = status === "unknown" ? "NOT DONE" : status;
    for (const line of lines) process.stdout.write(`${name}: ${word}: ${line}\n`);
  }
  const statuses = Object.values(verdicts).map(({ status }) => status);
  const isBad = statuses.includes("flawed") || (isStrict && statuses.includes("unknown"));
  process.exitCode = isBad ? 1 : 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  main(process.argv.includes("--strict"));
}
