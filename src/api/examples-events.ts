/** Examples (examples.ts) of events, event types and jobs. */
import type { RouteExample } from "./route-example.ts";

export const eventExamples: Readonly<Record<string, readonly RouteExample[]>> = {
  "GET /event-types": [
    {
      name: "all",
      summary: "All there are",
      status: 200,
      reply: {
        eventTypes: [
          {
            name: "song_play",
            total: 29,
            firstSeen: "2026-11-22T10:00:00.000Z",
            lastSeen: "2026-11-24T10:08:00.000Z",
            description: null,
            retentionDays: null,
            aggregationWindow: 60,
          },
        ],
      },
    },
  ],
  "POST /events": [
    {
      name: "one",
      summary: "One event",
      status: 202,
      body: {
        eventId: "song_9",
        eventType: "song_skip",
        timestamp: "2026-11-24T10:30:00Z",
        userId: "user_1",
        metadata: {
          country: "DE",
        },
      },
      reply: {
        accepted: 1,
        rejected: 0,
        errors: [],
      },
    },
    {
      name: "lines",
      summary: "Lines, one of them bad",
      status: 202,
      headers: {
        "Idempotency-Key": "player-7/1",
      },
      body: [
        '{"eventId":"song_9","eventType":"song_skip","timestamp":"2026-11-24T10:31:00Z"}',
        '{"eventId":"song_9"}',
        "",
      ].join("\n"),
      bodyType: "application/x-ndjson",
      reply: {
        accepted: 1,
        rejected: 1,
        errors: [
          {
            line: 2,
            field: "eventType",
            code: "missing_field",
            message: "eventType: expected this field, the event has none at byte 1",
          },
        ],
      },
    },
  ],
  "GET /changes": [
    {
      name: "from",
      summary: "Everything since the beginning",
      status: 200,
      query: {
        since: 0,
      },
      reply: {
        version: 6,
        reset: false,
        settled: null,
        changes: [
          {
            eventType: "song_play",
            from: 1795341600000,
            to: 1795345200000,
            version: 3,
          },
          {
            eventType: "song_play",
            from: 1795428000000,
            to: 1795431600000,
            version: 3,
          },
          {
            eventType: "song_play",
            from: 1795514400000,
            to: 1795518000000,
            version: 3,
          },
          {
            eventType: "song_play",
            from: 0,
            to: 253402300800000,
            undoes: true,
            version: 4,
          },
          {
            eventType: "song_play",
            from: 0,
            to: 253402300800000,
            undoes: true,
            version: 5,
          },
          {
            eventType: "song_play",
            from: 0,
            to: 253402300800000,
            undoes: true,
            version: 6,
          },
        ],
        dataId: "6867e123-e5f5-4265-8b9e-057dd2093fa3",
      },
    },
  ],
  "PUT /event-types/:name": [
    {
      name: "settings",
      summary: "Describe a type",
      status: 200,
      path: {
        name: "song_play",
      },
      body: {
        description: "A song was played for 30 s.",
        retentionDays: null,
      },
      reply: {
        name: "song_play",
        total: 29,
        firstSeen: "2026-11-22T10:00:00.000Z",
        lastSeen: "2026-11-24T10:08:00.000Z",
        description: "A song was played for 30 s.",
        retentionDays: null,
        aggregationWindow: 60,
      },
    },
  ],
  "GET /event-types/:name": [
    {
      name: "one",
      summary: "One type",
      status: 200,
      path: {
        name: "song_play",
      },
      reply: {
        name: "song_play",
        total: 29,
        firstSeen: "2026-11-22T10:00:00.000Z",
        lastSeen: "2026-11-24T10:08:00.000Z",
        description: "A song was played for 30 s.",
        retentionDays: null,
        aggregationWindow: 60,
      },
    },
  ],
  "GET /jobs": [
    {
      name: "all",
      summary: "All jobs",
      status: 200,
      reply: {
        jobs: [
          {
            id: "W6W_kom_ci5SQawOv3FwLg",
            kind: "leaderboard",
            status: "done",
            progress: 1,
            createdAt: "2026-11-29T23:27:46.141Z",
            startedAt: "2026-11-29T23:27:46.151Z",
            finishedAt: "2026-11-29T23:27:46.189Z",
            expiresAt: "2026-11-30T00:27:46.189Z",
          },
        ],
      },
    },
  ],
  "GET /jobs/:id": [
    {
      name: "done",
      summary: "A job that is done",
      status: 200,
      path: {
        id: "W6W_kom_ci5SQawOv3FwLg",
      },
      reply: {
        id: "W6W_kom_ci5SQawOv3FwLg",
        kind: "leaderboard",
        status: "done",
        progress: 1,
        createdAt: "2026-11-29T23:27:46.141Z",
        startedAt: "2026-11-29T23:27:46.151Z",
        finishedAt: "2026-11-29T23:27:46.189Z",
        expiresAt: "2026-11-30T00:27:46.189Z",
        result: {
          timeRange: "2026-11-22T00:00:00.000Z to 2026-11-25T00:00:00.000Z",
          from: "2026-11-22T00:00:00.000Z",
          to: "2026-11-25T00:00:00.000Z",
          effectiveFrom: "2026-11-22T00:00:00.000Z",
          effectiveTo: "2026-11-25T00:00:00.000Z",
          eventType: "song_play",
          k: 1,
          mode: "exact",
          certified: true,
          certifiedRanks: 1,
          partial: false,
          stale: false,
          asOf: "2026-11-29T23:27:46.163Z",
          total: 29,
          distinct: 4,
          others: 19,
          results: [
            {
              eventId: "song_3",
              count: 10,
              rank: 1,
              lower: 10,
              upper: 10,
              share: 0.344828,
            },
          ],
          plan: {
            rowsRead: {
              lists: 0,
              counts: 29,
              raw: 0,
            },
            windows: {
              minute: 0,
              hour: 0,
              day: 0,
              month: 0,
            },
            sketches: 0,
          },
          nextCursor: "SKVEPfbuyxkyxBYt.0",
        },
      },
    },
  ],
  "DELETE /jobs/:id": [
    {
      name: "forget",
      summary: "Forget it",
      status: 200,
      path: {
        id: "W6W_kom_ci5SQawOv3FwLg",
      },
      reply: {
        id: "W6W_kom_ci5SQawOv3FwLg",
        kind: "leaderboard",
        status: "done",
        progress: 1,
        createdAt: "2026-11-29T23:27:46.141Z",
        startedAt: "2026-11-29T23:27:46.151Z",
        finishedAt: "2026-11-29T23:27:46.189Z",
        expiresAt: "2026-11-30T00:27:46.189Z",
      },
    },
  ],
};
