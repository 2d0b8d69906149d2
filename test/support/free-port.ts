// A port for a program that can't be told to take any free one, or must keep it over restarts.
import { once } from "node:events";
import { createServer } from "node:net";

/** Below the ports that systems give to outgoing connections, so none takes it meanwhile. */
const portMin = 20_000;
const portMax = 29_999;
const triesMax = 100;

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < triesMax; tries++) {
    const port = portMin + Math.floor(Math.random() * (portMax - portMin + 1));
    const server = createServer();
    try {
      const listening = once(server, "listening");
      server.listen(port, "127.0.0.1");
      await listening;
    } catch {
      continue;
    }
    server.close();
    await once(server, "close");
    return port;
  }
  throw new Error(`none of ${triesMax} ports is free`);
}
