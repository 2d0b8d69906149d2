/** What a body is by its headers: its format, its encoding and its key. */
import zlib from "node:zlib";
import { quoted, RankstreamError } from "../errors.ts";

export type BodyFormat = "json" | "ndjson";
export type BodyEncoding = "identity" | "gzip" | "zstd";

const formats: Readonly<Record<string, BodyFormat>> = Object.freeze({
  __proto__: null as never,
  "application/json": "json",
  "application/x-ndjson": "ndjson",
  "application/jsonl": "ndjson",
});

/** zstd is in the runtime's zlib from Node 22.15. */
export const zstdAvailable = "createZstdDecompress" in zlib;
/** For the `Accept-Encoding` header of a refusal. */
export const acceptedEncodings = zstdAvailable ? "gzip, zstd" : "gzip";

/** The format a Content-Type names; throws `unsupported_media_type` for any other. */
export function bodyFormat(contentType: string | undefined): BodyFormat {
  const exact = contentType === undefined ? undefined : formats[contentType];
  if (exact !== undefined) return exact;
  const [type = "", ...parameters] = (contentType ?? "").split(";");
  const format = formats[type.trim().toLowerCase()];
  const utf8 = parameters.every((parameter) => {
    const [name = "", value = ""] = parameter.split("=");
    if (name.trim().toLowerCase() !== "charset") return true;
    return /^"?utf-?8"?$/i.test(value.trim());
  });
  if (format !== undefined && utf8) return format;
  const got = contentType === undefined ? "no Content-Type" : quoted(contentType);
  throw new RankstreamError(
    "unsupported_media_type",
    `Content-Type: expected application/json, application/x-ndjson or application/jsonl ` +
      `(charset=utf-8), got ${got}`,
  );
}

/** The encoding a Content-Encoding names; throws `unsupported_encoding` for any other. */
export function bodyEncoding(contentEncoding: string | undefined): BodyEncoding {
  if (contentEncoding === undefined) return "identity";
  const name = contentEncoding.trim().toLowerCase();
  if (name === "" || name === "identity") return "identity";
  if (name === "gzip" || name === "x-gzip") return "gzip";
  if (name === "zstd" && zstdAvailable) return "zstd";
  throw new RankstreamError(
    "unsupported_encoding",
    `Content-Encoding: expected ${acceptedEncodings} or none, got ${quoted(contentEncoding)}`,
  );
}
