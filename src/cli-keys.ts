/** `rankstream keys`: makes, lists, rotates and revokes the keys that a service asks for. */
import { Command, InvalidArgumentError, Option } from "commander";
import { addKey, type MadeKey, type NewKey, revokeKey, rotateKey } from "./access/key-changes.ts";
import type { StoredKey } from "./access/keys-document.ts";
import { changeKeysFile, readKeysFile } from "./access/keys-file.ts";
import { type CliIo, CommandFailure, exitCodes } from "./cli-io.ts";
import { outColumns } from "./cli-service.ts";
import { type Column, printable, tableLines } from "./cli-text.ts";
import { type KeyLimits, type Scope, scopes } from "./model-access.ts";

const fileVariable = "RANKSTREAM_ACCESS_KEYS";
const fileDefault = "keys.json";
const overlapDefault = "24h";

const createHelp = `
The key goes to stdout, once: the file holds only a hash of its secret. A service that runs with
this file (rankstream start --access-keys FILE) takes the key within a second or two.

Examples:
  rankstream keys create shop --scope ingest --types 'song_*' > shop.key
  rankstream keys create board --scope read --expires 90d --description "the office's screen"
  rankstream keys create ops --scope ingest,read,admin
`;
const listHelp = `
Shows no secrets: there are none in the file.

Examples:
  rankstream keys list
  rankstream keys list --json | jq '.keys[] | select(.expiresAt != null)'

With --json: {"keys": [{"id", "scopes", "eventTypes", "limits", "createdAt", "expiresAt",
"rotatedUntil", "description", "disabled"}]}.
`;
const rotateHelp = `
The old secret stays good for --overlap, so that programs can be given the new one one after
another; with --overlap 0 it ends at once.

Examples:
  rankstream keys rotate shop > shop.key
  rankstream keys rotate shop --overlap 0
`;
const revokeHelp = `
The key stays in the file, disabled: nobody gets in with it, and nobody else can get its id.
Connections that were opened with it are closed within seconds.

Examples:
  rankstream keys revoke shop
  rankstream keys revoke shop --forget
`;

const unitMs: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `90d`, `12h`, `30m`, `10s` or `0`, in ms; for commander. */
function durationArgument(value: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(value) ?? [];
  if (count !== undefined && unit !== undefined) return Number(count) * (unitMs[unit] as number);
  if (value === "0") return 0;
  throw new InvalidArgumentError("Expected a time such as 90d, 12h, 30m or 0.");
}

/** A duration from now, or a time; ISO 8601. For commander. */
function expiryArgument(value: string): string {
  const ms = /^\d{4}-/.test(value) ? Date.parse(value) : Date.now() + durationArgument(value);
  if (!Number.isNaN(ms) && ms > Date.now()) return new Date(ms).toISOString();
  throw new InvalidArgumentError("Expected a time to come: 90d, or 2027-01-01T00:00:00Z.");
}

function scopesArgument(value: string, before: Scope[] | undefined): Scope[] {
  const names = value.split(",").map((name) => name.trim());
  if (!names.every((name) => scopes.includes(name as Scope))) {
    throw new InvalidArgumentError(`Expected ${scopes.join(", ")}, several by comma.`);
  }
  return [...new Set([...(before ?? []), ...(names as Scope[])])];
}

function typesArgument(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

function countArgument(value: string): number {
  const count = Number(value);
  if (/^\d+$/.test(value) && Number.isSafeInteger(count) && count >= 1) return count;
  throw new InvalidArgumentError("Expected an integer of 1 or more.");
}

interface FileFlags {
  accessKeys: string;
}
interface CreateFlags extends FileFlags, KeyLimits {
  scope: Scope[];
  types?: string[];
  expires?: string;
  description?: string;
}

function newKeyOf(id: string, flags: CreateFlags): NewKey {
  const { scope, types, expires, description } = flags;
  const { requestsPerSecond, eventsPerSecond, eventsPerDay, connections } = flags;
  const limits = { requestsPerSecond, eventsPerSecond, eventsPerDay, connections };
  const given = Object.entries(limits).filter(([, limit]) => limit !== undefined);
  return {
    id,
    scopes: scope,
    ...(types !== undefined && { eventTypes: types }),
    ...(given.length > 0 && { limits: Object.fromEntries(given) as KeyLimits }),
    ...(expires !== undefined && { expiresAt: expires }),
    ...(description !== undefined && { description }),
  };
}

/** Changes the file, then prints the key that was made. */
async function make(
  path: string,
  io: CliIo,
  change: (keys: StoredKey[] | null) => MadeKey,
): Promise<number> {
  let key = "";
  await changeKeysFile(path, (keys) => {
    const made = change(keys);
    key = made.key;
    return made.keys;
  });
  io.writeOut(`${key}\n`);
  return exitCodes.done;
}

function existing(path: string, keys: StoredKey[] | null): StoredKey[] {
  if (keys !== null) return keys;
  throw new CommandFailure(`there is no file ${path}`, exitCodes.failure);
}

const columns: Column[] = [
  { name: "key", align: "left" },
  { name: "scopes", align: "left" },
  { name: "event types", align: "left" },
  { name: "limits", align: "left" },
  { name: "expires", align: "left" },
  { name: "state", align: "left" },
  { name: "description", align: "left", isElastic: true },
];

/** When the secret of before the last rotation ends; null where it has, or there was none. */
function rotatedUntil({ previous }: StoredKey, now: number): string | null {
  return previous !== undefined && Date.parse(previous.until) > now ? previous.until : null;
}

function stateOf(key: StoredKey, now: number): string {
  if (key.disabled === true) return "revoked";
  if (key.expiresAt !== undefined && Date.parse(key.expiresAt) <= now) return "expired";
  const until = rotatedUntil(key, now);
  return until === null ? "good" : `good, the old secret until ${until}`;
}

function cellsOf(key: StoredKey, now: number): string[] {
  const limits = Object.entries(key.limits ?? {}).map(([name, limit]) => `${name} ${limit}`);
  return [
    key.id,
    key.scopes.join(", "),
    printable((key.eventTypes ?? ["all"]).join(", ")),
    limits.join(", ") || "none",
    key.expiresAt ?? "never",
    stateOf(key, now),
    printable(key.description ?? ""),
  ];
}

function shownKey(key: StoredKey, now: number): object {
  const { id, eventTypes = null, limits = {}, createdAt = null, expiresAt = null } = key;
  const { description = "", disabled = false } = key;
  const rights = { id, scopes: key.scopes, eventTypes, limits };
  const times = { createdAt, expiresAt, rotatedUntil: rotatedUntil(key, now) };
  return { ...rights, ...times, description, disabled };
}

async function list(path: string, isJson: boolean, io: CliIo): Promise<number> {
  const { keys = [] } = (await readKeysFile(path)) ?? {};
  const now = Date.now();
  if (isJson) {
    io.writeOut(`${JSON.stringify({ keys: keys.map((key) => shownKey(key, now)) })}\n`);
    return exitCodes.done;
  }
  const rows = keys.map((key) => cellsOf(key, now));
  const lines = tableLines(columns, rows, outColumns(io));
  io.writeOut(lines.map((line) => `${line}\n`).join(""));
  return exitCodes.done;
}

function command(name: string, what: string, help: string, io: CliIo): Command {
  const file = new Option("--access-keys <file>", `the file of keys [${fileVariable}]`);
  const given = io.environment[fileVariable];
  return new Command(name)
    .description(what)
    .addOption(file.default(given === undefined || given === "" ? fileDefault : given))
    .addHelpText("after", help);
}

function createCommand(io: CliIo, done: (code: number) => void): Command {
  const scope = new Option("--scope <names>", `what it is for: ${scopes.join(", ")}, by comma`);
  return command("create", "Make a key; the file too, where there is none.", createHelp, io)
    .argument("<id>", "its name, which is no secret")
    .addOption(scope.argParser(scopesArgument).makeOptionMandatory())
    .option("--types <pattern>", "only these event types, * for any text; repeat", typesArgument)
    .option("--expires <time>", "how long it is good (90d), or until when", expiryArgument)
    .option("--description <text>", "whose it is, and for what")
    .option("--requests-per-second <count>", "most requests", countArgument)
    .option("--events-per-second <count>", "most events sent", countArgument)
    .option("--events-per-day <count>", "most events sent, by days of UTC", countArgument)
    .option("--connections <count>", "most live connections at once", countArgument)
    .action(async (id: string, flags: CreateFlags) => {
      const asked = newKeyOf(id, flags);
      done(await make(flags.accessKeys, io, (keys) => addKey(keys ?? [], asked, Date.now())));
    });
}

function rotateCommand(io: CliIo, done: (code: number) => void): Command {
  const what = "how long the old secret stays good";
  const overlap = new Option("--overlap <time>", what).argParser(durationArgument);
  overlap.default(durationArgument(overlapDefault), overlapDefault);
  return command("rotate", "Give a key a new secret.", rotateHelp, io)
    .argument("<id>", "the key")
    .addOption(overlap)
    .action(async (id: string, { accessKeys, overlap: ms }: FileFlags & { overlap: number }) => {
      const change = (keys: StoredKey[] | null) =>
        rotateKey(existing(accessKeys, keys), id, ms, Date.now());
      done(await make(accessKeys, io, change));
    });
}

function revokeCommand(io: CliIo, done: (code: number) => void): Command {
  return command("revoke", "End a key.", revokeHelp, io)
    .argument("<id>", "the key")
    .option("--forget", "take it off the list, too")
    .action(
      async (id: string, { accessKeys, forget = false }: FileFlags & { forget?: boolean }) => {
        await changeKeysFile(accessKeys, (keys) =>
          revokeKey(existing(accessKeys, keys), id, forget),
        );
        io.writeError(`the key ${printable(id)} is revoked\n`);
        done(exitCodes.done);
      },
    );
}

/** Adds the commands; `done` is told the exit code. */
export function addKeysCommand(program: Command, io: CliIo, done: (code: number) => void): void {
  const keys = program.command("keys").description("Make, list, rotate and revoke API keys.");
  keys.addCommand(createCommand(io, done));
  keys.addCommand(
    command("list", "Show the keys there are.", listHelp, io)
      .option("--json", "print them as JSON")
      .action(async ({ accessKeys, json = false }: FileFlags & { json?: boolean }) => {
        done(await list(accessKeys, json, io));
      }),
  );
  keys.addCommand(rotateCommand(io, done));
  keys.addCommand(revokeCommand(io, done));
}
