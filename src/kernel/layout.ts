/** The host's copy of assembly/layout.ts, held against the module's exported globals at load. */
export const layout = Object.freeze({
  ABI_VERSION: 1,
  EVENT_LINE: 0,
  EVENT_TEXT_PTR: 4,
  EVENT_TEXT_LEN: 8,
  EVENT_WEIGHT: 12,
  EVENT_TIMESTAMP: 16,
  EVENT_ID_PTR: 24,
  EVENT_ID_LEN: 28,
  EVENT_TYPE_PTR: 32,
  EVENT_TYPE_LEN: 36,
  EVENT_USER_PTR: 40,
  EVENT_USER_LEN: 44,
  EVENT_SESSION_PTR: 48,
  EVENT_SESSION_LEN: 52,
  EVENT_META_PTR: 56,
  EVENT_META_LEN: 60,
  EVENT_FLAGS: 64,
  EVENT_PARTITION: 68,
  EVENT_TYPE_INDEX: 72,
  EVENT_ROW_HASH: 80,
  EVENT_SIZE: 96,
  EVENT_FLAG_SLOW: 1,
  EVENT_FLAG_NO_TIMESTAMP: 2,
});

/** Throws when `exports` lacks one of the layout's globals or gives it another value. */
export function assertLayout(exports: WebAssembly.Exports): void {
  for (const [name, expected] of Object.entries(layout)) {
    const found = exports[name];
    const value = found instanceof WebAssembly.Global ? Number(found.value) : undefined;
    if (value !== expected) {
      throw new Error(
        `kernel layout mismatch: ${name} is ${value}, this host expects ${expected}`,
      );
    }
  }
}
