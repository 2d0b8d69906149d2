/** Examples (examples.ts) of what is kept of users, and of erasing it. */
import type { RouteExample } from "./route-example.ts";

export const userExamples: Readonly<Record<string, readonly RouteExample[]>> = {
  "DELETE /users/:userId": [
    {
      name: "dryRun",
      summary: "Only to see what would go",
      status: 200,
      path: { userId: "user_1" },
      query: { dryRun: true, metadata: "country,email" },
      reply: {
        dryRun: true,
        events: 8,
        files: 0,
        eventTypes: ["song_play", "song_skip"],
        firstSeen: "2026-11-22T10:01:00.000Z",
        lastSeen: "2026-11-24T10:30:00.000Z",
        metadataKeys: ["country", "email"],
      },
    },
  ],
  "DELETE /users": [
    {
      name: "dryRun",
      summary: "Only to see what would go",
      status: 200,
      query: { userId: "..", dryRun: true },
      reply: {
        dryRun: true,
        events: 0,
        files: 0,
        eventTypes: [],
        firstSeen: null,
        lastSeen: null,
        metadataKeys: [],
      },
    },
  ],
  "GET /users/:userId/events": [
    { name: "all", summary: "All events of a user", status: 200, path: { userId: "user_1" } },
  ],
  "GET /users/events": [
    { name: "all", summary: "All events of a user", status: 200, query: { userId: ".." } },
  ],
};
