// Memory layouts shared by the kernel and its host. This file owns every offset; index.ts exports
// them as globals and the host (src/kernel/layout.ts) refuses a module whose numbers differ.
//
// All memory is given out by the host: functions take pointers into regions that the host placed
// once, at start. The kernel allocates nothing and has no static data.

/** Raised whenever a layout or the meaning of an exported function changes. */
export const ABI_VERSION: u32 = 2;

// Located event: what the scanner found in one accepted event. 96 bytes, 8-aligned.
//
//   0  line u32       number of the line (NDJSON) or position (array), from 1
//   4  textPtr u32    the event's JSON text as sent
//   8  textLen u32
//  12  weight u32     1 when the event has none
//  16  timestamp i64  epoch ms; the time of receipt when the event has none
//  24  idPtr u32      eventId, unescaped UTF-8
//  28  idLen u32
//  32  typePtr u32    eventType, unescaped UTF-8
//  36  typeLen u32
//  40  userPtr u32    0 when absent
//  44  userLen u32
//  48  sessionPtr u32 0 when absent
//  52  sessionLen u32
//  56  metaPtr u32    metadata as sent (JSON object text), 0 when absent
//  60  metaLen u32
//  64  flags u32      see EVENT_FLAG_*
//  68  partition u32  murmur2 partition of eventId, filled by `partitionEvents`
//  72  typeIndex u32  index in the type dictionary, filled by `resolveTypes`
//  76  reserved u32
//  80  rowHash u64    seeded hash of (eventType, eventId), filled by `hashRows`
//  88  receivedAt i64 epoch ms of the batch's receipt, filled by `stampEvents`
export const EVENT_LINE: u32 = 0;
export const EVENT_TEXT_PTR: u32 = 4;
export const EVENT_TEXT_LEN: u32 = 8;
export const EVENT_WEIGHT: u32 = 12;
export const EVENT_TIMESTAMP: u32 = 16;
export const EVENT_ID_PTR: u32 = 24;
export const EVENT_ID_LEN: u32 = 28;
export const EVENT_TYPE_PTR: u32 = 32;
export const EVENT_TYPE_LEN: u32 = 36;
export const EVENT_USER_PTR: u32 = 40;
export const EVENT_USER_LEN: u32 = 44;
export const EVENT_SESSION_PTR: u32 = 48;
export const EVENT_SESSION_LEN: u32 = 52;
export const EVENT_META_PTR: u32 = 56;
export const EVENT_META_LEN: u32 = 60;
export const EVENT_FLAGS: u32 = 64;
export const EVENT_PARTITION: u32 = 68;
export const EVENT_TYPE_INDEX: u32 = 72;
export const EVENT_ROW_HASH: u32 = 80;
export const EVENT_RECEIVED_AT: u32 = 88;
export const EVENT_SIZE: u32 = 96;

/** The line took the scanner's slow path. */
export const EVENT_FLAG_SLOW: u32 = 1;
/** The event named no timestamp: `timestamp` is the time of receipt. */
export const EVENT_FLAG_NO_TIMESTAMP: u32 = 2;

/** `typeIndex` of an event whose type found no room in the dictionary. */
export const TYPE_NONE: u32 = 0xffffffff;
/** `typeIndex` of an event that is older than its type is kept. */
export const TYPE_EXPIRED: u32 = 0xfffffffe;

// Column chunks (columns.ts, exact-counts.ts): DuckDB's vectors hold this many rows.
export const ROWS_MAX: u32 = 2048;
export const RAW_HEADER_SIZE: u32 = 96;
export const COUNTS_HEADER_SIZE: u32 = 32;
/** One event type in the dictionary; see type-dictionary.ts. */
export const TYPE_ENTRY_SIZE: u32 = 56;
/** Readable and writable bytes that must follow every region of strings. */
export const STRING_PADDING: u32 = 64;

// Scanner state: what one scan reads and leaves (assembly/ndjson.ts). 8-aligned.
//
//   0  position u32     next byte to read
//   4  end u32          one past the input; 64 bytes after it must exist, the first writable
//   8  format u32       FORMAT_*
//  12  phase u32        where a JSON body stands, 0 at its start
//  16  receivedAt f64   epoch ms
//  24  futureMsMax f64
//  32  eventsPtr u32    array of located events
//  36  eventsMax u32
//  40  eventsCount u32  events listed: new ones go after them
//  44  textBytes u32    sum of listed events' text lengths + 1
//  48  textBytesMax u32 beyond it the scan pauses
//  52  arenaPtr u32     room for unescaped strings
//  56  arenaBytes u32   of which SCAN_ARENA_BYTES_PER_EVENT are kept free for the next event
//  60  arenaUsed u32
//  64  errorsPtr u32    array of line errors
//  68  errorsMax u32
//  72  errorsCount u32  errors listed; `rejected` counts all
//  76  line u32         number of the last line begun
//  80  accepted u32
//  84  rejected u32
//  88  slow u32         lines that took the slow path
//  92  faultCode u32    a malformed JSON body: CODE_INVALID_JSON or CODE_INVALID_UTF8
//  96  faultReason u32
// 100  faultPtr u32
// 104  keys 64 × { ptr u32, len u32 }  the metadata keys of the event at hand
// 616  marksPtr u32    of NDJSON: the next line's mark (marks.ts); 0, as marksEnd, without any
// 620  marksEnd u32
export const SCAN_POSITION: u32 = 0;
export const SCAN_END: u32 = 4;
export const SCAN_FORMAT: u32 = 8;
export const SCAN_PHASE: u32 = 12;
export const SCAN_RECEIVED_AT: u32 = 16;
export const SCAN_FUTURE_MS_MAX: u32 = 24;
export const SCAN_EVENTS_PTR: u32 = 32;
export const SCAN_EVENTS_MAX: u32 = 36;
export const SCAN_EVENTS_COUNT: u32 = 40;
export const SCAN_TEXT_BYTES: u32 = 44;
export const SCAN_TEXT_BYTES_MAX: u32 = 48;
export const SCAN_ARENA_PTR: u32 = 52;
export const SCAN_ARENA_BYTES: u32 = 56;
export const SCAN_ARENA_USED: u32 = 60;
export const SCAN_ERRORS_PTR: u32 = 64;
export const SCAN_ERRORS_MAX: u32 = 68;
export const SCAN_ERRORS_COUNT: u32 = 72;
export const SCAN_LINE: u32 = 76;
export const SCAN_ACCEPTED: u32 = 80;
export const SCAN_REJECTED: u32 = 84;
export const SCAN_SLOW: u32 = 88;
export const SCAN_FAULT_CODE: u32 = 92;
export const SCAN_FAULT_REASON: u32 = 96;
export const SCAN_FAULT_PTR: u32 = 100;
export const SCAN_KEYS: u32 = 104;
export const SCAN_MARKS_PTR: u32 = 616;
export const SCAN_MARKS_END: u32 = 620;
export const SCAN_SIZE: u32 = 640;
/** Unescaped strings of one event never take more: 2 × metadata, ids, keys. */
export const SCAN_ARENA_BYTES_PER_EVENT: u32 = 65536;
/** Readable bytes wanted after the input and after the arena. */
export const SCAN_PADDING: u32 = 64;

export const FORMAT_NDJSON: u32 = 0;
export const FORMAT_JSON: u32 = 1;

/** The whole input was read. */
export const STATUS_DONE: u32 = 0;
/** The event array, its text or the arena is full: empty them and call again. */
export const STATUS_MORE: u32 = 1;
/** A JSON body without any event: only white space, or an empty array. */
export const STATUS_EMPTY: u32 = 2;
/** A JSON body that is not well-formed: nothing of it counts. */
export const STATUS_MALFORMED: u32 = 3;

// Line error, 40 bytes.
//
//   0  line u32
//   4  code u32      CODE_*
//   8  field u32     FIELD_*, 0 for the line as a whole
//  12  reason u32    REASON_*, 0 when the code says it all
//  16  ptr u32       the offending text, in the input
//  20  len u32       its length, 0 when unknown
//  24  keyPtr u32    the offending key, unescaped (unknown and duplicate keys)
//  28  keyLen u32
//  32  column u32    byte in the line, from 1
//  36  bytes u32     measured bytes (too long)
export const ERROR_LINE: u32 = 0;
export const ERROR_CODE: u32 = 4;
export const ERROR_FIELD: u32 = 8;
export const ERROR_REASON: u32 = 12;
export const ERROR_PTR: u32 = 16;
export const ERROR_LEN: u32 = 20;
export const ERROR_KEY_PTR: u32 = 24;
export const ERROR_KEY_LEN: u32 = 28;
export const ERROR_COLUMN: u32 = 32;
export const ERROR_BYTES: u32 = 36;
export const ERROR_SIZE: u32 = 40;

// Fields, as bits: a set of them says which an event has shown.
export const FIELD_EVENT_ID: u32 = 1;
export const FIELD_EVENT_TYPE: u32 = 2;
export const FIELD_TIMESTAMP: u32 = 4;
export const FIELD_USER_ID: u32 = 8;
export const FIELD_SESSION_ID: u32 = 16;
export const FIELD_METADATA: u32 = 32;
export const FIELD_WEIGHT: u32 = 64;
export const FIELD_UNKNOWN: u32 = 128;

export const CODE_INVALID_JSON: u32 = 1;
export const CODE_INVALID_UTF8: u32 = 2;
export const CODE_MISSING_FIELD: u32 = 3;
export const CODE_UNKNOWN_FIELD: u32 = 4;
export const CODE_DUPLICATE_FIELD: u32 = 5;
export const CODE_WRONG_TYPE: u32 = 6;
export const CODE_EMPTY: u32 = 7;
export const CODE_TOO_LONG: u32 = 8;
export const CODE_INVALID_TIMESTAMP: u32 = 9;
export const CODE_FUTURE_TIMESTAMP: u32 = 10;
export const CODE_TOO_MANY_KEYS: u32 = 11;
export const CODE_OUT_OF_RANGE: u32 = 12;
/** A string with NUL or half a surrogate pair: well-formed JSON, but not text. */
export const CODE_INVALID_TEXT: u32 = 13;

export const REASON_UNEXPECTED: u32 = 1;
export const REASON_ESCAPE: u32 = 2;
export const REASON_CONTROL: u32 = 3;
export const REASON_NUMBER: u32 = 4;
export const REASON_DEPTH: u32 = 5;
export const REASON_TRAILING: u32 = 6;
export const REASON_UTF8: u32 = 7;
export const REASON_NUL: u32 = 10;
export const REASON_SURROGATE: u32 = 11;
export const REASON_TIME_FORM: u32 = 20;
export const REASON_TIME_ZONE: u32 = 21;
export const REASON_TIME_DAY: u32 = 22;
export const REASON_TIME_CLOCK: u32 = 23;
export const REASON_TIME_OFFSET: u32 = 24;
export const REASON_TIME_FRACTION: u32 = 25;
export const REASON_TIME_YEARS: u32 = 26;
export const REASON_TIME_SECONDS: u32 = 27;
export const REASON_TIME_TEXT: u32 = 28;
export const REASON_TIME_INTEGER: u32 = 29;
export const REASON_INTEGER: u32 = 40;
export const REASON_RANGE: u32 = 41;
export const REASON_METADATA_KEY: u32 = 50;
export const REASON_METADATA_VALUE: u32 = 51;

// Bounds on one event (src/model.ts has them for the host; a test holds them together).
export const EVENT_ID_BYTES_MAX: u32 = 512;
export const EVENT_TYPE_BYTES_MAX: u32 = 128;
/** Of a name that says of which region it is: it begins with U+001F. */
export const EVENT_REGION_TYPE_BYTES_MAX: u32 = 146;
export const EVENT_USER_BYTES_MAX: u32 = 512;
export const EVENT_SESSION_BYTES_MAX: u32 = 512;
export const EVENT_METADATA_BYTES_MAX: u32 = 16384;
export const EVENT_METADATA_KEYS_MAX: u32 = 64;
export const EVENT_WEIGHT_MAX: u32 = 1000000;
/** Of one event's JSON text with its white space. */
export const EVENT_TEXT_BYTES_MAX: u32 = 65536;
/** Arrays and objects inside each other in a value that is only skipped. */
export const JSON_DEPTH_MAX: u32 = 64;

// Partition entry, 24 bytes: sizes first (`sizeBlocks`), then the host places the areas, then
// `writeBlocks` fills them and moves the pointers on.
//
//   0  bytes u32     of the block's NDJSON
//   4  events u32
//   8  outPtr u32    next byte of NDJSON; 16 bytes after the block's last may be overwritten
//  12  linesPtr u32  next byte of line differences, at most 5 an event
//  16  lastLine u32  of the partition's event before, 0 at the batch's start
//  20  marksPtr u32  next mark (marks.ts)
export const PART_BYTES: u32 = 0;
export const PART_EVENTS: u32 = 4;
export const PART_OUT_PTR: u32 = 8;
export const PART_LINES_PTR: u32 = 12;
export const PART_LAST_LINE: u32 = 16;
export const PART_MARKS_PTR: u32 = 20;
export const PART_SIZE: u32 = 24;
/** Where one event's fields lie in its line: see marks.ts. */
export const MARK_SIZE: u32 = 32;

// Sketches (count-min.ts, sealed-sketch.ts): header, then cells u32, row by row.
/** "RKS" and the format's version, 2: in version 1 the row hash was another. */
export const SKETCH_FORMAT: u32 = 0x02534b52;
export const SKETCH_HEADER_SIZE: u32 = 32;
export const SKETCH_FLAG_SATURATED: u32 = 1;
export const SKETCH_DEPTH_MAX: u32 = 8;
export const SKETCH_WIDTH_LOG2_MIN: u32 = 4;
export const SKETCH_WIDTH_LOG2_MAX: u32 = 20;
/** A saturated cell, and the estimate of an item that has no other. */
export const SKETCH_NO_BOUND: u32 = 0xffffffff;
export const SKETCH_OK: u32 = 0;
export const SKETCH_BAD_FORMAT: u32 = 1;
export const SKETCH_BAD_SHAPE: u32 = 2;
export const SKETCH_OTHER_SEED: u32 = 3;
export const SKETCH_OTHER_DEPTH: u32 = 4;
export const SKETCH_OTHER_WIDTH: u32 = 5;
/** Builder of a sealed sketch and one item of its sample; see sealed-sketch.ts. */
export const SEAL_SIZE: u32 = 48;
export const SEAL_SAMPLE_SIZE: u32 = 16;

// Open windows (open-windows.ts, top-heap.ts).
export const WINDOW_SIZE: u32 = 256;
/** The minute of a window that is not open. */
export const WINDOW_CLOSED: u32 = 0xffffffff;
/** Some type found no room for a list: no bound is known for what it has none of. */
export const WINDOW_FLAG_UNTRACKED: u32 = 1;
/** An event was added: exact counts can't be restored any more. */
export const WINDOW_FLAG_STREAMING: u32 = 2;
/** Candidates of one type and minute. */
export const CANDIDATES_MAX: u32 = 4096;
export const CANDIDATES_HEADER_SIZE: u32 = 32;
export const CANDIDATES_LIST_SIZE: u32 = 32;
/** The pool's bytes for one more type: its list and the first places. */
export const LIST_BYTES_MIN: u32 = 112;
