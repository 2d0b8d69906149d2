/** Builds /openapi.json from what the routes say of themselves. */
import { errorKinds } from "../errors-table.ts";
import type { ParameterTable } from "./parameters.ts";

export interface RouteDoc {
  summary: string;
  description?: string;
  /** The parts of the address that vary: `{eventId}` is `:eventId` in the route. */
  path?: ParameterTable;
  parameters?: ParameterTable;
  headers?: ParameterTable;
  requestBody?: Readonly<Record<string, unknown>>;
  /** JSON Schema of the successful reply, or a media type where it isn't JSON. */
  reply: { status: number; description: string; schema?: unknown; mediaType?: string };
  /** Further statuses: all are problem documents. */
  problems?: readonly number[];
}

export interface DocumentedRoute {
  method: string;
  path: string;
  doc: RouteDoc;
}

const problemSchema = {
  type: "object",
  required: ["type", "title", "status", "code", "detail", "hint"],
  properties: {
    type: { type: "string", format: "uri" },
    title: { type: "string" },
    status: { type: "integer" },
    code: { type: "string", enum: Object.keys(errorKinds) },
    detail: { type: "string" },
    hint: { type: "string" },
  },
  additionalProperties: true,
};

function parametersOf(table: ParameterTable | undefined, place: "path" | "query" | "header") {
  return Object.entries(table ?? {}).map(([name, { description, schema, required, repeats }]) => ({
    name,
    in: place,
    description,
    required: required === true || place === "path",
    schema: repeats === true ? { type: "array", items: schema } : schema,
  }));
}

function operationOf({ method, path, doc }: DocumentedRoute) {
  const { status, description, schema = {}, mediaType = "application/json" } = doc.reply;
  const responses: Record<string, unknown> = {
    [status]: { description, content: { [mediaType]: { schema } } },
  };
  const problems = [...new Set([400, ...(doc.problems ?? []), 500])];
  for (const code of problems) responses[code] = { $ref: "#/components/responses/Problem" };
  return {
    operationId: `${method.toLowerCase()}${path.replaceAll(/[^A-Za-z0-9]+/g, "_")}`,
    summary: doc.summary,
    ...(doc.description === undefined ? {} : { description: doc.description }),
    parameters: [
      ...parametersOf(doc.path, "path"),
      ...parametersOf(doc.parameters, "query"),
      ...parametersOf(doc.headers, "header"),
    ],
    ...(doc.requestBody === undefined ? {} : { requestBody: doc.requestBody }),
    responses,
  };
}

/** The OpenAPI 3.1 document of the routes given. */
export function openApiDocument(routes: readonly DocumentedRoute[], version: string) {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:([A-Za-z]+)/g, "{$1}");
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operationOf(route);
  }
  const problem = {
    description: "An RFC 9457 problem document; `code` is stable.",
    content: { "application/problem+json": { schema: problemSchema } },
  };
  return {
    openapi: "3.1.0",
    info: {
      title: "Rankstream",
      version,
      description: "Top-K leaderboards over any time range.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    paths,
    components: { responses: { Problem: problem } },
  };
}
