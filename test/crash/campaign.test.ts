// The campaign's short form: each kind of fault once (`npm test`); `npm run test:campaign` makes
// rounds of 20 kills until there are enough, and goes on where it stopped.
//
//     RANKSTREAM_CAMPAIGN_KILLS=200    how many kills (campaign only)
//     RANKSTREAM_CAMPAIGN_LOG=FILE     one line of JSON a round; counts the good ones there
//     RANKSTREAM_CAMPAIGN_TARGET=…     the log it is held against; embedded (default) or kafka
//     RANKSTREAM_CAMPAIGN_FAULT=NAME   only this kind, once
//     RANKSTREAM_TEST_SEED=…           one round with this seed
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Random, randomFromEnvironment } from "../support/random.ts";
import { runCampaign, runRound } from "./campaign.ts";
import { CampaignLog } from "./campaign-log.ts";
import { type CrashTarget, startTarget } from "./campaign-target.ts";
import { defineShort, report } from "./short-campaign.ts";

const isLong = process.env["RANKSTREAM_CAMPAIGN"] === "1";
const killsWanted = Number(process.env["RANKSTREAM_CAMPAIGN_KILLS"] ?? 200);
const logPath = process.env["RANKSTREAM_CAMPAIGN_LOG"];
const targetName = process.env["RANKSTREAM_CAMPAIGN_TARGET"] ?? "embedded";
const seed = process.env["RANKSTREAM_TEST_SEED"];
const roundKills = 20;
const campaignMsMax = 6 * 3_600_000;

function defineCampaign(): void {
  let target: CrashTarget;
  beforeAll(async () => {
    target = await startTarget(targetName);
  });
  afterAll(() => target?.stop());

  it("loses nothing and counts nothing twice", { timeout: campaignMsMax }, async () => {
    const log = new CampaignLog(logPath ?? join(tmpdir(), "rankstream-campaign.log"));
    report(`${killsWanted} kills wanted; rounds are written to ${log.path}`);
    const options = { target, kills: roundKills, report };
    if (seed !== undefined) {
      const random = randomFromEnvironment("round");
      expect((await runRound({ ...options, seed: random.seed })).verdict).toBe("good");
      return;
    }
    const nextSeed = () => new Random(Date.now()).uint32();
    try {
      await runCampaign(log, killsWanted, () => ({ ...options, seed: nextSeed() }));
    } finally {
      report(log.summary(target.name));
    }
  });
}

if (isLong) defineCampaign();
// Plain kills, also during recovery, are kill.test.ts's.
else defineShort(targetName, ["random", "recovery"]);
