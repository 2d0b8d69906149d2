// The rules of the house, each a function from sources to what offends against it.
import { posix } from "node:path";
import type { ParsedSource, Source } from "./source-tree.ts";

/** Files' lines, functions' lines and lines' characters stay below these. */
const fileLinesMax = 400;
const functionLinesMax = 70;
const lineCharsMax = 100;

/** What each part of `src/` may import beside itself, `model` and `errors`. */
const mayImport: Record<string, string[]> = {
  model: [],
  errors: ["model"],
  files: [],
  "fail-point": [],
  discard: [],
  "serial-queue": [],
  config: [],
  telemetry: [],
  kernel: [],
  access: ["telemetry"],
  client: [],
  capacity: [],
  log: ["telemetry", "files", "discard"],
  store: ["kernel", "telemetry", "files", "discard", "serial-queue"],
  backup: ["log", "store", "files", "telemetry", "serial-queue"],
  limits: ["access", "telemetry"],
  edge: ["log", "kernel", "telemetry", "discard"],
  ingest: ["log", "kernel", "store", "telemetry", "files"],
  query: ["store", "kernel", "telemetry", "serial-queue"],
  region: ["edge", "log", "query", "store", "telemetry", "serial-queue"],
  api: ["access", "edge", "query", "telemetry", "discard", "limits"],
  web: ["client", "kernel", "capacity"],
  service: [
    "access",
    "files",
    "config",
    "telemetry",
    "kernel",
    "client",
    "log",
    "store",
    "backup",
    "edge",
    "ingest",
    "query",
    "region",
    "api",
    "web",
    "import",
    "limits",
  ],
  import: ["store/reader", "client"],
  cli: ["access", "service", "config", "client", "import", "telemetry", "capacity"],
};

/** A dependency with an owner is imported there and nowhere else. */
const owners: { dependency: RegExp; parts: string[] }[] = [
  { dependency: /^kafkajs$/, parts: ["log"] },
  { dependency: /^@duckdb\//, parts: ["store"] },
  { dependency: /^pg$/, parts: ["store"] },
  { dependency: /^@aws-sdk\//, parts: ["backup", "store"] },
  { dependency: /^prom-client$/, parts: ["telemetry"] },
  { dependency: /^jose$/, parts: ["access"] },
  { dependency: /^@opentelemetry\//, parts: ["telemetry"] },
  { dependency: /^(?:fastify$|@fastify\/)/, parts: ["edge", "api", "service"] },
];

/**
 * A fail point reads its variable in whatever thread it is, and kills its own process. The client
 * runs in others' processes: it must hear when one of them ends, to send what was tracked.
 */
const processOwners = [
  "src/cli.ts",
  "src/config.ts",
  "src/fail-point.ts",
  "src/client/leaving.ts",
];
/** Where events pass as bytes: there the kernel is the only reader of JSON. */
const noJsonParse = ["edge", "log", "ingest", "store"];

/** `src/log/log.ts` is of log, `src/cli-start.ts` of cli, `src/node-files.ts` of files. */
export function partOf(path: string): string {
  const [, first, ...more] = path.split("/");
  if (more.length > 0) return first!;
  const name = first!.replace(/\..*$/, "").replace(/^node-/, "");
  return Object.keys(mayImport).find((part) => name.startsWith(`${part}-`)) ?? name;
}

/** The path of what a relative import names, or undefined for a package. */
function targetOf(source: Source, name: string): string | undefined {
  if (!name.startsWith(".")) return undefined;
  const path = posix.join(posix.dirname(source.path), name);
  return posix.extname(path) === "" ? `${path}.ts` : path;
}

function mayReach(source: Source, target: string): boolean {
  const from = partOf(source.path);
  const to = partOf(target);
  if (from === to) return true;
  const allowed = [...(mayImport[from] ?? [])];
  if (from !== "model" && from !== "errors") {
    // Fail points may stand anywhere: a crash test must be able to kill between any two steps.
    allowed.push("model", "errors", "fail-point");
  }
  return allowed.some(
    (entry) => entry === to || (target.startsWith(`src/${entry}`) && entry.includes("/")),
  );
}

export function importOffences(sources: ParsedSource[]): string[] {
  return sources.flatMap((source) => {
    const part = partOf(source.path);
    if (!(part in mayImport)) return [`${source.path}: no rule says what ${part} may import`];
    return source.imports.flatMap((name) => {
      const target = targetOf(source, name);
      if (target === undefined) return [];
      if (!target.startsWith("src/")) return [`${source.path} imports ${name}, outside src/`];
      if (!/\.tsx?$/.test(name)) return [`${source.path} imports ${name} without .ts`];
      return mayReach(source, target) ? [] : [`${source.path} imports ${target}`];
    });
  });
}

/** Each circle of imports, types included, named once. */
export function cycleOffences(sources: ParsedSource[]): string[] {
  const graph = new Map(
    sources.map((source) => [
      source.path,
      source.imports.map((name) => targetOf(source, name)).filter((path) => path !== undefined),
    ]),
  );
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: string[]) => {
    const start = trail.indexOf(path);
    if (start >= 0) found.push([...trail.slice(start), path].join(" → "));
    if (start >= 0 || done.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
}

function packageOf(name: string): string {
  return name
    .split("/")
    .slice(0, name.startsWith("@") ? 2 : 1)
    .join("/");
}

function packagesIn(source: ParsedSource): string[] {
  return source.imports.filter((name) => !name.startsWith(".") && !name.startsWith("node:"));
}

export function ownerOffences(sources: ParsedSource[]): string[] {
  return sources.flatMap((source) => {
    const part = partOf(source.path);
    const imports = packagesIn(source).flatMap((name) => {
      const owner = owners.find(({ dependency }) => dependency.test(name));
      if (owner === undefined || owner.parts.includes(part)) return [];
      return [`${source.path} imports ${name}, which belongs to ${owner.parts.join(", ")}`];
    });
    const globals = source.globals.flatMap(({ name, property, line }) => {
      const place = `${source.path}:${line}`;
      if (name === "WebAssembly" && part !== "kernel") return [`${place} uses WebAssembly`];
      if (name === "process" && !processOwners.includes(source.path))
        return [`${place} uses process`];
      const parses = name === "JSON" && property !== "stringify" && noJsonParse.includes(part);
      return parses ? [`${place} uses JSON.${property || "*"}`] : [];
    });
    const hidden = source.imports.includes("node:process") ? [`${source.path} uses process`] : [];
    return [...imports, ...globals, ...hidden];
  });
}

/** What browsers run is bundled: its packages are needed to build, not to run. */
export function isBundled({ path }: Source): boolean {
  return path.startsWith("src/web/");
}

/** Packages that the sources import and package.json doesn't list, and the other way round. */
export function dependencyOffences(sources: ParsedSource[], declared: string[]): string[] {
  const used = new Set(sources.flatMap(packagesIn).map(packageOf));
  const missing = [...used].filter((name) => !declared.includes(name));
  const idle = declared.filter((name) => !used.has(name));
  return [
    ...missing.map((name) => `${name} is imported but no dependency (builtins take node:)`),
    ...idle.map((name) => `${name} is a dependency that nothing imports`),
  ];
}

export function shapeOffences(sources: ParsedSource[]): string[] {
  return sources.flatMap((source) => {
    const faults = source.faults.map((fault) => `${source.path} doesn't parse: ${fault}`);
    const long = source.functions
      .filter(({ lines }) => lines >= functionLinesMax)
      .map(({ line, lines }) => `${source.path}:${line} is a function of ${lines} lines`);
    const isBarrel = source.isBarrel && source.path !== "assembly/index.ts";
    return [...faults, ...long, ...(isBarrel ? [`${source.path} only re-exports`] : [])];
  });
}

export function lengthOffences(sources: Source[]): string[] {
  return sources.flatMap(({ path, text }) => {
    const lines = text.replace(/\n$/, "").split("\n");
    const wide = lines.flatMap((line, i) => {
      const chars = [...line].length;
      return chars >= lineCharsMax ? [`${path}:${i + 1} has ${chars} characters`] : [];
    });
    return lines.length >= fileLinesMax ? [...wide, `${path} has ${lines.length} lines`] : wide;
  });
}

export function nameOffences(sources: Source[]): string[] {
  return sources.flatMap(({ path }) => {
    const names = path
      .split("/")
      .map((name) => name.replace(/(?:\.test|\.d|\.config)?\.\w+$/, ""));
    const isUtils = names.some((name) => /^utils?$|-utils?$|^utils?-/.test(name));
    const isKebab = names.every((name) => /^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(name));
    return [
      ...(isUtils ? [`${path} is named utils`] : []),
      ...(isKebab ? [] : [`${path} is not in kebab-case`]),
    ];
  });
}

// Put together so that this file doesn't offend by naming them.
const unfinished = new RegExp(
  `\\b(?:${["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"].join("|")})\\b`,
);
const switchedOff = /\b(?:it|test|describe|bench|suite)(?:\.\w+)*\.(?:only|skip|todo)\b/;

export function leftoverOffences(sources: Source[]): string[] {
  return sources.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, i) => {
      if (unfinished.test(line)) return [`${path}:${i + 1} is left unfinished`];
      return switchedOff.test(line) ? [`${path}:${i + 1} is a test switched off`] : [];
    }),
  );
}

export interface LockedPackage {
  version?: string;
  resolved?: string;
  integrity?: string;
  link?: boolean;
  inBundle?: boolean;
}

const tarball = /^https:\/\/[^/]+\/(?:.*\/)?-\/[^/]+\.tgz$/;

/**
 * Lock file entries that come from anywhere but a registry or can't be checked. A lock file may
 * leave out which registry (npm's omit-lockfile-registry-resolved); the digest then says it all.
 */
export function lockOffences(packages: Record<string, LockedPackage>): string[] {
  return Object.entries(packages).flatMap(([path, { resolved, integrity, link, inBundle }]) => {
    if (path === "" || inBundle === true) return [];
    if (link === true) return [`${path} is a link`];
    if (integrity === undefined) return [`${path} has no integrity`];
    const isRegistry = resolved === undefined || tarball.test(resolved);
    return isRegistry ? [] : [`${path} comes from ${resolved}`];
  });
}
