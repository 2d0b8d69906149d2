// Where a Jaeger is for the test that shows it a trace, and how one is built: by Go, from its
// module. That takes minutes, so nothing but this command does it:
//   node tools/jaeger.mjs
import { spawnSync } from "node:child_process";
import { mkdirSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { cacheFolder, firstExecutable, inFreshFolder, onPath } from "./programs.mjs";

const module = "github.com/jaegertracing/jaeger";
const version = "v1.76.0";
const buildMsMax = 30 * 60_000;

function kept() {
  return join(cacheFolder(), `jaeger-${version}`, "jaeger");
}

/** Path of its program: JAEGER_PATH, in the cache, on the PATH; undefined where there is none. */
export function findJaeger() {
  const named = process.env["JAEGER_PATH"];
  if (named) return firstExecutable([named]);
  return firstExecutable([kept()]) ?? onPath("jaeger");
}

function go(args, folder) {
  const done = spawnSync("go", args, {
    cwd: folder,
    stdio: ["ignore", 2, 2],
    timeout: buildMsMax,
  });
  if (done.error) throw done.error;
  if (done.status !== 0) throw new Error(`go ${args.join(" ")} ended with ${done.status}`);
}

/** Builds it into the cache, whole or not at all. Throws where there is no Go. */
export function buildJaeger() {
  if (onPath("go") === undefined) throw new Error("Jaeger: no go on the PATH");
  inFreshFolder((folder) => {
    go(["mod", "init", "built"], folder);
    go(["get", "-tool", `${module}/cmd/jaeger@${version}`], folder);
    go(["build", "-o", "jaeger", `${module}/cmd/jaeger`], folder);
    mkdirSync(dirname(kept()), { recursive: true });
    renameSync(join(folder, "jaeger"), kept());
  });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const found = findJaeger();
  if (found === undefined) buildJaeger();
  process.stdout.write(`${findJaeger()}\n`);
}
