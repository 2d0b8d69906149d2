/** The pages' files, read once at start: `/`, all below `/web/`, `/docs`, `/client.js`. */
import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { gzipSync } from "node:zlib";
import type { FastifyInstance } from "fastify";
import Negotiator from "negotiator";
import { pageHeaders } from "./security-headers.ts";

interface PageFile {
  /** `/`, `/web/<name>`, or `/web/<folder>/` and what is in it. */
  path: string;
  contentType: string;
  body: Buffer;
  /** Of the body, however it is packed. */
  etag: string;
}

/** The API's reference, and the folder of what it loads. */
const docsAddress = "/docs";
const docsFolder = "/web/docs/";

const contentTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/**
 * Pages load nothing from elsewhere; only the demo compiles WebAssembly, and only Swagger UI sets
 * styles in place and has pictures in its style sheet.
 */
function policyOf(path: string, frameAncestors: string): string {
  const isDocs = path === docsAddress || path.startsWith(docsFolder);
  const scripts = path.startsWith("/web/demo/") ? "'self' 'wasm-unsafe-eval'" : "'self'";
  const styles = isDocs ? "'self' 'unsafe-inline'" : "'self'";
  const pictures = isDocs ? "'self' data:" : "'self'";
  return (
    `default-src 'none'; style-src ${styles}; script-src ${scripts}; connect-src 'self'; ` +
    `img-src ${pictures}; form-action 'self'; ` +
    `frame-ancestors ${frameAncestors}; base-uri 'none'`
  );
}

/** `index.html` is its folder's own address; that of the first folder is `/`. */
function addressOf(name: string): string {
  if (name === "index.html") return "/";
  return `/web/${name.replace(/(^|\/)index\.html$/, "$1")}`;
}

async function readPage(path: string, file: string, contentType: string): Promise<PageFile> {
  const body = await readFile(file);
  const etag = `W/"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
  return { path, contentType, body, etag };
}

/** Files of a known ending, also in folders below; none when there is no page. */
async function readPages(folder: string): Promise<PageFile[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => [] as string[]);
  const pages: PageFile[] = [];
  for (const name of names.sort()) {
    const contentType = contentTypes[extname(name)];
    if (contentType === undefined) continue;
    const path = addressOf(name.replaceAll("\\", "/"));
    pages.push(await readPage(path, join(folder, name), contentType));
  }
  return pages;
}

function servePage(
  app: FastifyInstance,
  page: PageFile,
  headersOf: (query: unknown) => Record<string, string>,
): void {
  const { path, contentType, body, etag } = page;
  // Made when first asked for: large files would hold up the start.
  let gzipped: Buffer | undefined;
  app.get(path, (request, reply) => {
    const headers = headersOf(request.query);
    reply.type(contentType).headers({ ...headers, vary: "accept-encoding", etag });
    if (request.headers["if-none-match"] === etag) return reply.code(304).send();
    const isPacked = new Negotiator(request.raw).encoding(["gzip", "identity"]) === "gzip";
    if (!isPacked) return reply.send(body);
    gzipped ??= gzipSync(body);
    return reply.header("content-encoding", "gzip").send(gzipped);
  });
}

/** The bare board, to be shown within other pages. */
function isEmbedded(path: string, query: unknown): boolean {
  return path === "/" && (query as Record<string, unknown>)["embed"] === "1";
}

/**
 * Serves the files of `folder`; nothing where it has none. `frameAncestors`, as a content security
 * policy says it, may frame the embedded board; nobody may frame anything else.
 */
export async function addPages(
  app: FastifyInstance,
  folder: string,
  frameAncestors = "'none'",
): Promise<void> {
  for (const page of await readPages(folder)) {
    const policies = {
      alone: policyOf(page.path, "'none'"),
      embedded: policyOf(page.path, frameAncestors),
    };
    const headersOf = (query: unknown) => ({
      ...pageHeaders,
      "content-security-policy": policies[isEmbedded(page.path, query) ? "embedded" : "alone"],
      "cache-control": "no-cache",
    });
    servePage(app, page, headersOf);
    if (page.path === docsFolder) servePage(app, { ...page, path: docsAddress }, headersOf);
  }
}

/** The client as one module that pages of any origin may import; beside the pages' folder. */
const clientFile = join("..", "client.browser.js");

/** Serves the client at `/client.js`; nothing where there is none. */
export async function addClientFile(app: FastifyInstance, webFolder: string): Promise<void> {
  const file = join(webFolder, clientFile);
  const isThere = await stat(file).then(
    () => true,
    () => false,
  );
  if (!isThere) return;
  const headers = {
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
    "cache-control": "public, max-age=3600",
  };
  const page = await readPage("/client.js", file, contentTypes[".js"] as string);
  servePage(app, page, () => headers);
}
