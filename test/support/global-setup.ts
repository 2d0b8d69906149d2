// Before all tests: build what is stale, and fail in seconds when a service is missing.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { uwsMissing } from "./http-servers.ts";
import { serveSharedKafka, sharedKafkaAddress } from "./shared-kafka.ts";
import { serveSharedLake, sharedLakeServers } from "./shared-lake.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where the run's main process answers with the address of the Kafka that files share. */
    sharedKafkaUrl: string;
    /** The same of the PostgreSQL and the S3 server that files share. */
    sharedLakeUrl: string;
  }
}

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const buildMsMax = 180_000;
/** Set to 1 to run against `build/` as it is, say while a source elsewhere doesn't compile. */
const skipBuildVariable = "RANKSTREAM_TEST_SKIP_BUILD";

function run(script: string, args: string[]) {
  return spawnSync(process.execPath, [join(root, "tools", script), ...args], {
    cwd: root,
    encoding: "utf8",
    timeout: buildMsMax,
  });
}

/** Throws, which fails the whole run, with the one thing to do. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  checkServices();
  if (uwsMissing !== "") {
    process.stdout.write(`Left out are all tests over uWebSockets.js: ${uwsMissing}\n`);
  }
  if (process.env[skipBuildVariable] !== "1") build();
  const kafka = await serveSharedKafka();
  project.provide("sharedKafkaUrl", kafka.url);
  if (process.env["RANKSTREAM_TEST_LOG"] === "kafka") {
    // Every service will want it, and is told its address when its process starts.
    process.env["RANKSTREAM_TEST_KAFKA"] = await sharedKafkaAddress();
  }
  const lake = await serveSharedLake();
  project.provide("sharedLakeUrl", lake.url);
  if (process.env["RANKSTREAM_TEST_STORE"] === "ducklake") {
    process.env["RANKSTREAM_TEST_LAKE"] = JSON.stringify(await sharedLakeServers());
  }
  return async () => {
    await Promise.all([kafka.close(), lake.close()]);
  };
}

function checkServices(): void {
  const services = run("services.mjs", ["--check"]);
  if (services.status === 0) return;
  const missing = services.stdout.split("\n").filter((line) => line.includes(": missing"));
  throw new Error(
    `A service the tests need is missing; run: npm run test:services\n${missing.join("\n")}`,
  );
}

function build(): void {
  const built = run("build.mjs", ["--if-stale"]);
  if (built.status === 0) return;
  const hint = `(${skipBuildVariable}=1 tests what was built before)`;
  throw new Error(`The build failed ${hint}:\n${built.stdout}${built.stderr}`);
}
