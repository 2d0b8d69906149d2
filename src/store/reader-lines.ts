/**
 * The SQL that makes one line of NDJSON of each row of a file: an event in the form that
 * `POST /events` takes, or, for a row that can't become one, `!code: why`. DuckDB writes the
 * text, so that no row becomes a JavaScript object.
 */

export interface FileColumn {
  name: string;
  /** DuckDB's name of its type; `VARCHAR` for text formats. */
  type: string;
}

export type TimeUnit = "s" | "ms" | "us";

/** Which column becomes what of an event. Every column named must be there. */
export interface EventMapping {
  type: { constant: string } | { column: string };
  /** Several are joined by `idSeparator`. */
  id: readonly string[];
  idSeparator: string;
  /** Null leaves the time to the service: the time of receipt. */
  time: string | null;
  /** IANA name: of times without zone. */
  timeZone: string;
  /** Of times that are numbers. */
  timeUnit: TimeUnit;
  /** For strptime; null reads ISO 8601. */
  timeFormat: string | null;
  user: string | null;
  session: string | null;
  /** A row without weight counts once. */
  weight: string | null;
  meta: readonly { key: string; column: string }[];
  /** A column that holds all metadata as one JSON object, in place of `meta`. */
  metadata?: string;
}

/** The first character of a row that is no event. */
export const refusedMark = "!";

const shownCharsMax = 60;
const unitsPerMs: Record<TimeUnit, number> = { s: 0.001, ms: 1, us: 1000 };

export function textLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

const integerType = /^U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?$/;
const fractionType = /^(?:FLOAT|DOUBLE|DECIMAL.*)$/;
const zonelessType = /^(?:DATE|TIMESTAMP(?:_S|_MS|_NS)?)$/;

/** Whether a column of this type can be read as a time. */
export function isTimeType(type: string): boolean {
  const isOther = type === "VARCHAR" || type === "JSON" || type === "TIMESTAMP WITH TIME ZONE";
  return isOther || [integerType, fractionType, zonelessType].some((known) => known.test(type));
}

class LineSql {
  readonly #mapping: EventMapping;
  readonly #types: Map<string, string>;
  readonly #isJson: boolean;

  constructor(mapping: EventMapping, columns: readonly FileColumn[], isJson: boolean) {
    this.#mapping = mapping;
    this.#types = new Map(columns.map(({ name, type }) => [name, type]));
    this.#isJson = isJson;
  }

  #column(name: string): string {
    if (!this.#isJson) return identifier(name);
    const pointer = `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    return `json_extract_string(json, ${textLiteral(pointer)})`;
  }

  #text(name: string): string {
    return `${this.#column(name)}::VARCHAR`;
  }

  /** Epoch ms of an expression of type TIMESTAMP without zone. */
  #zoned(timestamp: string): string {
    const { timeZone } = this.#mapping;
    if (timeZone === "UTC") return `epoch_ms(${timestamp})`;
    return `epoch_ms(timezone(${textLiteral(timeZone)}, ${timestamp}))`;
  }

  #number(value: string): string {
    const perMs = unitsPerMs[this.#mapping.timeUnit];
    const scaled = perMs < 1 ? `${value} * ${1 / perMs}` : `${value} // ${perMs}`;
    return perMs === 1 ? value : scaled;
  }

  /** Epoch ms as BIGINT, null where the value is no time. */
  #time(name: string): string {
    const column = this.#column(name);
    const type = this.#isJson ? "VARCHAR" : this.#types.get(name)!;
    if (type === "TIMESTAMP WITH TIME ZONE") return `TRY(epoch_ms(${column}))`;
    if (zonelessType.test(type)) return `TRY(${this.#zoned(`${column}::TIMESTAMP`)})`;
    if (integerType.test(type)) {
      return `TRY(${this.#number(`${column}::BIGINT`)})`;
    }
    if (fractionType.test(type)) {
      return `TRY(floor(${column} / ${unitsPerMs[this.#mapping.timeUnit]})::BIGINT)`;
    }
    return this.#textTime(column);
  }

  #textTime(column: string): string {
    const { timeFormat } = this.#mapping;
    if (timeFormat !== null) {
      const parsed = `try_strptime(${column}, ${textLiteral(timeFormat)})`;
      const hasZone = /%[zZ]/.test(timeFormat);
      return `TRY(${hasZone ? `epoch_ms(${parsed})` : this.#zoned(parsed)})`;
    }
    // The zone's sign is told from a date's hyphens by the colon of the time before it.
    const hasZone = String.raw`regexp_matches(${column}, ':\d\d.*([zZ]|[+-]\d\d(:?\d\d)?)$')`;
    // DuckDB reads a zone only after seconds.
    const whole = String.raw`regexp_replace(upper(${column}), '^([^:]*:\d\d)([Z+-])', '\1:00\2')`;
    return (
      `TRY(CASE WHEN regexp_full_match(${column}, '-?\\d+') ` +
      `THEN ${this.#number(`TRY_CAST(${column} AS BIGINT)`)} ` +
      `WHEN ${hasZone} THEN epoch_ms(TRY_CAST(${whole} AS TIMESTAMPTZ)) ` +
      `ELSE ${this.#zoned(`TRY_CAST(${column} AS TIMESTAMP)`)} END)`
    );
  }

  /** The columns of the inner query, by what they are of the event. */
  columns(): string[] {
    const { type, id, idSeparator, time, user, session, weight, meta } = this.#mapping;
    const parts = id.map((name) => this.#text(name));
    const columns = [`${parts.join(` || ${textLiteral(idSeparator)} || `)} AS id`];
    if ("column" in type) columns.push(`${this.#text(type.column)} AS kind`);
    if (time !== null) {
      columns.push(`${this.#text(time)} AS given_time`, `${this.#time(time)} AS time`);
    }
    if (user !== null) columns.push(`${this.#text(user)} AS user_id`);
    if (session !== null) columns.push(`${this.#text(session)} AS session_id`);
    if (weight !== null) {
      const text = this.#text(weight);
      columns.push(`${text} AS given_weight`, `TRY_CAST(${text} AS BIGINT) AS weight`);
    }
    const { metadata } = this.#mapping;
    if (metadata !== undefined) {
      // An empty text is what CSV has for nothing.
      columns.push(`nullif(${this.#text(metadata)}, '') AS metadata`);
    }
    meta.forEach(({ column }, i) => {
      columns.push(`${this.#text(column)} AS meta_${i}`);
    });
    if (this.#isJson) columns.push("json_type(json) AS json_kind");
    return columns;
  }

  /** What makes a row no event: condition and message, in order. */
  refusals(): [string, string][] {
    const { type, id, time, weight } = this.#mapping;
    const refusals: [string, string][] = [];
    const missing = (field: string, columns: readonly string[]) =>
      textLiteral(`missing_field: ${field}: nothing in the column ${columns.join(", ")}`);
    const wrong = (code: string, what: string, given: string) =>
      `${textLiteral(`${code}: ${what}`)} || to_json(left(${given}, ${shownCharsMax}))::VARCHAR`;
    if (this.#isJson) {
      refusals.push([
        "json_kind IS NULL",
        textLiteral("invalid_json: not one JSON object a line"),
      ]);
      refusals.push(["json_kind <> 'OBJECT'", textLiteral("wrong_type: expected a JSON object")]);
    }
    refusals.push(["id IS NULL", missing("eventId", id)]);
    if ("column" in type) refusals.push(["kind IS NULL", missing("eventType", [type.column])]);
    if (time !== null) {
      refusals.push(["given_time IS NULL", missing("timestamp", [time])]);
      const what = "timestamp: expected a time, got ";
      refusals.push(["time IS NULL", wrong("invalid_timestamp", what, "given_time")]);
    }
    if (weight !== null) {
      const what = "weight: expected an integer, got ";
      const isWrong = "weight IS NULL AND given_weight IS NOT NULL";
      refusals.push([isWrong, wrong("wrong_type", what, "given_weight")]);
    }
    if (this.#mapping.metadata !== undefined) {
      const isObject = "json_valid(metadata) AND TRY(json_type(metadata)) = 'OBJECT'";
      const what = "metadata: expected a JSON object, got ";
      refusals.push([
        `metadata IS NOT NULL AND NOT (${isObject})`,
        wrong("wrong_type", what, "metadata"),
      ]);
    }
    return refusals;
  }

  event(): string {
    const { type, time, user, session, weight, meta } = this.#mapping;
    const json = (name: string) => `to_json(${name})::VARCHAR`;
    const optional = (key: string, name: string, value: string) =>
      `CASE WHEN ${name} IS NULL THEN '' ELSE ${textLiteral(`,"${key}":`)} || ${value} END`;
    const kind = "column" in type ? json("kind") : textLiteral(JSON.stringify(type.constant));
    const parts = [`'{"eventId":' || ${json("id")}`, `',"eventType":' || ${kind}`];
    if (time !== null) parts.push(`',"timestamp":' || time::VARCHAR`);
    if (user !== null) parts.push(optional("userId", "user_id", json("user_id")));
    if (session !== null) parts.push(optional("sessionId", "session_id", json("session_id")));
    if (weight !== null) parts.push(optional("weight", "weight", "weight::VARCHAR"));
    if (this.#mapping.metadata !== undefined) {
      const oneLine = "translate(metadata, chr(10) || chr(13), '  ')";
      parts.push(optional("metadata", "metadata", oneLine));
    }
    if (meta.length > 0) {
      const pairs = meta.map(
        ({ key }, i) => `${textLiteral(`${JSON.stringify(key)}:`)} || ${json(`meta_${i}`)}`,
      );
      const body = pairs.length === 1 ? `coalesce(${pairs[0]}, '')` : `concat_ws(',', ${pairs})`;
      parts.push(`',"metadata":{' || ${body} || '}'`);
    }
    return `${parts.join(" || ")} || '}'`;
  }
}

/**
 * The query over `source` (a table function) whose one column, never null, is each row's line
 * with its line feed, or `!code: why` with one.
 */
export function linesQuery(
  source: string,
  mapping: EventMapping,
  columns: readonly FileColumn[],
  isJson: boolean,
): string {
  const sql = new LineSql(mapping, columns, isJson);
  const cases = sql
    .refusals()
    .map(([condition, message]) => `WHEN ${condition} THEN '${refusedMark}' || ${message}`);
  const unreadable = textLiteral(`${refusedMark}unreadable: the row could not be read`);
  const line = `CASE ${cases.join(" ")} ELSE ${sql.event()} END`;
  const rows = `SELECT ${sql.columns().join(", ")} FROM ${source}`;
  return `SELECT coalesce(${line}, ${unreadable}) || chr(10) FROM (${rows})`;
}
