/** Checks which column becomes what of an event against the columns there are. */
import { didYouMean, quoted } from "../errors.ts";
import { type EventMapping, type FileColumn, isTimeType } from "../store/reader-lines.ts";
import { ImportUsageError } from "./import-error.ts";

/** What a user says of the columns; undefined where nothing was said. */
export interface MappingOptions {
  type?: string | undefined;
  typeColumn?: string | undefined;
  /** Names, or several in one text parted by commas. */
  id?: readonly string[] | undefined;
  idSeparator?: string | undefined;
  time?: string | undefined;
  timeZone?: string | undefined;
  timeUnit?: "s" | "ms" | "us" | undefined;
  timeFormat?: string | undefined;
  user?: string | undefined;
  session?: string | undefined;
  weight?: string | undefined;
  /** As `id`; `key=column` names the key otherwise than the column. */
  meta?: readonly string[] | undefined;
}

const columnsShownMax = 40;

/** Whether anything was said: without, lines of NDJSON are events as they are. */
export function isMapped(options: MappingOptions): boolean {
  return Object.values(options).some((value) => value !== undefined);
}

/** Columns that are named as an event's fields are these, where nothing else was said. */
const ownColumns = Object.freeze({
  typeColumn: "eventType",
  id: ["eventId"],
  time: "timestamp",
  user: "userId",
  session: "sessionId",
  weight: "weight",
});

/**
 * The mapping of a table that `export` has written, or one like it: columns named as the fields
 * of an event. Null where the file is another.
 */
export function ownMapping(columns: readonly FileColumn[]): EventMapping | null {
  const names = new Set(columns.map(({ name }) => name));
  if (!names.has("eventId") || !names.has("eventType")) return null;
  const given = Object.entries(ownColumns).filter(([, name]) => names.has([name].flat()[0]!));
  const mapping = checkMapping(Object.fromEntries(given), columns);
  return names.has("metadata") ? { ...mapping, metadata: "metadata" } : mapping;
}

function checkTimeZone(timeZone: string): string {
  try {
    return new Intl.DateTimeFormat("en", { timeZone }).resolvedOptions().timeZone;
  } catch {
    throw new ImportUsageError(
      `--time-zone: expected an IANA name such as Europe/Berlin, got ${quoted(timeZone)}`,
    );
  }
}

class Columns {
  readonly #columns: readonly FileColumn[];
  readonly #names: string[];

  constructor(columns: readonly FileColumn[]) {
    this.#columns = columns;
    this.#names = columns.map(({ name }) => name);
  }

  has(name: string): boolean {
    return this.#names.includes(name);
  }

  one(flag: string, name: string): FileColumn {
    const column = this.#columns.find((each) => each.name === name);
    if (column !== undefined) return column;
    const shown = this.#names.slice(0, columnsShownMax).map((each) => quoted(each));
    const more = this.#names.length > columnsShownMax ? ", …" : "";
    throw new ImportUsageError(
      `${flag}: there is no column ${quoted(name)}.${didYouMean(name, this.#names)} ` +
        `The columns are ${shown.join(", ")}${more}`,
    );
  }

  /** A name, or names parted by commas where no column has the whole as its name. */
  several(given: readonly string[]): string[] {
    return given.flatMap((text) => (this.has(text) ? [text] : text.split(",")));
  }
}

function typeOf(options: MappingOptions, columns: Columns): EventMapping["type"] {
  const { type, typeColumn } = options;
  if (type !== undefined && typeColumn !== undefined) {
    throw new ImportUsageError("--type and --type-column are both given: keep one of them");
  }
  if (typeColumn !== undefined) return { column: columns.one("--type-column", typeColumn).name };
  if (type !== undefined && type !== "") return { constant: type };
  throw new ImportUsageError("which event type? Say --type NAME, or --type-column COLUMN");
}

function metaOf(given: readonly string[], columns: Columns): EventMapping["meta"] {
  const meta = columns.several(given).map((text) => {
    const equals = columns.has(text) ? -1 : text.indexOf("=");
    const column = columns.one("--meta", text.slice(equals + 1)).name;
    return { key: equals < 0 ? column : text.slice(0, equals), column };
  });
  const twice = meta.find(({ key }, i) => meta.findIndex((each) => each.key === key) < i);
  if (twice !== undefined)
    throw new ImportUsageError(`--meta: ${quoted(twice.key)} is named twice`);
  return meta;
}

/**
 * The mapping, complete. Throws ImportUsageError that names the flag, and for a column that isn't
 * there the columns that are.
 */
export function checkMapping(
  options: MappingOptions,
  columns: readonly FileColumn[],
): EventMapping {
  const known = new Columns(columns);
  const optional = (flag: string, name: string | undefined) =>
    name === undefined ? null : known.one(flag, name).name;
  const type = typeOf(options, known);
  if (options.id === undefined || options.id.length === 0) {
    throw new ImportUsageError("which column is the item? Say --id COLUMN (or several: --id a,b)");
  }
  const id = known.several(options.id).map((name) => known.one("--id", name).name);
  const time = options.time === undefined ? null : known.one("--time", options.time);
  if (time !== null && !isTimeType(time.type)) {
    throw new ImportUsageError(`--time: the column ${quoted(time.name)} is ${time.type}, no time`);
  }
  return {
    type,
    id,
    idSeparator: options.idSeparator ?? "-",
    time: time?.name ?? null,
    timeZone: checkTimeZone(options.timeZone ?? "UTC"),
    timeUnit: options.timeUnit ?? "ms",
    timeFormat: options.timeFormat ?? null,
    user: optional("--user", options.user),
    session: optional("--session", options.session),
    weight: optional("--weight", options.weight),
    meta: metaOf(options.meta ?? [], known),
  };
}
