// A service and a node in front of it that speak TLS, with real processes: certificates from
// files that are replaced, clients that must have one, and every program that asks them.
import { once } from "node:events";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { type Agent, request } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadConfig } from "../src/config.ts";
import { checkCertificate } from "../src/service-checks.ts";
import { readCertificate } from "../src/service-tls.ts";
import { Authority, type Pair } from "./support/certificates.ts";
import { runCommand } from "./support/command.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "./support/service.ts";
import { until as untilWithin } from "./support/until.ts";

const waitMsMax = 30_000;
const until = <T>(look: () => Promise<T>) => untilWithin(look, waitMsMax);
const expiry = "rankstream_tls_certificate_expiry_timestamp_seconds";

let authority: Authority;
/** The node's files, which the tests replace. */
let own: Pair;
let agent: Agent;
let service: RankstreamProcess;
let node: RankstreamProcess;

function copy(from: Pair): void {
  copyFileSync(from.cert, own.cert);
  copyFileSync(from.key, own.key);
}

beforeAll(async () => {
  authority = await Authority.make();
  const folder = temporaryFolder();
  own = { cert: join(folder, "own.pem"), key: join(folder, "own.key") };
  copy(await authority.sign("node-1"));
  const [store, client] = [await authority.sign("store"), await authority.sign("client")];
  agent = authority.agent();
  const ofStore = ["--tls-cert", store.cert, "--tls-key", store.key];
  service = await startRankstream({ args: [...ofStore, "--tls-client-ca", authority.ca] });
  const ofNode = ["--tls-cert", own.cert, "--tls-key", own.key, "--upstream-ca", authority.ca];
  const ofClient = ["--upstream-client-cert", client.cert, "--upstream-client-key", client.key];
  const role = ["--role", "edge,query", "--upstream", service.url];
  node = await startRankstream({ args: [...role, ...ofNode, ...ofClient] });
});

afterAll(() => agent.destroy());

async function ask(path: string, options: Parameters<typeof request>[1] = {}) {
  const reply = await request(`${node.url}${path}`, { dispatcher: agent, ...options });
  return { status: reply.statusCode, text: await reply.body.text() };
}

/** Whom a new connection meets. */
async function nameServed(): Promise<string> {
  const { port } = new URL(node.url);
  const ca = readFileSync(authority.ca);
  const socket = connect({ host: "127.0.0.1", port: Number(port), ca });
  await once(socket, "secureConnect");
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

describe("a node over TLS before a service that asks for certificates", () => {
  it("says https:// when ready, takes events and answers", async () => {
    expect(node.url).toMatch(/^https:/);
    await until(async () => expect((await ask("/health/ready")).status).toBe(200));
    const body = JSON.stringify({ eventId: "a", eventType: "play" });
    const headers = { "content-type": "application/json" };
    expect((await ask("/events", { method: "POST", headers, body })).status).toBe(202);
    const board = await ask("/leaderboard?eventType=play&timeRange=last_hour&mode=exact");
    expect(JSON.parse(board.text).results).toMatchObject([{ eventId: "a", count: 1 }]);
  });

  it("is the only one the service talks to: others have no certificate", async () => {
    const asked = request(`${service.url}/health/live`, { dispatcher: agent });
    await expect(asked).rejects.toThrow();
  });

  it("is reached by the command line, given the authority", async () => {
    const env = { NODE_EXTRA_CA_CERTS: authority.ca };
    const question = ["top", "--url", node.url, "--type", "play"];
    const top = await runCommand([...question, "--json"], env).ended;
    expect(top, top.error).toMatchObject({ code: 0 });
    expect(JSON.parse(top.out).results[0].eventId).toBe("a");
    const doctor = await runCommand(["doctor", "--url", node.url, "--json"], env).ended;
    const { checks } = JSON.parse(doctor.out);
    const found = checks.find(({ name }: { name: string }) => name === "service");
    expect(found.status, found.message).toBe("ok");
    const without = await runCommand(question).ended;
    expect(without.code, without.error).toBe(3);
  });

  it("serves the files' next certificate, and says in a metric when it expires", async () => {
    const expiresAt = async () =>
      Number(new RegExp(`^${expiry} (.+)$`, "m").exec((await ask("/metrics")).text)?.[1]) * 1000;
    expect(await nameServed()).toBe("node-1");
    expect(await expiresAt()).toBe(Date.parse(daysOf(own)));
    const next = await authority.sign("node-2", 100);
    // One file after the other: the pair is of no use in between.
    copyFileSync(next.cert, own.cert);
    await until(async () => expect(node.stderr).toContain("the new certificate is of no use yet"));
    expect(await nameServed()).toBe("node-1");
    copyFileSync(next.key, own.key);
    await until(async () => expect(await nameServed()).toBe("node-2"));
    expect(await expiresAt()).toBe(Date.parse(daysOf(own)));
    expect((await ask("/health/ready")).status).toBe(200);
  });
});

/** When it expires, as openssl wrote it. */
function daysOf({ cert, key }: Pair): string {
  const { config } = loadConfig({ flags: { tlsCert: cert, tlsKey: key } });
  return new Date(readCertificate(config).expiresAt).toISOString();
}

describe("a certificate", () => {
  const configOf = (tlsCert: string, tlsKey: string) =>
    loadConfig({ flags: { tlsCert, tlsKey } }).config;

  it("that is of no use ends the start with what is wrong", async () => {
    const other = await authority.sign("other");
    const rubbish = join(authority.folder, "rubbish.pem");
    writeFileSync(rubbish, "no certificate");
    const why = (cert: string, key: string) => () => readCertificate(configOf(cert, key));
    expect(why("/nowhere.pem", own.key)).toThrow("/nowhere.pem can not be read (ENOENT)");
    expect(why(rubbish, own.key)).toThrow("expected a pair in PEM");
    expect(why(other.cert, own.key)).toThrow("key values mismatch");
    const args = ["--tls-cert", other.cert, "--tls-key", own.key];
    await expect(startRankstream({ args })).rejects.toThrow(
      "expected a pair in PEM, got x509 key values",
    );
  });

  it("is looked at by the doctor: how long it is good for", async () => {
    const { cert, key } = await authority.sign("ten", 10);
    const now = Date.now();
    const statusAt = (days: number) =>
      checkCertificate(configOf(cert, key), now + days * 86_400_000)[0];
    expect(statusAt(-10)).toMatchObject({ status: "ok" });
    expect(statusAt(0)).toMatchObject({ status: "warn", message: "expires in 9 days" });
    expect(statusAt(11)).toMatchObject({ status: "fail", message: "has expired" });
    expect(checkCertificate(configOf("none", "none"), now)).toEqual([]);
  });
});
