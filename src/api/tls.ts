/** The certificate that connections are encrypted with; it may be replaced while they are open. */
import type { Server } from "node:http";
import type { Server as TlsServer } from "node:https";

/** PEM texts. */
export interface TlsTexts {
  cert: string;
  key: string;
  /** Who signs clients' certificates; where given, clients must have one. */
  clientCa?: string | undefined;
}

export interface TlsPort {
  /** What is in force. */
  readonly texts: TlsTexts;
  /** The files it was read from, for a server that reads them itself. */
  readonly files: { readonly cert: string; readonly key: string };
  /** Told whenever there is a new certificate. */
  onChange(listener: () => void): void;
}

/** TLS 1.2 and 1.3; what is older has been broken. */
const minVersion = "TLSv1.2";

/** As Node's server takes it. */
export function tlsOptions({ texts: { cert, key, clientCa } }: TlsPort) {
  const clients = { ca: clientCa, requestCert: true, rejectUnauthorized: true };
  return { cert, key, minVersion, ...(clientCa !== undefined && clients) } as const;
}

/** New connections get the new certificate; those that are open go on. */
export function followTls(server: Server, tls: TlsPort): void {
  tls.onChange(() => (server as TlsServer).setSecureContext(tlsOptions(tls)));
}
