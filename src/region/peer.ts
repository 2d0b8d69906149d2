/** Another region, asked over HTTP. */
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import type { Dispatcher } from "undici";
import {
  isTotalsReply,
  type RegionCount,
  type RegionCountsRequest,
  type RegionTotalsReply,
  type RegionTotalsRequest,
  regionFormat,
} from "../model-region-wire.ts";
import type { Upstream } from "../query/upstream.ts";
import { countsIn } from "./count-lines.ts";

/** It answers, but can't be followed: of another name or format, or it refuses. */
export class RegionRefusal extends Error {}

export interface RegionPeerDeps {
  /** What it must call itself. */
  name: string;
  /** This region. */
  own: string;
  upstream: Pick<Upstream, "request">;
  /** Told of the bytes that came, as they came. */
  onBytes: (bytes: number) => void;
}

const totalsMsMax = 30_000;
const countsMsMax = 120_000;
const totalsBytesMax = 64 * 1024 * 1024;
const refusalBytesMax = 64 * 1024;
const refusalCharsMax = 200;

async function textOf(body: AsyncIterable<Buffer>, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > bytesMax) throw new RegionRefusal(`a reply is over ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length).toString("utf8");
}

export class RegionPeer {
  readonly #deps: RegionPeerDeps;

  constructor(deps: RegionPeerDeps) {
    this.#deps = deps;
  }

  /** Throws RegionRefusal, and what the network throws. */
  async totals(request: RegionTotalsRequest, signal: AbortSignal): Promise<RegionTotalsReply> {
    const { name, own } = this.#deps;
    const body = await this.#ask("/regions/totals", request, signal, totalsMsMax);
    const reply: unknown = JSON.parse(await textOf(body, totalsBytesMax));
    const { region, format } = (reply ?? {}) as Partial<RegionTotalsReply>;
    if (region === own) throw new RegionRefusal(`${name} is this region itself`);
    if (region !== name) throw new RegionRefusal(`expected region ${name}, got ${region}`);
    if (format !== regionFormat) {
      throw new RegionRefusal(`expected format ${regionFormat} of its messages, got ${format}`);
    }
    if (isTotalsReply(reply, request)) return reply;
    throw new RegionRefusal("its totals are not of the form expected");
  }

  /** As they come. Throws as `totals`, also where they are cut off. */
  async counts(
    request: RegionCountsRequest,
    signal: AbortSignal,
  ): Promise<AsyncIterable<RegionCount>> {
    const body = await this.#ask("/regions/counts", request, signal, countsMsMax);
    return countsIn(body, true);
  }

  async #ask(
    path: string,
    request: object,
    signal: AbortSignal,
    msMax: number,
  ): Promise<AsyncIterable<Buffer>> {
    const reply = await this.#deps.upstream.request({
      method: "POST",
      path,
      headers: { "content-type": "application/json", "accept-encoding": "gzip" },
      body: JSON.stringify(request),
      signal: AbortSignal.any([signal, AbortSignal.timeout(msMax)]),
    });
    if (reply.statusCode === 200) return this.#unpacked(reply);
    const text = (await textOf(reply.body, refusalBytesMax)).slice(0, refusalCharsMax);
    const why = `${path}: ${reply.statusCode}: ${text}`;
    throw reply.statusCode >= 500 ? new Error(why) : new RegionRefusal(why);
  }

  #unpacked({ headers, body }: Dispatcher.ResponseData): AsyncIterable<Buffer> {
    const told = counted(body, this.#deps.onBytes);
    if (headers["content-encoding"] !== "gzip") return told;
    // Who reads hears of an error of either.
    return pipeline(told, createGunzip(), () => undefined);
  }
}

async function* counted(body: AsyncIterable<Buffer>, onBytes: (bytes: number) => void) {
  for await (const chunk of body) {
    onBytes(chunk.length);
    yield chunk;
  }
}
