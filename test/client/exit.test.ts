// A Node process that ends without a word to its tracker.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { root } from "../support/service.ts";
import { CountingService, cut, json, scriptedService } from "./scripted-service.ts";

const client = pathToFileURL(join(root, "build", "client", "client.js")).href;

/** Runs a module that has `client`, whose tracker would send nothing for a minute. */
async function run(url: string, text: string, options = "") {
  const program = `
    import { RankstreamClient } from "${client}";
    const onError = (error) => console.log(error.name, error.pendingEvents ?? "");
    const tracking = { batchMsMax: 60_000, onError, ${options} };
    const client = new RankstreamClient({ url: "${url}", tracking });
    const event = (eventId) => ({ eventId, eventType: "play" });
    ${text}`;
  const args = ["--input-type=module", "--eval", program];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (more: string) => {
    out += more;
  });
  const [code] = await once(child, "close");
  return { code, out };
}

it("has what it tracked sent before it ends", async () => {
  const store = new CountingService();
  const { url } = await scriptedService([cut, store.take]);
  const { code, out } = await run(url, `client.track(event("a")); client.track(event("b"));`);
  expect([code, out]).toEqual([0, "UnreachableError \n"]);
  expect(store.ids).toEqual(["a", "b"]);
});

it("ends all the same when nobody answers", async () => {
  const { url } = await scriptedService([json(503, { code: "not_ready" })]);
  const { code, out } = await run(url, `client.track(event("a"));`, "exitMsMax: 300");
  expect(code).toBe(0);
  expect(out).toMatch(/^(ProblemError \n)+FlushTimeoutError 1\n$/);
});

it("is not held up by a client that has nothing to send", async () => {
  const { url, seen } = await scriptedService([cut]);
  const { code } = await run(url, "await client.flush(); await client.ready();");
  expect([code, seen.length]).toEqual([0, 0]);
});
