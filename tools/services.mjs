// Brings what the tests need beside npm packages, and says what it could not bring.
//   node tools/services.mjs           installs what is missing (Debian, Ubuntu, as root)
//   node tools/services.mjs --check   only reports; exit 1 when something is missing
// Quick when all is there. A new service is one more row in `services`.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  describeExtensions,
  extensionsHelp,
  installTestExtensions,
} from "./duckdb-extensions.mjs";
import { describeKafka, installKafka, kafkaHelp, kafkaPackages } from "./kafka.mjs";
import { describeNodes, installNodes, nodesHelp } from "./nodes.mjs";
import { firstExecutable, onPath } from "./programs.mjs";
import { findSchemathesis, installSchemathesis } from "./schemathesis.mjs";
import { findVersitygw, installVersitygw, versitygwHelp } from "./versitygw.mjs";

export { findSchemathesis, findVersitygw };

const installMsMax = 10 * 60_000;

/** Path of a Chromium that playwright-core can drive; undefined where there is none. */
export function findChromium() {
  const named = process.env["CHROMIUM_PATH"];
  if (named) return firstExecutable([named]);
  return (
    onPath("chromium", "chromium-browser", "google-chrome", "google-chrome-stable") ??
    firstExecutable([
      "/usr/bin/chromium",
      "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
      "/Applications/Chromium.app/Contents/MacOS/Chromium",
    ])
  );
}

/** Path of a Redis server; undefined where there is none. */
export function findRedis() {
  const named = process.env["REDIS_SERVER_PATH"];
  if (named) return firstExecutable([named]);
  return onPath("redis-server", "valkey-server");
}

/** Path of kcat, a Kafka client in C that shares nothing with the one the service uses. */
export function findKcat() {
  return onPath("kcat", "kafkacat");
}

export function findHaproxy() {
  return onPath("haproxy") ?? firstExecutable(["/usr/sbin/haproxy"]);
}

export function findCaddy() {
  return onPath("caddy");
}

export function findNginx() {
  return onPath("nginx") ?? firstExecutable(["/usr/sbin/nginx"]);
}

/** Helm, for the chart's test alone, which says where it didn't run for want of it. */
export function findHelm() {
  const named = process.env["HELM_PATH"];
  return named ? firstExecutable([named]) : onPath("helm");
}

/** Prometheus, and promtool, which comes with it. */
export function findPrometheus() {
  const promtool = onPath("promtool");
  const server = onPath("prometheus");
  return promtool === undefined || server === undefined ? undefined : { promtool, server };
}

/** Alertmanager, which Debian names otherwise, and its amtool. */
export function findAlertmanager() {
  const amtool = onPath("amtool");
  const server = onPath("prometheus-alertmanager", "alertmanager");
  return amtool === undefined || server === undefined ? undefined : { amtool, server };
}

/**
 * The folder of PostgreSQL's server programs, which Debian keeps off the PATH; of several the
 * newest. Undefined where there is none.
 */
export function findPostgres() {
  const kept = "/usr/lib/postgresql";
  const versions = existsSync(kept) ? readdirSync(kept).sort((a, b) => Number(b) - Number(a)) : [];
  const places = versions.map((version) => join(kept, version, "bin", "postgres"));
  const found = firstExecutable(places) ?? onPath("postgres");
  return found === undefined ? undefined : dirname(found);
}

/** Linux traces system calls with it; elsewhere the one test that needs it says it didn't run. */
function findStrace() {
  return process.platform === "linux" ? onPath("strace") : "not needed here";
}

/**
 * `find` returns where the service is, or undefined. `apt` names its Debian packages; a service
 * that comes from elsewhere has `install`, a function that throws on failure.
 * `otherwise` is said where neither can be done here. Without one that is optional its test says
 * that it didn't run, save in CI, where all have to be there.
 */
const services = [
  {
    name: "Chromium",
    neededBy: "tests of the live page",
    find: findChromium,
    apt: ["chromium", "fonts-dejavu-core"],
    otherwise: [
      "Debian, Ubuntu: sudo apt-get update && sudo apt-get install -y chromium",
      "macOS: brew install --cask chromium",
      "elsewhere: install Chrome or Chromium and set CHROMIUM_PATH to its program",
    ],
  },
  {
    name: "Redis",
    neededBy: "tests of answers that nodes share",
    find: findRedis,
    apt: ["redis-server"],
    otherwise: [
      "Debian, Ubuntu: sudo apt-get update && sudo apt-get install -y redis-server",
      "macOS: brew install redis",
      "elsewhere: install Redis or Valkey and set REDIS_SERVER_PATH to its program",
    ],
  },
  {
    name: "strace",
    neededBy: "the trace of system calls that shows every reply after its sync",
    find: findStrace,
    apt: ["strace"],
    otherwise: ["Debian, Ubuntu: sudo apt-get update && sudo apt-get install -y strace"],
  },
  {
    name: "Kafka",
    neededBy: "tests of the log in Kafka",
    find: describeKafka,
    // Which packages these are depends on what is here, and on what the updated lists offer.
    get apt() {
      return kafkaPackages();
    },
    install: installKafka,
    get otherwise() {
      return kafkaHelp();
    },
  },
  {
    name: "Node 22 and 24",
    neededBy: "tests of the client in other versions of Node",
    find: describeNodes,
    install: installNodes,
    otherwise: nodesHelp,
  },
  {
    name: "kcat",
    neededBy: "tests with a foreign producer to Kafka",
    find: findKcat,
    apt: ["kcat"],
    otherwise: [
      "Debian, Ubuntu: sudo apt-get update && sudo apt-get install -y kcat",
      "macOS: brew install kcat",
    ],
  },
  ...[
    { name: "HAProxy", find: findHaproxy, package: "haproxy" },
    { name: "Caddy", find: findCaddy, package: "caddy" },
    { name: "nginx", find: findNginx, package: "nginx" },
  ].map(({ name, find, package: own }) => ({
    name,
    neededBy: "tests of what the pages say of proxies",
    find,
    apt: [own],
    otherwise: [
      `Debian, Ubuntu: sudo apt-get update && sudo apt-get install -y ${own}`,
      `macOS: brew install ${own}`,
    ],
  })),
  ...[
    { name: "Prometheus", find: findPrometheus, apt: "prometheus", brew: "prometheus" },
    {
      name: "Alertmanager",
      find: findAlertmanager,
      apt: "prometheus-alertmanager",
      brew: "alertmanager",
    },
  ].map(({ name, find, apt: debian, brew }) => ({
    name,
    neededBy: "tests of the alerts and the dashboard",
    find: () => find()?.server,
    apt: [debian],
    otherwise: [
      `Debian, Ubuntu: sudo apt-get update && sudo apt-get install -y ${debian}`,
      `macOS: brew install ${brew}`,
    ],
  })),
  {
    name: "PostgreSQL",
    neededBy: "tests of what the pages say of it",
    find: findPostgres,
    apt: ["postgresql"],
    otherwise: [
      "Debian, Ubuntu: sudo apt-get update && sudo apt-get install -y postgresql",
      "macOS: brew install postgresql",
    ],
  },
  {
    name: "versitygw",
    neededBy: "tests of backups in S3",
    find: findVersitygw,
    isOptional: true,
    install: installVersitygw,
    otherwise: versitygwHelp,
  },
  {
    name: "DuckDB's extensions",
    neededBy: "tests of a store in a lake",
    find: describeExtensions,
    isOptional: true,
    apt: ["python3-venv"],
    install: installTestExtensions,
    otherwise: extensionsHelp,
  },
  {
    name: "schemathesis",
    neededBy: "requests made from the API's own description",
    find: findSchemathesis,
    isOptional: true,
    apt: ["python3-venv"],
    install: installSchemathesis,
    otherwise: [
      "install Python 3 with venv, and run this again with PyPI in reach",
      "elsewhere: install schemathesis and set SCHEMATHESIS_PATH to its program st",
    ],
  },
];

/** The rows nothing was found for. */
export function missingServices() {
  return services.filter((service) => service.find() === undefined);
}

function canApt() {
  if (process.getuid?.() !== 0 || onPath("apt-get") === undefined) return false;
  if (!existsSync("/etc/os-release")) return false;
  const release = readFileSync("/etc/os-release", "utf8");
  return /^ID(_LIKE)?="?[^"\n]*\b(debian|ubuntu)\b/m.test(release);
}

function apt(args) {
  const done = spawnSync("apt-get", args, {
    // The tool's own chatter goes to stderr: stdout holds this program's lines only.
    stdio: ["ignore", 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    timeout: installMsMax,
  });
  if (done.error) throw done.error;
  if (done.status !== 0) throw new Error(`apt-get ${args.join(" ")} ended with ${done.status}`);
}

/** What can't be brought doesn't keep the others from being brought. */
function attempt(step) {
  try {
    step();
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
  }
}

function install(missing) {
  const packages = () => missing.flatMap((service) => service.apt ?? []);
  if (packages().length > 0 && canApt()) {
    attempt(() => {
      apt(["update", "-q"]);
      apt(["install", "-y", "-q", "--no-install-recommends", ...packages()]);
    });
  }
  for (const service of missing) attempt(() => service.install?.());
}

function report() {
  for (const service of services) {
    const found = service.find();
    const state = found ?? `missing (needed by ${service.neededBy})`;
    process.stdout.write(`${service.name}: ${state}\n`);
  }
}

function main() {
  const checkOnly = process.argv.includes("--check");
  const wanted = missingServices();
  if (!checkOnly && wanted.length > 0) install(wanted);
  report();
  const missing = missingServices();
  if (missing.length === 0) return;
  for (const service of missing) {
    process.stderr.write(`To get ${service.name}:\n  ${service.otherwise.join("\n  ")}\n`);
  }
  const isNeeded = ({ isOptional = false }) => !isOptional || process.env["CI"] !== undefined;
  if (missing.some(isNeeded)) process.exitCode = 1;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) main();
