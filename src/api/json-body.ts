/** Bodies that are one JSON document. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ByteBudget } from "../edge/byte-budget.ts";
import { bodyFormat } from "../edge/content.ts";
import { quoted, RankstreamError } from "../errors.ts";
import { bodyReader } from "./body.ts";
import { checkOrigin } from "./origin.ts";
import { checkNames, invalidParameter, type RawQuery } from "./parameters.ts";

/** What a request's body comes to by `use`, during which its bytes count in the budget. */
type UseBody = <T>(request: FastifyRequest, use: (body: Buffer) => T | Promise<T>) => Promise<T>;

/**
 * Adds routes that take a JSON document of at most `bytesMax`, and no parameters. What is refused
 * is refused before the body is read; bodies count in `budget`.
 */
export function addJsonRoutes(
  app: FastifyInstance,
  bytesMax: number,
  budget: ByteBudget,
  add: (scope: FastifyInstance, useBody: UseBody) => void,
): void {
  const useBody: UseBody = async (request, use) => {
    const body = (request.body as Buffer | undefined) ?? Buffer.alloc(0);
    try {
      return await use(body);
    } finally {
      budget.release(body.length);
    }
  };
  app.register(async (scope) => {
    scope.addContentTypeParser("*", bodyReader(bytesMax, budget));
    scope.addHook("onRequest", async (request) => {
      checkOrigin(request);
      checkNames(request.query as RawQuery, {});
      checkJsonContent(request.headers);
    });
    add(scope, useBody);
  });
}

/**
 * Refuses what is not plain JSON, before the body is read. Throws `unsupported_media_type`,
 * `unsupported_encoding`.
 */
export function checkJsonContent(headers: Readonly<Record<string, unknown>>): void {
  const type = headers["content-type"] as string | undefined;
  if (bodyFormat(type) !== "json") {
    const detail = `Content-Type: expected application/json, got ${quoted(String(type))}`;
    throw new RankstreamError("unsupported_media_type", detail);
  }
  checkNotPacked(headers);
}

/** Throws `unsupported_encoding`. */
export function checkNotPacked(headers: Readonly<Record<string, unknown>>): void {
  const encoding = headers["content-encoding"];
  if (encoding === undefined || encoding === "identity") return;
  const detail = `Content-Encoding: expected none, got ${quoted(String(encoding))}`;
  throw new RankstreamError("unsupported_encoding", detail);
}

/** `invalid_parameter` of a document's field: `retentionDays: expected an integer …, got "x"`. */
export function refuse(field: string, expected: string, got: unknown): RankstreamError {
  const shown = typeof got === "string" ? quoted(got) : quoted(JSON.stringify(got) ?? "none");
  return invalidParameter(field, expected, shown);
}

/** The document. Throws `invalid_utf8`, `invalid_json`, which says what was `expected`. */
export function parseJson(body: Buffer, expected: string): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch (cause) {
    throw new RankstreamError("invalid_utf8", "the body is not UTF-8", { cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    const detail = `expected ${expected}, got ${quoted(text)}`;
    throw new RankstreamError("invalid_json", detail, { cause });
  }
}
