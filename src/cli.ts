#!/usr/bin/env node
/** The command's entry: checks the runtime before anything that needs it is loaded. */
import { readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";

const lingerMsMax = 500;
const nodeVersionMin = [20, 15] as const;

function nodeIsTooOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major < nodeVersionMin[0] || (major === nodeVersionMin[0] && minor < nodeVersionMin[1]);
}

/** Whoever read our output may stop: `rankstream top | head` is no failure. */
function outlivePipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
}

async function run(): Promise<void> {
  outlivePipes();
  // Its client for S3 would tell every user of Node 20 that a later one will want a newer Node.
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] ??= "true";
  const nodeVersion = process.versions.node;
  if (nodeIsTooOld(nodeVersion)) {
    const wanted = nodeVersionMin.join(".");
    process.stderr.write(
      `rankstream: Node ${wanted} or newer is needed, this is ${nodeVersion}\n`,
    );
    process.exitCode = 1;
    return;
  }
  const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  const { runCli } = await import("./cli-program.ts");
  process.exitCode = await runCli(process.argv.slice(2), {
    nodeVersion,
    output: process.stdout,
    input: process.stdin,
    version: (JSON.parse(manifest) as { version: string }).version,
    environment: process.env,
    writeOut: (text) => process.stdout.write(text),
    writeError: (text) => process.stderr.write(text),
    onSignal: (signal, listener) => process.on(signal, listener),
    exit: (code) => process.exit(code),
    kill: () => process.kill(process.pid, "SIGKILL"),
    terminal: {
      isOut: process.stdout.isTTY === true,
      isError: process.stderr.isTTY === true,
      get columns() {
        return process.stdout.columns || process.stderr.columns || 80;
      },
      get rows() {
        return process.stdout.rows || process.stderr.rows || 24;
      },
      onResize: (listener) => process.stdout.on("resize", listener),
    },
    // Loaded when needed: help and mistakes are answered without the store.
    freeBytes: async (path) => {
      const { bavail, bsize } = await statfs(path);
      return bavail * bsize;
    },
    startService: async (config, logger) =>
      (await import("./service.ts")).startService(config, logger),
  });
}

await run();
// A handle that something left open must not keep a finished command from ending.
setTimeout(() => process.exit(), lingerMsMax).unref();
