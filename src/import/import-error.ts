/** An import can not be done; the message is one line that says what to change. */
export class ImportError extends Error {
  override readonly name: string = "ImportError";
}

/** What was asked for can not be meant: an unknown column, no event type, a format unknown. */
export class ImportUsageError extends ImportError {
  override readonly name = "ImportUsageError";
}
