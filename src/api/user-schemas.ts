/** JSON Schemas of replies about users. */
import { count, flag, listOf, object, orNull, ref, text, time } from "./schema.ts";

const snapshot = object({
  name: text("Its name."),
  path: text("Its folder on the service's machine."),
  events: count("Events of the user in it, as they came."),
  removed: flag("It was removed, as asked."),
});

const log = object(
  {
    kind: text("Where the log is.", { enum: ["embedded", "kafka"] }),
    topic: text("Of a log in Kafka."),
    holds: {
      description:
        "Whether the log still has records of before the erasure; null: nobody answers.",
      type: ["boolean", "null"],
    },
  },
  ["topic"],
);

export const userSchemas = {
  ErasureReply: object(
    {
      dryRun: flag("Nothing was erased."),
      events: count("Events of the user that were erased, or would be: they stay, without."),
      files: count("Files that hold some of them."),
      eventTypes: listOf(text("An event type."), "Of these events, by name."),
      firstSeen: orNull(time("The first of them; null without one.")),
      lastSeen: orNull(time("The last of them; null without one.")),
      metadataKeys: listOf(text("A key; `*`: all."), "What goes of their metadata."),
      erasedThrough: time("Events received up to here are erased, whenever they are counted."),
      snapshots: listOf(snapshot, "Those that hold events of the user, or did."),
      log,
    },
    ["erasedThrough", "snapshots", "log"],
    "The last three not of a dry run.",
  ),
  AcceptedErasure: object({ job: ref("Job") }),
};
