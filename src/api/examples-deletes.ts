/** Examples (examples.ts) of deletes. */
import type { RouteExample } from "./route-example.ts";

export const deleteExamples: Readonly<Record<string, readonly RouteExample[]>> = {
  "DELETE /items/:eventType/:eventId": [
    {
      name: "day",
      summary: "An item's events of a day, only to see what would go",
      status: 200,
      path: {
        eventType: "song_play",
        eventId: "song_4",
      },
      query: {
        dryRun: true,
        from: "2026-11-22T00:00:00Z",
        to: "2026-11-25T00:00:00Z",
      },
      reply: {
        dryRun: true,
        eventType: "song_play",
        eventId: "song_4",
        from: "2026-11-22T00:00:00.000Z",
        to: "2026-11-25T00:00:00.000Z",
        events: 1,
        count: 1,
        items: 1,
        windows: 3,
        files: 0,
        firstSeen: "2026-11-23T10:00:00.000Z",
        lastSeen: "2026-11-23T10:00:00.000Z",
      },
    },
  ],
  "DELETE /items": [
    {
      name: "all",
      summary: "All events of an item",
      status: 200,
      query: {
        eventType: "song_skip",
        eventId: "song_9",
      },
      reply: {
        dryRun: false,
        eventType: "song_skip",
        eventId: "song_9",
        from: null,
        to: null,
        events: 2,
        count: 2,
        items: 1,
        windows: 2,
        files: 0,
        firstSeen: "2026-11-24T10:30:00.000Z",
        lastSeen: "2026-11-24T10:31:00.000Z",
      },
    },
  ],
  "DELETE /event-types/:name/events": [
    {
      name: "day",
      summary: "The events of a day",
      status: 200,
      path: {
        name: "song_play",
      },
      query: {
        from: "2026-11-22T00:00:00Z",
        to: "2026-11-23T00:00:00Z",
      },
      reply: {
        dryRun: false,
        eventType: "song_play",
        from: "2026-11-22T00:00:00.000Z",
        to: "2026-11-23T00:00:00.000Z",
        events: 6,
        count: 6,
        items: 3,
        windows: 5,
        files: 0,
        firstSeen: "2026-11-22T10:00:00.000Z",
        lastSeen: "2026-11-22T10:02:00.000Z",
      },
    },
  ],
  "DELETE /event-types/:name": [
    {
      name: "dryRun",
      summary: "Only to see what would go",
      status: 200,
      path: {
        name: "song_play",
      },
      query: {
        dryRun: true,
      },
      reply: {
        dryRun: true,
        eventType: "song_play",
        from: null,
        to: null,
        events: 23,
        count: 23,
        items: 4,
        windows: 17,
        files: 0,
        firstSeen: "2026-11-23T10:00:00.000Z",
        lastSeen: "2026-11-24T10:08:00.000Z",
      },
    },
  ],
};
