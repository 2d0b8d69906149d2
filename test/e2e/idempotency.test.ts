// One batch sent again and again under its key, whatever happens in between: counted once.
import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { httpServers } from "../support/http-servers.ts";
import {
  type Answer,
  type RankstreamProcess,
  startRankstream,
  temporaryFolder,
} from "../support/service.ts";

const eventType = "t";
const attemptsAtOnce = 30;
const manySequences = 3000;
/** Which HTTP server took them makes no difference to the many: those are posted once. */
const someSequences = 500;
const postsAtOnce = 16;
/**
 * Of a log in Kafka a start can't tell of each key whether all of its batch is in the topic: it
 * appends it again, which is counted once, and then says nothing of a replay.
 */
const marksReplays = process.env["RANKSTREAM_TEST_LOG"] !== "kafka";

describe.each(httpServers)("over %s,", (httpServer) => {
  let service: RankstreamProcess;
  const dataDir = temporaryFolder();
  const args = ["--http-server", httpServer];
  beforeAll(async () => {
    service = await startRankstream({ dataDir, args });
  });
  afterAll(() => service.stop());

  async function restart(how: "kill" | "stop"): Promise<void> {
    await service[how]();
    service = await startRankstream({ dataDir, args });
  }

  /** Two good lines and a bad one, of an item of its own. */
  function batchOf(eventId: string): string {
    const line = JSON.stringify({ eventId, eventType });
    return `${line}\n{"eventId":7}\n${line}\n`;
  }

  async function countOf(eventId: string): Promise<number> {
    const query = { eventType, timeRange: "all", k: 1000, mode: "exact" };
    const { body } = await service.get("/leaderboard", query);
    const row = body.results.find((found: { eventId: string }) => found.eventId === eventId);
    return row?.count ?? 0;
  }

  function isReplay(answer: Answer): boolean {
    return answer.headers.get("idempotency-replayed") === "true";
  }

  async function expectReplay(batch: string, key: string, first: Answer): Promise<void> {
    const again = await service.post(batch, { key });
    expect([again.status, again.body]).toEqual([first.status, first.body]);
    if (marksReplays) expect(isReplay(again)).toBe(true);
  }

  /** Sends the batch on a bare socket and cuts it off before, or in, the reply. */
  async function postAndCut(batch: string, key: string, when: "sent" | "replied"): Promise<void> {
    const { hostname, port } = new URL(service.url);
    const socket = connect(Number(port), hostname);
    socket.on("error", () => {});
    const closed = new Promise((resolve) => socket.once("close", resolve));
    const head = [
      "POST /events HTTP/1.1",
      `host: ${hostname}`,
      "content-type: application/x-ndjson",
      `content-length: ${Buffer.byteLength(batch)}`,
      `idempotency-key: ${key}`,
    ];
    const sent = new Promise((resolve) => {
      socket.write(`${head.join("\r\n")}\r\n\r\n${batch}`, resolve);
    });
    if (when === "replied") await new Promise((resolve) => socket.once("data", resolve));
    await sent;
    socket.destroy();
    await closed;
  }

  const forms = [
    ["a free key", () => randomUUID()],
    ["a producer's sequence", () => `${randomUUID()}/1`],
  ] as const;
  // What is known of keys has nothing to do with who took the request: one form will do there.
  const keyForms = httpServer === "fastify" ? forms : forms.slice(1);

  describe.each(keyForms)("a batch under %s", (_form, makeKey) => {
    it("counts once and is answered as at first, also after restarts", async () => {
      const key = makeKey();
      const batch = batchOf(key);
      const first = await service.post(batch, { key });
      expect(first.status).toBe(202);
      expect(first.body).toMatchObject({ accepted: 2, rejected: 1, errors: [{ line: 2 }] });
      expect(isReplay(first)).toBe(false);
      await expectReplay(batch, key, first);
      for (const how of ["kill", "stop"] as const) {
        await restart(how);
        await expectReplay(batch, key, first);
        expect(await countOf(key)).toBe(2);
      }
      await expectReplay(batch, key, first);
      expect(await countOf(key)).toBe(2);
    });

    it("with another body gets 422 and counts nothing, also after a restart", async () => {
      const key = makeKey();
      const first = await service.post(batchOf(key), { key });
      const other = batchOf(`${key}, other`);
      const expectRefused = async () => {
        const { status, body, headers } = await service.post(other, { key });
        expect([status, body.code]).toEqual([422, "idempotency_key_reused"]);
        expect(headers.get("content-type")).toContain("application/problem+json");
        expect(await countOf(`${key}, other`)).toBe(0);
      };
      await expectRefused();
      await restart("kill");
      await expectRefused();
      await restart("stop");
      await expectRefused();
      await expectReplay(batchOf(key), key, first);
      expect(await countOf(key)).toBe(2);
    });

    it.each(["sent", "replied"] as const)("counts once when cut off once %s", async (when) => {
      const key = makeKey();
      const batch = batchOf(key);
      await postAndCut(batch, key, when);
      const again = await service.post(batch, { key });
      expect([again.status, again.body.accepted]).toEqual([202, 2]);
      if (when === "replied") expect(isReplay(again)).toBe(true);
      expect(await countOf(key)).toBe(2);
      await expectReplay(batch, key, again);
    });

    it("counts once when cut off and killed at once", async () => {
      for (let i = 0; i < 2; i++) {
        const key = makeKey();
        const batch = batchOf(key);
        await postAndCut(batch, key, i % 2 === 0 ? "sent" : "replied");
        await sleep(i);
        await restart("kill");
        const again = await service.post(batch, { key });
        expect([again.status, again.body.accepted]).toEqual([202, 2]);
        if (i % 2 === 1 && marksReplays) expect(isReplay(again)).toBe(true);
        await expectReplay(batch, key, again);
        expect(await countOf(key)).toBe(2);
      }
    });

    it("counts once when many send it at the same time", async () => {
      const key = makeKey();
      const batch = batchOf(key);
      const other = batchOf(`${key}, other`);
      const bodies = Array.from({ length: attemptsAtOnce }, (_, i) =>
        i % 5 === 4 ? other : batch,
      );
      const answers = await Promise.all(bodies.map((body) => service.post(body, { key })));
      // Whichever came first has the key; all with the other body are refused.
      const taken = answers.filter(({ status }) => status === 202);
      expect(taken.filter((answer) => !isReplay(answer))).toHaveLength(1);
      const [kept, refused] = answers[0]!.status === 202 ? [batch, other] : [other, batch];
      for (const [i, { status }] of answers.entries()) {
        expect(status).toBe(bodies[i] === kept ? 202 : 422);
      }
      const idOf = (body: string) => JSON.parse(body.split("\n", 1)[0]!).eventId as string;
      expect(await countOf(idOf(kept))).toBe(2);
      expect(await countOf(idOf(refused))).toBe(0);
    });
  });

  it("knows an old sequence after thousands more, in any order, over restarts", async () => {
    const producer = randomUUID();
    // Items of all partitions: each of these sees only some of the sequences.
    const type = `of ${producer}`;
    const body = (sequence: number, userId = "u") =>
      JSON.stringify({ eventId: `item-${sequence % 64}`, eventType: type, userId });
    const total = async () => {
      const query = { eventType: type, timeRange: "all", mode: "exact" };
      return (await service.get("/leaderboard", query)).body.total;
    };
    const postAll = async (numbers: number[]) => {
      const left = [...numbers].reverse();
      const answers: Answer[] = [];
      const client = async () => {
        for (let number = left.pop(); number !== undefined; number = left.pop()) {
          answers.push(await service.post(body(number), { key: `${producer}/${number}` }));
        }
      };
      await Promise.all(Array.from({ length: postsAtOnce }, client));
      return answers;
    };
    const expectAgain = (answers: Answer[]) => {
      expect(answers.every(({ status }) => status === 202)).toBe(true);
      if (marksReplays) expect(answers.every(isReplay)).toBe(true);
    };
    const sequences = httpServer === "fastify" ? manySequences : someSequences;
    const all = Array.from({ length: sequences }, (_, i) => i + 1);
    const firsts = await postAll(all);
    expect(firsts.every((answer) => answer.status === 202 && !isReplay(answer))).toBe(true);
    const some = all.filter((number) => number % 53 === 0 || number < 10);
    for (const how of ["kill", "stop"] as const) {
      const again = await postAll(some);
      expectAgain(again);
      await restart(how);
    }
    expectAgain(await postAll(some));
    expect(await total()).toBe(sequences);
    // Of the newest the bodies are still known, in whichever partition they went.
    for (let number = sequences - 200; number <= sequences; number += 9) {
      const other = { key: `${producer}/${number}` };
      const answer = await service.post(body(number, "another"), other);
      expect([answer.status, answer.body.code]).toEqual([422, "idempotency_key_reused"]);
    }
    // A sequence that was never sent is new, wherever it stands.
    const fresh = await postAll([sequences + 5, 0]);
    expect(fresh.map((answer) => [answer.status, isReplay(answer)])).toEqual([
      [202, false],
      [202, false],
    ]);
    expect(await total()).toBe(sequences + 2);
  });
});
