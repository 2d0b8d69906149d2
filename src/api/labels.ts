/** What items are called: PUT one, POST many. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ByteBudget } from "../edge/byte-budget.ts";
import { bodyFormat } from "../edge/content.ts";
import { quoted, RankstreamError } from "../errors.ts";
import { eventBounds, type LineError } from "../model.ts";
import type { Principal } from "../model-access.ts";
import { type LabelChange, type LabelledItem, labelFields } from "../model-labels.ts";
import { checkTypes } from "./access-hook.ts";
import { bodyReader } from "./body.ts";
import { checkJsonContent, checkNotPacked, parseJson, refuse } from "./json-body.ts";
import { nameParameters, namesInPath } from "./names.ts";
import type { RouteDoc } from "./openapi.ts";
import { checkOrigin } from "./origin.ts";
import { checkName, checkNames, invalidParameter, type RawQuery, single } from "./parameters.ts";
import { noControls, orNull, ref, text } from "./schema.ts";

export interface LabelPort {
  put(changes: readonly LabelChange[]): Promise<LabelledItem[]>;
}

export const labelCharsMax = 500;
export const urlCharsMax = 2048;
/** Lines of one POST. */
export const labelLinesMax = 10_000;
const bodyBytesMax = 64 * 1024;
const linesBytesMax = 16 * 1024 * 1024;
const errorsListedMax = 100;

const urlPattern = "^[Hh][Tt][Tt][Pp][Ss]?://";
const fields = {
  label: orNull(
    text("What it is called.", { minLength: 1, maxLength: labelCharsMax, pattern: noControls }),
  ),
  url: orNull(text("Where it leads.", { maxLength: urlCharsMax, pattern: urlPattern })),
  imageUrl: orNull(text("Its picture.", { maxLength: urlCharsMax, pattern: urlPattern })),
};
const one = {
  description: "Fields that are left out stay as they are; null clears one.",
  requestBody: {
    required: true,
    content: {
      "application/json": {
        schema: {
          type: "object",
          additionalProperties: false,
          anyOf: labelFields.map((name) => ({ required: [name] })),
          properties: fields,
        },
      },
    },
  },
  reply: { status: 200, description: "What the item is called now.", schema: ref("LabelledItem") },
  problems: [403],
};

const docs = Object.freeze({
  put: {
    summary: "Say what an item is called, where it leads, and its picture",
    ...one,
    path: namesInPath,
  },
  putByQuery: {
    summary: "Say what an item is called, the item named by parameters",
    ...one,
    parameters: nameParameters,
  },
  post: {
    summary: "Say what many items are called",
    description: `At most ${labelLinesMax} lines; good ones are kept, bad ones named.`,
    requestBody: {
      required: true,
      content: {
        "application/x-ndjson": {
          schema: { type: "string", description: "A line an item: its address and fields." },
        },
      },
    },
    reply: {
      status: 200,
      description: "How many lines were kept.",
      schema: ref("LabelsReply"),
    },
    problems: [403],
  },
}) satisfies Record<string, RouteDoc>;

function isText(value: unknown, charsMax: number): value is string {
  if (typeof value !== "string" || value.length < 1 || value.length > charsMax) return false;
  // A control character would steer terminals, half a pair is no Unicode text.
  return !/[\p{Cc}\p{Surrogate}]/u.test(value);
}

/** As it is written, save for what `URL` would read past: spaces, a scheme of other letters. */
function isHttpUrl(value: unknown): value is string {
  if (!isText(value, urlCharsMax) || /\s/u.test(value) || !/^https?:\/\//i.test(value))
    return false;
  return URL.canParse(value);
}

const expectedText = `text of 1..${labelCharsMax} characters without control characters, or null`;
const expectedUrl = `an http or https URL of at most ${urlCharsMax} characters, or null`;

/**
 * The fields of a change. Throws `invalid_parameter`, which names the field, what was expected
 * and what came.
 */
function readFields(given: Record<string, unknown>): Omit<LabelChange, "eventType" | "eventId"> {
  const change: Partial<Record<(typeof labelFields)[number], string | null>> = {};
  for (const [field, value] of Object.entries(given)) {
    const known = labelFields.find((name) => name === field);
    if (known === undefined) throw refuse(field, `one of ${labelFields.join(", ")}`, field);
    const isValid = known === "label" ? isText(value, labelCharsMax) : isHttpUrl(value);
    if (value !== null && !isValid) {
      throw refuse(field, known === "label" ? expectedText : expectedUrl, value);
    }
    change[known] = value as string | null;
  }
  if (Object.keys(change).length === 0) {
    throw refuse("body", `at least one of ${labelFields.join(", ")}`, given);
  }
  return change;
}

function asObject(value: unknown): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw refuse("body", "an object", value);
}

function nameOf(field: "eventType" | "eventId", value: unknown): string {
  const { eventTypeBytesMax, eventIdBytesMax } = eventBounds;
  const bytesMax = field === "eventType" ? eventTypeBytesMax : eventIdBytesMax;
  if (value !== undefined && typeof value !== "string") {
    throw refuse(field, `a name of 1..${bytesMax} bytes`, value);
  }
  const name = checkName(field, value, bytesMax);
  if (/[\0\p{Surrogate}]/u.test(name)) throw refuse(field, "Unicode text without NUL", name);
  return name;
}

/** Reads the body of a PUT. Throws RankstreamError (400) that names the field. */
export function readLabelChange(
  { eventType, eventId }: { eventType?: string | undefined; eventId?: string | undefined },
  body: Buffer,
): LabelChange {
  const fields = readFields(asObject(parseJson(body, '{"label": …, "url": …, "imageUrl": …}')));
  return {
    eventType: nameOf("eventType", eventType),
    eventId: nameOf("eventId", eventId),
    ...fields,
  };
}

const expectedLine = '{"eventType": …, "eventId": …, "label": …}';

function readLine(line: Buffer, sender: Principal): LabelChange {
  const { eventType, eventId, ...rest } = asObject(parseJson(line, expectedLine));
  const name = nameOf("eventType", eventType);
  checkTypes(sender, [name]);
  return {
    eventType: name,
    eventId: nameOf("eventId", eventId),
    ...readFields(rest),
  };
}

/** The lines with their numbers from 1; empty ones are left out. */
function* linesOf(body: Buffer): Generator<{ line: Buffer; number: number }> {
  for (let from = 0, number = 1; from < body.length; number++) {
    const at = body.indexOf(10, from);
    const end = at < 0 ? body.length : at;
    const line = body.subarray(from, body[end - 1] === 13 ? end - 1 : end);
    from = end + 1;
    if (line.length > 0) yield { line, number };
  }
}

/**
 * Reads the lines of a POST: what is good of them, and what is wrong with the others, such as an
 * event type that their sender may not use. Throws
 * `no_valid_labels` where no line is good, `invalid_parameter` for too many.
 */
export function readLabelLines(body: Buffer, sender: Principal) {
  const changes: LabelChange[] = [];
  const errors: LineError[] = [];
  let rejected = 0;
  for (const { line, number } of linesOf(body)) {
    if (changes.length + rejected >= labelLinesMax) {
      throw invalidParameter("body", `at most ${labelLinesMax} lines`, "more");
    }
    try {
      changes.push(readLine(line, sender));
    } catch (error) {
      if (!(error instanceof RankstreamError)) throw error;
      rejected++;
      const field = error.extensions?.["parameter"] as string | undefined;
      const { code, message } = error;
      if (errors.length >= errorsListedMax) continue;
      errors.push({ line: number, ...(field !== undefined && { field }), code, message });
    }
  }
  if (changes.length === 0) {
    const first = errors[0];
    const detail =
      first === undefined
        ? "expected a line an item, got none"
        : `line ${first.line}: ${first.message}`;
    const extensions = { accepted: 0, rejected, errors };
    throw new RankstreamError("no_valid_labels", detail, { extensions });
  }
  return { changes, rejected, errors };
}

function bodyOf(request: FastifyRequest): Buffer {
  return (request.body as Buffer | undefined) ?? Buffer.alloc(0);
}

function addOne(app: FastifyInstance, port: LabelPort, budget: ByteBudget): void {
  const put = async (request: FastifyRequest, at: Parameters<typeof readLabelChange>[0]) => {
    const body = bodyOf(request);
    try {
      const [item] = await port.put([readLabelChange(at, body)]);
      return item;
    } finally {
      budget.release(body.length);
    }
  };
  app.register(async (scope) => {
    scope.addContentTypeParser("*", bodyReader(bodyBytesMax, budget));
    scope.addHook("onRequest", async (request) => {
      checkOrigin(request);
      const { parameters = {} } = request.routeOptions.config.doc as RouteDoc;
      checkNames(request.query as RawQuery, parameters);
      checkJsonContent(request.headers);
    });
    scope.put("/items/:eventType/:eventId", { config: { doc: docs.put } }, (request) =>
      put(request, request.params as { eventType: string; eventId: string }),
    );
    scope.put("/items", { config: { doc: docs.putByQuery } }, async (request) => {
      const query = request.query as RawQuery;
      const [eventType, eventId] = [single(query, "eventType"), single(query, "eventId")];
      return put(request, { eventType, eventId });
    });
  });
}

/** NDJSON as it is: no array, not packed. */
function checkLinesContent(headers: FastifyRequest["headers"]): void {
  if (bodyFormat(headers["content-type"]) !== "ndjson") {
    const got = quoted(String(headers["content-type"]));
    const detail = `Content-Type: expected application/x-ndjson, got ${got}`;
    throw new RankstreamError("unsupported_media_type", detail);
  }
  checkNotPacked(headers);
}

/** Adds the routes. Bodies count in `budget`. */
export function addLabels(app: FastifyInstance, port: LabelPort, budget: ByteBudget): void {
  addOne(app, port, budget);
  app.register(async (scope) => {
    scope.addContentTypeParser("*", bodyReader(linesBytesMax, budget));
    scope.addHook("onRequest", async (request) => {
      checkOrigin(request);
      checkNames(request.query as RawQuery, {});
      checkLinesContent(request.headers);
    });
    scope.post("/items/labels", { config: { doc: docs.post } }, async (request) => {
      const body = bodyOf(request);
      try {
        const { changes, rejected, errors } = readLabelLines(body, request.principal);
        await port.put(changes);
        return { accepted: changes.length, rejected, errors };
      } finally {
        budget.release(body.length);
      }
    });
  });
}
