/**
 * Examples of /openapi.json, by method and route. A test asks each of them of a service that has
 * the events of test/api/sample-events.ts, in this order: replies are compared word for word, save
 * for names, times and numbers that no two services share.
 */
import { boardExamples } from "./examples-boards.ts";
import { deleteExamples } from "./examples-deletes.ts";
import { eventExamples } from "./examples-events.ts";
import { itemExamples } from "./examples-items.ts";
import { operationExamples } from "./examples-operations.ts";
import { regionExamples } from "./examples-regions.ts";
import { seriesExamples } from "./examples-series.ts";
import { userExamples } from "./examples-users.ts";
import type { RouteExample } from "./route-example.ts";

export const routeExamples: Readonly<Record<string, readonly RouteExample[]>> = Object.freeze({
  ...boardExamples,
  ...seriesExamples,
  ...itemExamples,
  ...eventExamples,
  ...userExamples,
  ...deleteExamples,
  ...operationExamples,
  ...regionExamples,
});
