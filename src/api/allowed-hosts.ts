/**
 * Under which names the service may be asked for. A page of anybody's can have its own name lead
 * to 127.0.0.1 (DNS rebinding); then the browser takes the service for that page's own, and only
 * the Host header tells. Addresses can't be led elsewhere, so they pass.
 */
import { isIP } from "node:net";
import type { FastifyInstance } from "fastify";
import { quoted, RankstreamError } from "../errors.ts";

/** Throws `host_not_allowed`. */
export type HostCheck = (host: string | undefined) => void;

/** The name of a Host header, without its port; of `[::1]:8080` without brackets, too. */
function nameOf(host: string): string {
  const bracketed = /^\[([0-9a-f:.]+)\](?::\d+)?$/i.exec(host);
  if (bracketed !== null) return bracketed[1]!;
  return host.replace(/:\d*$/, "").replace(/\.$/, "").toLowerCase();
}

/** `names`: beside localhost and all addresses; `.example.org`: also all below. Null: any. */
export function hostCheck(names: readonly string[] | null): HostCheck {
  if (names === null) return () => undefined;
  const isNamed = (name: string) =>
    names.some((each) => each === name || (each[0] === "." && `.${name}`.endsWith(each)));
  /** The last that passed: it is nearly always the same. */
  let known: string | undefined;
  return (host) => {
    // HTTP/1.0 need not say it, and no browser speaks that.
    if (host === undefined || host === "" || host === known) return;
    const name = nameOf(host);
    const isOwn = name === "localhost" || name.endsWith(".localhost") || isIP(name) !== 0;
    if (!isOwn && !isNamed(name)) {
      const expected = "expected an address, localhost or a name of allowedHosts";
      const detail = `${expected}, got ${quoted(host)}`;
      throw new RankstreamError("host_not_allowed", detail);
    }
    known = host;
  };
}

/** Refuses requests for other hosts, before anything of them is looked at. */
export function addHostCheck(app: FastifyInstance, check: HostCheck): void {
  app.addHook("onRequest", async (request) => {
    check(request.headers.host);
    if (request.host !== request.headers.host) check(request.host);
  });
}
