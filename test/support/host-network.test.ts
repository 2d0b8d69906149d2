// Hosts that can be cut off: what a cable lets through, and what one that is pulled does not.
import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Host, HostNetwork } from "./host-network.ts";

const network = await HostNetwork.open();
const isHere = typeof network !== "string";
if (!isHere) process.stderr.write(`no hosts here: ${network}\n`);

const server = createServer((socket) => socket.end("heard"));
let host: Host;
let port: number;

beforeAll(async () => {
  if (!isHere) return;
  host = network.host();
  server.listen(0, network.address);
  await once(server, "listening");
  ({ port } = server.address() as AddressInfo);
});

afterAll(() => {
  server.close();
  if (isHere) network.remove();
});

/** What a process on the host hears within a second. */
async function heard(): Promise<string> {
  const code = `
    const socket = require("node:net").connect(${port}, process.argv[1]);
    socket.pipe(process.stdout);
    socket.on("error", ({ code }) => process.stdout.write(code)).on("end", () => process.exit());
    setTimeout(() => process.exit(), 1000);`;
  const { address } = network as HostNetwork;
  const [command, ...args] = [...host.wrapper, process.execPath, "-e", code, address];
  return (await promisify(execFile)(command!, args)).stdout;
}

it.skipIf(!isHere)("are cut off without a word, from all or from one port", async () => {
  expect(await heard()).toBe("heard");
  host.cut();
  expect(await heard()).toBe("");
  host.heal();
  expect(await heard()).toBe("heard");
  host.cutFrom(port);
  expect(await heard()).toBe("");
  host.heal();
  host.cutFrom(port + 1);
  expect(await heard()).toBe("heard");
});

it.skipIf(!isHere)("take the place of what killed processes left", async () => {
  // No process has so high a number.
  const left = "rs4194305";
  execFileSync("ip", ["link", "add", left, "type", "bridge"]);
  (network as HostNetwork).remove();
  const again = (await HostNetwork.open()) as HostNetwork;
  again.remove();
  expect(execFileSync("ip", ["-o", "link"], { encoding: "utf8" })).not.toContain(left);
});
