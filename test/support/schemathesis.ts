// Schemathesis, a tester of APIs by properties: requests made from /openapi.json, good and bad
// ones, and every reply held to it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { findSchemathesis } from "../../tools/services.mjs";
import { root, temporaryFolder } from "./service.ts";

export interface SchemathesisOptions {
  /** Address of the service. */
  url: string;
  seed: number;
  /** Requests an operation at most, beside those that follow from its examples and bounds. */
  examplesMax: number;
  phases: string;
  runMsMax: number;
}

/** How it ended, 0 where nothing was found, and what it said. */
export interface SchemathesisResult {
  code: number | null;
  output: string;
}

const settings = join(root, "test", "schemathesis");

/** Runs it once; undefined where it isn't installed. */
export async function runSchemathesis({
  url,
  seed,
  examplesMax,
  phases,
  runMsMax,
}: SchemathesisOptions): Promise<SchemathesisResult | undefined> {
  const program = findSchemathesis();
  if (program === undefined) return undefined;
  const args = ["--config-file", join(settings, "schemathesis.toml"), "run"];
  const bounds = ["--seed", String(seed), "--max-examples", String(examplesMax)];
  const child = spawn(
    program,
    [
      ...args,
      `${url}/openapi.json`,
      "--checks",
      "all",
      // Why: schemathesis.toml, which can't say it of these.
      "--exclude-checks",
      "allow_header_conformance,use_after_free",
      "--phases",
      phases,
      "--no-color",
      ...bounds,
    ],
    {
      // It keeps a folder of its own where it runs.
      cwd: temporaryFolder(),
      env: { ...process.env, PYTHONPATH: settings, PYTHONDONTWRITEBYTECODE: "1" },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: runMsMax,
    },
  );
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const [code] = await once(child, "close");
  return { code, output };
}
