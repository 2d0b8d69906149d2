/** GET /live and GET /live/events: boards that are sent again as they change. */
import websocket, { type WebSocket } from "@fastify/websocket";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RankstreamError } from "../errors.ts";
import type { LiveQuery } from "../model-live.ts";
import { beginEventStream, eventStreamReply } from "./event-stream.ts";
import { type LiveDeps, LiveHub, liveParameters, readLive } from "./live-hub.ts";
import { answeredProtocol } from "./live-protocol.ts";
import { webSocketUpgrades } from "./live-upgrade.ts";
import type { RouteDoc } from "./openapi.ts";
import { checkOrigin } from "./origin.ts";
import { checkNames, type RawQuery } from "./parameters.ts";

const messageBytesMax = 16 * 1024;

const socketDoc: RouteDoc = {
  summary: "Boards as they change (WebSocket)",
  description:
    'Send {"type":"subscribe","id","query"} with the parameters of GET /leaderboard as text; a ' +
    '"board" message comes, then "diff" messages: `changes` to the board of `since`, the last ' +
    'sent. {"type":"subscribe","id","query","seq"} goes on from a board already seen; ' +
    '{"type":"unsubscribe","id"} ends it. What is refused comes back as an "error" message ' +
    "with the problem document.",
  reply: { status: 101, description: "The connection is a WebSocket from now on." },
  problems: [403, 426, 429, 503],
};

const streamDoc: RouteDoc = {
  summary: "A board as it changes (server-sent events)",
  description:
    'A "board" event comes, {seq, board}, then "diff" events, {seq, since, changes}: `changes` ' +
    'to the board of `since`, the last sent. A "problem" event has the problem document of a ' +
    "board that can't be had now. The stream does not end by itself.",
  parameters: liveParameters,
  headers: {
    "Last-Event-ID": {
      description:
        "Of the last event seen: the stream goes on from that board where it is still known, " +
        "else it begins with the whole.",
      schema: { type: "string" },
    },
  },
  reply: eventStreamReply,
  problems: [429, 503],
};

/** The number of the last event seen; null where there is none that could be ours. */
function lastSeqOf({ headers }: FastifyRequest): number | null {
  const given = headers["last-event-id"];
  return typeof given === "string" && /^\d{1,16}$/.test(given) ? Number(given) : null;
}

function stream(hub: LiveHub, request: FastifyRequest, reply: FastifyReply) {
  const query = request.query as RawQuery;
  if (request.method === "HEAD") {
    readLive(query, Date.now());
    hub.checkRoom();
  }
  const begin = () => beginEventStream(reply);
  if (request.method === "HEAD") {
    begin();
    reply.raw.end();
    return;
  }
  const peer = hub.addStream(reply.raw, query as LiveQuery, lastSeqOf(request), begin);
  request.expel = () => peer.expel();
}

/** Adds the routes; call it before any other route, so that none takes a WebSocket unawares. */
export async function addLive(app: FastifyInstance, deps: LiveDeps): Promise<void> {
  const hub = new LiveHub(deps);
  await app.register(websocket, {
    options: {
      server: webSocketUpgrades(app.server),
      maxPayload: messageBytesMax,
      perMessageDeflate: false,
      handleProtocols: answeredProtocol,
    },
    preClose: () => hub.close(),
    errorHandler: (error, socket) => {
      deps.logger.debug({ part: "live", err: error }, "a live socket failed");
      socket.terminate();
    },
  });
  // Refused before it was known as a WebSocket: nobody else would close the connection, and a
  // service that stops would wait for it.
  app.addHook("onResponse", async ({ raw }) => {
    if (raw.headers.upgrade?.toLowerCase() === "websocket") raw.socket.destroy();
  });
  app.route({
    method: "GET",
    url: "/live",
    config: { doc: socketDoc },
    preHandler: async (request) => {
      checkNames(request.query as RawQuery, {});
      if (!request.ws) throw new RankstreamError("upgrade_required", "expected a WebSocket");
      checkOrigin(request, deps.options.origins ?? []);
      hub.checkRoom();
    },
    handler: async () => undefined,
    wsHandler: (socket: WebSocket, request: FastifyRequest) => {
      const peer = hub.addSocket(socket, request.principal);
      if (peer !== null) request.expel = () => peer.expel();
    },
  });
  app.get("/live/events", { config: { doc: streamDoc } }, (request, reply) => {
    stream(hub, request, reply);
  });
}
