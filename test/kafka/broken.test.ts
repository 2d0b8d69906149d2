// Records that are no events, or hold some beside lines that are: what is good counts, what is
// bad is put aside with its origin and reason, and nothing of it holds its partition up.
import { type Message, Partitioners } from "kafkajs";
import { beforeAll, describe, expect, it } from "vitest";
import { freshTopic, kafkaAdmin, sharedKafka } from "../support/kafka.ts";
import { kafkaClient } from "../support/kafka-broker.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { kafkaFlags, kcat, metric, type ReadRecord, readTopic, until } from "./kafka-world.ts";

const hourMs = 3_600_000;
/** A retry must not write a record twice. */
const once = { idempotent: true, maxInFlightRequests: 1 };
const topic = freshTopic("broken");
const letterTopic = `${topic}.dead-letter`;
const dataDir = temporaryFolder();
const args = ["--partitions", "1", "--event-types-max", "3", "--freshness-wait-ms-max", "9000"];
let address: string;
let service: RankstreamProcess;
let expected = 0;

const start = async (failPoint?: string) => {
  const more = failPoint === undefined ? {} : { failPoint };
  service = await startRankstream({
    dataDir,
    args: [...kafkaFlags(address, topic), ...args],
    ...more,
  });
};

/** Sends to the one partition; the offset of the first. */
async function send(messages: Message[]): Promise<number> {
  const createPartitioner = Partitioners.DefaultPartitioner;
  const producer = kafkaClient(address).producer({ createPartitioner, ...once });
  await producer.connect();
  try {
    const [sent] = await producer.send({ topic, messages });
    return Number(sent!.baseOffset);
  } finally {
    await producer.disconnect();
  }
}

async function total(eventType: string, timeRange = "all"): Promise<number> {
  const { status, body } = await service.get("/leaderboard", {
    eventType,
    timeRange,
    mode: "exact",
  });
  if (status === 200) return body.total;
  throw new Error(`${status} ${JSON.stringify(body)}\n${service.output()}`);
}

const good = (eventType = "play", more = {}) =>
  JSON.stringify({ eventId: "a", eventType, ...more });

/** Letters of the records from this offset on, by offset and line, once there are so many. */
async function lettersFrom(base: number, count: number): Promise<ReadRecord[]> {
  const offsetOf = ({ headers }: ReadRecord) => Number(headers["origin"]!.split("/").at(-1));
  const ask = async () => {
    const all = await readTopic(address, letterTopic);
    return all.filter((letter) => offsetOf(letter) >= base);
  };
  const letters = await until(ask, (found) => found.length >= count);
  const byLine = (a: ReadRecord, b: ReadRecord) =>
    Number(a.headers["line"]) - Number(b.headers["line"]);
  return letters.sort((a, b) => offsetOf(a) - offsetOf(b) || byLine(a, b));
}

/** Their origins as offsets from there, with line and code. */
async function faultsFrom(base: number, count: number): Promise<string[]> {
  return (await lettersFrom(base, count)).map(({ headers: { origin, line, code } }) => {
    const [name, partition, offset] = origin!.split("/");
    expect([name, partition]).toEqual([topic, "0"]);
    return `${Number(offset) - base}:${line} ${code}`;
  });
}

beforeAll(async () => {
  ({ address } = await sharedKafka());
  await start();
});

describe("a record that is no event", () => {
  it("goes to the dead letters as it is, and what follows counts", async () => {
    const broken = Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]);
    const late = good("play", { timestamp: Date.now() + hourMs });
    const values: [value: string | Buffer | null, fault: string][] = [
      ["no json", "1 invalid_json"],
      ["", "0 empty_body"],
      [null, "0 empty_body"],
      ["\n \n", "0 empty_body"],
      ['{"eventId":"a"}', "1 missing_field"],
      ['{"eventId":"a","eventType":7}', "1 wrong_type"],
      [good("play", { weight: -1 }), "1 out_of_range"],
      [good("play", { color: "red" }), "1 unknown_field"],
      [broken, "1 invalid_utf8"],
      [late, "1 future_timestamp"],
      [`[${good()}]`, "1 wrong_type"],
    ];
    const messages = values.flatMap(([value]) => [{ value }, { value: good() }]);
    const base = await send(messages);
    expected += values.length;
    expect(await total("play")).toBe(expected);
    const letters = await lettersFrom(base, values.length);
    for (const [index, [value]] of values.entries()) {
      const { headers, key, value: kept } = letters[index]!;
      expect(headers["reason"]).toMatch(/./);
      expect(key).toBe(`${headers["origin"]}/${headers["line"]}`);
      if (value !== broken) expect(kept ?? "").toBe(value ?? "");
    }
    const faults = values.map(([, fault], index) => `${2 * index}:${fault}`);
    expect(await faultsFrom(base, values.length)).toEqual(faults);
    const refused = "rankstream_ingest_refused_lines_total";
    const ask = () => metric(service, refused);
    expect(await until(ask, (count) => count >= values.length)).toBe(values.length);
    const put = "rankstream_ingest_dead_letters_total";
    expect(await metric(service, put)).toBe(values.length);
    // Bytes that are no text arrive as they were sent.
    const raw = await kcat(address, ["-C", "-t", letterTopic, "-o", "beginning", "-e", "-D", "|"]);
    expect(raw.includes(broken)).toBe(true);
  });

  it("is only those lines that are none, where there are several", async () => {
    const lines = ["", good(), "x", good(), "", "{}", good()];
    const base = await send([{ value: lines.join("\n") }]);
    expected += 3;
    expect(await total("play")).toBe(expected);
    const letters = await lettersFrom(base, 2);
    const text = letters.map(({ headers, value }) => [headers["line"], headers["code"], value]);
    expect(text).toEqual([
      ["3", "invalid_json", "x"],
      ["6", "missing_field", "{}"],
    ]);
  });

  it("is put aside as a whole where too many of its lines are none", async () => {
    const lines = Array.from({ length: 250 }, (_, i) => (i % 2 === 0 ? good() : `no ${i}`));
    const value = lines.join("\n");
    const base = await send([{ value }]);
    expected += 125;
    expect(await total("play")).toBe(expected);
    const letters = await lettersFrom(base, 1);
    expect(letters.map((letter) => letter.value)).toEqual([value]);
    expect(letters[0]!.headers).toMatchObject({ line: "0", code: "invalid_json" });
    expect(letters[0]!.headers["reason"]).toContain("125 lines");
  });

  it("may bear a header of our name", async () => {
    const headers = ["", "x", "1".repeat(24), "\u0001".padEnd(60, "\0"), "\u0007".repeat(99)];
    const ours = { rankstream: [Buffer.alloc(40, 1), Buffer.alloc(40, 2)] };
    await send([
      ...headers.map((rankstream) => ({ value: good(), headers: { rankstream } })),
      { value: good(), headers: ours },
    ]);
    expected += headers.length + 1;
    expect(await total("play")).toBe(expected);
  });

  it("takes the record's time where it has none, and is measured by that", async () => {
    const old = Date.UTC(2026, 0, 5, 12, 30);
    const timed = { timestamp: String(old) };
    const admin = await kafkaAdmin(address);
    const resource = { type: 2, name: topic };
    const configEntries = [{ name: "message.timestamp.type", value: "CreateTime" }];
    await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries }] });
    const base = await send([
      { value: good("early"), ...timed },
      { value: good("early", { timestamp: old + hourMs }), ...timed },
    ]);
    expect(await faultsFrom(base, 1)).toEqual(["1:1 future_timestamp"]);
    expect(await total("early", "all")).toBe(1);
    const from = new Date(old).toISOString();
    const to = new Date(old + 1).toISOString();
    const exact = { eventType: "early", from, to, mode: "exact" };
    expect((await service.get("/leaderboard", exact)).body.total).toBe(1);
  });
});

describe("event types beyond the bound", () => {
  it("go aside, those known count, over a restart as before", async () => {
    const base = await send([
      { value: [good("third"), good("fourth"), good()].join("\n") },
      { value: good("fifth") },
    ]);
    expected += 1;
    expect(await total("play")).toBe(expected);
    expect(await total("third")).toBe(1);
    const beyond = ["0:2 too_many_event_types", "1:1 too_many_event_types"];
    expect(await faultsFrom(base, 2)).toEqual(beyond);
    await service.stop();
    await start();
    const again = await send([{ value: good("fifth") }, { value: good("third") }]);
    expect(await total("third")).toBe(2);
    expect(await faultsFrom(again, 1)).toEqual(["0:1 too_many_event_types"]);
  });
});

describe("a kill before the checkpoint", () => {
  it("judges all again: counts are right, letters come twice at most", async () => {
    await service.stop();
    const base = await send(
      Array.from({ length: 40 }, (_, i) => ({ value: i % 4 === 3 ? `no ${i}` : good() })),
    );
    expected += 30;
    await start("ingest.before_checkpoint:1").catch(() => undefined);
    await service?.exited;
    await start();
    expect(await total("play")).toBe(expected);
    const found = await faultsFrom(base, 10);
    const faults = Array.from({ length: 10 }, (_, i) => `${4 * i + 3}:1 invalid_json`);
    expect([...new Set(found)]).toEqual(faults);
    console.info(`broken: ${found.length} letters of 10 records that were read twice`);
    expect(found.length).toBeLessThanOrEqual(20);
  });
});
