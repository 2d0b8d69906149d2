/** What each stage of the pipeline takes of the service's own threads, from V8's CPU profiles. */
import { type CpuProfile, fileOf, isIdle, type ProfileNode, selfSeconds } from "./cpu-profile.ts";

/** Which file, and which of its functions, a stage's time lies below; the nearest one decides. */
interface Rule {
  thread: string;
  file: RegExp;
  function?: RegExp;
  stage: string;
}

const main = "cli.js";
const ingest = "ingest-thread.js";
const store = "store-thread.js";

const rules: readonly Rule[] = [
  { thread: main, file: /^(chunk-)?scanner\.js$|^type-dictionary\.js$/, stage: "scan" },
  { thread: main, file: /^(frame|embedded-log|segment|node-files)\.js$/, stage: "append, sync" },
  { thread: main, file: /^(ingest-pool|local-store)\.js$/, stage: "tell workers and store" },
  { thread: main, file: /^(body|uws-.*|edge)\.js$|^node:(_http_|net$)/, stage: "receive" },
  { thread: main, file: /^node:internal\/(streams|stream_base|http)/, stage: "receive" },
  { thread: ingest, file: /^(embedded-log-reader|frame|segment)\.js$/, stage: "read the log" },
  { thread: ingest, file: /^open-(windows|minutes)\.js$/, stage: "sketch and heap" },
  { thread: ingest, file: /^aggregator\.js$/, function: /copyOut|take|flush/, stage: "columns" },
  { thread: ingest, file: /^(aggregator|item-region)\.js$/, stage: "hash and exact counts" },
  { thread: ingest, file: /scanner\.js$|^type-dictionary\.js$/, stage: "find the fields" },
  { thread: store, file: /^staged\.js$/, stage: "columns into DuckDB" },
  { thread: store, file: /\.js$/, stage: "checkpoints and questions" },
];

const unnamed = new Map([
  ["(garbage collector)", "garbage collection"],
  ["(program)", "native code"],
]);

function stageOf(node: ProfileNode, thread: string): string | undefined {
  const name = node.callFrame.functionName;
  const rule = rules.find(
    (one) =>
      one.thread === thread &&
      one.file.test(fileOf(node)) &&
      (one.function === undefined || one.function.test(name)),
  );
  return rule?.stage ?? unnamed.get(name);
}

/** Seconds by stage of one thread, idle time left out, the largest first. */
export function stageTimes(profile: CpuProfile, thread: string): [string, number][] {
  const { nodes } = profile;
  const parents = new Map<number, ProfileNode>();
  const byId = new Map(nodes.map((node) => [node.id, node]));
  for (const node of nodes) for (const child of node.children ?? []) parents.set(child, node);
  const found = new Map<number, string>();
  const stageOfId = (id: number): string => {
    const known = found.get(id);
    if (known !== undefined) return known;
    const node = byId.get(id)!;
    const parent = parents.get(id);
    const stage = stageOf(node, thread) ?? (parent === undefined ? "other" : stageOfId(parent.id));
    found.set(id, stage);
    return stage;
  };
  const seconds = new Map<string, number>();
  for (const [id, own] of selfSeconds(profile)) {
    if (isIdle(byId.get(id)!)) continue;
    const stage = stageOfId(id);
    seconds.set(stage, (seconds.get(stage) ?? 0) + own);
  }
  return [...seconds].sort(([, a], [, b]) => b - a);
}
