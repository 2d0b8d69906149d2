// Fetches the extensions of DuckDB that a store in a lake needs: PyPI's wheels that hold them, by
// pip, which knows the machine's index, certificates and proxies; each checked by its digest.
//   node tools/duckdb-extensions.mjs                    for this machine, into ./duckdb-extensions
//     --to FOLDER           into another folder, which --extension-directory then names
//     --platform NAME       for another machine: linux_amd64, linux_arm64, osx_amd64, osx_arm64
//     --from FOLDER         from wheels that lie there already, without pip and without a network
// Quick when all is there.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { duckdbVersion, extensionPins } from "./duckdb-extension-pins.mjs";
import { cacheFolder, onPath } from "./programs.mjs";
import { zipMember } from "./zip-member.mjs";

const fetchMsMax = 10 * 60_000;
const defaultFolder = "./duckdb-extensions";

/** DuckDB's name for this machine; undefined where there are no extensions for it. */
export function platformHere() {
  const system = { linux: "linux", darwin: "osx" }[process.platform];
  const machine = { x64: "amd64", arm64: "arm64" }[process.arch];
  const name = `${system}_${machine}`;
  return Object.hasOwn(extensionPins, name) ? name : undefined;
}

function placeOf(folder, platform, extension) {
  return join(folder, `v${duckdbVersion}`, platform, `${extension}.duckdb_extension`);
}

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** Whether all are there, by their sizes alone. */
function areThere(folder, platform) {
  return Object.entries(extensionPins[platform].files).every(
    ([extension, { bytes }]) =>
      statSync(placeOf(folder, platform, extension), { throwIfNoEntry: false })?.size === bytes,
  );
}

/** Those that aren't there as they should be, by what is in them. */
function missingIn(folder, platform) {
  return Object.entries(extensionPins[platform].files).filter(([extension, { file, bytes }]) => {
    const path = placeOf(folder, platform, extension);
    const size = statSync(path, { throwIfNoEntry: false })?.size;
    return size !== bytes || sha256(readFileSync(path)) !== file;
  });
}

function run(program, args) {
  const done = spawnSync(program, args, { stdio: ["ignore", 2, 2], timeout: fetchMsMax });
  if (done.error) throw done.error;
  if (done.status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${done.status}`);
}

/** How pip is called: as the machine has it, else from an environment made in `folder`. */
function pipIn(folder) {
  const python = onPath("python3", "python");
  if (python === undefined) {
    throw new Error("DuckDB's extensions come from PyPI: no python3 on the PATH, and no --from");
  }
  const asked = spawnSync(python, ["-m", "pip", "--version"], { stdio: "ignore" });
  if (asked.status === 0) return [python, "-m", "pip"];
  const own = join(folder, "python");
  run(python, ["-m", "venv", own]);
  return [join(own, "bin", "python"), "-m", "pip"];
}

/** Wheels as pip brings them, which refuses those of another digest. */
function download(wanted, platform, folder) {
  const lines = wanted.map(([extension, { wheel }]) => {
    const name = `duckdb-extension-${extension.replaceAll("_", "-")}`;
    return `${name}==${duckdbVersion} --hash=sha256:${wheel}\n`;
  });
  const list = join(folder, "requirements.txt");
  writeAtOnce(list, Buffer.from(lines.join("")));
  const [program, ...before] = pipIn(folder);
  const what = ["--require-hashes", "--no-deps", "--only-binary=:all:", "-r", list];
  const whither = ["--platform", extensionPins[platform].tag, "-d", folder];
  run(program, [...before, "download", "-q", ...what, ...whither]);
}

/** Under another name first: whoever looks sees all of it or nothing. */
function writeAtOnce(path, content) {
  const unfinished = `${path}.${process.pid}.unfinished`;
  try {
    const file = openSync(unfinished, "wx");
    try {
      for (let at = 0; at < content.length; ) at += writeSync(file, content, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(unfinished, path);
  } finally {
    rmSync(unfinished, { force: true });
  }
}

/** Puts one extension out of the wheels in `wheels` to its place. */
function unpack([extension, pin], platform, wheels, folder) {
  const start = `duckdb_extension_${extension}-${duckdbVersion}-`;
  const { tag } = extensionPins[platform];
  const name = readdirSync(wheels).find(
    (each) => each.startsWith(start) && each.endsWith(`${tag}.whl`),
  );
  if (name === undefined) throw new Error(`${wheels}: expected ${start}*-${tag}.whl, found none`);
  const wheel = readFileSync(join(wheels, name));
  const digest = sha256(wheel);
  if (digest !== pin.wheel) {
    throw new Error(`${join(wheels, name)}: expected SHA-256 ${pin.wheel}, got ${digest}`);
  }
  const inside = `duckdb_extension_${extension}/extensions/v${duckdbVersion}`;
  const content = zipMember(wheel, `${inside}/${extension}.duckdb_extension`, pin.bytes);
  if (sha256(content) !== pin.file) throw new Error(`${name}: its extension is another one`);
  const path = placeOf(folder, platform, extension);
  mkdirSync(join(path, ".."), { recursive: true });
  writeAtOnce(path, content);
}

/**
 * Brings what is missing in `folder` for `platform`, and returns the names of what it brought.
 * `from` names a folder of wheels to take instead of pip's. Throws where that fails.
 */
export function installExtensions({ folder, platform = platformHere(), from }) {
  if (platform === undefined || !Object.hasOwn(extensionPins, platform)) {
    const known = Object.keys(extensionPins).join(", ");
    const got = platform ?? `${process.platform} on ${process.arch}`;
    throw new Error(`expected a platform of ${known}, got ${got}`);
  }
  const wanted = missingIn(folder, platform);
  if (wanted.length === 0) return [];
  const wheels = from ?? mkdtempSync(join(tmpdir(), "rankstream-wheels-"));
  try {
    if (from === undefined) download(wanted, platform, wheels);
    for (const each of wanted) unpack(each, platform, wheels, folder);
  } finally {
    if (from === undefined) rmSync(wheels, { recursive: true, force: true });
  }
  return wanted.map(([extension]) => extension);
}

function testFolder() {
  return process.env["DUCKDB_EXTENSIONS_PATH"] || join(cacheFolder(), "duckdb-extensions");
}

/** The tests' folder of extensions, for `--extension-directory`; undefined without them. */
export function findExtensions() {
  const platform = platformHere();
  return platform !== undefined && areThere(testFolder(), platform) ? testFolder() : undefined;
}

/** The same in words; also where there are none for this machine. */
export function describeExtensions() {
  return platformHere() === undefined ? "not needed here" : findExtensions();
}

/** Brings them for the tests; throws where that fails. */
export function installTestExtensions() {
  if (platformHere() !== undefined) installExtensions({ folder: testFolder() });
}

export const extensionsHelp = [
  "they come from PyPI by pip: install Python 3 with venv, then run npm run test:services",
  "elsewhere: node tools/duckdb-extensions.mjs --to FOLDER, and set DUCKDB_EXTENSIONS_PATH to it",
];

function main() {
  const { values } = parseArgs({
    options: {
      to: { type: "string", default: defaultFolder },
      platform: { type: "string" },
      from: { type: "string" },
    },
  });
  const { to: folder, platform = platformHere(), from } = values;
  const brought = installExtensions({ folder, platform, from });
  const what = brought.length === 0 ? "all there" : `brought ${brought.join(", ")}`;
  const place = join(folder, `v${duckdbVersion}`, platform);
  process.stdout.write(`DuckDB ${duckdbVersion}'s extensions in ${place}: ${what}\n`);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    main();
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
