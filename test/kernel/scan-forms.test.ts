/** Every form the contract names, and every boundary at every alignment, on both builds. */
import { beforeAll, describe, expect, it } from "vitest";
import { layout } from "../../src/kernel/layout.ts";
import { eventBounds } from "../../src/model.ts";
import { keptTypeBytesMax } from "../../src/model-regions.ts";
import { oracleJson, oracleNdjson, oracleTime } from "../oracles/event-oracle.ts";
import { loadRig, type Rig, receivedAt, scanBody } from "./scan-support.ts";

const encoder = new TextEncoder();
let rigs: Rig[];

beforeAll(async () => {
  rigs = [await loadRig("simd", 1000), await loadRig("scalar", 1000)];
});

/** What each line is refused for; "ok" when it is not. The oracle must say the same. */
function verdicts(lines: string[]): string[] {
  const body = encoder.encode(lines.join("\n"));
  const expected = oracleNdjson(body, receivedAt);
  for (const rig of rigs) expect(scanBody(rig, body, "ndjson"), rig.build).toEqual(expected);
  const byLine = new Map(expected.errors.map(({ line, code }) => [line, code]));
  return lines.map((_, index) => byLine.get(index + 1) ?? "ok");
}

function event(members: string): string {
  return `{"eventId":"a","eventType":"b"${members && `,${members}`}}`;
}

function timeOf(rig: Rig, value: string): number | string {
  const line = event(`"timestamp":${value}`);
  const batch = scanBody(rig, encoder.encode(line), "ndjson");
  return batch.events[0]?.timestamp ?? batch.errors[0]!.code;
}

const accepted: [string, string][] = [
  ['"2026-11-24T10:30:00Z"', "2026-11-24T10:30:00.000Z"],
  ['"2026-11-24t10:30:00z"', "2026-11-24T10:30:00.000Z"],
  ['"2026-11-24 10:30:00Z"', "2026-11-24T10:30:00.000Z"],
  ['"2026-11-24T10:30:00.1Z"', "2026-11-24T10:30:00.100Z"],
  ['"2026-11-24T10:29:59.123999999Z"', "2026-11-24T10:29:59.123Z"],
  ['"2026-11-24T10:30:00+02:00"', "2026-11-24T08:30:00.000Z"],
  ['"2026-11-24T01:30:00-0530"', "2026-11-24T07:00:00.000Z"],
  ['"2026-11-24T10:30:00-00:00"', "2026-11-24T10:30:00.000Z"],
  ['"2000-02-29T23:59:59Z"', "2000-02-29T23:59:59.000Z"],
  ['"1970-01-01T00:00:00Z"', "1970-01-01T00:00:00.000Z"],
  ['"1969-12-31T23:30:00-01:00"', "1970-01-01T00:30:00.000Z"],
  ['"2026-11-24T10:35:00Z"', "2026-11-24T10:35:00.000Z"],
  ['"2026-11-24T10:30:00\\u005a"', "2026-11-24T10:30:00.000Z"],
  ["100000000000", "1973-03-03T09:46:40.000Z"],
  ["1763980200000", "2025-11-24T10:30:00.000Z"],
];

const refused: [string, string][] = [
  ['"2026-11-24T10:35:00.001Z"', "future_timestamp"],
  ['"9999-12-31T23:59:59.999Z"', "future_timestamp"],
  ["253402300799999", "future_timestamp"],
  ["253402300800000", "invalid_timestamp"],
  ["99999999999", "invalid_timestamp"],
  ["1763980200", "invalid_timestamp"],
  ["-1763980200000", "invalid_timestamp"],
  ["0", "invalid_timestamp"],
  ["-0", "invalid_timestamp"],
  ["1763980200000.0", "invalid_timestamp"],
  ["1763980200e3", "invalid_timestamp"],
  ["1763980200000000000000000000", "invalid_timestamp"],
  ['"1763980200000"', "invalid_timestamp"],
  ["null", "wrong_type"],
  ["true", "wrong_type"],
  ["{}", "wrong_type"],
  ["01763980200000", "invalid_json"],
  ["+1763980200000", "invalid_json"],
  ...[
    "",
    "2026-11-24",
    "2026-11-24T10:30Z",
    "2026-11-24T10:30:00",
    "2026-11-24T10:30:00.Z",
    "2026-11-24T10:30:00.1234567890Z",
    "2026-11-24T10:30:00,5Z",
    "2026-11-24T10:30:00 Z",
    "2026-11-24T10:30:00Z ",
    "2026-11-24T10:30:00ZZ",
    "2026-11-24T10:30:00+01",
    "2026-11-24T10:30:00+1:00",
    "2026-11-24T10:30:00+24:00",
    "2026-11-24T10:30:00+01:60",
    "2026-11-24T10:30:00+01:000",
    "2026-11-24X10:30:00Z",
    "2026-11-24T24:00:00Z",
    "2026-11-24T10:60:00Z",
    "2026-11-24T10:30:60Z",
    "2026-02-30T10:30:00Z",
    "2025-02-29T10:30:00Z",
    "2100-02-29T10:30:00Z",
    "2026-04-31T10:30:00Z",
    "2026-13-01T10:30:00Z",
    "2026-00-01T10:30:00Z",
    "2026-01-00T10:30:00Z",
    "1969-12-31T23:59:59Z",
    "0000-01-01T00:00:00Z",
    "1970-01-01T00:00:00+00:01",
    "12026-11-24T10:30:00Z",
    "now",
    "Tue, 24 Nov 2026 10:30:00 GMT",
    `2026-11-24T10:30:00.${"0".repeat(60)}Z`,
  ].map((text): [string, string] => [JSON.stringify(text), "invalid_timestamp"]),
];

describe("timestamps", () => {
  it.each(accepted)("takes %s", (value, expected) => {
    for (const rig of rigs) {
      expect(new Date(timeOf(rig, value) as number).toISOString()).toBe(expected);
    }
  });

  it.each(refused)("refuses %s", (value, code) => {
    for (const rig of rigs) expect(timeOf(rig, value)).toBe(code);
    expect(verdicts([event(`"timestamp":${value}`)])).toEqual([code]);
  });

  it("knows the days of every month, leap years and days that are none", () => {
    const days: string[] = [];
    for (let year = 1969; year < 2027; year++) {
      for (let month = 0; month <= 13; month++) {
        for (const day of [0, 1, 15, 28, 29, 30, 31, 32]) {
          const [m, d] = [month, day].map((n) => String(n).padStart(2, "0"));
          days.push(`${year}-${m}-${d}T12:34:56Z`);
        }
      }
    }
    const lines = days.map((text) => event(`"timestamp":"${text}"`));
    const expected = days.map((text) => oracleTime(text));
    expect(verdicts(lines).map((verdict) => verdict === "ok")).toEqual(
      expected.map((ms) => ms !== null && ms <= receivedAt + 300_000),
    );
  });

  it("refuses a date of zeros as the first one ever", async () => {
    const line = encoder.encode(event('"timestamp":"0000-00-00T00:00:00Z"'));
    for (const build of ["simd", "scalar"] as const) {
      const batch = scanBody(await loadRig(build, 10), line, "ndjson");
      expect(batch.errors[0]?.code).toBe("invalid_timestamp");
    }
  });

  it("takes the time of receipt where there is none, and flags it", () => {
    for (const rig of rigs) {
      const batch = scanBody(rig, encoder.encode(event("")), "ndjson");
      expect(batch.events[0]!.timestamp).toBe(receivedAt);
      const flags = rig.kernel.u32[(rig.scanner.eventsPtr + layout.EVENT_FLAGS) >>> 2]!;
      expect(flags).toBe(layout.EVENT_FLAG_NO_TIMESTAMP);
    }
  });
});

describe("fields", () => {
  const id = (text: string) => `{"eventId":"${text}","eventType":"t"}`;
  const metadata = (count: number, value = "") =>
    event(`"metadata":{${Array.from({ length: count }, (_, i) => `"k${i}":"${value}"`).join()}}`);

  it.each<[string, string, string]>([
    ["nothing", "{}", "missing_field"],
    ["no type", '{"eventId":"a"}', "missing_field"],
    ["a number as id", '{"eventId":1,"eventType":"t"}', "wrong_type"],
    ["null as user", event('"userId":null'), "wrong_type"],
    ["an empty id", id(""), "empty"],
    ["an empty user", event('"userId":"","sessionId":""'), "ok"],
    ["the longest id", id("x".repeat(512)), "ok"],
    ["an id too long", id("x".repeat(513)), "too_long"],
    ["the longest id in é", id("é".repeat(256)), "ok"],
    ["the longest id in escapes", id("\\u00e9".repeat(256)), "ok"],
    ["an id in escapes too long", id("\\u00e9".repeat(257)), "too_long"],
    ["a mebibyte of id", id("x".repeat(1 << 20)), "too_long"],
    ["an escaped name", '{"event\\u0049d":"a","eventType":"b"}', "ok"],
    ["a name repeated in escapes", event('"event\\u0049d":"x"'), "duplicate_field"],
    ["an unknown field", event('"colour":"red"'), "unknown_field"],
    ["__proto__ as a field", event('"__proto__":"x"'), "unknown_field"],
    ["__proto__ as an id", id("__proto__"), "ok"],
    ["__proto__ as a key", event('"metadata":{"__proto__":"x"}'), "ok"],
    ["a control character in escapes", id("\\u0001\\u001f"), "ok"],
    ["NUL", id("a\\u0000"), "invalid_text"],
    ["half a pair", id("\\ud83d"), "invalid_text"],
    ["two first halves", id("\\ud83d\\udbff"), "invalid_text"],
    ["half a pair and a letter", id("\\ud83d\\ue000"), "invalid_text"],
    ["the first and last pair", id("\\ud800\\udc00\\uDBFF\\uDFFF"), "ok"],
    ["a pair the wrong way round", id("\\ude00\\ud83d"), "invalid_text"],
    ["a raw tab", id("a\tb"), "invalid_json"],
    ["an array", "[]", "wrong_type"],
    ["a string", '"eventId"', "wrong_type"],
    ["two events", event("") + event(""), "invalid_json"],
    ["a comma too many", '{"eventId":"a","eventType":"b",}', "invalid_json"],
    ["single quotes", "{'eventId':'a'}", "invalid_json"],
    ["cut off", '{"eventId":"a","eventTy', "invalid_json"],
    ["64 keys", metadata(64), "ok"],
    ["65 keys", metadata(65), "too_many_keys"],
    ["16 KiB of metadata", event(`"metadata":{"k":"${"x".repeat(16_376)}"}`), "ok"],
    ["more metadata", event(`"metadata":{"k":"${"x".repeat(16_377)}"}`), "too_long"],
    ["a long key", event(`"metadata":{"${"k".repeat(20_000)}":""}`), "too_long"],
    ["nested metadata", event('"metadata":{"a":{}}'), "wrong_type"],
    ["a key twice", event('"metadata":{"a":"1","\\u0061":"2"}'), "duplicate_field"],
    ["the greatest weight", event('"weight":1000000'), "ok"],
    ["a greater weight", event('"weight":1000001'), "out_of_range"],
    ["no weight", event('"weight":0'), "out_of_range"],
    ["a fraction of weight", event('"weight":1.5'), "out_of_range"],
    ["weight as text", event('"weight":"1"'), "wrong_type"],
    ["a region's longest type", `{"eventId":"a","eventType":"\\u001f${"x".repeat(145)}"}`, "ok"],
    ["a longer one", `{"eventId":"a","eventType":"\\u001F${"x".repeat(146)}"}`, "too_long"],
    [
      "a user's of 129 bytes",
      `{"eventId":"a","eventType":"\\u0020${"x".repeat(128)}"}`,
      "too_long",
    ],
    ["deep nesting", event(`"x":${"[".repeat(64)}${"]".repeat(64)}`), "unknown_field"],
    ["deeper nesting", event(`"x":${"[".repeat(65)}${"]".repeat(65)}`), "invalid_json"],
    ["endless nesting", event(`"x":${"[".repeat(1 << 20)}`), "invalid_json"],
  ])("%s", (_, line, verdict) => {
    expect(verdicts([line])).toEqual([verdict]);
  });

  it("bounds an event's text with its white space", () => {
    const wide = (bytes: number) =>
      event("").replace("{", `{${" ".repeat(bytes - event("").length)}`);
    expect(wide(65_536).length).toBe(65_536);
    expect(verdicts([wide(65_536), wide(65_537)])).toEqual(["ok", "too_long"]);
  });

  it("has the same bounds as the model", () => {
    expect(layout.EVENT_ID_BYTES_MAX).toBe(eventBounds.eventIdBytesMax);
    expect(layout.EVENT_TYPE_BYTES_MAX).toBe(eventBounds.eventTypeBytesMax);
    expect(layout.EVENT_REGION_TYPE_BYTES_MAX).toBe(keptTypeBytesMax);
    expect(layout.EVENT_USER_BYTES_MAX).toBe(eventBounds.userIdBytesMax);
    expect(layout.EVENT_SESSION_BYTES_MAX).toBe(eventBounds.sessionIdBytesMax);
    expect(layout.EVENT_METADATA_BYTES_MAX).toBe(eventBounds.metadataBytesMax);
    expect(layout.EVENT_METADATA_KEYS_MAX).toBe(eventBounds.metadataKeysMax);
    expect(layout.EVENT_WEIGHT_MAX).toBe(eventBounds.weightMax);
  });
});

describe("lines and bodies", () => {
  it("counts blank lines, takes CRLF, a mark and a missing last line feed", () => {
    const body = encoder.encode(`\ufeff\r\n${event("")}\r\n \t\n\n{}\n${event("")}`);
    for (const rig of rigs) {
      const batch = scanBody(rig, body, "ndjson");
      expect(batch.events.map(({ line }) => line)).toEqual([2, 6]);
      expect(batch.errors.map(({ line }) => line)).toEqual([5]);
    }
  });

  it.each<[string, string | null]>([
    ["", "empty_body"],
    [" \n", "empty_body"],
    ["\ufeff", "empty_body"],
    ["[]", "empty_body"],
    [" [ \n ] ", "empty_body"],
    ["[] x", "invalid_json"],
    ["[", "invalid_json"],
    [`[${event("")}`, "invalid_json"],
    [`[${event("")},`, "invalid_json"],
    [`[${event("")},]`, "invalid_json"],
    [`[,${event("")}]`, "invalid_json"],
    [`[${event("")}]]`, "invalid_json"],
    [`${event("")}${event("")}`, "invalid_json"],
    [`[${event("")}\n,\r\n${event("")} ]\n`, null],
    ["5", null],
    ["[5,{},[]]", null],
    [`\ufeff${event("")}`, null],
  ])("JSON body %j", (text, malformed) => {
    const body = encoder.encode(text);
    const expected = oracleJson(body, receivedAt);
    expect(expected.malformed).toBe(malformed);
    for (const rig of rigs) expect(scanBody(rig, body, "json"), rig.build).toEqual(expected);
  });

  it("finds every byte that matters at every place and alignment", () => {
    for (let alignment = 0; alignment < 64; alignment++) {
      const lines: string[] = [];
      for (let length = 0; length <= 40; length++) {
        for (const telling of ['\\"', "\\\\", "é", "€", "😀", "\\u20ac", "\t", ""]) {
          const tail = "y".repeat((alignment * 7) % 19);
          const text = `i${"x".repeat(length)}${telling}${tail}`;
          lines.push(`{"eventId":"${text}","eventType":"t"}`);
        }
      }
      const body = encoder.encode(lines.join("\n"));
      const expected = oracleNdjson(body, receivedAt);
      expect(expected.errors.length).toBe(41);
      for (const rig of rigs) {
        expect(scanBody(rig, body, "ndjson", alignment), rig.build).toEqual(expected);
      }
    }
  });

  it("knows UTF-8 from what only looks like it", () => {
    const lines: Uint8Array[] = [];
    for (let lead = 0x80; lead < 0x100; lead++) {
      for (const second of [0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0]) {
        for (const third of [0x61, 0x80, 0xbf, 0xc0]) {
          for (const fourth of [0x61, 0x80, 0xbf, 0xc0]) {
            const start = encoder.encode('{"eventType":"t","eventId":"');
            const bytes = [...start, lead, second, third, fourth, 0x22, 0x7d, 0x0a];
            lines.push(Uint8Array.from(bytes));
          }
        }
      }
    }
    const body = Uint8Array.from(Buffer.concat(lines));
    const expected = oracleNdjson(body, receivedAt);
    expect(expected.events.length).toBeGreaterThan(100);
    for (const rig of rigs) expect(scanBody(rig, body, "ndjson"), rig.build).toEqual(expected);
  });

  it("stays within its arena, however many strings want unescaping", () => {
    const key = `"\\u0061${"k".repeat(120)}"`;
    const keys = (count: number) => Array.from({ length: count }, () => `${key}:${key}`).join();
    const lines = [
      `{${keys(14_000)}}`,
      event(`"metadata":{${keys(14_000)}}`).replace("a", "\\u0061"),
      ...Array.from({ length: 2000 }, (_, i) => `{"eventId":"\\n${i}","eventType":${key}}`),
    ];
    for (const line of [lines.slice(0, 1), lines.slice(1, 2), lines.slice(2)]) {
      const body = encoder.encode(`${line.join("\n")}\n${event("")}`);
      const expected = oracleNdjson(body, receivedAt);
      for (const rig of rigs) expect(scanBody(rig, body, "ndjson"), rig.build).toEqual(expected);
    }
  });

  it("is cut anywhere without reading on", () => {
    const whole = encoder.encode(
      `${event('"userId":"é\\n","metadata":{"k":"v"},"weight":12,"timestamp":1763980200000')}`,
    );
    for (let length = 0; length < whole.length; length++) {
      const body = whole.slice(0, length);
      for (const after of [whole[length]!, 0x22, 0x30, 0x0a, 0x7d, 0x80, 0]) {
        for (const rig of rigs) {
          expect(scanBody(rig, body, "ndjson", length % 16, after)).toEqual(
            oracleNdjson(body, receivedAt),
          );
          expect(scanBody(rig, body, "json", length % 16, after)).toEqual(
            oracleJson(body, receivedAt),
          );
        }
      }
    }
  });
});
