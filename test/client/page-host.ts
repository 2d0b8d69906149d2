// A web server of another origin than the service's, whose pages import the client from it.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser } from "playwright-core";
import { afterAll } from "vitest";
import { launchBrowser as launch } from "../support/chromium.ts";

const closers: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closers.splice(0)) await close();
});

/** Serves `html` at every address; resolves to its origin. */
export async function hostPage(html: () => string): Promise<string> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end(html());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export async function launchBrowser(): Promise<Browser> {
  const browser = await launch();
  closers.push(() => browser.close());
  return browser;
}
