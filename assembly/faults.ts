// What is wrong with the text being scanned. Two kinds, because they are ranked:
// a syntax fault (not JSON, not UTF-8) ends the reading of a line and wins over everything;
// a field fault is noted while the reading goes on, and the first one in text order counts.

export let syntaxCode: u32 = 0;
export let syntaxReason: u32 = 0;
export let syntaxPtr: usize = 0;

export let faultCode: u32 = 0;
export let faultField: u32 = 0;
export let faultReason: u32 = 0;
export let faultPtr: usize = 0;
export let faultLen: u32 = 0;
export let faultBytes: u32 = 0;
export let faultKeyPtr: usize = 0;
export let faultKeyLen: u32 = 0;

/** Forgets the faults of the line before. */
export function resetFaults(): void {
  syntaxCode = 0;
  faultCode = 0;
}

/** Notes a syntax fault at `ptr`; returns 0, which readers hand up as "no end". */
export function fail(code: u32, reason: u32, ptr: usize): usize {
  syntaxCode = code;
  syntaxReason = reason;
  syntaxPtr = ptr;
  return 0;
}

/** Notes a field fault unless there is one already. `len` 0: unknown. */
export function note(code: u32, field: u32, reason: u32, ptr: usize, len: u32): void {
  if (faultCode) return;
  faultCode = code;
  faultField = field;
  faultReason = reason;
  faultPtr = ptr;
  faultLen = len;
  faultBytes = 0;
  faultKeyPtr = 0;
  faultKeyLen = 0;
}

/** Gives the fault noted at `ptr` its length, now that its end is known; returns the end. */
export function noteEnd(ptr: usize, end: usize): usize {
  if (end && faultPtr == ptr && !faultLen) faultLen = <u32>(end - ptr);
  return end;
}

/** Notes a field fault that has a measured size. */
export function noteBytes(code: u32, field: u32, ptr: usize, len: u32, bytes: u32): void {
  if (faultCode) return;
  note(code, field, 0, ptr, len);
  faultBytes = bytes;
}

/** Notes a field fault about a key: its unescaped text goes with it. */
export function noteKey(
  code: u32,
  field: u32,
  reason: u32,
  ptr: usize,
  len: u32,
  keyPtr: usize,
  keyLen: u32,
): void {
  if (faultCode) return;
  note(code, field, reason, ptr, len);
  faultKeyPtr = keyPtr;
  faultKeyLen = keyLen;
}
