/**
 * Runs the kernel's event scanner over bytes that already lie in kernel memory: it fills an array
 * of located events there and makes no JavaScript object per event.
 */
import { eventBounds, type LineError } from "../model.ts";
import type { Kernel, KernelExports } from "./kernel.ts";
import { layout } from "./layout.ts";
import { type BodyFault, bodyFault, lineError, type ScanPlace } from "./scan-messages.ts";

export type ScanFormat = "ndjson" | "json";

/**
 * `done`: all of the input was read. `more`: the event array (or its text or arena bound) is full;
 * take the events, `clear()`, `resume()`. `empty` and `malformed` only of JSON bodies: no event at
 * all; not well-formed, so that nothing of it counts, whatever was accepted before.
 */
export type ScanStatus = "done" | "more" | "empty" | "malformed";

export interface ChunkScannerBounds {
  /** Located events held at once. */
  eventsMax: number;
  /** Line errors listed per input; `rejected` counts all. */
  errorsMax: number;
  /** The scan pauses once the listed events' text reaches this. */
  textBytesMax: number;
  /** How far after its receipt an event's timestamp may be. */
  futureMsMax: number;
}

export const chunkScannerBounds: Readonly<ChunkScannerBounds> = Object.freeze({
  eventsMax: 16_384,
  errorsMax: 100,
  textBytesMax: 4 * 1024 * 1024,
  futureMsMax: eventBounds.futureMsMax,
});

/** Bytes of kernel memory that must exist after an input; the first is written during a scan. */
export const inputPaddingBytes = layout.SCAN_PADDING;

const noMarks = Object.freeze({ ptr: 0, bytes: 0 });

/** Unescaped strings of the listed events; the scan pauses when the next event might not fit. */
const arenaBytes = 1024 * 1024;

const statuses: readonly ScanStatus[] = ["done", "more", "empty", "malformed"];

export class ChunkScanner {
  /** The array of EVENT_SIZE entries; the first `events` of them are filled. */
  readonly eventsPtr: number;
  readonly bounds: Readonly<ChunkScannerBounds>;
  readonly #kernel: Kernel;
  readonly #scan: KernelExports[string];
  readonly #state: number;
  readonly #errorsPtr: number;
  #place: ScanPlace = { start: 0, end: 0, format: "ndjson" };

  constructor(kernel: Kernel, bounds: Partial<ChunkScannerBounds> = {}) {
    this.bounds = Object.freeze({ ...chunkScannerBounds, ...bounds });
    const { eventsMax, errorsMax, textBytesMax, futureMsMax } = this.bounds;
    this.#kernel = kernel;
    this.#scan = kernel.exports["scan"]!;
    this.#state = kernel.allocate(layout.SCAN_SIZE);
    this.eventsPtr = kernel.allocate(eventsMax * layout.EVENT_SIZE);
    this.#errorsPtr = kernel.allocate(errorsMax * layout.ERROR_SIZE);
    this.#set(layout.SCAN_EVENTS_PTR, this.eventsPtr);
    this.#set(layout.SCAN_EVENTS_MAX, eventsMax);
    this.#set(layout.SCAN_ERRORS_PTR, this.#errorsPtr);
    this.#set(layout.SCAN_ERRORS_MAX, errorsMax);
    this.#set(layout.SCAN_TEXT_BYTES_MAX, textBytesMax);
    this.#set(layout.SCAN_ARENA_PTR, kernel.allocate(arenaBytes + layout.SCAN_PADDING));
    this.#set(layout.SCAN_ARENA_BYTES, arenaBytes);
    kernel.view.setFloat64(this.#state + layout.SCAN_FUTURE_MS_MAX, futureMsMax, true);
  }

  /** Bytes of kernel memory that a scanner with these bounds takes. */
  static memoryBytes(bounds: Partial<ChunkScannerBounds> = {}): number {
    const { eventsMax, errorsMax } = { ...chunkScannerBounds, ...bounds };
    const arrays = eventsMax * layout.EVENT_SIZE + errorsMax * layout.ERROR_SIZE;
    return arrays + layout.SCAN_SIZE + arenaBytes + layout.SCAN_PADDING + 4 * 16;
  }

  /** Forgets the listed events and their unescaped text. */
  clear(): void {
    this.#set(layout.SCAN_EVENTS_COUNT, 0);
    this.#set(layout.SCAN_TEXT_BYTES, 0);
    this.#set(layout.SCAN_ARENA_USED, 0);
  }

  /**
   * Scans `length` bytes at `ptr` and lists their events behind those already listed (`clear`
   * empties the list). `inputPaddingBytes` must follow the input. Line numbers, counts and errors
   * begin anew. `receivedAt` is in epoch ms: the timestamp of events that have none, and what
   * "too far ahead" is measured from. `marks` are those of the input's lines (assembly/marks.ts),
   * which then hardly need to be looked at.
   */
  scanChunk(
    ptr: number,
    length: number,
    receivedAt: number,
    format: ScanFormat = "ndjson",
    marks: { ptr: number; bytes: number } = noMarks,
  ): ScanStatus {
    const u32 = this.#kernel.u32;
    const base = this.#state >>> 2;
    u32[base + (layout.SCAN_POSITION >> 2)] = ptr;
    u32[base + (layout.SCAN_END >> 2)] = ptr + length;
    u32[base + (layout.SCAN_FORMAT >> 2)] =
      format === "json" ? layout.FORMAT_JSON : layout.FORMAT_NDJSON;
    u32[base + (layout.SCAN_PHASE >> 2)] = 0;
    u32[base + (layout.SCAN_MARKS_PTR >> 2)] = marks.ptr;
    u32[base + (layout.SCAN_MARKS_END >> 2)] = marks.ptr + marks.bytes;
    u32[base + (layout.SCAN_ERRORS_COUNT >> 2)] = 0;
    u32[base + (layout.SCAN_LINE >> 2)] = 0;
    u32[base + (layout.SCAN_ACCEPTED >> 2)] = 0;
    u32[base + (layout.SCAN_REJECTED >> 2)] = 0;
    u32[base + (layout.SCAN_SLOW >> 2)] = 0;
    this.#kernel.view.setFloat64(this.#state + layout.SCAN_RECEIVED_AT, receivedAt, true);
    this.#place = { start: ptr, end: ptr + length, format };
    return this.resume();
  }

  /** Goes on where `more` paused. */
  resume(): ScanStatus {
    return statuses[this.#scan!(this.#state)]!;
  }

  /** Shortens the list to its first `events`: the caller has moved those to keep there. */
  keep(events: number): void {
    this.#set(layout.SCAN_EVENTS_COUNT, events);
  }

  /** Events listed at `eventsPtr`. */
  get events(): number {
    return this.#get(layout.SCAN_EVENTS_COUNT);
  }

  /** Lines of the input accepted so far. */
  get accepted(): number {
    return this.#get(layout.SCAN_ACCEPTED);
  }

  /** Lines of the input refused so far. */
  get rejected(): number {
    return this.#get(layout.SCAN_REJECTED);
  }

  /** Lines of the input, accepted or refused, that took the slow path. */
  get slowLines(): number {
    return this.#get(layout.SCAN_SLOW);
  }

  /** Errors listed for the input so far, at most `errorsMax`. */
  get errors(): number {
    return this.#get(layout.SCAN_ERRORS_COUNT);
  }

  /** The listed errors from index `from` on, with messages. Read them before `clear`. */
  readErrors(from = 0): LineError[] {
    const found: LineError[] = [];
    for (let index = from; index < this.errors; index++) {
      const ptr = this.#errorsPtr + index * layout.ERROR_SIZE;
      found.push(lineError(this.#kernel, ptr, this.#place));
    }
    return found;
  }

  /** What is wrong with a body that was `malformed`. */
  readFault(): BodyFault {
    return bodyFault(
      this.#kernel,
      {
        code: this.#get(layout.SCAN_FAULT_CODE),
        reason: this.#get(layout.SCAN_FAULT_REASON),
        ptr: this.#get(layout.SCAN_FAULT_PTR),
      },
      this.#place,
    );
  }

  #get(offset: number): number {
    return this.#kernel.u32[(this.#state + offset) >>> 2]!;
  }

  #set(offset: number, value: number): void {
    this.#kernel.u32[(this.#state + offset) >>> 2] = value;
  }
}
