// An edge with a log that the test controls: appends wait, fail or go through as it says.
import { ByteBudget } from "../../src/edge/byte-budget.ts";
import { type BatchScanner, Edge, type EdgeDeps, type KeyLedger } from "../../src/edge/edge.ts";
import type { BatchHeader, PartitionBlock } from "../../src/model.ts";
import { silentLogger } from "../../src/telemetry.ts";
import { Metrics } from "../../src/telemetry-metrics.ts";

export interface Appended {
  header: BatchHeader;
  blocks: PartitionBlock[];
}

/** A log in memory; `before` runs ahead of each append and may wait or throw. */
export class ScriptedLog {
  readonly partitionCount = 4;
  readonly appended: Appended[] = [];
  before: (() => Promise<void> | void) | undefined;

  async append(header: BatchHeader, blocks: PartitionBlock[]): Promise<void> {
    await this.before?.();
    this.appended.push({ header, blocks });
  }
}

/** A plain ledger: every key for good, `keysMax` of them. */
export class PlainLedger implements KeyLedger {
  readonly keys = new Map<string, { digest: string; receivedAt: number }>();
  keysMax = 1000;
  newestReceivedAt = 0;

  look(key: string, digest: Uint8Array | null) {
    const known = this.keys.get(key);
    if (known === undefined) {
      return this.keys.size < this.keysMax
        ? ({ state: "new" } as const)
        : ({ state: "full", bound: "keysMax" } as const);
    }
    const same = known.digest === Buffer.from(digest ?? []).toString("hex");
    return same
      ? ({ state: "seen", receivedAt: known.receivedAt } as const)
      : ({ state: "mismatch" } as const);
  }

  seenAround(key: string) {
    const sequence = Number(/\/(\d+)$/.exec(key)?.[1]);
    return Number.isNaN(sequence) ? null : { from: sequence, to: sequence };
  }

  record({ key, digest, receivedAt }: BatchHeader): void {
    this.newestReceivedAt = Math.max(this.newestReceivedAt, receivedAt);
    if (key === null) return;
    this.keys.set(key, { digest: Buffer.from(digest ?? []).toString("hex"), receivedAt });
  }
}

/**
 * Scans by JSON.parse. A line is valid with an eventId; `{"at": n}` is refused as of a receipt
 * before n, so that a replay shows which time it was scanned with.
 */
export const plainScanner: BatchScanner = {
  scanBatch(body, format, receivedAt) {
    const text = Buffer.from(body).toString("utf8");
    const none = { accepted: 0, rejected: 0, errors: [], blocks: [], slowLines: 0 };
    if (text.trim() === "")
      return { ...none, malformed: { code: "empty_body", message: "empty" } };
    let events: unknown[];
    try {
      const parsed = format === "json" ? [JSON.parse(text)].flat() : text.split("\n");
      events = format === "json" ? parsed : parsed.filter(Boolean).map((line) => JSON.parse(line));
    } catch {
      return { ...none, malformed: { code: "invalid_json", message: "not JSON at byte 3" } };
    }
    const errors = [];
    const good: unknown[] = [];
    for (const [i, event] of events.entries()) {
      const { eventId, at = 0 } = event as { eventId?: string; at?: number };
      if (eventId === undefined) {
        errors.push({
          line: i + 1,
          field: "eventId",
          code: "missing_field",
          message: "no eventId",
        });
      } else if (at > receivedAt) {
        errors.push({ line: i + 1, code: "future_timestamp", message: "in the future" });
      } else good.push(event);
    }
    const value = Buffer.from(good.map((event) => `${JSON.stringify(event)}\n`).join(""));
    const lines = new Uint8Array(good.length).fill(1);
    const blocks = good.length > 0 ? [{ partition: 0, value, events: good.length, lines }] : [];
    return { accepted: good.length, rejected: errors.length, errors, blocks, slowLines: 0 };
  },
};

/** An edge over the scripted parts; `overrides` replace any of them. */
export function makeEdge(overrides: Partial<EdgeDeps> = {}) {
  const log = new ScriptedLog();
  const ledger = new PlainLedger();
  const budget = new ByteBudget(1_000_000);
  const metrics = new Metrics();
  const edge = new Edge({
    scanner: plainScanner,
    log,
    ledger,
    budget,
    metrics,
    logger: silentLogger,
    unpackedBytesMax: 100_000,
    ...overrides,
  });
  return { edge, log, ledger, budget, metrics };
}
