/** Examples (examples.ts) of the service itself. */
import type { RouteExample } from "./route-example.ts";

const backup = {
  id: "20261130T101500Z-5be1d40c",
  status: "done",
  progress: 1,
  createdAt: "2026-11-30T10:15:00.020Z",
  finishedAt: "2026-11-30T10:15:00.310Z",
  receivedThrough: "2026-11-30T10:15:00.041Z",
  restorableFrom: "2026-11-30T10:15:00.041Z",
  restorableTo: "2026-11-30T10:16:11.402Z",
  total: 23,
  bytes: 540672,
  sentBytes: 31744,
};

export const operationExamples: Readonly<Record<string, readonly RouteExample[]>> = {
  "POST /admin/snapshot": [
    {
      name: "named",
      summary: "A snapshot with a name",
      status: 201,
      query: {
        name: "monday",
      },
      reply: {
        name: "monday",
        path: "/var/lib/rankstream/snapshots/monday",
        events: 23,
        linkedFiles: 0,
        counts: 39,
        offsets: [1, 1, 2, 1],
        asOf: "2026-11-29T23:27:57.460Z",
      },
    },
  ],
  "GET /admin/snapshots": [
    {
      name: "all",
      summary: "All there are",
      status: 200,
      reply: {
        snapshots: [
          {
            name: "monday",
            path: "/var/lib/rankstream/snapshots/monday",
          },
        ],
      },
    },
  ],
  "DELETE /admin/snapshots/:name": [
    {
      name: "one",
      summary: "Remove one",
      status: 200,
      path: {
        name: "monday",
      },
      reply: {
        name: "monday",
      },
    },
  ],
  "POST /admin/backups": [
    {
      name: "now",
      summary: "A backup that has begun",
      status: 202,
      reply: {
        backup: {
          id: "20261130T101500Z-5be1d40c",
          status: "running",
          progress: 0,
          createdAt: "2026-11-30T10:15:00.020Z",
          finishedAt: null,
          receivedThrough: null,
          restorableFrom: null,
          restorableTo: null,
          total: null,
          bytes: null,
          sentBytes: null,
        },
      },
    },
  ],
  "GET /admin/backups/:id": [
    {
      name: "done",
      summary: "A backup that is done",
      status: 200,
      path: {
        id: "20261130T101500Z-5be1d40c",
      },
      reply: backup,
    },
  ],
  "GET /admin/backups": [
    {
      name: "all",
      summary: "All there are",
      status: 200,
      reply: {
        address: "s3://backups/rankstream/",
        backups: [backup],
        log: {
          receivedThrough: "2026-11-30T10:16:11.402Z",
          waitingBytes: 0,
          gaps: 0,
        },
      },
    },
  ],
  "DELETE /admin/backups/:id": [
    {
      name: "done",
      summary: "Stop one, which is done already",
      status: 200,
      path: {
        id: "20261130T101500Z-5be1d40c",
      },
      reply: backup,
    },
  ],
  "POST /admin/cache/invalidate": [
    {
      name: "type",
      summary: "What is kept of a type",
      status: 200,
      body: {
        eventType: "song_play",
      },
      reply: {
        invalidated: 11,
      },
    },
  ],
  "GET /tail": [
    {
      name: "songs",
      summary: "Plays as they are accepted, until the client goes",
      status: 200,
      query: { eventType: "song_play", eventsPerSecond: 10 },
      replyType: "text/event-stream",
    },
  ],
  "GET /export": [
    {
      name: "item",
      summary: "One song's events as a table",
      status: 200,
      query: { eventType: "song_play", include: "song_4", format: "csv" },
      replyType: "text/csv",
    },
  ],
  "GET /status": [
    {
      name: "now",
      summary: "How the process is",
      status: 200,
      query: {
        upstream: false,
      },
      reply: {
        status: "ready",
        notReady: [],
        roles: ["edge", "ingest", "query"],
        version: "0.1.0",
        now: "2026-11-29T23:27:59.681Z",
        startedAt: "2026-11-29T23:27:39.298Z",
        uptimeSeconds: 20,
        accepted: {
          total: 31,
          perSecond: 0.2,
          perSecondLastMinute: 1.5,
        },
        counted: {
          total: 31,
          perSecond: 0.2,
          perSecondLastMinute: 1.5,
        },
        lag: {
          ms: 0,
          records: 0,
          asOf: "2026-11-29T23:27:59.336Z",
        },
        checkpoints: {
          count: 2,
          lastAt: "2026-11-29T23:27:52.783Z",
          ageMs: 6898,
        },
        disk: {
          storeBytes: 53067,
          freeBytes: 66775019520,
          totalBytes: 270553174016,
          logBytes: 5443,
        },
        live: {
          clients: 0,
          boards: 0,
        },
        memory: {
          rssBytes: 235159552,
          heapBytes: 26178112,
          bufferBytes: 82154693,
        },
        upstream: null,
      },
    },
  ],
  "GET /health/live": [
    {
      name: "live",
      summary: "It runs",
      status: 200,
      reply: {
        status: "live",
      },
    },
  ],
  "GET /health/ready": [
    {
      name: "ready",
      summary: "It is ready",
      status: 200,
      reply: {
        status: "ready",
      },
    },
  ],
  "GET /metrics": [
    {
      name: "all",
      summary: "Every number",
      status: 200,
    },
  ],
  "GET /metrics/history": [
    {
      name: "rate",
      summary: "How fast events were counted in an hour that is long over",
      status: 200,
      query: {
        name: "rankstream_ingest_events_total",
        from: "2020-01-01T10:00:00Z",
        to: "2020-01-01T11:00:00Z",
      },
      reply: {
        from: "2020-01-01T11:00:00.000Z",
        to: "2020-01-01T11:00:00.000Z",
        stepSeconds: 60,
        intervalSeconds: 60,
        series: [],
        isCut: false,
      },
    },
  ],
  "GET /openapi.json": [
    {
      name: "all",
      summary: "The whole description",
      status: 200,
    },
  ],
};
