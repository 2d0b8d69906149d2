/** Values of the configuration that must not be shown. */
import type { Config, ConfigName } from "./config.ts";
import { lakePlace } from "./config-lake.ts";
import { type ConfigOption, configOptions } from "./config-options.ts";
import { catalogSecrets } from "./model-lake.ts";

/** The password of an address, as it stands there and as it is meant. */
function passwordsIn(value: string): string[] {
  if (!URL.canParse(value)) return [];
  const { password } = new URL(value);
  if (password === "") return [];
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    return [password];
  }
}

function headerValue(entry: string): string[] {
  const [, value = ""] = /^[^=:]+[=:](.*)$/.exec(entry.trim()) ?? [];
  return value.trim() === "" ? [] : [value.trim()];
}

/** Passwords, and whatever else is secret: for what writes texts that may hold them. */
export function secretsOf(config: Config): string[] {
  const secrets = Object.entries(config).flatMap(([name, value]) => {
    const option: ConfigOption = configOptions[name as ConfigName];
    if (typeof value !== "string" || option.type !== "text" || value === option.default) return [];
    // Of headers each value, too.
    if (option.isSecret === true) return [value, ...value.split(/[\n,]/).flatMap(headerValue)];
    return value.split(",").flatMap((one) => passwordsIn(one.trim()));
  });
  const lake = lakePlace(config);
  if (lake !== null) secrets.push(...catalogSecrets(lake.catalog));
  return [...new Set(secrets)];
}
