/**
 * uWebSockets.js: an HTTP server in C++ that takes small requests for less than Node's own. It is
 * optional, and what is used of it is declared here: nothing else imports the package.
 */
import { createRequire } from "node:module";
import { RankstreamError } from "../errors.ts";

export type UwsText = string | Uint8Array;

/** Valid until it has ended or was aborted; any call after that throws. */
export interface UwsResponse {
  writeStatus(status: UwsText): UwsResponse;
  writeHeader(name: UwsText, value: UwsText): UwsResponse;
  /** False once more waits to be sent than the system takes. */
  write(chunk: UwsText): boolean;
  end(body?: UwsText, closeConnection?: boolean): UwsResponse;
  endWithoutBody(reportedContentLength?: number, closeConnection?: boolean): UwsResponse;
  close(): UwsResponse;
  pause(): void;
  resume(): void;
  onWritable(handler: (offset: number) => boolean): UwsResponse;
  onAborted(handler: () => void): UwsResponse;
  /** The chunk is emptied when the handler returns. */
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): UwsResponse;
  getRemoteAddressAsText(): ArrayBuffer;
  cork(write: () => void): UwsResponse;
  upgrade<T>(
    data: T,
    key: string,
    protocol: string,
    extensions: string,
    context: UwsSocketContext,
  ): void;
}

/** Valid only while its handler runs. Texts are decoded as UTF-8. */
export interface UwsRequest {
  getHeader(lowerCaseName: string): string;
  getUrl(): string;
  /** Undefined where there is no question mark. */
  getQuery(): string | undefined;
  getCaseSensitiveMethod(): string;
  forEach(each: (lowerCaseName: string, value: string) => void): void;
}

declare const contextMark: unique symbol;
export interface UwsSocketContext {
  [contextMark]: true;
}

declare const listenMark: unique symbol;
export interface UwsListenSocket {
  [listenMark]: true;
}

/** Valid until it was closed. */
export interface UwsWebSocket<T> {
  send(message: UwsText, isBinary: boolean): number;
  ping(message: UwsText): number;
  end(code: number, reason: UwsText): void;
  close(): void;
  getBufferedAmount(): number;
  getUserData(): T;
}

export interface UwsBehavior<T> {
  maxPayloadLength: number;
  maxBackpressure: number;
  /** Seconds; 0 for none. */
  idleTimeout: number;
  sendPingsAutomatically: boolean;
  upgrade(response: UwsResponse, request: UwsRequest, context: UwsSocketContext): void;
  open(socket: UwsWebSocket<T>): void;
  message(socket: UwsWebSocket<T>, message: ArrayBuffer, isBinary: boolean): void;
  pong(socket: UwsWebSocket<T>, message: ArrayBuffer): void;
  drain(socket: UwsWebSocket<T>): void;
  close(socket: UwsWebSocket<T>, code: number, reason: ArrayBuffer): void;
}

type UwsHandler = (response: UwsResponse, request: UwsRequest) => void;

export interface UwsApp {
  post(pattern: string, handler: UwsHandler): UwsApp;
  any(pattern: string, handler: UwsHandler): UwsApp;
  ws<T>(pattern: string, behavior: UwsBehavior<T>): UwsApp;
  /** Calls back before it returns; with false when the address can't be had. */
  listen(
    host: string,
    port: number,
    options: number,
    opened: (socket: UwsListenSocket | false) => void,
  ): UwsApp;
  /** Closes every connection at once. */
  close(): UwsApp;
}

export interface Uws {
  App(): UwsApp;
  /** Reads the files at once; throws where they are of no use. Takes TLS 1.2 and newer. */
  SSLApp(files: { key_file_name: string; cert_file_name: string }): UwsApp;
  us_listen_socket_close(socket: UwsListenSocket): void;
  us_socket_local_port(socket: UwsListenSocket): number;
  LIBUS_LISTEN_EXCLUSIVE_PORT: number;
  _cfg(setting: string): void;
}

const packageName = "@trufflesuite/uws-js-unofficial";
const packageVersion = "20.30.0-unofficial.0";

/**
 * The native build for this platform and Node (`build`: linux_x64_115). Throws
 * `http_server_unavailable` where there is none: the package itself would answer with a copy in
 * JavaScript that is slower than Node's server.
 */
export function loadUws(build: string): Uws {
  const file = `binaries/uws_${build}.node`;
  try {
    const uws = createRequire(import.meta.url)(`${packageName}/${file}`) as Uws;
    // Or each reply would name the server.
    uws._cfg("silent");
    return uws;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const got = code === "MODULE_NOT_FOUND" ? "no such file" : message.split("\n", 1)[0];
    throw new RankstreamError(
      "http_server_unavailable",
      `httpServer uws: expected ${file} of ${packageName}@${packageVersion}, got ${got}`,
      { cause },
    );
  }
}
