/** Turns the scanner's error entries into messages: what was expected, what came and where. */
import { eventBounds, type LineError } from "../model.ts";
import type { Kernel } from "./kernel.ts";
import { layout } from "./layout.ts";

/** The input that was scanned, in kernel memory. */
export interface ScanPlace {
  start: number;
  end: number;
  format: "ndjson" | "json";
}

/** Why a body is refused as a whole. */
export interface BodyFault {
  code: "invalid_json" | "invalid_utf8";
  message: string;
}

interface Fault {
  code: number;
  reason: number;
  ptr: number;
}

interface FieldFault extends Fault {
  field: number;
  len: number;
  key: string;
  bytes: number;
}

const excerptBytesMax = 40;

const codes: Readonly<Record<number, string>> = {
  [layout.CODE_INVALID_JSON]: "invalid_json",
  [layout.CODE_INVALID_UTF8]: "invalid_utf8",
  [layout.CODE_MISSING_FIELD]: "missing_field",
  [layout.CODE_UNKNOWN_FIELD]: "unknown_field",
  [layout.CODE_DUPLICATE_FIELD]: "duplicate_field",
  [layout.CODE_WRONG_TYPE]: "wrong_type",
  [layout.CODE_EMPTY]: "empty",
  [layout.CODE_TOO_LONG]: "too_long",
  [layout.CODE_INVALID_TIMESTAMP]: "invalid_timestamp",
  [layout.CODE_FUTURE_TIMESTAMP]: "future_timestamp",
  [layout.CODE_TOO_MANY_KEYS]: "too_many_keys",
  [layout.CODE_OUT_OF_RANGE]: "out_of_range",
  [layout.CODE_INVALID_TEXT]: "invalid_text",
};

const fields: Readonly<Record<number, { name: string; expected: string; bytesMax: number }>> = {
  [layout.FIELD_EVENT_ID]: {
    name: "eventId",
    expected: "a string",
    bytesMax: eventBounds.eventIdBytesMax,
  },
  [layout.FIELD_EVENT_TYPE]: {
    name: "eventType",
    expected: "a string",
    bytesMax: eventBounds.eventTypeBytesMax,
  },
  [layout.FIELD_TIMESTAMP]: {
    name: "timestamp",
    expected: "an ISO 8601 time with zone or an integer of epoch milliseconds",
    bytesMax: 0,
  },
  [layout.FIELD_USER_ID]: {
    name: "userId",
    expected: "a string",
    bytesMax: eventBounds.userIdBytesMax,
  },
  [layout.FIELD_SESSION_ID]: {
    name: "sessionId",
    expected: "a string",
    bytesMax: eventBounds.sessionIdBytesMax,
  },
  [layout.FIELD_METADATA]: {
    name: "metadata",
    expected: "an object of strings",
    bytesMax: eventBounds.metadataBytesMax,
  },
  [layout.FIELD_WEIGHT]: {
    name: "weight",
    expected: `an integer from 1 to ${eventBounds.weightMax}`,
    bytesMax: 0,
  },
};

const timeReasons: Readonly<Record<number, string>> = {
  [layout.REASON_TIME_FORM]: "expected an ISO 8601 time such as 2026-11-24T10:30:00Z",
  [layout.REASON_TIME_ZONE]: "expected a time zone (Z or ±hh:mm) at the end",
  [layout.REASON_TIME_DAY]: "there is no such day",
  [layout.REASON_TIME_CLOCK]: "expected hours 00-23, minutes 00-59, seconds 00-59",
  [layout.REASON_TIME_OFFSET]: "expected a zone offset of the form ±hh:mm, at most 23:59",
  [layout.REASON_TIME_FRACTION]: "expected 1 to 9 digits after the seconds' point",
  [layout.REASON_TIME_YEARS]: "expected a time in the years 1970 to 9999",
  [layout.REASON_TIME_SECONDS]: "expected epoch milliseconds, this looks like seconds",
  [layout.REASON_TIME_TEXT]: "expected epoch milliseconds as a number, got them as text",
  [layout.REASON_TIME_INTEGER]: "expected epoch milliseconds without fraction or exponent",
};

const decoder = new TextDecoder("utf-8");

/** Bytes as text for a message: cut to whole characters, controls made visible. */
function excerpt(kernel: Kernel, ptr: number, end: number): string {
  let stop = Math.min(end, ptr + excerptBytesMax);
  const isCut = stop < end;
  // Not in the middle of a character.
  for (let back = 0; isCut && back < 3 && (kernel.bytes[stop]! & 0xc0) === 0x80; back++) stop--;
  const text = decoder
    .decode(kernel.bytes.slice(ptr, stop))
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (found) => {
      return `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`;
    });
  return isCut ? `${text}…` : text;
}

/** Text of which the kernel kept only the first bytes: what is whole of it. */
function keptText(kernel: Kernel, ptr: number, length: number): string {
  const bytes = kernel.bytes.slice(ptr, ptr + length);
  // As a stream, the decoder holds back a character that is cut off.
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes, { stream: true });
}

/** End of what may be shown from `ptr` on: the line's in NDJSON, else the input's. */
function visibleEnd(kernel: Kernel, ptr: number, place: ScanPlace): number {
  if (place.format === "json") return place.end;
  const limit = Math.min(place.end, ptr + excerptBytesMax + 1);
  const found = kernel.bytes.subarray(ptr, limit).indexOf(10);
  return found < 0 ? limit : ptr + found;
}

function syntaxMessage(kernel: Kernel, fault: Fault, place: ScanPlace, at: string): string {
  const end = visibleEnd(kernel, fault.ptr, place);
  if (fault.ptr >= end) return `not JSON: cut off ${at}`;
  const byte = kernel.bytes[fault.ptr]!;
  const hex = byte.toString(16).padStart(2, "0");
  const got = excerpt(kernel, fault.ptr, end);
  switch (fault.reason) {
    case layout.REASON_UTF8:
      return `not UTF-8: byte 0x${hex} begins no character, ${at}`;
    case layout.REASON_CONTROL:
      return `not JSON: expected control character 0x${hex} written as \\u00${hex} ${at}`;
    case layout.REASON_ESCAPE:
      return `not JSON: expected an escape such as \\n or \\u00e9, got ${got} ${at}`;
    case layout.REASON_NUMBER:
      return `not JSON: expected a number such as 12 or 1.5, got ${got} ${at}`;
    case layout.REASON_DEPTH:
      return `expected at most ${layout.JSON_DEPTH_MAX} nested arrays and objects ${at}`;
    case layout.REASON_TRAILING:
      return `not JSON: expected nothing after the value, got ${got} ${at}`;
    default:
      return `not JSON: unexpected ${got} ${at}`;
  }
}

function textReason(reason: number): string {
  return reason === layout.REASON_NUL
    ? "expected text without NUL (\\u0000)"
    : "expected text without half a surrogate pair";
}

function tooLong(fault: FieldFault): string {
  const bytesMax = fields[fault.field]?.bytesMax ?? layout.EVENT_TEXT_BYTES_MAX;
  const what = fault.field ? "" : "of JSON text ";
  return `expected at most ${bytesMax} bytes ${what}in UTF-8, got ${fault.bytes}`;
}

function fieldMessage(fault: FieldFault, got: string): string {
  const expected = fields[fault.field]?.expected ?? "a JSON object";
  switch (fault.code) {
    case layout.CODE_MISSING_FIELD:
      return "expected this field, the event has none";
    case layout.CODE_UNKNOWN_FIELD: {
      const known = Object.values(fields).map(({ name }) => name);
      return `expected one of ${known.join(", ")}, got ${got}`;
    }
    case layout.CODE_DUPLICATE_FIELD:
      return fault.reason === layout.REASON_METADATA_KEY
        ? `expected each key once, got ${got} again`
        : "expected once, got again";
    case layout.CODE_WRONG_TYPE:
      return fault.reason === layout.REASON_METADATA_VALUE
        ? `expected strings as values, got ${got}`
        : `expected ${expected}, got ${got}`;
    case layout.CODE_EMPTY:
      return "expected at least one byte, got an empty string";
    case layout.CODE_TOO_LONG:
      return `${tooLong(fault)}: ${got}`;
    case layout.CODE_INVALID_TIMESTAMP:
      return `${timeReasons[fault.reason] ?? "not a time"}, got ${got}`;
    case layout.CODE_FUTURE_TIMESTAMP: {
      const minutes = eventBounds.futureMsMax / 60_000;
      return `expected at most ${minutes} minutes after receipt, got ${got}`;
    }
    case layout.CODE_TOO_MANY_KEYS:
      return `expected at most ${eventBounds.metadataKeysMax} keys, got another: ${got}`;
    case layout.CODE_OUT_OF_RANGE:
      return `expected ${expected}, got ${got}`;
    default:
      return `${textReason(fault.reason)}, got ${got}`;
  }
}

/** The error entry at `entry` as it is reported. */
export function lineError(kernel: Kernel, entry: number, place: ScanPlace): LineError {
  const read = (offset: number): number => kernel.u32[(entry + offset) >>> 2]!;
  const keyPtr = read(layout.ERROR_KEY_PTR);
  const fault: FieldFault = {
    code: read(layout.ERROR_CODE),
    reason: read(layout.ERROR_REASON),
    ptr: read(layout.ERROR_PTR),
    field: read(layout.ERROR_FIELD),
    len: read(layout.ERROR_LEN),
    key: keptText(kernel, keyPtr, read(layout.ERROR_KEY_LEN)),
    bytes: read(layout.ERROR_BYTES),
  };
  const line = read(layout.ERROR_LINE);
  const code = codes[fault.code] ?? "invalid_json";
  const at = `at byte ${read(layout.ERROR_COLUMN)}`;
  if (fault.code <= layout.CODE_INVALID_UTF8) {
    return { line, code, message: syntaxMessage(kernel, fault, place, at) };
  }
  const visible = visibleEnd(kernel, fault.ptr, place);
  const end = fault.len ? Math.min(fault.ptr + fault.len, place.end) : visible;
  const message = `${fieldMessage(fault, excerpt(kernel, fault.ptr, end))} ${at}`;
  const field = fault.field === layout.FIELD_UNKNOWN ? fault.key : fields[fault.field]?.name;
  if (field === undefined) return { line, code, message };
  return { line, field, code, message: `${field}: ${message}` };
}

/** Why a JSON body is refused as a whole; places are bytes of the body, from 1. */
export function bodyFault(kernel: Kernel, fault: Fault, place: ScanPlace): BodyFault {
  const at = `at byte ${fault.ptr - place.start + 1} of the body`;
  const code = fault.code === layout.CODE_INVALID_UTF8 ? "invalid_utf8" : "invalid_json";
  return { code, message: syntaxMessage(kernel, fault, place, at) };
}

/** The error of a located event whose type would be one more than `typesMax`. */
export function typeBoundError(kernel: Kernel, event: number, typesMax: number): LineError {
  const read = (offset: number): number => kernel.u32[(event + offset) >>> 2]!;
  const ptr = read(layout.EVENT_TYPE_PTR);
  const got = excerpt(kernel, ptr, ptr + read(layout.EVENT_TYPE_LEN));
  const expected = `expected at most ${typesMax} event types (eventTypesMax)`;
  return {
    line: read(layout.EVENT_LINE),
    field: "eventType",
    code: "too_many_event_types",
    message: `eventType: ${expected}, got another: ${got}`,
  };
}

/** The error of a located event of a type that its sender may not send. */
export function forbiddenError(kernel: Kernel, event: number): LineError {
  const read = (offset: number): number => kernel.u32[(event + offset) >>> 2]!;
  const ptr = read(layout.EVENT_TYPE_PTR);
  const got = excerpt(kernel, ptr, ptr + read(layout.EVENT_TYPE_LEN));
  const isReserved = kernel.bytes[ptr] === 0x1f;
  return {
    line: read(layout.EVENT_LINE),
    field: "eventType",
    code: "forbidden_event_type",
    message: isReserved
      ? `eventType: names that begin with U+001F are of other regions' counts: ${got}`
      : `eventType: the key is not for this event type: ${got}`,
  };
}

/** The error of a located event that is older than its type is kept. */
export function expiredError(kernel: Kernel, event: number): LineError {
  const read = (offset: number): number => kernel.u32[(event + offset) >>> 2]!;
  const ptr = read(layout.EVENT_TYPE_PTR);
  const type = excerpt(kernel, ptr, ptr + read(layout.EVENT_TYPE_LEN));
  const time = Number(kernel.view.getBigInt64(event + layout.EVENT_TIMESTAMP, true));
  const expected = `expected an event within the retention of event type ${type}`;
  return {
    line: read(layout.EVENT_LINE),
    field: "timestamp",
    code: "beyond_retention",
    message: `timestamp: ${expected}, got ${new Date(time).toISOString()}`,
  };
}
