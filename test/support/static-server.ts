// A folder on the loopback, as any static host serves it: for pages that must need no service.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const contentTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

export interface StaticServer {
  /** Without a slash at its end. */
  url: string;
  stop(): Promise<void>;
}

/** Serves the files below `folder`, and the texts of `pages` at their paths from the root. */
export async function serveFolder(
  folder: string,
  pages: Readonly<Record<string, string>> = {},
): Promise<StaticServer> {
  const server = createServer(async (request, reply) => {
    const { pathname } = new URL(request.url!, "http://localhost");
    const path = normalize(decodeURIComponent(pathname)).replace(/\/$/, "/index.html");
    const body = pages[path] ?? (await readFile(join(folder, path)).catch(() => undefined));
    if (body === undefined) return reply.writeHead(404).end();
    const type = contentTypes[extname(path)] ?? "application/octet-stream";
    return reply.setHeader("content-type", type).end(body);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(() => done()));
    },
  };
}
