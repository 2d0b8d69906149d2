/** /admin/snapshot: what the store holds, as files for analysts. */
import type { FastifyInstance } from "fastify";
import { quoted } from "../errors.ts";
import type { AskControl } from "../query/ask.ts";
import { hangUpSignal } from "./hang-up.ts";
import type { RouteDoc } from "./openapi.ts";
import { checkOrigin } from "./origin.ts";
import {
  checkNames,
  invalidParameter,
  type ParameterTable,
  type RawQuery,
  single,
} from "./parameters.ts";
import { ref } from "./schema.ts";

export interface SnapshotPort {
  take(name: string, control?: AskControl): Promise<object>;
  list(): Promise<object[]>;
  drop(name: string): Promise<void>;
}

const namePattern = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$/;
const expectedName = "1..64 letters, digits, - and _, the first no -";

const takeParameters = Object.freeze({
  name: {
    description: "Its folder's name; default: the time.",
    schema: { type: "string", pattern: namePattern.source },
    expected: expectedName,
  },
}) satisfies ParameterTable;
const path = { name: { description: "The snapshot.", schema: takeParameters.name.schema } };

const docs = Object.freeze({
  take: {
    summary: "Write what the store holds to files that any DuckDB reads",
    description:
      "Of one moment, with everything acknowledged before. It is given up when the client goes.",
    parameters: takeParameters,
    reply: {
      status: 201,
      description: "Where it is, and what is in it.",
      schema: ref("Snapshot"),
    },
    problems: [403, 409],
  },
  list: {
    summary: "The snapshots there are",
    reply: {
      status: 200,
      description: "By name.",
      schema: ref("Snapshots"),
    },
  },
  drop: {
    summary: "Remove a snapshot",
    path,
    reply: { status: 200, description: "It is gone.", schema: ref("DroppedSnapshot") },
    problems: [403, 404],
  },
}) satisfies Record<string, RouteDoc>;

function nameOf(given: string | undefined, now: number): string {
  if (given === undefined) return new Date(now).toISOString().replaceAll(/[:.]/g, "-");
  if (namePattern.test(given)) return given;
  throw invalidParameter("name", expectedName, quoted(given));
}

/** Adds the routes. */
export function addSnapshots(app: FastifyInstance, port: SnapshotPort): void {
  app.get("/admin/snapshots", { config: { doc: docs.list } }, async (request) => {
    checkNames(request.query as RawQuery, {});
    return { snapshots: await port.list() };
  });
  app.post("/admin/snapshot", { config: { doc: docs.take } }, async (request, reply) => {
    checkOrigin(request);
    const query = request.query as RawQuery;
    checkNames(query, takeParameters);
    const name = nameOf(single(query, "name"), Date.now());
    const taken = await port.take(name, { signal: hangUpSignal(reply) });
    reply.code(201);
    return taken;
  });
  app.delete("/admin/snapshots/:name", { config: { doc: docs.drop } }, async (request) => {
    checkOrigin(request);
    checkNames(request.query as RawQuery, {});
    const { name } = request.params as { name: string };
    await port.drop(nameOf(name, 0));
    return { name };
  });
}
