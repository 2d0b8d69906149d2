// Builds the image and tries it, where there is an engine that has the base image already; nothing
// is fetched from a registry of images. `npm run image` does the same.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { baseImage, findEngine, hasImage } from "../../tools/image.mjs";
import { root } from "../support/service.ts";

const imageMsMax = 20 * 60_000;

it("is built, confined and tried", { timeout: imageMsMax + 30_000 }, (context) => {
  const engine = findEngine();
  if (engine === undefined || !hasImage(engine, baseImage)) {
    context.skip(`not built: there is no docker or podman here that has ${baseImage}`);
    return;
  }
  const args = [join(root, "tools", "image.mjs")];
  const done = spawnSync(process.execPath, args, { encoding: "utf8", timeout: imageMsMax });
  expect(done.status, `${done.stdout}\n${done.stderr}`).toBe(0);
  expect(done.stdout).toMatch(/^demo, until it moves: \d+ s$/m);
});
