/** Boards as tables: CSV (RFC 4180) and NDJSON, a row an item. */
import type { FastifyReply, FastifyRequest } from "fastify";
import Negotiator from "negotiator";
import { choiceOf, type ParameterTable, type RawQuery } from "./parameters.ts";
import { text } from "./schema.ts";

const formats = ["json", "csv", "ndjson"] as const;
export type BoardFormat = (typeof formats)[number];

export const formatParameters = Object.freeze({
  format: {
    description: "json, csv or ndjson; default: what Accept asks for, else json.",
    schema: { type: "string", enum: formats, default: formats[0] },
  },
}) satisfies ParameterTable;

/** The one that is as good as any other first. */
const byMediaType: Readonly<Record<string, BoardFormat>> = Object.freeze({
  "application/json": "json",
  "text/csv": "csv",
  "application/x-ndjson": "ndjson",
  "application/ndjson": "ndjson",
});

const mediaTypes = {
  csv: "text/csv; charset=utf-8; header=present",
  ndjson: "application/x-ndjson; charset=utf-8",
};

/** Columns that always come, then those that some boards have. */
const columns = ["rank", "eventId", "count", "lower", "upper", "share"];
const furtherColumns = [
  "label",
  "url",
  "imageUrl",
  "previousCount",
  "previousRank",
  "rankChange",
  "isNew",
];

/** The format asked for, by the parameter or by Accept. Throws `invalid_parameter`. */
export function formatOf(request: FastifyRequest): BoardFormat {
  const query = request.query as RawQuery;
  if (query["format"] !== undefined) return choiceOf(query, "format", formatParameters.format);
  const preferred = new Negotiator(request.raw).mediaType(Object.keys(byMediaType));
  return byMediaType[preferred ?? ""] ?? "json";
}

/** The same rows as tables, by media type. */
export const tableSchemas = Object.freeze({
  "text/csv": text(`RFC 4180, with a line of names first: ${columns.join(", ")} and more.`),
  "application/x-ndjson": text("A line a row: a LeaderboardRow."),
});

type Row = Record<string, unknown>;

/** A field: in quotes where it holds a quote, a comma or a line's end, or a space at its ends. */
function csvField(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text = String(value);
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function csvOf(rows: readonly Row[]): string {
  const further = furtherColumns.filter((name) => rows.some((row) => name in row));
  const names = [...columns, ...further];
  const lines = rows.map((row) => names.map((name) => csvField(row[name])).join(","));
  return [names.join(","), ...lines].map((line) => `${line}\r\n`).join("");
}

/** Sends the board's rows; what is true of all of them goes in headers. */
export function sendRows(
  reply: FastifyReply,
  format: Exclude<BoardFormat, "json">,
  board: { results: Row[]; nextCursor?: string },
): FastifyReply {
  const { results, nextCursor } = board;
  const text =
    format === "csv" ? csvOf(results) : results.map((row) => `${JSON.stringify(row)}\n`).join("");
  if (nextCursor !== undefined) reply.header("x-next-cursor", nextCursor);
  const headers = { "content-type": mediaTypes[format], vary: "accept" };
  return reply.headers(headers).send(Buffer.from(text));
}
