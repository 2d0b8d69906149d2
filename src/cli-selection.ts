/** The flags that say which events a command is about. */
import { type Command, InvalidArgumentError } from "commander";

export type TextsByKey = Record<string, string[]>;

/** Gathers `key=value`; the key ends at the first `=`. */
export function pairArgument(value: string, before: TextsByKey): TextsByKey {
  const at = value.indexOf("=");
  if (at < 0) throw new InvalidArgumentError("Expected key=value.");
  const key = value.slice(0, at);
  const known = Object.hasOwn(before, key) ? before[key]! : [];
  return Object.fromEntries([...Object.entries(before), [key, [...known, value.slice(at + 1)]]]);
}

function listArgument(value: string, before: string[]): string[] {
  return [...before, value];
}

/** As commander gives them. */
export interface SelectionFlags {
  filter: TextsByKey;
  filterNot: TextsByKey;
  user: string[];
  session: string[];
  include: string[];
  exclude: string[];
  prefix?: string;
}

/** The flags that say which events and items count; all but --prefix repeat. */
export function addSelection(command: Command): Command {
  return command
    .option("--filter <key=value>", "only events with this metadata", pairArgument, {})
    .option("--filter-not <key=value>", "no events with this metadata", pairArgument, {})
    .option("--user <id>", "only this user's events", listArgument, [])
    .option("--session <id>", "only this session's events", listArgument, [])
    .option("--include <item>", "only this item", listArgument, [])
    .option("--exclude <item>", "all items but this", listArgument, [])
    .option("--prefix <text>", "only items whose id begins so");
}

/** The service's parameters for them. */
export function selectionOf(flags: SelectionFlags) {
  const { filter, filterNot, user: userId, session: sessionId, include, exclude, prefix } = flags;
  const lists = { filter, filterNot, userId, sessionId, include, exclude };
  return { ...lists, ...(prefix !== undefined && { prefix }) };
}
