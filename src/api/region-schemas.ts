/** JSON Schemas of replies about regions. */
import { regionLevels } from "../model-region-wire.ts";
import { count, flag, listOf, number, object, orNull, type Schema, text, time } from "./schema.ts";

const region = text("Its name.", { minLength: 1 });
const minute = (description: string) => count(`${description} Minutes since 1970.`);

const standing = object(
  {
    region,
    address: orNull(text("Where it is asked; null: it is lost.")),
    state: text("How it is followed.", {
      enum: ["waiting", "following", "behind", "unreachable", "refused", "lost"],
    }),
    completeThrough: orNull(time("All it counted of minutes before this is in; null: unknown.")),
    candidatesAsOf: orNull(time("Of later minutes its top items are in as of this; null: none.")),
    heardAt: orNull(time("When it last answered; null: never.")),
    lagSeconds: orNull(number("How long ago completeThrough is; null: unknown.")),
    isLost: flag("It is not asked any more: its counts stay as they are."),
    minutesAhead: count("Minutes in which it has fewer events than are kept of it here."),
    detail: orNull(text("Why it is not followed; null: it is.")),
  },
  [],
  "Another region.",
);

export const regionSchemas: Readonly<Record<string, Schema>> = Object.freeze({
  Regions: object({
    region,
    regions: listOf(standing, "The others, by name."),
  }),
  RegionTotals: object({
    format: count("Of these messages."),
    region,
    asOf: count("Everything acknowledged before is in. Epoch ms."),
    completeThrough: minute("Minutes before are over."),
    coarsestSeconds: count("Of the coarsest windows that a type is kept in after its day."),
    horizons: listOf(
      object({ eventType: text("The event type."), minute: minute("From when on it is kept.") }),
      "Those asked with, and its own.",
    ),
    cells: listOf(
      listOf(
        listOf(
          { type: "integer" },
          "Start, sum, and 1 where its smaller parts are not all kept.",
          {
            minItems: 3,
            maxItems: 3,
          },
        ),
        `Cells of a span (${regionLevels.join(", ")}) that have events.`,
      ),
      "By span.",
    ),
  }),
  RegionResync: object({
    region,
    events: count("Events that were deleted here."),
    count: count("Sum of their weights."),
    generation: count("When that was done, in epoch ms, or later: greater each time."),
  }),
});
