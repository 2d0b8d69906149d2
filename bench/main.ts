/** Runs the benches named on the command line; see options.ts. */
import { writeFileSync } from "node:fs";
import { runAccuracy } from "./accuracy.ts";
import { runBackup } from "./backup.ts";
import { runCache } from "./cache.ts";
import { runCapacity } from "./capacity.ts";
import { runCardinality } from "./cardinality.ts";
import { runGrowth } from "./growth.ts";
import { runKafka } from "./kafka.ts";
import { runKernel } from "./kernel.ts";
import { runLake } from "./lake.ts";
import { runLatency } from "./latency.ts";
import { runLive } from "./live.ts";
import {
  type BenchName,
  type BenchOptions,
  benchNames,
  helpText,
  readOptions,
} from "./options.ts";
import { runOverhead } from "./overhead.ts";
import { profileText } from "./profile.ts";
import { runRegions } from "./regions.ts";
import { describeMachine, machineText, type Outcome, outcomeText } from "./report.ts";
import { writeResults } from "./results.ts";
import { runSingle } from "./single.ts";
import { runSoak } from "./soak.ts";
import { runSustained } from "./sustained.ts";
import { runThroughput } from "./throughput.ts";
import { runYear } from "./year.ts";

const benches: Record<BenchName, (options: BenchOptions) => Promise<Outcome[]>> = {
  throughput: runThroughput,
  sustained: runSustained,
  latency: runLatency,
  single: runSingle,
  cardinality: runCardinality,
  cache: runCache,
  year: runYear,
  kernel: runKernel,
  accuracy: runAccuracy,
  growth: runGrowth,
  kafka: runKafka,
  soak: runSoak,
  live: runLive,
  overhead: runOverhead,
  backup: runBackup,
  capacity: runCapacity,
  lake: runLake,
  regions: runRegions,
};

async function main(options: BenchOptions): Promise<void> {
  const machine = describeMachine();
  const started = new Date().toISOString();
  process.stdout.write(machineText(machine, options.seed));
  const results: object[] = [];
  const { serviceArgs, seed, smoke, resultsFile } = options;
  for (const name of options.names) {
    const outcomes = await benches[name](options);
    // One bench after the other, so that a later one's failure takes nothing away.
    if (resultsFile !== undefined) {
      writeResults(resultsFile, outcomes, { machine, seed, started, smoke }, benchNames);
    }
    for (const outcome of outcomes) {
      process.stdout.write(outcomeText(outcome));
      const { title, notes, data } = outcome;
      results.push({ bench: name, title, notes, ...data });
    }
  }
  if (options.profileDir !== undefined) process.stdout.write(profileText(options.profileDir));
  if (options.jsonFile === undefined) return;
  const document = { format: 1, started, machine, seed, smoke, serviceArgs, results };
  writeFileSync(options.jsonFile, `${JSON.stringify(document, null, 1)}\n`);
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options === null) process.stdout.write(helpText);
  else await main(options);
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).stack ?? error}\n`);
  process.exitCode = 1;
}
