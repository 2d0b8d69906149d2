// Where schemathesis is for the tests, and how it comes here: from PyPI into a virtual environment
// of its own, in the tests' cache outside the repository.
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { cacheFolder, firstExecutable, onPath } from "./programs.mjs";

/** Another version finds other things: it is changed by hand, with what it finds. */
export const schemathesisVersion = "4.32.5";
const installMsMax = 10 * 60_000;

function environment() {
  return join(cacheFolder(), `schemathesis-${schemathesisVersion}`);
}

/** Path of its program: SCHEMATHESIS_PATH, else in the cache; undefined where there is none. */
export function findSchemathesis() {
  const named = process.env["SCHEMATHESIS_PATH"];
  return firstExecutable([named || join(environment(), "bin", "st")]);
}

function run(program, args) {
  const done = spawnSync(program, args, { stdio: ["ignore", 2, 2], timeout: installMsMax });
  if (done.error) throw done.error;
  if (done.status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${done.status}`);
}

/** Brings it; throws where there is no Python 3 or it can't be had. */
export function installSchemathesis() {
  const python = onPath("python3");
  if (python === undefined) throw new Error("schemathesis: no python3 on the PATH");
  const folder = environment();
  mkdirSync(cacheFolder(), { recursive: true });
  try {
    run(python, ["-m", "venv", folder]);
    run(join(folder, "bin", "pip"), ["install", "-q", `schemathesis==${schemathesisVersion}`]);
  } catch (error) {
    // Half an environment would be taken for a whole one.
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}
