/** The service's own certificate: read from files, and read again when they change. */
import { X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { TlsPort, TlsTexts } from "./api/tls.ts";
import type { Config } from "./config.ts";
import { RankstreamError } from "./errors.ts";
import type { Logger } from "./telemetry.ts";
import type { Metrics } from "./telemetry-metrics.ts";

type TlsConfig = Pick<Config, "tlsCert" | "tlsKey" | "tlsClientCa">;

/** How often the files are looked at. */
const lookMs = 1000;

export interface Certificate extends TlsTexts {
  /** Epoch ms after which nobody takes it. */
  expiresAt: number;
}

function readPem(option: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const detail = `${option}: the file ${path} can not be read (${reason})`;
    throw new RankstreamError("tls_unusable", detail, { cause });
  }
}

/** Reads and tries them. Throws `tls_unusable`: what can't be read, parsed, or isn't a pair. */
export function readCertificate({ tlsCert, tlsKey, tlsClientCa }: TlsConfig): Certificate {
  const cert = readPem("tlsCert", tlsCert);
  const key = readPem("tlsKey", tlsKey);
  const clientCa = tlsClientCa === "none" ? undefined : readPem("tlsClientCa", tlsClientCa);
  try {
    createSecureContext({ cert, key, ...(clientCa !== undefined && { ca: clientCa }) });
    const expiresAt = Date.parse(new X509Certificate(cert).validTo);
    return { cert, key, clientCa, expiresAt };
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = (code ?? message).replace("ERR_OSSL_", "").toLowerCase().replaceAll("_", " ");
    const detail = `tlsCert ${tlsCert} with tlsKey ${tlsKey}: expected a pair in PEM, got ${why}`;
    throw new RankstreamError("tls_unusable", detail, { cause });
  }
}

/** What tells one state of the files from another, also where a link leads elsewhere. */
function stateOf(paths: readonly string[]): string {
  return paths
    .map((path) => {
      const found = statSync(path, { throwIfNoEntry: false });
      return found === undefined ? "none" : `${found.ino}:${found.mtimeMs}:${found.size}`;
    })
    .join();
}

/** Looks at the files now and then; what can't be used leaves the certificate before in force. */
export class OwnCertificate implements TlsPort {
  readonly files: { readonly cert: string; readonly key: string };
  readonly #config: TlsConfig;
  readonly #paths: readonly string[];
  readonly #logger: Logger;
  readonly #listeners: (() => void)[] = [];
  readonly #looking: NodeJS.Timeout;
  #now: Certificate;
  #state: string;
  /** Of which it has been said already that it is of no use. */
  #toldOf = "";

  /** Throws as `readCertificate`. */
  constructor(config: TlsConfig, logger: Logger) {
    const { tlsCert, tlsKey, tlsClientCa } = config;
    this.files = { cert: tlsCert, key: tlsKey };
    this.#config = config;
    this.#logger = logger;
    this.#paths = [tlsCert, tlsKey, tlsClientCa].filter((path) => path !== "none");
    this.#state = stateOf(this.#paths);
    this.#now = readCertificate(config);
    this.#looking = setInterval(() => this.#look(), lookMs);
    this.#looking.unref();
  }

  get texts(): TlsTexts {
    return this.#now;
  }

  get expiresAt(): number {
    return this.#now.expiresAt;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  close(): void {
    clearInterval(this.#looking);
  }

  /** Files are replaced one after the other: one that isn't of a pair yet is tried again. */
  #look(): void {
    const state = stateOf(this.#paths);
    if (state === this.#state) return;
    try {
      this.#now = readCertificate(this.#config);
      this.#state = state;
      for (const listener of this.#listeners) listener();
      const expires = new Date(this.#now.expiresAt).toISOString();
      this.#logger.info({ part: "tls", expires }, "the certificate was read again");
    } catch (error) {
      if (this.#toldOf === state) return;
      this.#toldOf = state;
      this.#logger.warn({ part: "tls", err: error }, "the new certificate is of no use yet");
    }
  }
}

/** The certificate of a service that speaks TLS; undefined for one that doesn't. */
export function openTls(
  config: Config,
  metrics: Metrics,
  logger: Logger,
  closers?: { add(close: () => Promise<unknown>): void },
): OwnCertificate | undefined {
  if (config.tlsCert === "none") return undefined;
  const own = new OwnCertificate(config, logger);
  closers?.add(async () => own.close());
  metrics.readGauge(
    "rankstream_tls_certificate_expiry_timestamp_seconds",
    "When the service's certificate expires, Unix time.",
    () => own.expiresAt / 1000,
  );
  return own;
}
