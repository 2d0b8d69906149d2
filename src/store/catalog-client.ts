/** Node's own connection to a catalog's PostgreSQL, beside DuckDB's: locks, notices. */
import { readFile } from "node:fs/promises";
import { Client, type ClientConfig } from "pg";
import { type CatalogParts, catalogParts, type LakePlace, type SslMode } from "../model-lake.ts";

const connectTimeoutSecondsDefault = 10;
/** What `pg` says of a server without TLS; it has no code of its own. */
const noTls = "The server does not support SSL connections";

/**
 * The server gives a session up some twenty seconds after its other end fell silent, and with it
 * its locks: its own default is two hours.
 */
const cutOffSoon = `SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5;
  SET tcp_keepalives_count = 3; SET tcp_user_timeout = 20000`;

async function fileOf(path: string | undefined): Promise<string | undefined> {
  return path === undefined ? undefined : await readFile(path, "utf8");
}

/** TLS as libpq means it; null: none. */
async function tlsOf(parts: CatalogParts, mode: SslMode): Promise<ClientConfig["ssl"] | null> {
  if (mode === "disable" || parts.host?.startsWith("/") === true) return null;
  const [ca, cert, key] = await Promise.all(
    [parts.sslrootcert, parts.sslcert, parts.sslkey].map(fileOf),
  );
  // With a root's certificate, require verifies the chain, and so does libpq.
  const isVerified = mode.startsWith("verify-") || (mode === "require" && ca !== undefined);
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    rejectUnauthorized: isVerified,
    ...(mode !== "verify-full" && { checkServerIdentity: () => undefined }),
  };
}

function configOf(parts: CatalogParts, ssl: ClientConfig["ssl"] | null): ClientConfig {
  const { host, port, dbname, user, password, application_name, options } = parts;
  const seconds = Number(parts.connect_timeout ?? connectTimeoutSecondsDefault);
  return {
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port: Number(port) }),
    ...(dbname !== undefined && { database: dbname }),
    ...(user !== undefined && { user }),
    ...(password !== undefined && { password }),
    ...(options !== undefined && { options }),
    application_name: application_name ?? "rankstream",
    connectionTimeoutMillis: seconds * 1000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    ssl: ssl ?? false,
  };
}

/** SQL of the key of a lake's advisory lock of this number. */
export function lockKeySql({ schema }: Pick<LakePlace, "schema">, number: number): string {
  return `hashtextextended('${schema}', ${number})`;
}

export interface CatalogClientOptions {
  /** A statement that takes longer fails; default: none does. */
  queryMsMax?: number;
}

/**
 * Connects to a catalog's PostgreSQL as DuckDB's libpq would: what the address leaves out comes
 * from PostgreSQL's own variables (`PGHOST`, `PGPASSWORD`), and without `sslmode` TLS is used
 * where the server has it. `onError` hears of a connection that ends later. Throws
 * CatalogAddressError, and whatever `pg` and the network throw.
 */
export async function openCatalogClient(
  catalog: string,
  onError: (error: Error) => void,
  { queryMsMax }: CatalogClientOptions = {},
): Promise<Client> {
  const parts = catalogParts(catalog);
  const mode = (parts.sslmode ?? "prefer") as SslMode;
  const connect = async (ssl: ClientConfig["ssl"] | null) => {
    const bound = queryMsMax === undefined ? {} : { query_timeout: queryMsMax };
    const client = new Client({ ...configOf(parts, ssl), ...bound });
    // Without one, a connection that is cut ends the process.
    client.on("error", onError);
    await client.connect();
    await client.query(cutOffSoon);
    return client;
  };
  const ssl = await tlsOf(parts, mode);
  try {
    return await connect(ssl);
  } catch (error) {
    if (ssl === null || mode !== "prefer" || (error as Error).message !== noTls) throw error;
    return await connect(null);
  }
}
