// Holds replies of a service to what its own /openapi.json says of them: nothing may be missing,
// of another kind, or there without being described.
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

// biome-ignore lint/suspicious/noExplicitAny: a JSON document, looked into by its own rules.
type Json = any;

/** The schema with every object that names its members closed to others. */
function closed(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, one]) => [key, closed(one)]));
  const isOpen = "properties" in inner && !("additionalProperties" in inner);
  return isOpen ? { ...inner, additionalProperties: false } : inner;
}

function makeAjv(): Ajv2020 {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true });
  // CommonJS without a default of its own.
  (addFormats as unknown as (ajv: Ajv2020) => void)(ajv);
  return ajv;
}

/** Kinds of problems have members of their own. */
const openSchemas = new Set(["Problem"]);

export class ReplyJudge {
  readonly document: Json;
  readonly #ajv = makeAjv();
  readonly #known = new Map<string, ValidateFunction>();
  readonly #routes: { path: string; form: RegExp }[];

  /** `document` is that of GET /openapi.json. */
  constructor(document: Json) {
    this.document = document;
    const schemas = Object.entries(document.components.schemas).map(([name, schema]) => [
      name,
      openSchemas.has(name) ? schema : closed(schema),
    ]);
    const components = { schemas: Object.fromEntries(schemas) };
    this.#ajv.addVocabulary(["components"]);
    this.#ajv.addSchema({ $id: "openapi:", components });
    // What has fewer varying parts is meant first: /items/labels before /items/{eventType}.
    const paths = Object.keys(document.paths).sort((a, b) => {
      return a.split("{").length - b.split("{").length;
    });
    this.#routes = paths.map((path) => ({
      path,
      form: new RegExp(`^${path.replaceAll(/[.]/g, "\\.").replaceAll(/\{\w+\}/g, "[^/]+")}$`),
    }));
  }

  /** The operation that answers at an address; undefined for none. */
  operationAt(method: string, address: string): Json {
    const pathname = address.split("?", 1)[0]!;
    const verb = method === "HEAD" ? "get" : method.toLowerCase();
    return this.#routes
      .filter(({ form }) => form.test(pathname))
      .map(({ path }) => this.document.paths[path][verb])
      .find((operation) => operation !== undefined);
  }

  /** What is wrong with a value by a schema of the document; none where nothing is. */
  faults(schema: Json, value: unknown): string[] {
    const text = JSON.stringify(closed(schema));
    let validate = this.#known.get(text);
    if (validate === undefined) {
      validate = this.#ajv.compile(JSON.parse(text.replaceAll('"#/', '"openapi:#/')));
      this.#known.set(text, validate);
    }
    if (validate(value)) return [];
    return (validate.errors ?? []).map(({ instancePath, message, params }) => {
      return `${instancePath} ${message} ${JSON.stringify(params)}`;
    });
  }

  /** What is wrong with a reply; `body` is parsed where it is JSON. */
  judge(request: { method: string; address: string }, reply: JudgedReply): string[] {
    const operation = this.operationAt(request.method, request.address);
    if (operation === undefined) return ["the address is not in the document"];
    let response = operation.responses[reply.status];
    if (response === undefined) return [`status ${reply.status} is not in the document`];
    if (response.$ref !== undefined) {
      response = this.document.components.responses[response.$ref.split("/").at(-1)];
    }
    if (response.content === undefined) return [];
    const type = reply.contentType.split(";", 1)[0]!;
    const described = response.content[type];
    if (described === undefined) return [`"${type}" is not in the document`];
    return described.schema === undefined ? [] : this.faults(described.schema, reply.body);
  }
}

export interface JudgedReply {
  status: number;
  contentType: string;
  body: unknown;
}
