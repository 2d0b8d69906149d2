// The client and the command line with a key, at a real service that wants one.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it, vi } from "vitest";
import {
  type ClientOptions,
  type Leaderboard,
  type ProblemError,
  RankstreamClient,
  type Refusal,
} from "../../src/client/client.ts";
import { keyOf, writeKeys } from "../access/access-fixture.ts";
import { runIo } from "../support/cli-io.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";

const waiting = { timeout: 20_000, interval: 20 };
const own = keyOf("own");
const passing = keyOf("passing");
const limited = keyOf("limited", { scopes: ["ingest"], eventTypes: ["play"] });
const folder = temporaryFolder();
let service: RankstreamProcess;
let keysPath = "";

const clientWith = (options: Partial<ClientOptions>) =>
  new RankstreamClient({ url: service.url, retryMsMax: 0, ...options });

/** What a board's watcher hears. */
function watch(client: RankstreamClient) {
  const heard = { boards: [] as Leaderboard[], problems: [] as [string, boolean][] };
  const subscription = client.subscribe(
    { eventType: "play", timeRange: "all" },
    {
      onBoard: (board) => heard.boards.push(board),
      onProblem: (error, isEnded) => heard.problems.push([(error as ProblemError).code, isEnded]),
    },
  );
  return { ...heard, subscription };
}

beforeAll(async () => {
  keysPath = writeKeys([own, passing, limited]);
  service = await startRankstream({ args: ["--access-keys", keysPath] });
});

describe("a client with a key", () => {
  it.each([
    ["a text", own.key],
    ["a function", () => own.key],
    ["a promise of one", async () => own.key],
  ])("given as %s asks, sends and watches", async (_form, key) => {
    const client = clientWith({ key });
    const { boards, subscription } = watch(client);
    client.track({ eventId: "a", eventType: "play" });
    await client.flush();
    await client.postBatch('{"eventId":"b","eventType":"play"}\n');
    const board = await client.leaderboard({ eventType: "play", timeRange: "all", mode: "exact" });
    expect(board.total).toBeGreaterThanOrEqual(2);
    expect((await client.eventTypes()).map(({ name }) => name)).toEqual(["play"]);
    const { job } = await client.leaderboardJob({ eventType: "play" }).then(async (made) => ({
      job: await client.job(made.id),
    }));
    expect(job.kind).toBe("leaderboard");
    await vi.waitFor(() => expect(boards.at(-1)?.total).toBe(board.total), waiting);
    subscription.close();
    await client.close();
  });

  it("is told why it is refused, also of what it watches", async () => {
    for (const [options, code] of [
      [{}, "key_required"],
      [{ key: keyOf("own").key }, "key_invalid"],
      [{ key: () => undefined }, "key_required"],
    ] as const) {
      const client = clientWith(options);
      await expect(client.eventTypes()).rejects.toMatchObject({ status: 401, code });
      const { problems } = watch(client);
      await vi.waitFor(() => expect(problems).toEqual([[code, true]]), waiting);
      await client.close();
    }
  });

  it("hears that its key was revoked, and of no other", async () => {
    const [kept, lost] = [clientWith({ key: own.key }), clientWith({ key: passing.key })];
    const [stays, ends] = [watch(kept), watch(lost)];
    await vi.waitFor(() => {
      expect(stays.boards.length).toBeGreaterThan(0);
      expect(ends.boards.length).toBeGreaterThan(0);
    }, waiting);
    writeKeys([own, limited], keysPath);
    await vi.waitFor(() => expect(ends.problems).toEqual([["key_invalid", true]]), waiting);
    expect(stays.problems).toEqual([]);
    await Promise.all([kept.close(), lost.close()]);
  });

  it("is told of the events that its key is not for", async () => {
    const refused: [string, string | undefined][] = [];
    const onRefused = (refusal: Refusal) => {
      refused.push([refusal.code, refusal.event?.eventType]);
    };
    const client = clientWith({ key: limited.key });
    const tracker = client.tracker({ onRefused });
    for (const eventTypes of [["other"], ["play", "other"]]) {
      for (const eventType of eventTypes) tracker.track({ eventId: "a", eventType });
      await tracker.flush();
    }
    expect(refused).toEqual([
      ["forbidden_event_type", "other"],
      ["forbidden_event_type", "other"],
    ]);
    await client.close();
  });

  it("takes no key that is none, and shows none", () => {
    for (const key of ["", "a b", "a\n", "ü"]) {
      expect(() => clientWith({ key })).toThrow(/^key: expected a key such as rsk_…/);
    }
    expect(() => clientWith({ key: "a", token: "b" })).toThrow("give one of them");
    const inAddress = () => new RankstreamClient({ url: "http://me:a-secret@127.0.0.1" });
    expect(inAddress).toThrow("expected no name and password in it");
    expect(inAddress).not.toThrow("a-secret");
  });
});

describe("the command line", () => {
  const run = (args: string[], environment: Record<string, string> = {}) =>
    runIo([...args, "--url", service.url], { environment });
  const file = join(folder, "own.key");
  writeFileSync(file, `${own.key}\n`);

  it("asks by --key-file, or what the environment says", async () => {
    const ways: [string[], Record<string, string>][] = [
      [["--key-file", file], {}],
      [[], { RANKSTREAM_KEY: own.key }],
      [[], { RANKSTREAM_KEY_FILE: file }],
      [["--key-file", file], { RANKSTREAM_KEY: "another", RANKSTREAM_KEY_FILE: "/nowhere" }],
    ];
    for (const [flags, environment] of ways) {
      for (const command of [
        ["types", "--json"],
        ["top", "--type", "play", "--range", "all", "--json"],
        ["item", "play", "a", "--json"],
        ["send", "play", "a"],
        ["export", "--type", "play"],
      ]) {
        const { code, error } = await run([...command, ...flags], environment);
        expect([code, error], command.join(" ")).toEqual([0, ""]);
      }
    }
  });

  it("says what to do where the service wants a key, and shows none", async () => {
    const without = await run(["types"]);
    expect(without.code).toBe(1);
    expect(without.error).toContain("key_required");
    expect(without.error).toContain("--key-file or RANKSTREAM_KEY says by which key to ask");
    const secret = "not one key";
    for (const [environment, message] of [
      [{ RANKSTREAM_KEY: secret }, "RANKSTREAM_KEY: expected one key and nothing else"],
      [{ RANKSTREAM_KEY: "a", RANKSTREAM_KEY_FILE: "b" }, "are both set: keep one of them"],
      [{ RANKSTREAM_KEY_FILE: "/nowhere" }, "the file /nowhere can not be read (ENOENT)"],
    ] as const) {
      const { code, error } = await run(["types"], environment);
      expect([code, error.includes(message)]).toEqual([2, true]);
      expect(error).not.toContain(secret);
    }
    const url = "http://me:a-secret@127.0.0.1:1";
    for (const [args, environment] of [
      [["types", "--url", url], {}],
      [["types"], { RANKSTREAM_URL: url }],
    ] as [string[], Record<string, string>][]) {
      const { code, out, error } = await runIo(args, { environment });
      expect([code, error.includes("without name and password")]).toEqual([2, true]);
      expect(out + error).not.toContain("a-secret");
    }
  });

  it("looks at keys in config check and doctor", async () => {
    const configured = { environment: { RANKSTREAM_ACCESS_KEYS: keysPath } };
    expect((await runIo(["config", "check"], configured)).code).toBe(0);
    const missing = { environment: { RANKSTREAM_ACCESS_KEYS: "/nowhere/keys.json" } };
    const refused = await runIo(["config", "check"], missing);
    expect([refused.code, refused.error.includes("can not be read (ENOENT)")]).toEqual([2, true]);
    const beyond = await runIo(["config", "check", "--host", "0.0.0.0"]);
    expect([beyond.code, beyond.error.includes("--open-access on")]).toEqual([2, true]);
    const environment = { ...configured.environment, RANKSTREAM_URL: service.url };
    const doctor = async (more: Record<string, string>) => {
      const { out } = await runIo(["doctor", "--json"], {
        environment: { ...environment, ...more },
      });
      const { checks } = JSON.parse(out) as { checks: { name: string; status: string }[] };
      const of = (name: string) => checks.find((check) => check.name === name);
      return [of("access"), of("service")];
    };
    expect(await doctor({})).toMatchObject([
      { status: "ok", message: `2 keys of ${keysPath}` },
      { status: "warn", hint: expect.stringContaining("--key-file") },
    ]);
    expect(await doctor({ RANKSTREAM_KEY: own.key })).toMatchObject([
      { status: "ok" },
      { status: "ok" },
    ]);
  });
});
