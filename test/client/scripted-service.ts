// A service that answers as it is told, and counts what it takes as the real one does: once a key.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach } from "vitest";

export interface Seen {
  method: string;
  url: string;
  headers: IncomingMessage["headers"];
  body: Buffer;
}

export type ScriptedAnswer = (response: ServerResponse, seen: Seen) => void;

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A service that answers each request in turn; the last answer stays. */
export async function scriptedService(answers: ScriptedAnswer[]) {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const { method, url, headers } = request;
    const one = { method: method!, url: url!, headers, body: Buffer.concat(parts) };
    seen.push(one);
    const answer = answers.length > 1 ? answers.shift()! : answers[0]!;
    answer(response, one);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, seen };
}

export const json =
  (status: number, body: unknown, headers: Record<string, string> = {}) =>
  (response: ServerResponse) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(body));
  };

/** Hangs up without an answer. */
export const cut = (response: ServerResponse) => response.destroy();

/** What came in, each key once. */
export class CountingService {
  readonly bodies = new Map<string, string>();

  /** Stores the batch and answers as the service does; another body under a used key fails. */
  readonly take: ScriptedAnswer = (response, seen) => {
    const isReplay = this.store(seen);
    const accepted = seen.body.toString().trimEnd().split("\n").length;
    const replayed = { "idempotency-replayed": "true" };
    json(202, { accepted, rejected: 0, errors: [] }, isReplay ? replayed : {})(response);
  };

  /** Stores the batch, and then the answer is lost. */
  readonly takeAndCut: ScriptedAnswer = (response, seen) => {
    this.store(seen);
    response.destroy();
  };

  store({ headers, body }: Seen): boolean {
    const key = String(headers["idempotency-key"]);
    const before = this.bodies.get(key);
    const text = body.toString();
    if (before !== undefined && before !== text) throw new Error(`another body under ${key}`);
    this.bodies.set(key, text);
    return before !== undefined;
  }

  /** Ids of the events stored, in the order of their batches. */
  get ids(): string[] {
    const lines = [...this.bodies.values()].flatMap((text) => text.trimEnd().split("\n"));
    return lines.map((line) => (JSON.parse(line) as { eventId: string }).eventId);
  }
}
