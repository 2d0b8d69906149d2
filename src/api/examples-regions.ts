/** Examples (examples.ts) of a service that is of region eu and follows region us. */
import type { RouteExample } from "./route-example.ts";

export const regionExamples: Readonly<Record<string, readonly RouteExample[]>> = {
  "GET /regions": [{ name: "all", summary: "How fresh each region is", status: 200 }],
  "POST /regions/totals": [
    {
      name: "days",
      summary: "Sums of days",
      status: 200,
      body: { spans: [{ level: "day", from: 0, to: 28800000 }], horizons: [] },
    },
  ],
  "POST /regions/counts": [
    {
      name: "hour",
      summary: "Counts of an hour by item",
      status: 200,
      body: { level: "hour", from: 28800000, to: 28800060, horizons: [], itemsMax: null },
      reply: '{"rows":0}\n',
      replyType: "application/x-ndjson",
    },
  ],
  "POST /admin/regions/:name/resync": [
    {
      name: "day",
      summary: "Copy a region's counts of a day anew",
      status: 200,
      path: { name: "us" },
      query: { from: "2026-11-29T00:00:00Z", to: "2026-11-30T00:00:00Z" },
      reply: { region: "us", events: 0, count: 0, generation: 1_796_083_200_000 },
    },
  ],
};
