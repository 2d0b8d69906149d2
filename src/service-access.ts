/** Who may ask this process: as the configuration says. */
import { type Access, GuardedAccess, openAccess } from "./access/access.ts";
import type { Config } from "./config.ts";
import { needsKeys } from "./config-access.ts";
import type { Logger } from "./telemetry.ts";

export interface OpenedAccess {
  access: Access;
  /** Looks at the file of keys at once. */
  reload(): Promise<void>;
  close(): void;
}

/** Throws `keys_unusable`. */
export async function openAccessOf(config: Config, logger: Logger): Promise<OpenedAccess> {
  if (!needsKeys(config)) {
    return { access: openAccess, reload: async () => undefined, close: () => undefined };
  }
  const access = await GuardedAccess.open({ keysPath: config.accessKeys, logger });
  return { access, reload: () => access.reload(), close: () => access.close() };
}
