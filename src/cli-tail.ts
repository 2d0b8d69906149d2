/** `rankstream tail`: events as a service accepts them. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Command, InvalidArgumentError } from "commander";
import { type CliIo, exitCodes } from "./cli-io.ts";
import type { Paint } from "./cli-paint.ts";
import {
  addServiceOptions,
  asFailure,
  checkedUrl,
  keyOf,
  outPaint,
  type ServiceFlags,
  stopping,
} from "./cli-service.ts";
import { printable } from "./cli-text.ts";
import { parametersOf, problemOf, reasonOf, UnreachableError } from "./client/requests.ts";
import { countText } from "./import/progress.ts";

const retryWaitMs = 1000;
const rateMax = 1000;

const helpAfter = `
Examples:
  rankstream tail
  rankstream tail --type song_play --rate 10
  rankstream tail --json | jq -r 'select(.event) | .event.eventId'

Shows what comes in from now on and is durable: at most --rate events a second, the others are
counted as skipped. Ends at Ctrl-C, with 0; a service that restarts is waited for.
`;

interface TailFlags extends ServiceFlags {
  type?: string;
  rate: number;
}

/** What the service says, one at a time. */
type Told = { receivedAt: string; event: TailedEvent } | { skipped: number };

interface TailedEvent {
  eventType: string;
  eventId: string;
  timestamp?: string | number;
  userId?: string;
  sessionId?: string;
  weight?: number;
  metadata?: Record<string, string>;
}

function rateArgument(value: string): number {
  const rate = /^\d{1,4}$/.test(value) ? Number(value) : 0;
  if (rate >= 1 && rate <= rateMax) return rate;
  throw new InvalidArgumentError(`Expected an integer 1..${rateMax}.`);
}

/** The data of server-sent events, as they come. Comments are passed over. */
export async function* eventData(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let held = "";
  for await (const chunk of chunks) {
    const parts = (held + decoder.decode(chunk, { stream: true })).split("\n\n");
    held = parts.pop()!;
    for (const part of parts) {
      const data = /^data: (.*)$/m.exec(part);
      if (data !== null) yield data[1]!;
    }
  }
}

/** An event in a line: when it was received, what it is, and what more it says. */
export function tailLine({ receivedAt, event }: Extract<Told, { event: unknown }>, paint: Paint) {
  const { eventType, eventId, userId, sessionId, weight, timestamp, metadata = {} } = event;
  const more = [
    weight === undefined ? "" : `x${weight}`,
    userId === undefined ? "" : `user=${userId}`,
    sessionId === undefined ? "" : `session=${sessionId}`,
    ...Object.entries(metadata).map(([key, value]) => `${key}=${value}`),
    timestamp === undefined ? "" : `at=${timestamp}`,
  ];
  const rest = more.filter((part) => part !== "").map(printable);
  const time = paint("dim", receivedAt.slice(11, 23));
  const what = `${paint("cyan", printable(eventType))}  ${paint("bold", printable(eventId))}`;
  return `${[time, what, ...rest].join("  ")}\n`;
}

function toldText(told: Told, paint: Paint): string {
  if ("event" in told) return tailLine(told, paint);
  return `${paint("dim", `… ${countText(told.skipped)} more`)}\n`;
}

async function connect(flags: TailFlags, signal: AbortSignal, io: CliIo): Promise<Response> {
  const { type: eventType, rate: eventsPerSecond } = flags;
  const url = checkedUrl(flags.url).replace(/\/$/, "");
  const path = `/tail?${parametersOf({ eventType, eventsPerSecond })}`;
  let response: Response;
  try {
    const key = keyOf(flags, io);
    const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
    response = await fetch(`${url}${path}`, { signal, headers });
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw new UnreachableError(`no service answers at ${url} (${reasonOf(cause)})`, { cause });
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

async function follow(response: Response, flags: TailFlags, io: CliIo): Promise<void> {
  const paint = outPaint(io, flags);
  const body = response.body as unknown as AsyncIterable<Uint8Array>;
  for await (const data of eventData(body)) {
    const text = flags.json === true ? `${data}\n` : toldText(JSON.parse(data) as Told, paint);
    if (!io.output.write(text)) await new Promise((resolve) => io.output.once("drain", resolve));
  }
}

async function runTail(flags: TailFlags, io: CliIo): Promise<number> {
  // Whoever reads stdout may go: then it is done.
  const gone = new AbortController();
  io.output.once("error", () => gone.abort());
  const signal = AbortSignal.any([stopping(io).signal, gone.signal]);
  try {
    let response = await connect(flags, signal, io);
    for (;;) {
      await follow(response, flags, io).catch(() => undefined);
      signal.throwIfAborted();
      io.writeError("the connection is lost; trying again\n");
      response = await again(flags, signal, io);
    }
  } catch (error) {
    // To be stopped is how it is done.
    if (signal.aborted) return exitCodes.done;
    throw asFailure(error);
  }
}

/** Until it answers again. */
async function again(flags: TailFlags, signal: AbortSignal, io: CliIo): Promise<Response> {
  for (;;) {
    await sleep(retryWaitMs, undefined, { signal });
    try {
      return await connect(flags, signal, io);
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
    }
  }
}

/** Adds the command; `done` is told its exit code. */
export function addTailCommand(program: Command, io: CliIo, done: (code: number) => void): void {
  const command = program
    .command("tail")
    .description("Show events as a service accepts them, until Ctrl-C.")
    .option("--type <name>", "only events of this type")
    .option("--rate <number>", `events a second at most, 1..${rateMax}`, rateArgument, 100);
  addServiceOptions(command, io, 'print {"receivedAt", "event"} and {"skipped"}, one a line')
    .addHelpText("after", helpAfter)
    .action(async (flags: TailFlags) => {
      done(await runTail(flags, io));
    });
}
