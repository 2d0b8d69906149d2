/** What an attempt is made of: waits, bodies, parameters, and how it fails. */
import type { ErrorCode } from "../errors-table.ts";

/** A code of the service's table of errors; `unknown` when the answer was no problem document. */
export type ProblemCode = ErrorCode | "unknown";

/** The service could not be reached, or not in time. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";
}

/** The service refused, by a problem document (RFC 9457). */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly status: number;
  /** Stable. A service newer than this client may send one that the type doesn't name. */
  readonly code: ProblemCode;
  /** What to do about it; empty when the answer doesn't say. */
  readonly hint: string;
  /** The whole document. */
  readonly problem: Readonly<Record<string, unknown>>;

  constructor(status: number, problem: Readonly<Record<string, unknown>>) {
    const text = (name: string) => (typeof problem[name] === "string" ? problem[name] : "");
    super(text("detail") || text("title") || `the service answered with status ${status}`);
    this.status = status;
    this.code = (text("code") || "unknown") as ProblemCode;
    this.hint = text("hint");
    this.problem = problem;
  }
}

const firstWaitMs = 100;
const waitMsMax = 5000;
/** Another attempt may be answered otherwise. */
export const retriedStatuses = new Set([429, 502, 503, 504]);

/** Waits, or throws the signal's reason as soon as it is aborted. */
export function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Doubles from 100 ms to 5 s, half of it by chance, so that clients don't come back as one. */
export function backoffMs(attempt: number): number {
  const wait = Math.min(waitMsMax, firstWaitMs * 2 ** attempt);
  return wait / 2 + (Math.random() * wait) / 2;
}

/** The wait a `Retry-After` asks for, in seconds or as a date; 0 without one. */
export function retryAfterMs(response: Response): number {
  const text = response.headers.get("retry-after") ?? "";
  const ms = /^\s*\d+\s*$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? 0 : Math.max(0, ms);
}

/** The body packed by gzip. */
export async function gzipped(body: BodyInit): Promise<BodyInit> {
  const stream = new Response(body).body?.pipeThrough(new CompressionStream("gzip"));
  return await new Response(stream ?? null).arrayBuffer();
}

/** The error that a refusal stands for. */
export async function problemOf(response: Response): Promise<ProblemError> {
  let problem: Record<string, unknown> = {};
  try {
    const parsed: unknown = await response.json();
    if (typeof parsed === "object" && parsed !== null) problem = { ...parsed };
  } catch {
    // A proxy's page, say: the status is all there is.
  }
  return new ProblemError(response.status, problem);
}

/** Why nothing answered, as a code where there is one. */
export function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  if (!(cause instanceof Error)) return String(cause);
  const code = (cause as { code?: unknown }).code;
  return typeof code === "string" ? code : cause.message;
}

/** A question with a body is posted, and may be asked again all the same. */
export function questionOf(body: object | undefined): RequestInit {
  if (body === undefined) return {};
  const headers = { "content-type": "application/json" };
  return { method: "POST", headers, body: JSON.stringify(body) };
}

/** As query parameters; a map's members become `name.key`. */
export function parametersOf(query: object): URLSearchParams {
  const parameters = new URLSearchParams();
  const append = (name: string, value: unknown): void => {
    if (Array.isArray(value)) for (const each of value) append(name, each);
    else if (typeof value === "object" && value !== null) {
      for (const [key, each] of Object.entries(value)) append(`${name}.${key}`, each);
    } else if (value !== undefined) parameters.append(name, String(value));
  };
  for (const [name, value] of Object.entries(query)) append(name, value);
  return parameters;
}
