/** What all partitions' ledgers together tell an edge at its start. */
import type { SeenRun } from "../model-seen.ts";
import type { LedgerState } from "./idempotency.ts";

/** One state of several partitions' ledgers, for the edge's: rows in order of receipt. */
export function unionOfStates(states: readonly LedgerState[]): LedgerState {
  const rows = states.flatMap((state) => state.rows);
  rows.sort((a, b) => a.receivedAt - b.receivedAt);
  return {
    newestReceivedAt: Math.max(0, ...states.map((state) => state.newestReceivedAt)),
    rows: rows.map((row, index) => ({ ...row, ordinal: index + 1 })),
    runs: states.flatMap((state) => state.runs),
  };
}

/**
 * The same of a log that may hold parts of a batch: its union's keys, which of them all
 * partitions have counted (one record each), and the runs that all partitions know of.
 */
export function provenByCounts(states: readonly LedgerState[]): {
  state: LedgerState;
  proven: ReadonlySet<string>;
} {
  const counts = new Map<string, number>();
  const proven = new Set<string>();
  for (const { key, digest, partitionCount } of states.flatMap(({ rows }) => rows)) {
    const name = `${partitionCount} ${digest} ${key}`;
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    if (count >= partitionCount) proven.add(key);
  }
  return { state: { ...unionOfStates(states), runs: commonRuns(states) }, proven };
}

function byProducer(runs: readonly SeenRun[]): Map<string, SeenRun[]> {
  const grouped = new Map<string, SeenRun[]>();
  for (const run of runs) {
    const own = grouped.get(run.producer);
    if (own === undefined) grouped.set(run.producer, [run]);
    else own.push(run);
  }
  return grouped;
}

/** The sequences that are in every state's runs. */
function commonRuns(states: readonly LedgerState[]): SeenRun[] {
  const [first, ...others] = states.map(({ runs }) => runs);
  let common = first ?? [];
  for (const runs of others) {
    const grouped = byProducer(runs);
    common = common.flatMap((run) =>
      (grouped.get(run.producer) ?? []).flatMap(({ from, to }) => {
        const both = { from: Math.max(from, run.from), to: Math.min(to, run.to) };
        return both.from <= both.to ? [{ producer: run.producer, ...both }] : [];
      }),
    );
  }
  return common;
}
