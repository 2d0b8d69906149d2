// The HTTP servers that can be tested here: Fastify, and uWebSockets.js where its build loads.
import { loadUws, type Uws } from "../../src/api/uws.ts";
import { nativeBuild } from "../../src/config.ts";

function load(): { uws: Uws | null; why: string } {
  try {
    return { uws: loadUws(nativeBuild()), why: "" };
  } catch (error) {
    return { uws: null, why: (error as Error).message };
  }
}

const loaded = load();

/** Null where it doesn't load. */
export const uws = loaded.uws;
/** Why its tests are left out; empty where they are not. */
export const uwsMissing = loaded.why;

export type HttpServerName = "fastify" | "uws";

/** For `describe.each`. */
export const httpServers: readonly HttpServerName[] =
  uws === null ? ["fastify"] : ["fastify", "uws"];
