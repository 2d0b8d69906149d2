/**
 * Events as a producer would send them, from a seed: Zipf ids, advancing timestamps, key order,
 * white space and escapes that vary. Counts what it makes, so that answers can be judged.
 */
import { Random, ZipfSampler } from "../test/support/random.ts";

export interface StreamOptions {
  seed: number;
  ids: number;
  zipfExponent: number;
  eventTypes: readonly string[];
  /** Epoch ms of the first event. */
  startMs: number;
  /** Event time from one event to the next. */
  stepMs: number;
  /** Share of events whose timestamp lies up to `lateMsMax` behind. */
  lateShare: number;
  lateMsMax: number;
  /** Ids are padded to so many bytes. */
  idBytes?: number | undefined;
  /** Times lie anywhere in so many ms from `startMs`, in no order. */
  shuffledOverMs?: number | undefined;
  /** `full`: users, sessions, metadata in many spellings; `plain`: the three needed fields. */
  form: "full" | "plain";
}

export interface Body {
  /** NDJSON. */
  bytes: Uint8Array;
  events: number;
  /** Place of its first event in the stream. */
  first: number;
}

/** What ids are padded with: less than what they are made of, so that they keep their order. */
export const idPadding = "!";

/** Told of every event made: type and id as numbers, epoch ms. */
export type EventSink = (type: number, id: number, timeMs: number) => void;

const countries = ["DE", "US", "IN", "BR", "JP", "FR", "NG", "GB"];
const devices = ["mobile", "desktop", "tablet", "tv"];
const titles = ["caf\\u00e9 \\/ live", 'the \\"best\\" of', "line\\none", "naïve ☂"];
const fieldOrders = [
  [0, 1, 2, 3, 4, 5],
  [1, 0, 2, 3, 4, 5],
  [2, 1, 0, 4, 3, 5],
  [3, 4, 1, 0, 2, 5],
  [5, 0, 1, 2, 3, 4],
  [0, 2, 1, 5, 4, 3],
];
const usersMax = 200_000;
const escapedTitleShare = 0.01;
/** One id in 64 holds what JSON may write in two ways. */
const oddIdPeriod = 64;
const oddIdPlace = 37;

function isOddId(id: number): boolean {
  return id % oddIdPeriod === oddIdPlace;
}

const scramble = 0x9e3779b1;
/** Its inverse modulo 2^32. */
const unscramble = 0xe8b2f51;
const plainPrefix = "song_";
const oddPrefix = '"é" ';

/** The id's text: distinct for each number below 2^32, without a trace of its rank. */
export function idText(id: number): string {
  const name = (Math.imul(id, scramble) >>> 0).toString(36);
  return `${isOddId(id) ? oddPrefix : plainPrefix}${name}`;
}

/** The number whose text it is. */
export function idOf(text: string): number {
  const prefix = text.startsWith(plainPrefix) ? plainPrefix : oddPrefix;
  return Math.imul(Number.parseInt(text.slice(prefix.length), 36), unscramble) >>> 0;
}

export class EventStream {
  readonly options: StreamOptions;
  readonly #random: Random;
  readonly #zipf: ZipfSampler;
  readonly #sink: EventSink;
  #made = 0;
  #isoMs = -1;
  #iso = "";

  constructor(options: StreamOptions, sink: EventSink) {
    this.options = options;
    this.#random = new Random(options.seed);
    this.#zipf = new ZipfSampler(options.ids, options.zipfExponent);
    this.#sink = sink;
  }

  /** Events made so far. */
  get made(): number {
    return this.#made;
  }

  /** The next `events` as bodies of `bytesMax` or a little more; their bytes together. */
  makeBodies(events: number, bytesMax: number): { bodies: Body[]; bytes: number } {
    const bodies: Body[] = [];
    const end = this.#made + events;
    while (this.#made < end) bodies.push(this.nextBody(end - this.#made, bytesMax));
    const bytes = bodies.reduce((sum, body) => sum + body.bytes.length, 0);
    return { bodies, bytes };
  }

  /** The next events as one body: `eventsMax`, or fewer once it holds `bytesMax`. */
  nextBody(eventsMax: number, bytesMax = Number.POSITIVE_INFINITY): Body {
    const first = this.#made;
    let text = "";
    let events = 0;
    while (events < eventsMax && text.length < bytesMax) {
      text += this.#nextLine();
      events++;
    }
    return { bytes: Buffer.from(text), events, first };
  }

  #nextLine(): string {
    const random = this.#random;
    const { eventTypes, startMs, stepMs, lateShare, lateMsMax, form } = this.options;
    const { shuffledOverMs } = this.options;
    const id = this.#zipf.draw(random);
    const type = eventTypes.length === 1 ? 0 : random.int(0, eventTypes.length - 1);
    let timeMs = Math.floor(startMs + this.#made * stepMs);
    if (lateShare > 0 && random.chance(lateShare)) {
      timeMs = Math.max(startMs, timeMs - random.int(0, lateMsMax));
    }
    if (shuffledOverMs !== undefined) timeMs = startMs + random.int(0, shuffledOverMs - 1);
    this.#made++;
    this.#sink(type, id, timeMs);
    const eventType = `"${eventTypes[type]}"`;
    if (form === "full") return this.#fullLine(this.#idJson(id), eventType, timeMs);
    const idJson = this.#idJson(id);
    return `{"eventId":${idJson},"eventType":${eventType},"timestamp":${timeMs}}\n`;
  }

  #idJson(id: number): string {
    const { idBytes } = this.options;
    const text = idText(id);
    const missing = idBytes === undefined ? 0 : idBytes - Buffer.byteLength(text);
    const json = JSON.stringify(text + idPadding.repeat(missing));
    if (!isOddId(id) || this.#random.chance(0.5)) return json;
    return json.replace("é", "\\u00e9");
  }

  #fullLine(eventId: string, eventType: string, timeMs: number): string {
    const random = this.#random;
    const bits = random.uint32();
    const country = countries[bits & 7]!;
    const device = devices[(bits >>> 3) & 3]!;
    const title = random.chance(escapedTitleShare)
      ? `,"title":"${titles[(bits >>> 5) & 3]}"`
      : ',"source":"list"';
    const values = [
      `"eventId":${eventId}`,
      `"eventType":${eventType}`,
      `"timestamp":${this.#timestamp(timeMs, (bits >>> 7) & 15)}`,
      `"userId":"u${random.int(0, usersMax)}"`,
      `"sessionId":"s-${bits.toString(16)}"`,
      `"metadata":{"country":"${country}","device":"${device}"${title}}`,
    ];
    const order = fieldOrders[(bits >>> 11) % fieldOrders.length]!;
    const fields = order.map((at) => values[at]!);
    return spell(fields, (bits >>> 16) & 15);
  }

  /** Most as UTC text, some as a number, some with an offset. */
  #timestamp(timeMs: number, form: number): string {
    if (form < 3) return String(timeMs);
    if (form === 3) {
      const local = new Date(timeMs + 2 * 3_600_000).toISOString();
      return `"${local.slice(0, -1)}+02:00"`;
    }
    if (timeMs !== this.#isoMs) {
      this.#isoMs = timeMs;
      this.#iso = `"${new Date(timeMs).toISOString()}"`;
    }
    return this.#iso;
  }
}

/** Joins fields: mostly compact, some spaced as other languages' libraries do, some oddly. */
function spell(fields: readonly string[], style: number): string {
  if (style < 12) return `{${fields.join(",")}}\n`;
  if (style < 15) return `{${fields.map((field) => field.replace(":", ": ")).join(", ")}}\n`;
  return ` { ${fields.join(" ,\t")} } \r\n`;
}
