// The slow path's reader of `metadata`: a flat object of strings. Its raw length is looked at
// after every key and at the end, so that the keys held for comparison stay bounded too.
import { addKey, clearKeys, keyCount } from "./event-keys";
import { faultCode, note, noteBytes, noteEnd, noteKey } from "./faults";
import { resetText, scanString, textFault, textLen, textPtr } from "./json-string";
import { skipSpace, skipValue, unexpected } from "./json-value";
import {
  CODE_DUPLICATE_FIELD,
  CODE_INVALID_TEXT,
  CODE_TOO_LONG,
  CODE_TOO_MANY_KEYS,
  CODE_WRONG_TYPE,
  EVENT_METADATA_BYTES_MAX,
  EVENT_METADATA_KEYS_MAX,
  EVENT_META_LEN,
  EVENT_META_PTR,
  FIELD_METADATA,
  REASON_METADATA_KEY,
  REASON_METADATA_VALUE,
} from "./layout";

/** Of a key named in a message, so much is kept. */
const KEY_BYTES_KEPT: u32 = 128;

/** Reads the object at `start`; what follows it, 0 on a syntax fault. */
export function readMetadata(start: usize, event: usize): usize {
  clearKeys();
  let p = skipSpace(start + 1);
  if (load<u8>(p) != 0x7d) {
    while (true) {
      if (load<u8>(p) != 0x22) return unexpected(p);
      p = readKey(start, p);
      if (!p) return 0;
      p = skipSpace(p);
      if (load<u8>(p) != 0x3a) return unexpected(p);
      p = readValue(skipSpace(p + 1));
      if (!p) return 0;
      p = skipSpace(p);
      const c = load<u8>(p);
      if (c == 0x7d) break;
      if (c != 0x2c) return unexpected(p);
      p = skipSpace(p + 1);
    }
  }
  p++;
  const len = <u32>(p - start);
  if (len > EVENT_METADATA_BYTES_MAX) noteBytes(CODE_TOO_LONG, FIELD_METADATA, start, 0, len);
  store<u32>(event, <u32>start, EVENT_META_PTR);
  store<u32>(event, len, EVENT_META_LEN);
  return p;
}

function readKey(start: usize, p: usize): usize {
  resetText();
  // Once there is a fault, no later one counts: the key is only checked, not kept.
  const end = scanString(p + 1, faultCode ? 0 : EVENT_METADATA_BYTES_MAX);
  if (!end || faultCode) return end;
  const len = <u32>(end - p);
  if (textFault) {
    note(CODE_INVALID_TEXT, FIELD_METADATA, textFault, p, len);
  } else if (end - start > <usize>EVENT_METADATA_BYTES_MAX) {
    noteBytes(CODE_TOO_LONG, FIELD_METADATA, start, 0, <u32>(end - start));
  } else if (keyCount() == EVENT_METADATA_KEYS_MAX) {
    note(CODE_TOO_MANY_KEYS, FIELD_METADATA, 0, p, len);
  } else if (!addKey(textPtr, textLen)) {
    const kept = min(textLen, KEY_BYTES_KEPT);
    const reason = REASON_METADATA_KEY;
    noteKey(CODE_DUPLICATE_FIELD, FIELD_METADATA, reason, p, len, textPtr, kept);
  }
  return end;
}

function readValue(p: usize): usize {
  if (load<u8>(p) != 0x22) {
    note(CODE_WRONG_TYPE, FIELD_METADATA, REASON_METADATA_VALUE, p, 0);
    return noteEnd(p, skipValue(p, 1));
  }
  resetText();
  const end = scanString(p + 1, 0);
  if (end && textFault) {
    note(CODE_INVALID_TEXT, FIELD_METADATA, textFault, p, <u32>(end - p));
  }
  return end;
}
