/** Turns whatever went wrong into a problem document: own errors, Fastify's, the socket's. */
import type { Socket } from "node:net";
import type { FastifyError, FastifyReply } from "fastify";
import { type ErrorReply, problemReply, RankstreamError } from "../errors.ts";
import type { ErrorCode } from "../errors-table.ts";
import type { Logger } from "../telemetry.ts";
import type { RequestNote } from "../telemetry-log.ts";
import { requestIdOf, withRequestId } from "./request-id.ts";
import { securityHeaders } from "./security-headers.ts";

const byFrameworkCode: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_BAD_URL: "bad_request",
  FST_ERR_MAX_PARAM_LENGTH: "uri_too_long",
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "unsupported_media_type",
  FST_ERR_CTP_EMPTY_TYPE: "unsupported_media_type",
  FST_ERR_CTP_BODY_TOO_LARGE: "body_too_large",
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: "bad_request",
};

function fromFramework(error: FastifyError): RankstreamError | null {
  const code = byFrameworkCode[error.code];
  if (code !== undefined) return new RankstreamError(code, error.message, { cause: error });
  const status = error.statusCode ?? 500;
  if (status >= 500) return null;
  return new RankstreamError("bad_request", error.message, { cause: error });
}

/**
 * Any error as one of the table; what isn't foreseen is logged and says nothing outside.
 * `request`: whose it is, where it is one's.
 */
export function toRankstreamError(
  error: unknown,
  logger: Logger,
  request?: () => RequestNote,
): RankstreamError {
  const fields = () => ({ part: "http", err: error, request: request?.() });
  if (error instanceof RankstreamError) {
    if (error.status === 500) logger.error(fields(), error.message);
    return error;
  }
  const known = error instanceof Error ? fromFramework(error as FastifyError) : null;
  if (known !== null) return known;
  logger.error(fields(), "a request failed");
  return new RankstreamError("internal_error", "the request failed; the service's log says why");
}

/** Sends `body` under its headers as they are: to text Fastify would add a charset. */
export function sendText(
  reply: FastifyReply,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string,
): FastifyReply {
  return reply.code(status).headers(headers).send(Buffer.from(body));
}

/** Sends what the edge answered; of a problem document it says to the log what it is. */
export function sendEdgeReply(reply: FastifyReply, given: ErrorReply): FastifyReply {
  const { status, headers, body, code } = withRequestId(given, reply.request.id);
  if (code !== undefined) reply.problem = { code };
  return sendText(reply, status, headers, body);
}

/** Bodies refused while the client still sends them. */
const unfinishedBody: ReadonlySet<ErrorCode> = new Set(["body_too_large", "overloaded"]);

/** Answers with the error's problem document. */
export function sendProblem(reply: FastifyReply, error: RankstreamError): FastifyReply {
  // Fastify closes the connection here: a client that still sends would be reset before it has
  // read why. Left open, Node drops what still comes, for as long as a request may take.
  if (unfinishedBody.has(error.code)) reply.removeHeader("connection");
  reply.problem = error;
  const { status, headers, body } = withRequestId(problemReply(error), reply.request.id);
  return sendText(reply, status, { ...headers, "cache-control": "no-store" }, body);
}

function socketError(error: NodeJS.ErrnoException): RankstreamError {
  if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") {
    return new RankstreamError("request_timeout", "the request did not arrive in time");
  }
  if (error.code === "HPE_HEADER_OVERFLOW") {
    return new RankstreamError("headers_too_large", "the headers are larger than 16 KiB");
  }
  return new RankstreamError("bad_request", `not valid HTTP: ${error.code ?? error.message}`);
}

interface AnsweredSocket extends Socket {
  /** Node's: the response under way on this connection. */
  _httpMessage?: { headersSent: boolean } | null;
}

/**
 * Answers what never became a request (broken HTTP, too slow, too long) and hangs up. Returns the
 * code of the answer, where there was somebody to answer.
 */
export function answerSocketError(
  error: NodeJS.ErrnoException,
  socket: Socket,
): ErrorCode | undefined {
  const answered = (socket as AnsweredSocket)._httpMessage?.headersSent === true;
  // Nothing can be said to who has not shaken hands.
  const isBefore = /^(?:ERR_SSL_|ERR_TLS_|EPROTO)/.test(error.code ?? "");
  if (
    isBefore ||
    error.code === "ECONNRESET" ||
    socket.destroyed ||
    !socket.writable ||
    answered
  ) {
    socket.destroy();
    return undefined;
  }
  const reply = problemReply(socketError(error));
  const { status, headers, body, code } = withRequestId(reply, requestIdOf(undefined));
  const all = { ...headers, ...securityHeaders };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = Buffer.byteLength(body);
  socket.end(
    `HTTP/1.1 ${status} Refused\r\n${lines.join("")}content-length: ${length}\r\n` +
      `connection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
  return code;
}
