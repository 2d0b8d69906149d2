/**
 * The least a server of each kind can do: reads a POST's body and sends a reply of the size that
 * the service's has. Writes the port it took.
 */
import { fastify } from "fastify";
import { loadUws, type UwsResponse } from "../src/api/uws.ts";
import { nativeBuild } from "../src/config.ts";

const contentType = "application/json; charset=utf-8";
const reply = '{"accepted":1,"rejected":0,"errors":[]}';

async function bareFastify(): Promise<number> {
  const app = fastify();
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, payload, done) => {
    const chunks: Buffer[] = [];
    payload.on("data", (chunk: Buffer) => chunks.push(chunk));
    payload.on("end", () => done(null, chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
  });
  app.post("/events", (_request, answer) => {
    answer
      .code(202)
      .header("content-type", contentType)
      .header("x-content-type-options", "nosniff");
    answer.send(Buffer.from(reply));
  });
  await app.listen({ host: "127.0.0.1", port: 0 });
  return (app.server.address() as { port: number }).port;
}

function bareUws(): number {
  const uws = loadUws(nativeBuild());
  const answer = (response: UwsResponse) => {
    response.writeStatus("202 Accepted");
    response.writeHeader("x-content-type-options", "nosniff");
    response.writeHeader("content-type", contentType);
    response.writeHeader("keep-alive", "timeout=7").end(reply);
  };
  const app = uws.App().post("/events", (response) => {
    const chunks: Buffer[] = [];
    response.onAborted(() => undefined);
    response.onData((chunk, isLast) => {
      chunks.push(Buffer.from(new Uint8Array(chunk)));
      if (isLast) response.cork(() => answer(response));
    });
  });
  let port = 0;
  app.listen("127.0.0.1", 0, 0, (socket) => {
    if (socket !== false) port = uws.us_socket_local_port(socket);
  });
  return port;
}

const port = process.argv[2] === "uws" ? bareUws() : await bareFastify();
process.stdout.write(`${port}\n`);
