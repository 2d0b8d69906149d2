/**
 * The kinds of errors that reach a user: one table of code, HTTP status, title and what to do.
 * The documentation's table is checked against it by a test.
 */
import { accessKinds } from "./errors-access.ts";
import { backupKinds } from "./errors-backup.ts";
import { jobKinds } from "./errors-jobs.ts";
import { lakeKinds } from "./errors-lake.ts";
import { limitKinds } from "./errors-limits.ts";
import { regionKinds } from "./errors-regions.ts";

export interface ErrorKind {
  status: number;
  title: string;
  /** What the caller can do about it. */
  hint: string;
}

const requestKinds = {
  invalid_parameter: {
    status: 400,
    title: "A parameter is not valid",
    hint: "Correct the parameter named in the detail.",
  },
  unknown_parameter: {
    status: 400,
    title: "A parameter is not known",
    hint: "Remove it or correct its name; GET /openapi.json lists them all.",
  },
  invalid_time_range: {
    status: 400,
    title: "The time range is not valid",
    hint: "Send timeRange (last_3_hours, today, an ISO interval) or both from and to.",
  },
  invalid_time_zone: {
    status: 400,
    title: "The time zone is not known",
    hint: "Send an IANA name such as Europe/Berlin, or UTC.",
  },
  invalid_timestamp: {
    status: 400,
    title: "A timestamp is not valid",
    hint: "Send RFC 3339 with a zone (2026-11-24T10:30:00Z) or epoch milliseconds.",
  },
  bad_request: {
    status: 400,
    title: "The request is not valid HTTP",
    hint: "Check the request line, the headers and the body's length.",
  },
  not_found: {
    status: 404,
    title: "There is nothing at this address",
    hint: "GET /openapi.json lists every address.",
  },
  method_not_allowed: {
    status: 405,
    title: "The address does not take this method",
    hint: "Use a method of the Allow header.",
  },
  request_timeout: {
    status: 408,
    title: "The request did not arrive in time",
    hint: "Send headers and body without pauses, or smaller batches.",
  },
  uri_too_long: {
    status: 414,
    title: "A part of the address is too long",
    hint: "Shorten it; ids are at most 512 bytes.",
  },
  headers_too_large: {
    status: 431,
    title: "The request's headers are too large",
    hint: "Send at most 16 KiB of headers, the address included.",
  },
  invalid_message: {
    status: 400,
    title: "A message to the live socket is not valid",
    hint: 'Send {"type":"subscribe","id":…,"query":{…}} or {"type":"unsubscribe","id":…} as text.',
  },
  forbidden_origin: {
    status: 403,
    title: "Pages of this origin may not do this",
    hint: "Do it from the service's own page, or from a program that sends no Origin.",
  },
  upgrade_required: {
    status: 426,
    title: "The address speaks WebSocket",
    hint: "Open it as ws:// or wss://, or poll GET /leaderboard.",
  },
  http_version_too_old: {
    status: 505,
    title: "The reply can not be sent by HTTP/1.0",
    hint: "Ask by HTTP/1.1; a proxy in between has to as well (nginx: proxy_http_version 1.1).",
  },
  too_many_subscriptions: {
    status: 429,
    title: "Too many live boards are open",
    hint: "Unsubscribe from some, close a socket, or poll GET /leaderboard.",
  },
} satisfies Record<string, ErrorKind>;

const ingestKinds = {
  empty_body: {
    status: 400,
    title: "The body holds no event",
    hint: "Send one event, an array of events, or one event a line.",
  },
  invalid_json: {
    status: 400,
    title: "The body is not well-formed JSON",
    hint: "Nothing was stored; correct the body at the position given, or send NDJSON.",
  },
  invalid_utf8: {
    status: 400,
    title: "The body is not UTF-8",
    hint: "Nothing was stored; send the body as UTF-8.",
  },
  no_valid_events: {
    status: 400,
    title: "No event of the batch is valid",
    hint: "Nothing was stored; correct the events as the errors say.",
  },
  invalid_compression: {
    status: 400,
    title: "The body could not be unpacked",
    hint: "Nothing was stored; send a complete body in the encoding that its header names.",
  },
  invalid_idempotency_key: {
    status: 400,
    title: "The Idempotency-Key is not valid",
    hint: "Send 1 to 256 bytes of visible text, or producer/sequence.",
  },
  body_too_large: {
    status: 413,
    title: "The body is too large",
    hint: "Split the batch, or raise bodyBytesMax or unpackedBytesMax.",
  },
  unsupported_media_type: {
    status: 415,
    title: "The content type is not taken",
    hint: "Send application/json, application/x-ndjson or application/jsonl, in UTF-8.",
  },
  unsupported_encoding: {
    status: 415,
    title: "The content encoding is not taken",
    hint: "Send the body plain or with an encoding of the Accept-Encoding header.",
  },
  idempotency_key_reused: {
    status: 422,
    title: "The Idempotency-Key was used for another body",
    hint: "Nothing was counted; give every batch a key of its own.",
  },
  idempotency_full: {
    status: 429,
    title: "No more idempotency keys can be remembered",
    hint: "Wait for older keys to expire, or number batches as producer/sequence in order.",
  },
  overloaded: {
    status: 503,
    title: "Too much is being taken in at once",
    hint: "Retry after the stated seconds; nothing was stored.",
  },
} satisfies Record<string, ErrorKind>;

const serviceKinds = {
  not_ready: {
    status: 503,
    title: "The service is not ready",
    hint: "Wait; GET /health/ready says which part is missing.",
  },
  shutting_down: {
    status: 503,
    title: "The service is stopping",
    hint: "Retry after the stated seconds; nothing was stored.",
  },
  internal_error: {
    status: 500,
    title: "The service failed",
    hint: "See the service's log; this is a fault of the service, not of the request.",
  },
  port_in_use: {
    status: 500,
    title: "The port is taken",
    hint: "Stop what listens there, or choose another with --port (0 takes a free one).",
  },
  http_server_unavailable: {
    status: 500,
    title: "The HTTP server asked for can not be loaded",
    hint: "Install the package named, use Node 20, or start with --http-server fastify.",
  },
  address_unavailable: {
    status: 500,
    title: "The address can not be listened on",
    hint: "Choose an address of this machine with --host.",
  },
  data_folder_in_use: {
    status: 503,
    title: "The data folder is in use",
    hint: "Stop the process that holds it, or choose another --data-dir.",
  },
  data_folder_mismatch: {
    status: 500,
    title: "The data folder was made otherwise",
    hint: "Start with the settings it was made with, or choose another --data-dir.",
  },
  data_folder_newer: {
    status: 500,
    title: "The data folder was written by a newer version",
    hint: "Start that version, or restore a backup from before into another --data-dir.",
  },
  store_failed: {
    status: 503,
    title: "The store could not be read or written",
    hint: "Check the disk and the log's messages; nothing acknowledged is lost.",
  },
  raw_corrupt: {
    status: 500,
    title: "A file of raw events is damaged",
    hint: "Restore the named file from a backup; counts of whole minutes are answered without it.",
  },
  raw_unreachable: {
    status: 503,
    title: "Files of raw events could not be reached",
    hint: "Retry after the stated seconds; the detail says what S3, or the way to it, answered.",
  },
  query_timeout: {
    status: 503,
    title: "The query did not finish in time",
    hint: "Ask for a shorter range, or mode=approx.",
  },
  query_memory: {
    status: 503,
    title: "The query needs more memory than there is",
    hint: "Ask for a shorter range, or raise storeMemoryBytesMax; retry when less is going on.",
  },
  query_cancelled: {
    status: 503,
    title: "The query was stopped",
    hint: "Ask again; whoever asked before stopped it, or the service was stopping.",
  },
  too_many_queries: {
    status: 503,
    title: "Too many queries are waiting",
    hint: "Retry after the stated seconds.",
  },
  event_type_not_found: {
    status: 404,
    title: "There is no such event type",
    hint: "GET /event-types lists those there are; PUT makes one.",
  },
  too_many_event_types: {
    status: 503,
    title: "There are too many event types",
    hint: "Delete event types that are not needed, or raise eventTypesMax.",
  },
  snapshot_exists: {
    status: 409,
    title: "There is a snapshot of this name",
    hint: "Choose another name, or DELETE the one there is.",
  },
  snapshot_not_found: {
    status: 404,
    title: "There is no such snapshot",
    hint: "GET /admin/snapshots lists those there are.",
  },
  too_many_snapshots: {
    status: 503,
    title: "There are too many snapshots",
    hint: "DELETE one that is not needed, or retry after the stated seconds.",
  },
  too_many_tails: {
    status: 429,
    title: "Too many clients follow what comes in",
    hint: "Retry after the stated seconds, when another has gone.",
  },
  too_many_exports: {
    status: 429,
    title: "Too many exports are under way",
    hint: "Retry after the stated seconds, when another has ended.",
  },
  no_valid_labels: {
    status: 400,
    title: "No line of the labels is valid",
    hint: "Nothing was changed; send NDJSON, a line an item, corrected as the errors say.",
  },
  too_many_labels: {
    status: 503,
    title: "There are too many labels",
    hint: "Clear labels that are not needed; deleting an event type clears those of its items.",
  },
  upstream_unavailable: {
    status: 503,
    title: "The service behind this node does not answer",
    hint: "Retry after the stated seconds, events with the key given, if any.",
  },
  upstream_loop: {
    status: 508,
    title: "The request goes round in a circle",
    hint: "Correct --upstream: it must lead to the service that has the store.",
  },
  invalid_cursor: {
    status: 400,
    title: "The cursor is none",
    hint: "Send the nextCursor of a reply as it is.",
  },
  cursor_expired: {
    status: 410,
    title: "The cursor has expired",
    hint: "Ask for the first page again; a cursor is kept for five minutes.",
  },
  disk_nearly_full: {
    status: 500,
    title: "The disk is nearly full",
    hint: "Free some space, or choose another --data-dir.",
  },
  data_folder_unwritable: {
    status: 500,
    title: "The data folder can not be written",
    hint: "Choose another with --data-dir, or correct its owner and rights.",
  },
  log_full: {
    status: 503,
    title: "The log is full",
    hint: "Retry after the stated seconds; nothing was stored.",
  },
  log_failed: {
    status: 503,
    title: "The log could not be written",
    hint: "Check the disk; only a retry with the same Idempotency-Key can not count twice.",
  },
  log_corrupt: {
    status: 500,
    title: "The log is damaged",
    hint: "Restore the named file from a backup.",
  },
  log_mismatch: {
    status: 500,
    title: "The log was made with other settings",
    hint: "Start with the settings and the version the data folder was made with.",
  },
  offset_out_of_range: {
    status: 500,
    title: "An offset lies outside the log",
    hint: "The store and the log do not belong together; restore both from one backup.",
  },
  log_unavailable: {
    status: 503,
    title: "The log's brokers do not answer",
    hint: "Retry after the stated seconds, with the key where one is given.",
  },
  topic_unusable: {
    status: 500,
    title: "The topic can not be used",
    hint: "Correct the topic as the detail says, or choose another with --kafka-topic.",
  },
  topic_replaced: {
    status: 500,
    title: "The topic is not the one that was counted",
    hint: "Restore topic and store from one backup, or start with a new --data-dir.",
  },
  not_served_here: {
    status: 421,
    title: "This node does not do that",
    hint: "Ask a node whose --role includes it.",
  },
  partial_append: {
    status: 503,
    title: "Only a part of the batch was stored",
    hint: "Retry the same body with the key given.",
  },
} satisfies Record<string, ErrorKind>;

const kinds = {
  ...requestKinds,
  ...accessKinds,
  ...limitKinds,
  ...ingestKinds,
  ...serviceKinds,
  ...backupKinds,
  ...jobKinds,
  ...lakeKinds,
  ...regionKinds,
};

export type ErrorCode = keyof typeof kinds;

export const errorKinds: Readonly<Record<ErrorCode, ErrorKind>> = Object.freeze(kinds);
