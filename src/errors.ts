/** Errors that reach a user, and how they are worded and answered (the table: errors-table.ts). */
import { type ErrorCode, errorKinds } from "./errors-table.ts";

export interface ErrorOptions {
  cause?: unknown;
  retryAfterSeconds?: number;
  /** Further members of the problem document, such as `parameter`. */
  extensions?: Readonly<Record<string, unknown>>;
}

/** An error with a stable code; `detail` says what was expected, what came and where. */
export class RankstreamError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterSeconds: number | undefined;
  readonly extensions: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, detail: string, options: ErrorOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "RankstreamError";
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.extensions = options.extensions;
  }

  get status(): number {
    return errorKinds[this.code].status;
  }
}

/** An HTTP answer ready to be sent. */
export interface ErrorReply {
  status: number;
  headers: Record<string, string>;
  /** RFC 9457 `application/problem+json`. */
  body: string;
  /** Of the error, where it is one. */
  code?: ErrorCode;
}

/** RFC 6750: of a credential that came, what is wrong with it. */
function challengeOf(code: ErrorCode): string {
  const isMissing = code === "key_required";
  return `Bearer realm="rankstream"${isMissing ? "" : ', error="invalid_token"'}`;
}

/** The answer an error is sent as: a problem document with `code`, `detail` and `hint`. */
export function problemReply(error: RankstreamError): ErrorReply {
  const { status, title, hint } = errorKinds[error.code];
  const headers: Record<string, string> = { "content-type": "application/problem+json" };
  if (error.retryAfterSeconds !== undefined) {
    headers["retry-after"] = String(Math.max(1, Math.ceil(error.retryAfterSeconds)));
  }
  // RFC 9110: whoever is told 401 is told how to do better.
  if (status === 401) headers["www-authenticate"] = challengeOf(error.code);
  const type = `urn:rankstream:error:${error.code}`;
  const document = { type, title, status, code: error.code, detail: error.message, hint };
  const body = JSON.stringify({ ...document, ...error.extensions });
  return { status, headers, body, code: error.code };
}

/** Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) best = Math.min(best, beforeLast[j - 2]! + 1);
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}

const suggestedNameLengthMax = 64;

/** The known name meant by a mistyped one, or null when none is close. */
export function closestName(name: string, known: Iterable<string>): string | null {
  if (name.length > suggestedNameLengthMax) return null;
  let best: string | null = null;
  let bestDistance = Number.POSITIVE_INFINITY;
  const plain = (text: string) => text.toLowerCase().replaceAll(/[-_]/g, "");
  for (const candidate of known) {
    const distance = editDistance(plain(name), plain(candidate));
    const allowed = Math.max(1, Math.floor(candidate.length / 3));
    if (distance <= allowed && distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` Did you mean "x"?` where a known name is close, else nothing. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const close = closestName(name, known);
  return close === null ? "" : ` Did you mean "${close}"?`;
}

/** Text from outside for a message: quoted, control characters escaped, cut at `lengthMax`. */
export function quoted(text: string, lengthMax = 60): string {
  const cut = text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text;
  return JSON.stringify(cut);
}
