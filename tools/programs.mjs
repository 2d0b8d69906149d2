// Where a program is on this machine.
import { accessSync, constants } from "node:fs";
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
