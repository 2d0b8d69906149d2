// A campaign's short form: kinds of faults once each, briefly, as tests of the file that calls.
import { afterAll, beforeAll, it } from "vitest";
import { randomFromEnvironment } from "../support/random.ts";
import { faultNames, runFault } from "./campaign.ts";
import { type CrashTarget, startTarget } from "./campaign-target.ts";

const faultMsMax = 180_000;
const onlyFault = process.env["RANKSTREAM_CAMPAIGN_FAULT"];

export function report(line: string): void {
  process.stderr.write(`${new Date().toISOString()} ${line}\n`);
}

/** Without those of `leftOut`, unless RANKSTREAM_CAMPAIGN_FAULT names one. */
export function defineShort(targetName: string, leftOut: readonly string[]): void {
  let target: CrashTarget;
  beforeAll(async () => {
    target = await startTarget(targetName);
  });
  afterAll(() => target?.stop());

  const names = faultNames(targetName === "kafka").filter((name) =>
    onlyFault === undefined ? !leftOut.includes(name) : name === onlyFault,
  );
  it.each(names)(
    "%s loses nothing and counts nothing twice",
    async (name) => {
      const random = randomFromEnvironment(name);
      report(`${name}: ${await runFault(name, random, target)}`);
    },
    faultMsMax,
  );
}
