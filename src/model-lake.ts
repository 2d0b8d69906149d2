/** Where a store in a lake lies, and how its catalog's address is read. */

/** How a bucket is spoken to; each null: as AWS's own variables, profiles and roles say. */
export interface S3Access {
  /** Of another server than AWS's: `http://host:port`. */
  endpoint: string | null;
  region: string | null;
  credentials: { accessKeyId: string; secretAccessKey: string } | null;
}

/** A store in DuckLake: its catalog is in PostgreSQL, its raw events are files. */
export interface LakePlace {
  /** PostgreSQL's address: libpq's `key=value` text, or `postgres://…`. May hold a password. */
  catalog: string;
  /** The catalog's schema in PostgreSQL. */
  schema: string;
  /** `s3://bucket/prefix`, or an absolute folder. */
  dataPath: string;
  /** Null where the files are in a folder. */
  s3: S3Access | null;
  /** Where DuckDB's extensions are: its `extension_directory`. */
  extensionDirectory: string;
}

const sslModes = ["disable", "prefer", "require", "verify-ca", "verify-full"] as const;
export type SslMode = (typeof sslModes)[number];

/** What DuckDB's libpq and Node's client both understand of an address; empty where not said. */
const catalogKeys = [
  "host",
  "port",
  "dbname",
  "user",
  "password",
  "sslmode",
  "sslrootcert",
  "sslcert",
  "sslkey",
  "connect_timeout",
  "application_name",
  "options",
] as const;
export type CatalogKey = (typeof catalogKeys)[number];
/** The parts of a catalog's address that were said, unquoted and decoded. */
export type CatalogParts = Partial<Record<CatalogKey, string>>;

/** The address can't be used; the message says what was expected, and shows no value of it. */
export class CatalogAddressError extends Error {
  override readonly name = "CatalogAddressError";
}

function keyOf(name: string): CatalogKey {
  const key = catalogKeys.find((one) => one === name);
  if (key !== undefined) return key;
  // What can't be read as a name may be part of a password.
  const got = /^[a-z_]{1,30}$/.test(name) ? name : "something else";
  throw new CatalogAddressError(`expected keys of ${catalogKeys.join(", ")}, got ${got}`);
}

/** `host=db password='two words'`: libpq's text; in values a backslash takes what follows. */
const pair = /\s*([^\s=']+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))(?=\s|$)/y;

function textParts(text: string): CatalogParts {
  const parts: CatalogParts = {};
  pair.lastIndex = 0;
  while (text.slice(pair.lastIndex).trim() !== "") {
    const from = pair.lastIndex;
    const match = pair.exec(text);
    if (match === null) {
      throw new CatalogAddressError(
        "expected key=value by spaces, values with spaces in single quotes, " +
          `or postgres://user@host:port/database; character ${from} begins something else`,
      );
    }
    const value = (match[2] ?? match[3] ?? "").replaceAll(/\\(.)/gs, "$1");
    parts[keyOf(match[1]!)] = value;
  }
  return parts;
}

function urlParts(text: string): CatalogParts {
  const wrong = () => new CatalogAddressError("expected postgres://user@host:port/database");
  if (!URL.canParse(text)) throw wrong();
  const { hostname, port, username, password, pathname, searchParams, hash } = new URL(text);
  if (hash !== "" || pathname.slice(1).includes("/")) throw wrong();
  const said: [CatalogKey, string][] = [
    ["host", hostname.replace(/^\[(.*)\]$/, "$1")],
    ["port", port],
    ["dbname", pathname.slice(1)],
    ["user", username],
    ["password", password],
  ];
  const parts: CatalogParts = {};
  try {
    for (const [key, value] of said) {
      if (value !== "") parts[key] = decodeURIComponent(value);
    }
  } catch {
    throw wrong();
  }
  for (const [name, value] of searchParams) parts[keyOf(name)] = value;
  return parts;
}

/**
 * What a catalog's address says: libpq's text or a URL. Throws CatalogAddressError for what is
 * neither, for keys that are not known, and for a port or a `sslmode` that is none.
 */
export function catalogParts(catalog: string): CatalogParts {
  const parts = isUrlText(catalog) ? urlParts(catalog) : textParts(catalog);
  if (Object.keys(parts).length === 0) {
    throw new CatalogAddressError("expected an address of PostgreSQL such as host=db dbname=lake");
  }
  const { port, sslmode, connect_timeout: timeout, host } = parts;
  const expect = (what: string, isRight: boolean) => {
    if (!isRight) throw new CatalogAddressError(`expected ${what}`);
  };
  const isCount = (text: string) => /^\d{1,9}$/.test(text);
  const isPort = (text: string) => isCount(text) && Number(text) > 0 && Number(text) < 65_536;
  expect("one host", !host?.includes(","));
  expect("a port 1..65535", port === undefined || isPort(port));
  expect("connect_timeout in seconds", timeout === undefined || isCount(timeout));
  expect(
    `sslmode of ${sslModes.join(", ")}`,
    sslmode === undefined || (sslModes as readonly string[]).includes(sslmode),
  );
  expect(
    "sslcert and sslkey, or none",
    (parts.sslcert === undefined) === (parts.sslkey === undefined),
  );
  return parts;
}

const isUrlText = (text: string) => /^postgres(?:ql)?:\/\//i.test(text);
/** A password's value as it is written: quoted, or up to what ends it in a text, in a URL. */
const inText = String.raw`'(?:[^'\\]|\\.)*'?|(?:[^\s\\]|\\.)+`;
const inUrl = String.raw`[^\s&#]+`;

/** The passwords of a catalog's address, as they stand there and as they are meant. */
export function catalogSecrets(catalog: string): string[] {
  const value = isUrlText(catalog) ? inUrl : inText;
  const named = catalog.matchAll(new RegExp(`password\\s*=\\s*(${value})`, "gi"));
  const before = catalog.matchAll(/:\/\/[^/@:]*:([^/]*)@/g);
  const written = [...named, ...before].map(([, one = ""]) => one.replace(/^'(.*?)'?$/s, "$1"));
  let meant = "";
  try {
    meant = catalogParts(catalog).password ?? "";
  } catch {
    // What can't be read is refused elsewhere; its password is hidden all the same.
  }
  return [...new Set([...written, meant])].filter((one) => one !== "");
}

/** The text of an option as it may be shown: without the passwords of addresses. */
export function withoutPasswords(text: string): string {
  return text
    .replaceAll(new RegExp(`(password\\s*=\\s*)(?:${inText})`, "gi"), "$1***")
    .replace(/(\/\/[^/@:]*):[^/]*@/, "$1:***@");
}
