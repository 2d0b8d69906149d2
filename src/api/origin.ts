/** Whose pages may ask for what changes something. */
import type { FastifyRequest } from "fastify";
import { quoted, RankstreamError } from "../errors.ts";

/**
 * A page of another origin would ask with the user's rights: only the service's own pages, those
 * of `others` (`https://example.org`, `*`) and programs, which send no Origin, may. Throws
 * `forbidden_origin`.
 */
export function checkOrigin(request: FastifyRequest, others: readonly string[] = []): void {
  const { origin } = request.headers;
  if (origin === undefined || others.includes(origin) || others.includes("*")) return;
  if (URL.canParse(origin) && new URL(origin).host === request.host.toLowerCase()) return;
  throw new RankstreamError("forbidden_origin", `pages of ${quoted(origin)} may not do this`);
}
