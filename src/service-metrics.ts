/** What /metrics says of the parts that keep their own numbers. */
import type { Jobs } from "./query/jobs.ts";
import type { ReadLoad, ReadLoadName } from "./store/read-load.ts";
import type { Counters } from "./telemetry.ts";

/** How many jobs there are, by status. */
export function describeJobs(counters: Counters, jobs: Jobs): void {
  for (const status of ["queued", "running", "done", "failed", "cancelled"] as const) {
    const name = `rankstream_jobs{status="${status}"}`;
    counters.gauge(name, "Jobs known, by status.", () => jobs.count(status));
  }
}

/** How busy the store's readers are, by lane (store/read-lanes.ts says what the lanes are). */
export function describeReads(counters: Counters, load: ReadLoad): void {
  const gauge = (name: string, help: string, from: ReadLoadName, kind?: "counter") =>
    counters.gauge(`rankstream_reads_${name}`, help, () => load.get(from), kind);
  for (const lane of ["quick", "slow", "apart"] as const) {
    gauge(`running{lane="${lane}"}`, "Reads of the store under way.", `${lane}Running`);
    gauge(`waiting{lane="${lane}"}`, "Reads waiting for their turn.", `${lane}Waiting`);
  }
  const failures = {
    timed_out: "timedOut",
    cancelled: "cancelled",
    out_of_memory: "outOfMemory",
    refused: "refused",
  } as const;
  for (const [why, name] of Object.entries(failures)) {
    gauge(`failed_total{why="${why}"}`, "Reads that ended without answer.", name, "counter");
  }
}
