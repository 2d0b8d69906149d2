// Builds the container image, takes its bill of materials out of it, and tries it.
//   node tools/image.mjs               build, build/image/rankstream.cdx.json, try
//   node tools/image.mjs --tar         build/image/rankstream.tar.gz as well
//   node tools/image.mjs --no-build    of the image that is there
// With docker or podman, or what CONTAINER_ENGINE names. Behind a proxy that signs with a
// certificate of its own, NODE_EXTRA_CA_CERTS names its file.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  createWriteStream,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { createGzip } from "node:zlib";
import { smoke } from "./image-smoke.mjs";
import { onPath } from "./programs.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const output = join(root, "build", "image");
const sbomPath = "/usr/share/rankstream/sbom/rankstream.cdx.json";
const buildMsMax = 20 * 60_000;
const commandMsMax = 60_000;

/** What the Dockerfile begins with, unless told otherwise. */
export const baseImage = /^ARG NODE_IMAGE=(\S+)$/m.exec(
  readFileSync(join(root, "docker", "Dockerfile"), "utf8"),
)[1];

/** Path of docker or podman, whichever works; undefined where none does. */
export function findEngine() {
  const named = process.env["CONTAINER_ENGINE"];
  const programs = (named ? [named] : ["docker", "podman"]).map((name) => onPath(name));
  // A docker without its daemon is none.
  return programs.find(
    (path) =>
      path !== undefined && spawnSync(path, ["info"], { timeout: commandMsMax }).status === 0,
  );
}

/** Whether the engine has the image, without asking a registry. */
export function hasImage(engine, name) {
  const done = spawnSync(engine, ["image", "inspect", name], { timeout: commandMsMax });
  return done.status === 0;
}

function run(program, args, { timeout = commandMsMax, shown = false } = {}) {
  const stdio = shown ? ["ignore", 2, 2] : ["ignore", "pipe", "pipe"];
  const done = spawnSync(program, args, { cwd: root, encoding: "utf8", stdio, timeout });
  if (done.error) throw done.error;
  if (done.status === 0) return (done.stdout ?? "").trim();
  throw new Error(`${program} ${args.join(" ")} ended with ${done.status}\n${done.stderr ?? ""}`);
}

function git(...args) {
  const done = spawnSync("git", args, { cwd: root, encoding: "utf8", timeout: commandMsMax });
  return done.status === 0 ? done.stdout.trim() : "";
}

/** Of a remote that others reach, without a password in it. */
function sourceAddress(remote) {
  if (!/^(https?:\/\/|ssh:\/\/|git@)/.test(remote)) return "unknown";
  return remote.replace(/\/\/[^/@]*@/, "//");
}

/** What the image says of itself; the time is the commit's, so that it builds the same twice. */
function labels(version) {
  const isChanged = git("status", "--porcelain") !== "";
  const revision = git("rev-parse", "HEAD") || "unknown";
  return {
    VERSION: version,
    REVISION: isChanged ? `${revision}-changed` : revision,
    CREATED: git("log", "-1", "--format=%cI") || "1970-01-01T00:00:00Z",
    SOURCE: sourceAddress(git("remote", "get-url", "origin")),
  };
}

/** Secrets of the build: npm must believe a proxy's certificate, where there is one. */
function certificateArgs(folder) {
  const certificates = process.env["NODE_EXTRA_CA_CERTS"];
  if (!certificates) return [];
  const npmrc = join(folder, "npmrc");
  writeFileSync(npmrc, "cafile=/run/secrets/ca\n");
  return ["--secret", `id=npmrc,src=${npmrc}`, "--secret", `id=ca,src=${certificates}`];
}

function build(engine, tag, version) {
  const folder = mkdtempSync(join(tmpdir(), "rankstream-image-"));
  try {
    const pairs = Object.entries(labels(version));
    const args = pairs.flatMap(([name, value]) => ["--build-arg", `${name}=${value}`]);
    // Podman's own format knows no HEALTHCHECK.
    const format = engine.endsWith("podman") ? ["--format", "docker"] : [];
    const file = ["-f", "docker/Dockerfile", "-t", tag];
    const all = ["build", ...format, ...file, ...args, ...certificateArgs(folder), "."];
    run(engine, all, { timeout: buildMsMax, shown: true });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Copies the bill of materials out of the image; how many parts it lists. */
function takeSbom(engine, tag) {
  const target = join(output, "rankstream.cdx.json");
  const container = run(engine, ["create", tag]);
  try {
    run(engine, ["cp", `${container}:${sbomPath}`, target]);
  } finally {
    run(engine, ["rm", container]);
  }
  return JSON.parse(readFileSync(target, "utf8")).components.length;
}

/** Writes the image as a packed archive; its bytes. */
async function pack(engine, tag) {
  const child = spawn(engine, ["save", tag], { stdio: ["ignore", "pipe", 2] });
  const exited = once(child, "exit");
  const file = createWriteStream(join(output, "rankstream.tar.gz"));
  await pipeline(child.stdout, createGzip(), file);
  const [code] = await exited;
  if (code !== 0) throw new Error(`${engine} save ended with ${code}`);
  return file.bytesWritten;
}

function sizeOf(engine, tag) {
  return Number(run(engine, ["image", "inspect", "--format", "{{.Size}}", tag]));
}

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

async function main(flags) {
  const engine = findEngine();
  if (engine === undefined) throw new Error("expected a docker or podman that works, found none");
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const tag = `rankstream:${version}`;
  mkdirSync(output, { recursive: true });
  if (!flags.includes("--no-build")) build(engine, tag, version);
  const say = (name, value) => process.stdout.write(`${name}: ${value}\n`);
  say("image", `${tag}, ${megabytes(sizeOf(engine, tag))}`);
  if (hasImage(engine, baseImage)) {
    say("of that the base", megabytes(sizeOf(engine, baseImage)));
  }
  say("bill of materials", `${takeSbom(engine, tag)} parts`);
  if (flags.includes("--tar")) say("packed", megabytes(await pack(engine, tag)));
  await smoke({ engine, tag, say });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const flags = process.argv.slice(2);
  const unknown = flags.find((flag) => !["--tar", "--no-build"].includes(flag));
  if (unknown !== undefined) {
    process.stderr.write(`expected --tar or --no-build, got ${unknown}\n`);
    process.exit(2);
  }
  await main(flags);
}
