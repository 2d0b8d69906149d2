/**
 * The files of the page, read once at start: `/`, what it links to under `/web/`, and the parts of
 * the client it imports under `/client/`.
 */
import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

export interface PageFile {
  /** `/`, `/web/<name>` or `/client/<name>`. */
  path: string;
  contentType: string;
  body: Buffer;
}

const contentTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/** Where the page is: beside this folder, in the build and in the sources alike. */
export const webFolder = fileURLToPath(new URL("../web/", import.meta.url));

/** Where compiled parts of the client lie, seen from the page's folder. */
const clientFolder = join("..", "client");

async function readFolder(folder: string, prefix: string): Promise<PageFile[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  const pages: PageFile[] = [];
  for (const name of names.sort()) {
    const contentType = contentTypes[extname(name)];
    if (contentType === undefined) continue;
    const body = await readFile(join(folder, name));
    pages.push({ path: name === "index.html" ? "/" : `${prefix}${name}`, contentType, body });
  }
  return pages;
}

/** Only what is in the folders themselves and of a known ending; none when there is no page. */
export async function readPages(folder: string): Promise<PageFile[]> {
  const pages = await readFolder(folder, "/web/");
  if (pages.length === 0) return [];
  return [...pages, ...(await readFolder(join(folder, clientFolder), "/client/"))];
}
