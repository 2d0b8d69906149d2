/** Builds /openapi.json from what the routes say of themselves. */
import type { Scope } from "../model-access.ts";
import { ruleOf } from "./access-table.ts";
import { routeExamples } from "./examples.ts";
import type { ParameterDoc, ParameterTable } from "./parameters.ts";
import { replySchemas } from "./reply-schemas.ts";
import type { RouteExample } from "./route-example.ts";
import { ref, type Schema } from "./schema.ts";

/** A reply that is no problem document. */
export interface ReplyDoc {
  status: number;
  description: string;
  /** JSON Schema of the body; none where there is no body, or no JSON. */
  schema?: Schema;
  /** Default JSON where there is a schema. */
  mediaType?: string;
  /** Other forms of the same, by media type. */
  otherTypes?: Readonly<Record<string, Schema>>;
  /** What headers it has beside the usual ones. */
  headers?: Readonly<Record<string, string>>;
}

export interface RouteDoc {
  summary: string;
  description?: string;
  /** The parts of the address that vary: `{eventId}` is `:eventId` in the route. */
  path?: ParameterTable;
  parameters?: ParameterTable;
  headers?: ParameterTable;
  requestBody?: RequestBodyDoc;
  /** The successful reply. */
  reply: ReplyDoc;
  /** Further replies that are no problem documents. */
  otherReplies?: readonly ReplyDoc[];
  /** Further statuses: all are problem documents. */
  problems?: readonly number[];
}

export interface RequestBodyDoc {
  required: boolean;
  /** By media type. */
  content: Readonly<Record<string, { schema: Schema }>>;
}

export interface DocumentedRoute {
  method: string;
  path: string;
  doc: RouteDoc;
}

/** Any request may be answered so, those with a body so too. */
const problemsOfAll = [400, 414, 421, 429, 431, 500, 503];
/** What needs a key is refused without one, or with one for something else. */
const problemsOfKeys = [401, 403];
const problemsOfBodies = [408, 413, 415];

/** The heading of an operation, by the first part of its address. */
const tags: Readonly<Record<string, string>> = Object.freeze({
  events: "Events",
  leaderboard: "Boards",
  live: "Boards",
  trending: "Boards",
  items: "Items",
  "event-types": "Event types",
  jobs: "Jobs",
  export: "Administration",
  tail: "Events",
  admin: "Administration",
  users: "Administration",
});
const otherTag = "Operations";

const keySchemeDoc = Object.freeze({
  type: "http",
  scheme: "bearer",
  description:
    "A key (`rankstream keys create`), or a token of the issuer that the service trusts. What a " +
    "call lists is the scope that the key needs: ingest, read or admin. A page offers it to " +
    "GET /live as the subprotocol rankstream.bearer.<key>, beside rankstream.",
});

type Place = "path" | "query" | "header";

/** All parameters that begin with `prefix.`, as one object whose members stand for themselves. */
function familyOf(name: string, entry: ParameterDoc) {
  const { description, schema } = entry;
  const pattern = `^${name.slice(0, -1).replace(".", "\\.")}.+$`;
  return {
    name,
    in: "query",
    description,
    required: false,
    style: "form",
    explode: true,
    schema: { type: "object", propertyNames: { pattern }, additionalProperties: schema },
    // Else pages that ask would fill in names of their own.
    examples: { none: { summary: "Nothing", value: {} } },
  };
}

function parametersOf(table: ParameterTable | undefined, place: Place) {
  return Object.entries(table ?? {}).map(([name, entry]) => {
    if (name.endsWith(".*")) return familyOf(name, entry);
    const { description, schema, required, repeats } = entry;
    return {
      name,
      in: place,
      description,
      required: required === true || place === "path",
      schema: repeats === true ? { type: "array", items: schema, minItems: 1 } : schema,
    };
  });
}

function headersOf(headers: ReplyDoc["headers"]) {
  if (headers === undefined) return {};
  const entries = Object.entries(headers).map(([name, description]) => [
    name,
    { description, schema: { type: "string" } },
  ]);
  return { headers: Object.fromEntries(entries) };
}

type Content = Record<string, { schema?: Schema; examples?: Record<string, unknown> }>;

function responseOf(reply: ReplyDoc, examples: readonly RouteExample[]) {
  const { schema, mediaType, otherTypes = {}, description } = reply;
  const content: Content = {};
  if (schema !== undefined || mediaType !== undefined) {
    content[mediaType ?? "application/json"] = schema === undefined ? {} : { schema };
  }
  for (const [type, other] of Object.entries(otherTypes)) content[type] = { schema: other };
  for (const { name, summary, status, reply: value, replyType } of examples) {
    const own = content[replyType ?? "application/json"];
    if (status !== reply.status || value === undefined || own === undefined) continue;
    own.examples = { ...own.examples, [name]: { summary, value } };
  }
  return {
    description,
    ...headersOf(reply.headers),
    ...(Object.keys(content).length > 0 && { content }),
  };
}

function requestBodyOf(body: RequestBodyDoc, examples: readonly RouteExample[]) {
  const content: Content = {};
  for (const [type, { schema }] of Object.entries(body.content)) {
    content[type] = { schema };
    for (const { name, summary, body: value, bodyType = "application/json" } of examples) {
      if (value === undefined || bodyType !== type) continue;
      content[type].examples = { ...content[type].examples, [name]: { summary, value } };
    }
  }
  return { required: body.required, content };
}

/** Each parameter with the values that the examples have. */
function withExamples<Parameter extends { name: string; in: string; schema: Schema }>(
  parameter: Parameter,
  examples: readonly RouteExample[],
) {
  const own: Record<string, unknown> = {};
  for (const { name, summary, path = {}, query = {}, headers = {} } of examples) {
    const values = { path, query, header: headers }[parameter.in as Place];
    const value = (values as Record<string, unknown>)[parameter.name];
    if (value === undefined) continue;
    const isList = parameter.schema["type"] === "array";
    own[name] = { summary, value: isList ? [value].flat() : value };
  }
  return Object.keys(own).length === 0 ? parameter : { ...parameter, examples: own };
}

/** The name of the scheme by which requests say who they are from. */
const keyScheme = "key";

/**
 * A key with the scope; where nobody needs one, nothing will do, too. What is open to all says so.
 */
function securityOf(scope: Scope | null, isOpen: boolean): Record<string, string[]>[] {
  if (scope === null) return [];
  return [...(isOpen ? [{}] : []), { [keyScheme]: [scope] }];
}

function operationOf({ method, path, doc }: DocumentedRoute, isOpen: boolean) {
  const examples = routeExamples[`${method} ${path}`] ?? [];
  const { requestBody } = doc;
  const responses: Record<string, unknown> = {};
  for (const reply of [doc.reply, ...(doc.otherReplies ?? [])]) {
    responses[reply.status] = responseOf(reply, examples);
  }
  const ofBodies = requestBody === undefined ? [] : problemsOfBodies;
  const scope = ruleOf(method, path)?.scope ?? null;
  const ofKeys = scope === null ? [] : problemsOfKeys;
  const own = doc.problems ?? [];
  const problems = new Set([...problemsOfAll, ...ofKeys, ...ofBodies, ...own]);
  for (const code of [...problems].sort()) {
    responses[code] = { $ref: "#/components/responses/Problem" };
  }
  const parameters = [
    ...parametersOf(doc.path, "path"),
    ...parametersOf(doc.parameters, "query"),
    ...parametersOf(doc.headers, "header"),
  ];
  return {
    operationId: `${method.toLowerCase()}${path.replaceAll(/[^A-Za-z0-9]+/g, "_")}`,
    tags: [tags[path.split("/")[1]!] ?? otherTag],
    summary: doc.summary,
    ...(doc.description === undefined ? {} : { description: doc.description }),
    parameters: parameters.map((parameter) => withExamples(parameter, examples)),
    ...(requestBody === undefined ? {} : { requestBody: requestBodyOf(requestBody, examples) }),
    responses,
    security: securityOf(scope, isOpen),
  };
}

/** The OpenAPI 3.1 document of the routes given; `isOpen`: nobody needs a key. */
export function openApiDocument(
  routes: readonly DocumentedRoute[],
  version: string,
  isOpen = true,
) {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:([A-Za-z]+)/g, "{$1}");
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operationOf(route, isOpen);
  }
  const problem = {
    description: "An RFC 9457 problem document; `code` is stable.",
    headers: {
      RateLimit: {
        description: "What is left to the caller, where it is limited.",
        schema: { type: "string" },
      },
      "Retry-After": { description: "When to try again, seconds.", schema: { type: "string" } },
      "WWW-Authenticate": { description: "Of 401: what to send.", schema: { type: "string" } },
      "X-Request-Id": {
        description: "The request's id, its own where it came with one.",
        schema: { type: "string" },
      },
    },
    content: { "application/problem+json": { schema: ref("Problem") } },
  };
  return {
    openapi: "3.1.0",
    info: {
      title: "Rankstream",
      version,
      description: "Top-K leaderboards over any time range.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    tags: [...new Set([...Object.values(tags), otherTag])].map((name) => ({ name })),
    paths,
    components: {
      schemas: replySchemas,
      responses: { Problem: problem },
      securitySchemes: { [keyScheme]: keySchemeDoc },
    },
  };
}
