// Where a program is on this machine.
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/** The first of these names that a folder of PATH has; undefined where none has. */
export function onPath(...names) {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((path) => path !== "");
  return firstExecutable(folders.flatMap((path) => names.map((name) => join(path, name))));
}

export function firstExecutable(paths) {
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Where what the tests need is kept between runs. */
export function cacheFolder() {
  const named = process.env["RANKSTREAM_TEST_CACHE"];
  if (named) return named;
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "rankstream-test");
}

/**
 * Calls `make` with a fresh folder beside what is kept: it renames what is complete to its place
 * there; whatever is left goes.
 */
export function inFreshFolder(make) {
  mkdirSync(cacheFolder(), { recursive: true });
  const folder = mkdtempSync(join(cacheFolder(), "unfinished-"));
  try {
    make(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
