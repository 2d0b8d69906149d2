/**
 * Every error that reaches a user: one table of code, HTTP status, title and what to do.
 * The documentation's table is checked against it by a test.
 */

export interface ErrorKind {
  status: number;
  title: string;
  /** What the caller can do about it. */
  hint: string;
}

const kinds = {
  invalid_parameter: {
    status: 400,
    title: "A parameter is not valid",
    hint: "Correct the parameter named in the detail.",
  },
  log_full: {
    status: 503,
    title: "The log is full",
    hint: "Retry after the stated seconds; nothing was stored.",
  },
  log_failed: {
    status: 503,
    title: "The log could not be written",
    hint: "Check the disk; retry with the same Idempotency-Key.",
  },
  log_corrupt: {
    status: 500,
    title: "The log is damaged",
    hint: "Restore the named file from a backup.",
  },
  offset_out_of_range: {
    status: 500,
    title: "An offset lies outside the log",
    hint: "The store and the log do not belong together; restore both from one backup.",
  },
  partial_append: {
    status: 503,
    title: "Only a part of the batch was stored",
    hint: "Retry the same body with the key given.",
  },
} satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof kinds;

export const errorKinds: Readonly<Record<ErrorCode, ErrorKind>> = Object.freeze(kinds);

/** An error with a stable code; `detail` says what was expected, what came and where. */
export class RankstreamError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: ErrorCode,
    detail: string,
    options: { cause?: unknown; retryAfterSeconds?: number } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "RankstreamError";
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  get status(): number {
    return errorKinds[this.code].status;
  }
}
