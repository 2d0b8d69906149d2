/** GET /tail: a sample of the events that this process accepts, as they come. */
import type { ServerResponse } from "node:http";
import type { FastifyInstance } from "fastify";
import type { EventTap, TappedLines, TapWatcher } from "../edge/event-tap.ts";
import { RankstreamError } from "../errors.ts";
import { eventBounds } from "../model.ts";
import { formatTimestamp } from "../query/timestamp.ts";
import { beginEventStream, endEventStream, eventStreamReply } from "./event-stream.ts";
import { cutOff, onceOver } from "./hang-up.ts";
import type { RouteDoc } from "./openapi.ts";
import { checkNames, numberOf, type ParameterTable, type RawQuery, single } from "./parameters.ts";

export const tailBounds = Object.freeze({
  eventsPerSecondMax: 1000,
  eventsPerSecondDefault: 100,
  /** What a client has yet to take; beyond, events are skipped. */
  unsentBytesMax: 1024 * 1024,
  /** How often it is told what was skipped, and that the stream is alive. */
  beatMs: 1000,
  /** A client that takes nothing for so long is cut off. */
  stallMsMax: 60_000,
});

const parameters = Object.freeze({
  eventType: {
    description: "Only events of this type.",
    schema: { type: "string", minLength: 1, maxLength: eventBounds.eventTypeBytesMax },
  },
  eventsPerSecond: {
    description: "Events shown a second at most; the others are counted as skipped.",
    schema: {
      type: "integer",
      minimum: 1,
      maximum: tailBounds.eventsPerSecondMax,
      default: tailBounds.eventsPerSecondDefault,
    },
  },
}) satisfies ParameterTable;

const doc: RouteDoc = {
  summary: "Events as they are accepted (server-sent events)",
  description:
    'Each "message" is {receivedAt, event}: an event that is durable, as it was sent. A ' +
    '"skipped" event says how many more came than are shown. Only what this process takes ' +
    "itself; nothing of before the request. The stream does not end by itself.",
  parameters,
  reply: eventStreamReply,
  problems: [421, 429],
};

/** One client. */
class Tail implements TapWatcher {
  readonly needle: string | null;
  readonly #eventType: string | null;
  readonly #response: ServerResponse;
  readonly #perSecond: number;
  #left: number;
  #skipped = 0;
  #refilledAt = performance.now();
  #takenAt = performance.now();
  #beat: NodeJS.Timeout | undefined;

  constructor(response: ServerResponse, eventType: string | null, perSecond: number) {
    this.#response = response;
    this.#eventType = eventType;
    this.needle = eventType === null ? null : JSON.stringify(eventType);
    this.#perSecond = perSecond;
    this.#left = perSecond;
  }

  start(): void {
    this.#response.write(": events as they are accepted\n\n");
    this.#beat = setInterval(() => this.#onBeat(), tailBounds.beatMs);
  }

  room(): number {
    const now = performance.now();
    const earned = ((now - this.#refilledAt) / 1000) * this.#perSecond;
    this.#refilledAt = now;
    this.#left = Math.min(this.#perSecond, this.#left + earned);
    const isFull = this.#response.writableLength > tailBounds.unsentBytesMax;
    return isFull ? 0 : Math.floor(this.#left);
  }

  show({ receivedAt, lines, skipped }: TappedLines): void {
    this.#skipped += skipped;
    const time = JSON.stringify(formatTimestamp(receivedAt));
    const own = lines.filter((line) => this.#isOwn(line));
    this.#left = Math.max(0, this.#left - own.length);
    const text = own.map((line) => `data: {"receivedAt":${time},"event":${line}}\n\n`).join("");
    if (text !== "") this.#response.write(text);
  }

  end(): void {
    clearInterval(this.#beat);
    if (!this.#response.destroyed) endEventStream(this.#response);
  }

  /** The type's text may stand in another field. */
  #isOwn(line: string): boolean {
    if (this.#eventType === null) return true;
    return (JSON.parse(line) as { eventType: string }).eventType === this.#eventType;
  }

  #onBeat(): void {
    const now = performance.now();
    const unsent = this.#response.writableLength;
    if (unsent === 0) this.#takenAt = now;
    if (now - this.#takenAt > tailBounds.stallMsMax) cutOff(this.#response);
    if (unsent > tailBounds.unsentBytesMax) return;
    const skipped = this.#skipped;
    this.#skipped = 0;
    // A comment keeps the connection alive.
    const text = skipped > 0 ? `event: skipped\ndata: {"skipped":${skipped}}\n\n` : ":\n\n";
    this.#response.write(text);
  }
}

/** Adds the route; `tap` null: this process takes no events. */
export function addTail(app: FastifyInstance, tap: EventTap | null): void {
  const tails = new Set<Tail>();
  const options = { config: { doc }, exposeHeadRoute: false };
  app.get("/tail", options, (request, reply) => {
    const query = request.query as RawQuery;
    checkNames(query, parameters);
    const type = single(query, "eventType");
    const rate = numberOf(query, "eventsPerSecond", parameters.eventsPerSecond);
    if (tap === null) {
      throw new RankstreamError("not_served_here", "this process takes no events itself");
    }
    const { raw } = reply;
    const tail = new Tail(raw, type ?? null, rate);
    const unwatch = tap.watch(tail);
    tails.add(tail);
    onceOver(raw, () => {
      unwatch();
      tail.end();
      tails.delete(tail);
    });
    raw.on("error", () => raw.destroy());
    beginEventStream(reply);
    tail.start();
  });
  app.addHook("preClose", async () => {
    for (const tail of tails) tail.end();
  });
}
