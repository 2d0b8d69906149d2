/** What log lines say of a request, and what of it they must not. */
import type { FastifyRequest } from "fastify";
import { callerHeader } from "../access/caller.ts";
import { parseTraceparent } from "../model-trace.ts";
import type { RequestNote } from "../telemetry-log.ts";
import { secretsIn, textsIn } from "../telemetry-redaction.ts";

const secretHeaders = [
  "authorization",
  "proxy-authorization",
  "cookie",
  "x-api-key",
  "sec-websocket-protocol",
  callerHeader,
];
const valuesMax = 1000;
/** Names of users stand in these addresses. */
const userRoute = /^\/users(?:\/|$)/;
/** Parts of addresses that are no secret, by the names routes have for them. */
const shownParams: ReadonlySet<string> = new Set(["eventType", "eventId", "name", "id"]);

const number = /^\d{1,15}$/;
const time = /^[\d:.TtZz+ -]{1,40}$/;
const unit = "(?:second|minute|hour|day|week|month|year)s?";
const rangeForm = new RegExp(
  `^(?:last_(?:\\d{1,9}_)?${unit}|(?:this|previous)_${unit}|today|yesterday|all` +
    "|[\\dTZPYMDHS:.+/-]+)$",
);
/**
 * Of a question only these parameters are written, and only where they are of their form: what
 * it was about, not about whom.
 */
const shownParameters: Readonly<Record<string, RegExp>> = {
  eventType: /^/,
  timeRange: rangeForm,
  from: time,
  to: time,
  k: number,
  offset: number,
  mode: /^(?:approx|exact|auto)$/,
  by: /^(?:events|users)$/,
  compare: /^previous$/,
  step: /^(?:minute|hour|day|week|month)$/,
  async: /^(?:true|false)$/,
};
const shownCharsMax = 200;

function headerSecrets({ headers }: FastifyRequest): string[] {
  return secretHeaders
    .flatMap((name) => headers[name] ?? [])
    .flatMap((value) => [value, ...value.split(/[\s;,]+/).filter((part) => part.length > 7)]);
}

/** What the client sent that no line may hold. */
function secretsOf(request: FastifyRequest): string[] {
  const isOfUser = userRoute.test(request.routeOptions.url ?? "");
  const found = [
    ...headerSecrets(request),
    ...secretsIn(request.query),
    ...(isOfUser ? textsIn(request.params) : []),
    ...(Buffer.isBuffer(request.body) ? [] : secretsIn(request.body)),
  ];
  return [...new Set(found)].slice(0, valuesMax);
}

/** Several of a header are none that counts. */
function textOf({ traceparent }: FastifyRequest["headers"]): string | undefined {
  return typeof traceparent === "string" ? traceparent : undefined;
}

/** Costs a little: for requests of which something is written. */
export function noteOf(request: FastifyRequest): RequestNote {
  const { id, headers, span } = request;
  const { traceId, spanId } = span?.context ?? parseTraceparent(textOf(headers)) ?? {};
  return { id, traceId, spanId, secrets: secretsOf(request) };
}

/**
 * The address as it may be written: that of the route, with those of its parts that name no
 * user. Of an address that leads nowhere nothing: it may hold anything.
 */
export function shownPath(request: FastifyRequest): string {
  const { url } = request.routeOptions;
  if (request.is404 || url === undefined) return "***";
  const params = request.params as Readonly<Record<string, string>>;
  const isOfUser = userRoute.test(url);
  return url.replaceAll(/:(\w+)/g, (_all, name: string) => {
    const value = params?.[name];
    const isShown = value !== undefined && shownParams.has(name) && !isOfUser;
    return isShown ? encodeURIComponent(value.replaceAll(/\p{Surrogate}/gu, "\ufffd")) : "***";
  });
}

/** What was asked, as far as that may be written; undefined where there is nothing of it. */
export function shownQuestion(request: FastifyRequest): Record<string, string> | undefined {
  const query = (request.query ?? {}) as Readonly<Record<string, unknown>>;
  const shown = Object.entries(shownParameters).flatMap(([name, form]) => {
    const value = query[name];
    const text = value === undefined ? "" : String(value).slice(0, shownCharsMax);
    return text !== "" && form.test(text) ? [[name, text] as const] : [];
  });
  return shown.length === 0 ? undefined : Object.fromEntries(shown);
}
