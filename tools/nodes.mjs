// Where other versions of Node are for the tests, and how they come here: from the npm registry,
// as packages that hold nothing but the program, into a cache outside the repository.
import { spawnSync } from "node:child_process";
import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, firstExecutable, inFreshFolder } from "./programs.mjs";

const majors = [22, 24];
const installMsMax = 5 * 60_000;
/** The registry has current versions for these alone. */
const platforms = ["linux-x64", "linux-arm64"];
const platform = `${process.platform}-${process.arch}`;

function folderOf(major) {
  return join(cacheFolder(), `node-${major}`);
}

function programOf(major) {
  const place = [folderOf(major), "node_modules", `node-${platform}`, "bin", "node"];
  return firstExecutable([join(...place)]);
}

/** `{ major, program }` of each version that is here beside the one that runs. */
export function findNodes() {
  const found = majors.map((major) => ({ major, program: programOf(major) }));
  return found.filter(({ program }) => program !== undefined);
}

/** In words, where all of them are; undefined where one is missing that could be had. */
export function describeNodes() {
  if (!platforms.includes(platform)) return "not needed here";
  const found = findNodes();
  const isWhole = found.length === majors.length;
  return isWhole ? found.map(({ program }) => program).join(", ") : undefined;
}

/** Fetches what is missing; throws on failure. */
export function installNodes() {
  if (!platforms.includes(platform)) return;
  for (const major of majors) {
    if (programOf(major) === undefined) fetchNode(major);
  }
}

function fetchNode(major) {
  inFreshFolder((folder) => {
    const args = ["install", "--prefix", folder, "--no-save", "--no-package-lock"];
    const done = spawnSync("npm", [...args, "--ignore-scripts", `node-${platform}@${major}`], {
      cwd: folder,
      stdio: ["ignore", 2, 2],
      timeout: installMsMax,
    });
    if (done.error) throw done.error;
    if (done.status !== 0)
      throw new Error(`npm install of Node ${major} ended with ${done.status}`);
    rmSync(folderOf(major), { recursive: true, force: true });
    renameSync(folder, folderOf(major));
  });
}

export const nodesHelp = [
  `Node ${majors.join(" and ")} come from the npm registry (packages node-${platform}):`,
  "the registry must be reachable, then run: npm run test:services",
];
