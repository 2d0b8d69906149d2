// A collector of spans: takes OTLP over HTTP as JSON, and keeps what came.
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface CollectedSpan {
  traceId: string;
  spanId: string;
  /** Empty for none. */
  parentId: string;
  name: string;
  /** Of OTLP: 1 internal, 2 server, 3 client, 4 producer. */
  kind: number;
  startNanos: bigint;
  endNanos: bigint;
  attributes: Record<string, string | number | boolean>;
  /** Of the process that sent it. */
  resource: Record<string, string | number | boolean>;
  hasFailed: boolean;
}

interface OtlpAttribute {
  key: string;
  value: {
    stringValue?: string;
    intValue?: number | string;
    doubleValue?: number;
    boolValue?: boolean;
  };
}

function attributesOf(list: OtlpAttribute[] = []): CollectedSpan["attributes"] {
  return Object.fromEntries(
    list.map(({ key, value }) => {
      const { stringValue, intValue, doubleValue, boolValue } = value;
      const number = intValue === undefined ? doubleValue : Number(intValue);
      return [key, stringValue ?? number ?? boolValue ?? ""];
    }),
  );
}

// biome-ignore lint/suspicious/noExplicitAny: the document is looked into as it comes.
function spansOf(document: any): CollectedSpan[] {
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  return document.resourceSpans.flatMap(({ resource, scopeSpans }: any) =>
    // biome-ignore lint/suspicious/noExplicitAny: as above.
    scopeSpans.flatMap(({ spans }: any) =>
      // biome-ignore lint/suspicious/noExplicitAny: as above.
      spans.map((span: any) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentId: span.parentSpanId ?? "",
        name: span.name,
        kind: span.kind,
        startNanos: BigInt(span.startTimeUnixNano),
        endNanos: BigInt(span.endTimeUnixNano),
        attributes: attributesOf(span.attributes),
        resource: attributesOf(resource.attributes),
        hasFailed: span.status?.code === 2,
      })),
    ),
  );
}

export class TraceCollector {
  readonly url: string;
  readonly spans: CollectedSpan[] = [];
  /** What came, as text, and its headers. */
  readonly bodies: string[] = [];
  readonly headers: IncomingHttpHeaders[] = [];
  readonly paths: string[] = [];
  /** What it answers from now on; null: nothing at all. */
  status: number | null = 200;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(): Promise<TraceCollector> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const collector = new TraceCollector(server);
    server.on("request", async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      collector.#take(String(Buffer.concat(chunks)), request.url ?? "", request.headers);
      if (collector.status === null) return;
      response.writeHead(collector.status, { "content-type": "application/json" }).end("{}");
    });
    return collector;
  }

  /** The spans of the trace once `isWhole` says so of them; throws with what there is. */
  async trace(
    isMine: (span: CollectedSpan) => boolean,
    isWhole: (spans: CollectedSpan[]) => boolean,
    waitMsMax = 30_000,
  ): Promise<CollectedSpan[]> {
    for (const end = Date.now() + waitMsMax; ; await sleep(50)) {
      const ids = new Set(this.spans.filter(isMine).map(({ traceId }) => traceId));
      const found = this.spans.filter(({ traceId }) => ids.has(traceId));
      if (isWhole(found)) return found;
      if (Date.now() > end) throw new Error(`not whole:\n${treeOf(found)}`);
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #take(body: string, path: string, headers: IncomingHttpHeaders): void {
    this.bodies.push(body);
    this.paths.push(path);
    this.headers.push(headers);
    if (this.status === 200) this.spans.push(...spansOf(JSON.parse(body)));
  }
}

/** The names of the spans, a line each, indented beneath those they are a part of. */
export function treeOf(spans: readonly CollectedSpan[]): string {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const order = [...spans].sort((a, b) => (a.startNanos < b.startNanos ? -1 : 1));
  const below = (parentId: string | null, indent: string): string[] =>
    order
      .filter((span) => (parentId === null ? !ids.has(span.parentId) : span.parentId === parentId))
      .flatMap((span) => [`${indent}${span.name}`, ...below(span.spanId, `${indent}  `)]);
  return below(null, "").join("\n");
}
