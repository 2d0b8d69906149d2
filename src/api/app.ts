/** The HTTP side: routes, limits, and one form for every error. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type Access, openAccess } from "../access/access.ts";
import type { ByteBudget } from "../edge/byte-budget.ts";
import type { Edge } from "../edge/edge.ts";
import type { EventTap } from "../edge/event-tap.ts";
import { didYouMean, quoted, RankstreamError } from "../errors.ts";
import type { Limiter } from "../limits/limiter.ts";
import type { PageRequest } from "../query/pages.ts";
import type { Metrics } from "../telemetry-metrics.ts";
import { noTracing, type Tracing } from "../telemetry-tracing.ts";
import { addAccess, checkTypes } from "./access-hook.ts";
import { addAdmin } from "./admin.ts";
import { addHostCheck, hostCheck } from "./allowed-hosts.ts";
import { askTraced } from "./ask-traced.ts";
import { addBackups, type BackupPort } from "./backups.ts";
import { formatOf, sendRows, tableSchemas } from "./board-format.ts";
import { addChanges, type ChangePort } from "./changes.ts";
import { boundClosing } from "./closing.ts";
import { addCors, corsHeaders } from "./cors.ts";
import { addDeletes, type DeletePort } from "./deletes.ts";
import { addEventTypes, type EventTypePort } from "./event-types.ts";
import { addEvents } from "./events.ts";
import { addExports, type ExportPort } from "./exports.ts";
import { clientAddress } from "./forwarded.ts";
import { addHandOn, type ProxyPort } from "./hand-on.ts";
import { hangUpSignal } from "./hang-up.ts";
import {
  type HttpAppOptions,
  headerBytesMax,
  makeFastify,
  type Refuse,
  refusing,
} from "./http-app.ts";
import { HttpMetrics } from "./http-metrics.ts";
import { addItems } from "./items.ts";
import {
  addJobs,
  answerOrJob,
  type CachePort,
  type JobPort,
  questionOtherReplies,
  questionReply,
} from "./jobs.ts";
import { addLabels, type LabelPort } from "./labels.ts";
import {
  type LeaderboardRequest,
  leaderboardParameters,
  readLeaderboardRequest,
  readPageRequest,
} from "./leaderboard.ts";
import { addLimits } from "./limits-hook.ts";
import { addLive } from "./live.ts";
import type { LiveOptions } from "./live-hub.ts";
import { addMetricsHistory, type MetricsHistoryPort } from "./metrics-history.ts";
import type { DocumentedRoute, RouteDoc } from "./openapi.ts";
import { addOperations } from "./operations.ts";
import { addClientFile, addPages } from "./pages.ts";
import { type RawQuery, single } from "./parameters.ts";
import { addRegions, noRegions, type RegionPort } from "./regions.ts";
import { addRequestId } from "./request-id.ts";
import { logRequests, RequestLog } from "./request-log.ts";
import { addRequestTrace } from "./request-trace.ts";
import { ref } from "./schema.ts";
import { addSecurityHeaders } from "./security-headers.ts";
import { addSeries } from "./series.ts";
import { addSnapshots, type SnapshotPort } from "./snapshots.ts";
import { addStatus, type StatusPort } from "./status.ts";
import { addTail } from "./tail.ts";
import { addTrending } from "./trending.ts";
import { addUsers, type UserPort, withoutUser } from "./users.ts";
import type { Uws } from "./uws.ts";
import { UwsServer } from "./uws-server.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    doc?: RouteDoc;
  }
  interface FastifyInstance {
    /** Listens in its place. */
    uwsServer: UwsServer | null;
  }
}

export interface ApiDeps extends HttpAppOptions {
  /** `tap`: of one that takes events itself. */
  edge: Pick<Edge, "ingest"> & { tap?: EventTap };
  /** Of a node that hands on what it doesn't answer itself (hand-on.ts). */
  proxy?: ProxyPort;
  /** Answers questions; what it throws as RankstreamError is answered by the errors table. */
  cache: CachePort;
  changes: ChangePort;
  jobs: JobPort;
  /** The page of a board at a cursor. */
  page(request: PageRequest): Promise<object>;
  eventTypes: EventTypePort;
  labels: LabelPort;
  snapshots: SnapshotPort;
  backups: BackupPort;
  /** Default: the service is of no region. */
  regions?: RegionPort;
  exports: ExportPort;
  deleteEvents: DeletePort;
  users: UserPort;
  /** The edge's own: bodies being received are in it too. */
  budget: ByteBudget;
  metrics: Metrics;
  /** Names of the parts that are not ready; empty once events are taken and queries answered. */
  notReady: () => readonly string[];
  /** How the process is, at a glance. */
  status: StatusPort;
  metricsHistory: MetricsHistoryPort;
  version: string;
  /** Requests that take longer are written; 0: none is. */
  slowRequestMs: number;
  /** Whether lines of requests name the client's address. */
  hasAddresses: boolean;
  /** Default: nothing is traced. */
  tracing?: Tracing;
  /** How long requests under way may take once closing has begun; then they are cut. */
  closeMsMax: number;
  /** Names that may be asked for beside localhost and addresses; null, the default: any. */
  allowedHosts?: readonly string[] | null;
  /** Whose pages may send events and ask; `*`: everybody's. */
  corsOrigins?: readonly string[];
  /** Folder of the page's files; none are served where there is none. */
  webFolder?: string;
  /** Who may frame the page where it is asked for with `embed=1`; default `'none'`. */
  frameAncestors?: string;
  /** Bounds of GET /live and GET /live/events other than their own. */
  live?: LiveOptions;
  /** Has the port then, and takes POST /events itself. */
  uws?: Uws | null;
  /** Says who asks; default: anybody may do everything. */
  access?: Access;
  /** Says how much each may ask; default: as much as they like. */
  limiter?: Limiter | null;
}

/** Whether a route such as `/items/:eventType/:eventId` is at an address of these parts. */
function isAt(route: string, parts: readonly string[]): boolean {
  const wanted = route.split("/");
  const fits = (name: string, i: number) => name === parts[i] || (name[0] === ":" && !!parts[i]);
  return wanted.length === parts.length && wanted.every(fits);
}

/** 405 where the address is known with other methods, else 404 with the nearest address. */
function answerUnrouted(
  app: FastifyInstance,
  methodsByPath: Map<string, Set<string>>,
  refuse: Refuse,
): void {
  const answer = (request: FastifyRequest, reply: FastifyReply) => {
    const path = request.url.split("?", 1)[0] as string;
    // Once: an address may be of thousands of parts.
    const parts = path.split("/");
    const shown = withoutUser(path);
    const methods = [...methodsByPath].flatMap(([route, own]) =>
      isAt(route, parts) ? [...own] : [],
    );
    if (methods.length > 0) {
      const allow = [...new Set(methods)].sort().join(", ");
      const detail = `${shown} takes ${allow}, got ${request.method}`;
      return refuse(
        reply.header("allow", allow),
        new RankstreamError("method_not_allowed", detail),
      );
    }
    const hint = didYouMean(shown, methodsByPath.keys());
    const detail = `there is nothing at ${quoted(shown)}.${hint}`;
    return refuse(reply, new RankstreamError("not_found", detail));
  };
  app.setNotFoundHandler(answer);
  // Fastify would first of all ask for the type of a body that nobody reads.
  app.addHook("onRequest", async (request, reply) => {
    if (request.is404 && request.method === "QUERY") return answer(request, reply);
  });
}

function addQueries(app: FastifyInstance, ports: ApiDeps): void {
  const leaderboardDoc: RouteDoc = {
    summary: "The top K of a time range",
    parameters: leaderboardParameters,
    reply: {
      ...questionReply,
      description: "The leaderboard.",
      schema: ref("Leaderboard"),
      otherTypes: tableSchemas,
      headers: { ...questionReply.headers, "X-Next-Cursor": "Of a table: its nextCursor." },
    },
    otherReplies: questionOtherReplies,
    problems: [410],
  };
  app.get("/leaderboard", { config: { doc: leaderboardDoc } }, async (request, reply) => {
    const query = request.query as RawQuery;
    const format = formatOf(request);
    const cursor = single(query, "cursor");
    if (cursor !== undefined) {
      const page = await ports.page(readPageRequest(query, cursor));
      // A cursor may come from somebody else's board.
      checkTypes(request.principal, (page as { eventType: string }).eventType.split(","));
      return format === "json" ? page : sendRows(reply, format, page as RowsOf);
    }
    const asked = readLeaderboardRequest(query, Date.now());
    if (format === "json") return answerOrJob(ports, "leaderboard", asked, request, reply);
    const signal = hangUpSignal(reply);
    const control = { signal, span: request.span };
    const { text } = await askTraced(ports.cache, "leaderboard", asked, control);
    return sendRows(reply, format, JSON.parse(text) as RowsOf);
  });
}

/** As much of a board as its rows take. */
type RowsOf = Parameters<typeof sendRows>[2];

/** What /metrics says of the whole process. */
function describeApi({ metrics, budget, notReady }: ApiDeps): void {
  const gauge = (name: string, help: string, read: () => number) =>
    metrics.readGauge(`rankstream_${name}`, help, read);
  gauge("http_held_bytes", "Bytes of bodies held.", () => budget.bytesHeld);
  const readyHelp = "1 while events are taken and questions answered.";
  gauge("ready", readyHelp, () => (notReady().length === 0 ? 1 : 0));
}

/** All that is asked by HTTP alone; `routes` is what the description is made from. */
async function addRoutes(
  app: FastifyInstance,
  deps: ApiDeps,
  http: HttpMetrics,
  routes: DocumentedRoute[],
): Promise<void> {
  addEvents(app, deps, http);
  addQueries(app, deps);
  addTrending(app, deps);
  addSeries(app, deps);
  addItems(app, deps, deps.budget);
  addJobs(app, deps.jobs);
  addAdmin(app, deps.cache, deps.budget);
  addChanges(app, deps.changes);
  addEventTypes(app, deps.eventTypes, deps.budget);
  addLabels(app, deps.labels, deps.budget);
  addSnapshots(app, deps.snapshots);
  addBackups(app, deps.backups);
  addRegions(app, deps.regions ?? noRegions, deps.budget);
  addExports(app, deps.exports);
  addTail(app, deps.edge.tap ?? null);
  addDeletes(app, deps.deleteEvents);
  addUsers(app, deps.users, deps.exports);
  addStatus(app, deps.status);
  addMetricsHistory(app, deps.metricsHistory);
  addOperations(app, deps, routes);
  if (deps.webFolder !== undefined) {
    await addPages(app, deps.webFolder, deps.frameAncestors);
    await addClientFile(app, deps.webFolder);
  }
}

/** Builds the app; the caller listens on it (see listen.ts) and closes it. */
export async function buildApi(deps: ApiDeps): Promise<FastifyInstance> {
  const { uws = null, corsOrigins = [], access = openAccess, limiter = null } = deps;
  const { tracing = noTracing } = deps;
  const http = new HttpMetrics(deps.metrics);
  // Over uWebSockets.js connections within the process are plain.
  const app = makeFastify(uws === null ? deps : { ...deps, tls: undefined }, http);
  const cors = corsHeaders(corsOrigins);
  const checkHost = hostCheck(deps.allowedHosts ?? null);
  const requestLog = new RequestLog(deps);
  const clientOf = clientAddress(deps.trustedProxies ?? []);
  const checks = { headerBytesMax, cors, checkHost, clientOf, access, limiter };
  const uwsDeps = { ...deps, ...checks, http, requestLog, tracing };
  app.decorate("uwsServer", uws && new UwsServer(uws, app, uwsDeps));
  const methodsByPath = new Map<string, Set<string>>();
  const routes: DocumentedRoute[] = [];
  app.addHook("onRoute", ({ method, url, config }) => {
    const methods = methodsByPath.get(url) ?? new Set();
    methodsByPath.set(url, methods);
    for (const name of [method].flat()) {
      methods.add(name);
      const doc = config?.doc;
      if (doc !== undefined && name !== "HEAD") routes.push({ method: name, path: url, doc });
    }
  });
  http.attach(app, logRequests(app, requestLog));
  addRequestId(app);
  addSecurityHeaders(app);
  // Before all that answers: whatever it says, a page may read it.
  addCors(app, corsOrigins);
  addHostCheck(app, checkHost);
  boundClosing(app, deps.closeMsMax);
  addAccess(app, access);
  addLimits(app, limiter);
  addRequestTrace(app, tracing);
  const { cache, metrics, logger, live = {} } = deps;
  if (deps.proxy !== undefined)
    addHandOn(app, deps.proxy, deps.edge.tap === undefined ? [] : ["/tail"]);
  const leaderboard = async (request: LeaderboardRequest, address: string) =>
    JSON.parse(
      (await cache.ask("leaderboard", request, { address, isPatient: true })).text,
    ) as object;
  await addLive(app, { leaderboard, metrics, logger, options: live });
  await addRoutes(app, deps, http, routes);
  answerUnrouted(app, methodsByPath, refusing(http));
  describeApi(deps);
  // The last, after long polls and live sockets were told to end.
  app.addHook("preClose", async () => app.uwsServer?.drain());
  await app.ready();
  return app;
}
