/**
 * Who may ask for what: every route, the scope it needs, and where it names event types. A route
 * without a row here is not registered.
 */
import type { Scope } from "../model-access.ts";

/**
 * Where a route says which event types it is about: in a part of its address; in a parameter, one
 * name or several by comma and repetition; `all`: it speaks of all types, so that a key limited to
 * some is refused; `own`: its handler looks at what comes in or goes out; `none`: of no type.
 */
export type TypePlace =
  | { path: string }
  | { parameter: string; isList: boolean; mustCome: boolean }
  | "all"
  | "own"
  | "none";

export interface RouteRule {
  /** Null: anybody may, without a key. */
  scope: Scope | null;
  types: TypePlace;
}

const open: RouteRule = { scope: null, types: "none" };
const rule = (scope: Scope, types: TypePlace): RouteRule => ({ scope, types });
const inPath = (path: string): TypePlace => ({ path });
/** One name; whether it came is for the handler to say. */
const oneNamed: TypePlace = { parameter: "eventType", isList: false, mustCome: false };
/** Several names; without any the handler refuses, or it is a page that a cursor names. */
const named: TypePlace = { parameter: "eventType", isList: true, mustCome: false };
/** Without a name it would be of all types. */
const mustName: TypePlace = { parameter: "eventType", isList: true, mustCome: true };
const mustNameOne: TypePlace = { parameter: "eventType", isList: false, mustCome: true };

const rules: Readonly<Record<string, RouteRule>> = Object.freeze({
  "POST /events": rule("ingest", "own"),

  "GET /leaderboard": rule("read", named),
  "GET /trending": rule("read", named),
  "GET /live": rule("read", "own"),
  "GET /live/events": rule("read", named),
  "GET /items": rule("read", oneNamed),
  "GET /items/:eventType/:eventId": rule("read", inPath("eventType")),
  "POST /items/:eventType/batch": rule("read", inPath("eventType")),
  "GET /event-types": rule("read", "own"),
  "GET /event-types/:name": rule("read", inPath("name")),
  "GET /event-types/:name/series": rule("read", inPath("name")),
  "GET /jobs": rule("read", "own"),
  "GET /jobs/:id": rule("read", "own"),
  "DELETE /jobs/:id": rule("read", "own"),
  "GET /export": rule("read", mustName),
  "GET /tail": rule("read", mustNameOne),
  "GET /status": rule("read", "none"),
  "GET /metrics": rule("read", "all"),
  "GET /metrics/history": rule("read", "all"),
  "GET /changes": rule("read", "all"),
  "GET /regions": rule("read", "none"),
  "POST /regions/totals": rule("read", "all"),
  "POST /regions/counts": rule("read", "all"),

  "PUT /event-types/:name": rule("admin", inPath("name")),
  "DELETE /event-types/:name": rule("admin", inPath("name")),
  "DELETE /event-types/:name/events": rule("admin", inPath("name")),
  "PUT /items": rule("admin", oneNamed),
  "PUT /items/:eventType/:eventId": rule("admin", inPath("eventType")),
  "DELETE /items": rule("admin", oneNamed),
  "DELETE /items/:eventType/:eventId": rule("admin", inPath("eventType")),
  "POST /items/labels": rule("admin", "own"),
  "DELETE /users": rule("admin", "all"),
  "DELETE /users/:userId": rule("admin", "all"),
  "GET /users/events": rule("admin", "all"),
  "GET /users/:userId/events": rule("admin", "all"),
  "GET /admin/snapshots": rule("admin", "all"),
  "POST /admin/snapshot": rule("admin", "all"),
  "DELETE /admin/snapshots/:name": rule("admin", "all"),
  "GET /admin/backups": rule("admin", "all"),
  "POST /admin/backups": rule("admin", "all"),
  "GET /admin/backups/:id": rule("admin", "all"),
  "DELETE /admin/backups/:id": rule("admin", "all"),
  "POST /admin/regions/:name/resync": rule("admin", "all"),
  "POST /admin/cache/invalidate": rule("admin", "all"),

  "GET /health/live": open,
  "GET /health/ready": open,
  "GET /openapi.json": open,
  "GET /": open,
  "GET /docs": open,
  "GET /client.js": open,
});

/** The same files for everybody. */
const pages = "/web/";

/** The rule of a route; undefined where there is none. HEAD is as GET. */
export function ruleOf(method: string, url: string): RouteRule | undefined {
  const read = method === "HEAD" ? "GET" : method;
  if (read === "GET" && url.startsWith(pages)) return open;
  return rules[`${read} ${url}`];
}
