// Tries an image as docs/container.md says it is run: as a user of its own, on a root that can't
// be written, without any capability, in bounded memory. Throws where it doesn't do what it must.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

const commandMsMax = 60_000;
const readyMsMax = 60_000;
const demoMsMax = 300_000;
const stopMsMax = 10_000;
const loadMs = 3000;
const pollMs = 20;
const eventsPerBatch = 500;
const confined = [
  ...["--read-only", "--tmpfs", "/tmp:size=64m", "--cap-drop", "ALL"],
  ...["--security-opt", "no-new-privileges", "--memory", "2g", "--pids-limit", "256"],
];

function check(isTrue, expected, got) {
  if (!isTrue) throw new Error(`expected ${expected}, got ${got}`);
}

/** One container on a volume that outlives it. */
class Container {
  url = "";
  #engine;
  #tag;
  #name;
  #volume;

  constructor(engine, tag, volume, name) {
    this.#engine = engine;
    this.#tag = tag;
    this.#volume = volume;
    this.#name = name;
  }

  engine(...args) {
    const options = { encoding: "utf8", timeout: commandMsMax };
    const { status, stdout, stderr, error } = spawnSync(this.#engine, args, options);
    if (error) throw error;
    return { status, text: stdout.trim(), error: stderr };
  }

  #must(...args) {
    const { status, text, error } = this.engine(...args);
    check(status === 0, `${args.join(" ")} to work`, `${status}\n${error}`);
    return text;
  }

  /** Makes and starts it. */
  run(...command) {
    const place = ["-v", `${this.#volume}:/data`, "-p", "127.0.0.1::8080"];
    this.#must("run", "-d", "--name", this.#name, ...confined, ...place, this.#tag, ...command);
    this.#findUrl();
  }

  startAgain() {
    this.#must("start", this.#name);
    this.#findUrl();
  }

  #findUrl() {
    const address = this.#must("port", this.#name, "8080").split("\n")[0];
    this.url = `http://${address}`;
  }

  exec(...command) {
    return this.engine("exec", this.#name, ...command);
  }

  inspect(format) {
    return this.#must("inspect", "--format", format, this.#name);
  }

  /** Its exit code, and how long it took. */
  async end(signal) {
    const started = Date.now();
    const waiting = spawn(this.#engine, ["wait", this.#name], { stdio: ["ignore", "pipe", 2] });
    const ended = once(waiting, "exit");
    let code = "";
    waiting.stdout.on("data", (text) => {
      code += text;
    });
    this.#must("kill", "--signal", signal, this.#name);
    await ended;
    return { code: Number(code), ms: Date.now() - started };
  }

  remove() {
    this.engine("rm", "-f", "-v", this.#name);
  }

  get logs() {
    const { text, error } = this.engine("logs", this.#name);
    return `${text}\n${error}`;
  }
}

async function get(url) {
  const reply = await fetch(url, { signal: AbortSignal.timeout(commandMsMax) });
  return { status: reply.status, body: await reply.json() };
}

/** Polls until `look` resolves with something; throws what it threw last. */
async function until(look, msMax) {
  const deadline = Date.now() + msMax;
  for (;;) {
    const found = await look().catch((error) => {
      if (Date.now() > deadline) throw error;
    });
    if (found) return found;
    check(Date.now() < deadline, `an answer within ${msMax} ms`, "none");
    await sleep(pollMs);
  }
}

function untilReady(container) {
  const look = async () => (await get(`${container.url}/health/ready`)).status === 200;
  return until(look, readyMsMax);
}

/** Acknowledged events of type `smoke`, counted up in `sent`. */
async function send(container, count, sent, key) {
  const body = `${JSON.stringify({ eventType: "smoke", eventId: "one" })}\n`.repeat(count);
  const headers = { "content-type": "application/x-ndjson", "idempotency-key": key };
  const signal = AbortSignal.timeout(commandMsMax);
  const init = { method: "POST", headers, body, signal };
  const reply = await fetch(`${container.url}/events`, init);
  await reply.text();
  check(reply.status === 202, "202", reply.status);
  sent.events += count;
}

async function counted(container) {
  const path = "/leaderboard?eventType=smoke&timeRange=all&mode=exact";
  return (await get(`${container.url}${path}`)).body.total;
}

/** Sends until the service is gone; a batch that was not acknowledged is sent again later. */
async function sendUntilGone(container, sent, label) {
  const deadline = Date.now() + readyMsMax;
  for (let number = 1; Date.now() < deadline; number++) {
    const key = `${label}/${number}`;
    try {
      await send(container, eventsPerBatch, sent, key);
    } catch {
      return key;
    }
  }
  throw new Error(`the service was not gone in ${readyMsMax} ms`);
}

function checkConfinement(container) {
  const user = container.exec("id", "-u").text;
  check(user === "10001", "user 10001", user);
  const written = container.exec("touch", "/app/x");
  check(written.status !== 0, "a root that can't be written", "one that can");
  const capabilities = container.exec("grep", "CapEff", "/proc/1/status").text;
  check(/\t0+$/.test(capabilities), "no capability", capabilities);
  const health = container.exec("node", "/app/healthcheck.mjs");
  check(health.status === 0, "a good health check", health.text);
}

/** The time from `docker run` to a ready service, and to the first event on a board. */
async function coldStart(container, say) {
  const started = Date.now();
  container.run("start", "--open-access", "on");
  await untilReady(container);
  const readyMs = Date.now() - started;
  const sent = { events: 0 };
  await send(container, 1, sent, "first/1");
  await until(async () => (await counted(container)) === 1, readyMsMax);
  say("start to ready, to first event on the board", `${readyMs} ms, ${Date.now() - started} ms`);
  return sent;
}

/** Ends it under load, starts it again and counts: nothing acknowledged is missing or twice. */
async function endUnderLoad(container, sent, signal, say) {
  const clients = ["a", "b", "c"].map((name) =>
    sendUntilGone(container, sent, `${signal.toLowerCase()}-${name}`),
  );
  await sleep(loadMs);
  const { code, ms } = await container.end(signal);
  const again = await Promise.all(clients);
  if (signal === "SIGTERM") {
    check(code === 0 && ms < stopMsMax, `exit 0 within ${stopMsMax} ms`, `${code} after ${ms} ms`);
  }
  const started = Date.now();
  container.startAgain();
  await untilReady(container);
  const readyMs = Date.now() - started;
  for (const key of again) await send(container, eventsPerBatch, sent, key);
  const total = await counted(container);
  check(total === sent.events, `${sent.events} events`, total);
  say(`${signal} under load`, `exit ${code} after ${ms} ms; ready again after ${readyMs} ms`);
  say("acknowledged and counted", `${sent.events} and ${total}`);
}

/** What `docker run` shows without a command: the flights' board. */
async function tryDemo(container, say) {
  const started = Date.now();
  container.run();
  const path = "/leaderboard?eventType=live_flight_to&k=1";
  const isLive = async () => (await get(`${container.url}${path}`)).body.total > 0;
  await untilReady(container);
  await until(isLive, demoMsMax);
  const { body } = await get(`${container.url}/leaderboard?eventType=flight_to&timeRange=all&k=1`);
  check(body.total === 3_000_000, "3,000,000 flights", body.total);
  const page = await fetch(`${container.url}/`);
  check((await page.text()).includes("<html"), "the dashboard", page.status);
  say("demo, until it moves", `${((Date.now() - started) / 1000).toFixed(0)} s`);
}

/** Runs all of it, tells of each step, and leaves nothing behind. */
export async function smoke({ engine, tag, say }) {
  const name = `rankstream-smoke-${process.pid}`;
  const service = new Container(engine, tag, `${name}-data`, name);
  const demo = new Container(engine, tag, `${name}-demo-data`, `${name}-demo`);
  try {
    const sent = await coldStart(service, say);
    checkConfinement(service);
    await endUnderLoad(service, sent, "SIGTERM", say);
    await endUnderLoad(service, sent, "SIGKILL", say);
    say("killed for want of memory", service.inspect("{{.State.OOMKilled}}"));
    service.remove();
    await tryDemo(demo, say);
  } catch (error) {
    process.stderr.write(`${service.logs}\n${demo.logs}\n`);
    throw error;
  } finally {
    for (const container of [service, demo]) container.remove();
    service.engine("volume", "rm", `${name}-data`, `${name}-demo-data`);
  }
}
