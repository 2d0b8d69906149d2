// Builds the kernel (AssemblyScript → two .wasm files), the service (TypeScript → build/) and what
// runs in browsers (bundles.mjs).
// `--if-stale` does nothing when every output is newer than every source. Builds are serialised
// by a lock folder, so that `npm test` and `npm start` may run side by side.
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildBundles, isBundled } from "./bundles.mjs";
import { buildSample } from "./sample.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamp = join(root, "build", ".built");
const lock = join(root, ".build-lock");
const lockWaitMsMax = 120_000;
const sources = [
  "assembly",
  "src",
  "tools/bundles.mjs",
  "tools/sample.mjs",
  "asconfig.json",
  "tsconfig.json",
].concat("package.json");
const assetEndings = [".html", ".css", ".svg"];

function files(path) {
  const absolute = join(root, path);
  if (!existsSync(absolute)) return [];
  if (statSync(absolute).isFile()) return [path];
  return readdirSync(absolute).flatMap((name) => files(join(path, name)));
}

function newest(paths) {
  return Math.max(0, ...paths.flatMap(files).map((path) => statSync(join(root, path)).mtimeMs));
}

function run(binary, args) {
  const script = join(root, "node_modules", ...binary);
  const done = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: "inherit" });
  if (done.status !== 0) throw new Error(`${binary.join("/")} ${args.join(" ")} failed`);
}

function isStale() {
  return !existsSync(stamp) || statSync(stamp).mtimeMs < newest(sources);
}

function buildKernel() {
  const outputs = ["kernel.wasm", "kernel.scalar.wasm"].map((name) =>
    join("build", "kernel", name),
  );
  const built = outputs.map((path) => join(root, path));
  const oldest = Math.min(...built.map((path) => (existsSync(path) ? statSync(path).mtimeMs : 0)));
  if (oldest > newest(["assembly", "asconfig.json"])) return;
  for (const target of ["simd", "scalar"]) {
    run(["assemblyscript", "bin", "asc.js"], ["assembly/index.ts", "--target", target]);
  }
}

function copyAssets() {
  for (const path of files("src")) {
    if (!assetEndings.some((ending) => path.endsWith(ending)) || isBundled(path)) continue;
    const target = join(root, "build", path.slice("src/".length));
    mkdirSync(dirname(target), { recursive: true });
    cpSync(join(root, path), target);
  }
}

async function withLock(work) {
  const start = Date.now();
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      if (
        Date.now() - start > lockWaitMsMax ||
        Date.now() - statSync(lock).mtimeMs > lockWaitMsMax
      ) {
        rmSync(lock, { recursive: true, force: true });
      } else {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
      }
    }
  }
  try {
    await work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

await withLock(async () => {
  if (process.argv.includes("--if-stale") && !isStale()) return;
  const started = new Date();
  mkdirSync(join(root, "build", "kernel"), { recursive: true });
  buildKernel();
  run(["typescript", "bin", "tsc"], ["-p", "tsconfig.json"]);
  copyAssets();
  await buildBundles(root);
  await buildSample(root);
  writeFileSync(stamp, `${started.toISOString()}\n`);
});
