/**
 * JSON Schemas of replies about the service and what it keeps: event types, jobs, labels, deletes,
 * snapshots, changes. Those of questions are in reply-schemas.ts.
 */
import { errorKinds } from "../errors-table.ts";
import { aggregationWindows } from "../query/registry.ts";
import { regionSchemas } from "./region-schemas.ts";
import {
  count,
  farTime,
  flag,
  listOf,
  number,
  object,
  orNull,
  ref,
  type Schema,
  share,
  text,
  time,
} from "./schema.ts";
import { userSchemas } from "./user-schemas.ts";

export const eventId = text("The item.", { minLength: 1 });
export const eventType = text("The event type.", { minLength: 1 });
export const rank = (description: string) => count(description, { minimum: 1 });

export const label = {
  label: text("What the item is called."),
  url: text("Where it leads: http or https."),
  imageUrl: text("Its picture: http or https."),
};
const job = object(
  {
    id: text("Its name."),
    kind: text("What is asked.", {
      enum: ["leaderboard", "item", "items", "series", "trending", "erasure"],
    }),
    status: text("How far it is.", {
      enum: ["queued", "running", "done", "failed", "cancelled"],
    }),
    progress: share("How much of it is done."),
    createdAt: time("When it was asked."),
    startedAt: orNull(time("When it began; null before.")),
    finishedAt: orNull(time("When it ended; null before.")),
    expiresAt: orNull(time("When it is forgotten; null before its end.")),
    result: { description: "The answer, only of a job that is done: that of its question." },
    error: object(
      { code: text("Of the errors' table."), detail: text("What went wrong.") },
      [],
      "Of one that failed; of an erasure, why its last try did.",
    ),
  },
  ["result", "error"],
);

const refusedLine = object(
  {
    line: rank("The line's number, or the place in the array, from 1."),
    field: text("What is wrong in it."),
    code: text("Of the table of lines' errors."),
    message: text("What was expected and what came."),
  },
  ["field"],
);

const linesReply = object({
  accepted: count("Lines taken."),
  rejected: count("Lines refused."),
  errors: listOf(ref("RefusedLine"), "The first 100 of them.", { maxItems: 100 }),
});

const deleteReply = object(
  {
    dryRun: flag("Nothing was deleted."),
    eventType,
    eventId,
    from: orNull(farTime("Beginning of the range; null: all times.")),
    to: orNull(farTime("Its end, exclusive; null: all times.")),
    events: count("Events that went, or would go."),
    count: count("Sum of their weights."),
    items: count("Items they are of."),
    windows: count("Windows that change."),
    files: count("Files that hold some of them."),
    firstSeen: orNull(time("The first of them; null without one.")),
    lastSeen: orNull(time("The last of them; null without one.")),
    replicated: count("Where there are several regions: the others' counts that went here."),
  },
  ["eventId", "replicated"],
);

const snapshotInfo = {
  name: text("Its folder's name."),
  path: text("Its folder on the service's machine."),
};

const backup = object(
  {
    id: text("Its name: the time and eight hexadecimal digits."),
    status: text("How far it is.", { enum: ["running", "done", "failed", "cancelled"] }),
    progress: share("How much of it is done."),
    createdAt: time("When it began."),
    finishedAt: orNull(time("When it ended; null before.")),
    receivedThrough: orNull(time("Nothing it counts was received later; null before its end.")),
    restorableFrom: orNull(time("The first moment that can be restored with it; null: its own.")),
    restorableTo: orNull(time("And the last, by now.")),
    total: orNull(count("Sum of the weights of all events in it.")),
    bytes: orNull(count("Of the files it is made of.")),
    sentBytes: orNull(count("Of what had to be written for it.")),
    error: object({ code: text("Of the errors' table."), detail: text("What went wrong.") }),
  },
  ["error"],
);

const eventTypeView = object({
  name: eventType,
  total: count("All its events, each as many as its weight."),
  firstSeen: orNull(time("Of its first event; null without one.")),
  lastSeen: orNull(time("Of its last event; null without one.")),
  description: orNull(text("What it is.")),
  retentionDays: orNull(rank("How long its events are kept; null: for ever.")),
  aggregationWindow: count("Seconds of the finest windows that are kept.", {
    enum: aggregationWindows,
  }),
});

const labelledItem = object({
  eventType,
  eventId,
  label: orNull(label.label),
  url: orNull(label.url),
  imageUrl: orNull(label.imageUrl),
});

const change = object(
  {
    eventType,
    from: { type: "integer", description: "Epoch ms." },
    to: { type: "integer", description: "Epoch ms, exclusive." },
    undoes: flag("It took something back: no older answer may be shown."),
    version: count("The version it came with."),
  },
  ["undoes"],
);

const problem = object(
  {
    type: text("`urn:rankstream:error:` and the code.", { format: "uri" }),
    title: text("What kind of error it is."),
    status: { type: "integer", minimum: 400, maximum: 599, description: "That of the reply." },
    code: text("Stable name of the kind.", { enum: Object.keys(errorKinds) }),
    detail: text("What was expected, what came and where."),
    hint: text("What to do about it."),
    requestId: text("The request's, as in `X-Request-Id` and in the log."),
  },
  ["requestId"],
  "RFC 9457. Some kinds have further members, such as `parameter`.",
);

/** By name. */
export const serviceSchemas: Readonly<Record<string, Schema>> = Object.freeze({
  Job: job,
  Jobs: object({ jobs: listOf(ref("Job"), "In the order of their making, without results.") }),
  AcceptedJob: object(
    { job: ref("Job"), approximate: ref("Leaderboard") },
    ["approximate"],
    "`approximate`: of a board, what its bounds say already.",
  ),
  BatchReply: linesReply,
  LabelsReply: linesReply,
  RefusedLine: refusedLine,
  DeleteReply: deleteReply,
  ...userSchemas,
  ...regionSchemas,
  Snapshot: object({
    ...snapshotInfo,
    asOf: time("Everything acknowledged up to here is in."),
    events: count("Rows of raw_events."),
    counts: count("Rows of event_counts."),
    linkedFiles: count("Files of raw events that are the store's own, and take no room."),
    offsets: listOf(count("The next record's."), "Up to where, by partition of the log."),
  }),
  Snapshots: object({ snapshots: listOf(object(snapshotInfo), "By name.") }),
  DroppedSnapshot: object({ name: snapshotInfo.name }),
  Backup: backup,
  AcceptedBackup: object({ backup: ref("Backup") }),
  Backups: object({
    address: text("Where they are."),
    backups: listOf(ref("Backup"), "The oldest first; those that run or failed, too."),
    log: object({
      receivedThrough: orNull(time("Everything received by then is there; null: not known yet.")),
      waitingBytes: count("Of the log, not there yet."),
      gaps: count("Since the start: how often some was freed before it was there."),
    }),
  }),
  EventType: eventTypeView,
  EventTypes: object({ eventTypes: listOf(ref("EventType"), "All there are, by name.") }),
  LabelledItem: labelledItem,
  Changes: object({
    version: count("Of the data, once all of `changes` is in."),
    reset: flag("What changed is not known any more: nothing kept holds."),
    settled: {
      type: ["boolean", "null"],
      description: "Everything acknowledged before is in; null where that wasn't asked.",
    },
    changes: listOf(change, "Stretches of event types' time, the oldest first."),
    dataId: text("Names the data that versions are of."),
  }),
  Invalidated: object({ invalidated: count("How many kept answers were dropped.") }),
  MetricsHistory: object({
    from: time("Where the first step begins."),
    to: time("Where the last one ends."),
    stepSeconds: count("Of each step."),
    intervalSeconds: orNull(number("From one sample to the next; null: none are kept.")),
    series: listOf(
      object({
        name: text("The metric."),
        labels: { ...object({}, [], "Values by name."), additionalProperties: { type: "string" } },
        as: text("What `values` are: per second, or as they were.", { enum: ["rate", "value"] }),
        values: listOf(orNull(number("Of a step.")), "Step by step.", { maxItems: 1001 }),
      }),
      "By name and labels.",
      { maxItems: 50 },
    ),
    isCut: flag("There are more series than these."),
  }),
  Status: object({ status: text("`live` or `ready`.", { enum: ["live", "ready"] }) }),
  Problem: problem,
});
