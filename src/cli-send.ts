/** `rankstream send`: one event from flags, or NDJSON from stdin, into a running service. */
import { StringDecoder } from "node:string_decoder";
import { type Command, InvalidArgumentError } from "commander";
import { type CliIo, CommandFailure, exitCodes } from "./cli-io.ts";
import { pairArgument } from "./cli-selection.ts";
import {
  asFailure,
  clientOf,
  keyFileOption,
  type ServiceTarget,
  type Stopping,
  stopping,
  urlOption,
} from "./cli-service.ts";
import { printable } from "./cli-text.ts";
import { ProblemError, type RankstreamClient, type RefusedLine } from "./client/client.ts";
import { countText } from "./import/progress.ts";

/** A restart of the service is waited out. */
const retryMsMax = 60_000;
/** A line that is longer is no event. */
const lineCharsMax = 1024 * 1024;
/** What of a pipe is sent at once: also the most that is held. */
const batchCharsMax = 4 * 1024 * 1024;
/** Refused lines shown; all are counted. */
const refusalsShownMax = 100;

const helpAfter = `
Examples:
  rankstream send song_play song_123
  rankstream send song_play song_123 --user u1 --meta country=DE --weight 2
  rankstream send song_play song_123 --time 2026-11-24T10:30:00Z
  tail -F events.ndjson | rankstream send

Without arguments, lines of NDJSON are read from stdin and sent as they come, each an event as
POST /events takes it. Every batch has a key, so that trying again counts nothing twice; to send a
file that may be sent again, 'rankstream import' is the better choice.

Exit codes: 0 all accepted, 1 some were refused or not all could be sent, 2 usage, 3 no service
answers, 130 stopped by Ctrl-C (143 by SIGTERM).
`;

interface SendFlags extends ServiceTarget {
  user?: string;
  session?: string;
  time?: string;
  meta: Record<string, string[]>;
  weight?: number;
  key?: string;
  json?: boolean;
}

function weightArgument(value: string): number {
  if (/^[1-9]\d{0,6}$/.test(value)) return Number(value);
  throw new InvalidArgumentError("Expected an integer from 1.");
}

/** Adds the command; `done` is told its exit code. */
export function addSendCommand(program: Command, io: CliIo, done: (code: number) => void): void {
  program
    .command("send")
    .description("Send one event, or NDJSON from stdin.")
    .argument("[type]", "event type; without it, events come from stdin")
    .argument("[id]", "the item")
    .option("--user <id>", "userId")
    .option("--session <id>", "sessionId")
    .option("--time <time>", "RFC 3339 with zone, or epoch ms (default: now)")
    .option("--meta <key=value>", "metadata; repeat", pairArgument, {})
    .option("--weight <number>", "counts as so many events, from 1", weightArgument)
    .option("--key <key>", "Idempotency-Key of one event: sent again it counts once")
    .addOption(urlOption(io))
    .addOption(keyFileOption())
    .option("--json", "print what was accepted and refused as JSON")
    .addHelpText("after", helpAfter)
    .action(async (type: string | undefined, id: string | undefined, flags: SendFlags) => {
      done(await runSend(type, id, flags, io));
    });
}

function eventOf(eventType: string, eventId: string, flags: SendFlags): string {
  const { user: userId, session: sessionId, time, meta, weight } = flags;
  const twice = Object.entries(meta).find(([, values]) => values.length > 1);
  if (twice !== undefined) {
    throw new CommandFailure(`--meta: ${twice[0]} is given twice`, exitCodes.usage);
  }
  const metadata = Object.fromEntries(Object.entries(meta).map(([key, [value]]) => [key, value]));
  const isMs = time !== undefined && /^\d+$/.test(time);
  return JSON.stringify({
    eventId,
    eventType,
    timestamp: isMs ? Number(time) : time,
    userId,
    sessionId,
    weight,
    ...(Object.keys(meta).length > 0 && { metadata }),
  });
}

/** What became of all that was sent. */
interface Tally {
  accepted: number;
  rejected: number;
  errors: RefusedLine[];
}

/** Adds a reply, or the refusal of a whole batch, whose first line has number `firstLine`. */
function note(tally: Tally, reply: Tally, firstLine: number): RefusedLine[] {
  tally.accepted += reply.accepted;
  tally.rejected += reply.rejected;
  const errors = reply.errors.map((error) => ({ ...error, line: error.line + firstLine - 1 }));
  const shown = errors.slice(0, refusalsShownMax - tally.errors.length);
  tally.errors.push(...shown);
  return shown;
}

/** What a refusal of everything says of the lines; null where it is about something else. */
function refusedIn(error: unknown): Tally | null {
  if (!(error instanceof ProblemError) || !Array.isArray(error.problem["errors"])) return null;
  const { rejected, errors } = error.problem as unknown as Tally;
  return rejected > 0 ? { accepted: 0, rejected, errors } : null;
}

function refusalText({ line, field, code, message }: RefusedLine, isOne: boolean): string {
  const where = isOne ? "" : `line ${line}: `;
  const isNamed = field === undefined || message.startsWith(field);
  const what = isNamed ? "" : `${field}: `;
  return `${where}${what}${printable(message)} (${code})\n`;
}

class Sender {
  readonly tally: Tally = { accepted: 0, rejected: 0, errors: [] };
  readonly #io: CliIo;
  readonly #client: RankstreamClient;
  readonly #stop: Stopping;

  constructor(io: CliIo, target: ServiceTarget, stop: Stopping) {
    this.#io = io;
    this.#client = clientOf(target, io, { retryMsMax });
    this.#stop = stop;
  }

  /** Sends lines, the first of which has number `firstLine`; null: a single event. */
  async send(body: string, key: string, firstLine: number | null): Promise<void> {
    let reply: Tally;
    try {
      reply = await this.#client.postBatch(body, { key, signal: this.#stop.signal });
    } catch (error) {
      const refused = refusedIn(error);
      if (refused === null) throw error;
      reply = refused;
    }
    for (const error of note(this.tally, reply, firstLine ?? 1)) {
      this.#io.writeError(refusalText(error, firstLine === null));
    }
  }
}

/** Whole lines as they come, what has come meanwhile together. */
async function* linesOf(input: CliIo["input"]): AsyncGenerator<string> {
  const decoder = new StringDecoder("utf8");
  let held = "";
  for await (const chunk of input) {
    held += typeof chunk === "string" ? chunk : decoder.write(chunk as Buffer);
    const end = held.lastIndexOf("\n") + 1;
    if (held.length - end > lineCharsMax) {
      const message = `a line is longer than ${lineCharsMax} characters`;
      throw new CommandFailure(message, exitCodes.failure);
    }
    // More has come already: it goes along.
    const isMore = input.readableLength > 0 && end < batchCharsMax;
    if (end === 0 || isMore) continue;
    yield held.slice(0, end);
    held = held.slice(end);
  }
  held += decoder.end();
  if (held.trim() !== "") yield `${held}${held.endsWith("\n") ? "" : "\n"}`;
}

async function sendAll(sender: Sender, io: CliIo): Promise<void> {
  const producer = `send-${crypto.randomUUID()}`;
  let sequence = 0;
  let line = 1;
  for await (const lines of linesOf(io.input)) {
    if (lines.trim() !== "") await sender.send(lines, `${producer}/${sequence++}`, line);
    line += lines.split("\n").length - 1;
  }
}

async function runSend(
  type: string | undefined,
  id: string | undefined,
  flags: SendFlags,
  io: CliIo,
): Promise<number> {
  if (type !== undefined && id === undefined) {
    throw new CommandFailure("which item? rankstream send TYPE ID", exitCodes.usage);
  }
  const stop = stopping(io);
  const sender = new Sender(io, flags, stop);
  const { tally } = sender;
  // A pipe that stays open must not hold up a stop.
  stop.signal.addEventListener("abort", () => io.input.destroy());
  try {
    if (type !== undefined && id !== undefined) {
      await sender.send(eventOf(type, id, flags), flags.key ?? crypto.randomUUID(), null);
    } else await sendAll(sender, io);
  } catch (error) {
    if (!stop.signal.aborted) throw asFailure(error);
  }
  if (flags.json === true) io.writeOut(`${JSON.stringify(tally)}\n`);
  else {
    const refused = tally.rejected > 0 ? `, ${countText(tally.rejected)} refused` : "";
    io.writeOut(`${countText(tally.accepted)} accepted${refused}\n`);
  }
  if (stop.signal.aborted) return stop.code;
  return tally.rejected > 0 ? exitCodes.failure : exitCodes.done;
}
