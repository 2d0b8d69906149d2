// The campaign's short form over a Kafka of its own, which is killed and stopped, too.
//
//     RANKSTREAM_CAMPAIGN_FAULT=NAME   only this kind, once
//     RANKSTREAM_TEST_SEED=…           with this seed
import { defineShort } from "./short-campaign.ts";

// The long campaign has all kinds. What befalls the store's files is the same whatever the log:
// campaign.test.ts has it; kills and pauses of processes are split-crash.test.ts's.
const storeFaults = [
  "parquet",
  "merge",
  "recovery",
  "clock",
  "store_error",
  "raw_damage",
] as const;
defineShort("kafka", [...storeFaults, "full_disk", "random", "pause", "broker_pause"]);
