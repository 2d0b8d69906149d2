// Where versitygw is for the tests, a server that speaks S3 over a folder, and how it comes here:
// built from its sources by Go, into the tests' cache outside the repository.
import { spawnSync } from "node:child_process";
import { renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { cacheFolder, firstExecutable, inFreshFolder, onPath } from "./programs.mjs";

const version = "v1.8.0";
const installMsMax = 10 * 60_000;

function cachedProgram() {
  return join(cacheFolder(), `versitygw-${version}`, "versitygw");
}

/** Path of its program: VERSITYGW_PATH, the PATH, else in the cache; undefined without one. */
export function findVersitygw() {
  const named = process.env["VERSITYGW_PATH"];
  if (named) return firstExecutable([named]);
  return onPath("versitygw") ?? firstExecutable([cachedProgram()]);
}

/** Builds it; throws where there is no Go, or its sources can't be had. */
export function installVersitygw() {
  const go = onPath("go") ?? firstExecutable(["/usr/local/go/bin/go"]);
  if (go === undefined) throw new Error("versitygw: no go on the PATH");
  inFreshFolder((folder) => {
    const source = `github.com/versity/versitygw/cmd/versitygw@${version}`;
    const done = spawnSync(go, ["install", source], {
      env: { ...process.env, GOBIN: folder },
      stdio: ["ignore", 2, 2],
      timeout: installMsMax,
    });
    if (done.error) throw done.error;
    if (done.status !== 0) throw new Error(`go install ${source} ended with ${done.status}`);
    rmSync(dirname(cachedProgram()), { recursive: true, force: true });
    renameSync(folder, dirname(cachedProgram()));
  });
}

export const versitygwHelp = [
  "it is built by Go (1.24 or newer): install that, then run npm run test:services",
  "elsewhere: install versitygw and set VERSITYGW_PATH to its program",
];
