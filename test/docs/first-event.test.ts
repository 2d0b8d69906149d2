// A first reader's way by the README alone, but for clone and install: it leads to the board.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { root } from "../support/source-tree.ts";

const wayMsMax = 180_000;

it(
  "the README leads to an event on the board",
  async () => {
    const args = [join(root, "tools", "first-event.mjs"), "--here"];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: wayMsMax });
    const steps = stdout.trim().split("\n");
    const names = steps.map((line) => line.replace(/: \d+\.\d s$/, ""));
    expect(names).toEqual(["npm start", "the event", "on the board", "from nothing to the board"]);
  },
  wayMsMax,
);
