/** Lets a request pass, or not, before anything of it is read: by who asks, and the table. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Access } from "../access/access.ts";
import { callerHeader } from "../access/caller.ts";
import { quoted, RankstreamError } from "../errors.ts";
import { mayUseType, nobody, type Principal, type Scope } from "../model-access.ts";
import { type RouteRule, ruleOf, type TypePlace } from "./access-table.ts";
import { cutOff, onceOver } from "./hang-up.ts";
import { KeyWatch } from "./key-watch.ts";
import { offeredKey } from "./live-protocol.ts";
import { manyOf, type RawQuery } from "./parameters.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Who may ask for it: from the table, never from the route. */
    access?: RouteRule;
  }
  interface FastifyRequest {
    /** Who asks. */
    principal: Principal;
    /** Ends the reply where it is under way still when its key is not good any more. */
    expel: () => void;
  }
}

/** Throws `forbidden_scope`. */
export function checkScope(principal: Principal, scope: Scope): void {
  if (principal.scopes.includes(scope)) return;
  const own = principal.scopes.join(", ") || "none";
  const detail = `expected a key with the scope ${scope}, this one has ${own}`;
  throw new RankstreamError("forbidden_scope", detail, { extensions: { scope } });
}

/** Throws `forbidden_event_type` for the first type that isn't the principal's. */
export function checkTypes(principal: Principal, names: readonly string[]): void {
  const foreign = names.find((name) => !mayUseType(principal, name));
  if (foreign === undefined) return;
  const detail = `the key is not for the event type ${quoted(foreign)}`;
  throw new RankstreamError("forbidden_event_type", detail, {
    extensions: { parameter: "eventType", eventType: foreign },
  });
}

/** The types that a request names. Throws `forbidden_event_type` where it must and does not. */
function namesIn(place: Exclude<TypePlace, string>, request: FastifyRequest): string[] {
  if ("path" in place) {
    const { [place.path]: name } = request.params as Record<string, string>;
    return name === undefined ? [] : [name];
  }
  const given = manyOf(request.query as RawQuery, place.parameter);
  const names = place.isList ? given.flatMap((name) => name.split(",")) : given;
  if (names.length > 0 || !place.mustCome) return names;
  const detail = `the key is for some event types only: expected ${place.parameter}, got none`;
  throw new RankstreamError("forbidden_event_type", detail);
}

function checkRoute(principal: Principal, { types }: RouteRule, request: FastifyRequest): void {
  if (principal.eventTypes === null || types === "none" || types === "own") return;
  if (types === "all") {
    const detail = "the key is for some event types only, this is about all of them";
    throw new RankstreamError("forbidden_event_type", detail);
  }
  checkTypes(principal, namesIn(types, request));
}

/** Several of a header make one, as Node has it. */
function textOf(header: string | string[] | undefined): string | undefined {
  return header === undefined ? undefined : [header].flat().join(", ");
}

/**
 * Adds the hook; to be called before any route. A route that the table doesn't know, and a rule
 * that isn't the table's, is refused when it is registered.
 */
export function addAccess(app: FastifyInstance, access: Access): void {
  app.decorateRequest("principal", null as never);
  app.decorateRequest("expel", null as never);
  const keys = new KeyWatch(access);
  app.addHook("onClose", async () => keys.close());
  app.addHook("onRoute", (route) => {
    const [first, ...more] = [route.method].flat().map((name) => ruleOf(name, route.url));
    if (first === undefined || more.some((rule) => rule !== first)) {
      const where = `${[route.method].flat().join(", ")} ${route.url}`;
      throw new Error(`${where}: access-table.ts doesn't say who may ask for it`);
    }
    route.config = { ...route.config, access: first };
  });
  app.addHook("onRequest", async (request, reply) => {
    request.principal = nobody;
    const rule = request.routeOptions.config.access;
    if (request.is404 || rule === undefined || rule.scope === null) return;
    const { authorization = offeredKey(request), [callerHeader]: caller } = request.headers;
    const address = () => request.ip;
    const presented = { authorization, caller: textOf(caller), address };
    request.principal = await access.authenticate(presented);
    checkScope(request.principal, rule.scope);
    checkRoute(request.principal, rule, request);
    if (access.isOpen) return;
    request.expel = () => cutOff(reply.raw);
    const unwatch = keys.watch(request.principal, () => request.expel());
    onceOver(reply.raw, unwatch);
  });
}
