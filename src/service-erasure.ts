/** What the log still holds of users who were erased. */
import type { Config } from "./config.ts";
import type { EmbeddedLog } from "./log/embedded-log.ts";
import type { KafkaLog } from "./log/kafka-log.ts";
import type { LogTrace } from "./query/erasures.ts";
import type { LocalStore } from "./store/local-store.ts";

export interface LogParts {
  store: Pick<LocalStore, "committedOffsets">;
  embedded: Pick<EmbeddedLog, "closeSegment" | "trim" | "beginOffsets"> | null;
  group: Pick<KafkaLog, "bounds"> | null;
}

function holds(begin: readonly number[], offsets: readonly number[]): boolean {
  return offsets.some((offset, partition) => (begin[partition] ?? 0) < offset);
}

/** The names that the option lists. */
export function namesIn(option: string): string[] {
  return option === "none" ? [] : option.split(",").map((name) => name.trim());
}

/** Of the log of this folder alone, or of the one in Kafka, which nobody but its brokers trims. */
export function logTraceOf({ store, embedded, group }: LogParts, config: Config): LogTrace {
  return {
    release: async () => {
      if (embedded === null) return;
      await embedded.closeSegment();
      await embedded.trim(store.committedOffsets());
    },
    describe: async (offsets) => {
      if (embedded !== null) {
        return { kind: "embedded", holds: holds(embedded.beginOffsets(), offsets) };
      }
      const bounds = await group?.bounds().catch(() => null);
      const isHolding = bounds ? holds(bounds.begin, offsets) : null;
      return { kind: "kafka", topic: config.kafkaTopic, holds: isHolding };
    },
  };
}
