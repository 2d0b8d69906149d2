/**
 * Points in time as a query names them: RFC 3339 with a zone, or an integer of epoch ms.
 * The same text forms as an event's timestamp; integers are free, since a range may well begin
 * before the first moment an event can have.
 */
import { RankstreamError } from "../errors.ts";

/** The last moment `Date` can tell, in ms from the epoch; the first is its negative. */
export const epochMsMax = 8_640_000_000_000_000;

const excerptCharsMax = 40;

const integerForm = /^-?\d{1,20}$/;
const textForm = new RegExp(
  "^(?<year>\\d{4})-(?<month>\\d\\d)-(?<day>\\d\\d)[Tt ]" +
    "(?<hour>\\d\\d):(?<minute>\\d\\d):(?<second>\\d\\d)(?:\\.(?<fraction>\\d{1,9}))?" +
    "(?:[Zz]|(?<sign>[+-])(?<zoneHour>\\d\\d):?(?<zoneMinute>\\d\\d))$",
);
const textFields =
  "(19[7-9][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])" +
  "[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?" +
  "([Zz]|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])";

/** The text form as a pattern for a JSON Schema: each field in its range, months of 31 days. */
export const momentTextPattern = `^${textFields}$`;

/** Both forms; integers of any size. */
export const momentPattern = `^(-?[0-9]{1,16}|${textFields})$`;

/** What `+01:00` becomes when a URL carries the plus as it is. */
const lostPlus = /:\d\d(?:\.\d+)? \d\d:?\d\d$/;
const noZone = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?$/;

/** What came, quoted and cut to a length that fits a message. */
export function excerpt(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= excerptCharsMax ? text : `${text.slice(0, excerptCharsMax)}…`;
}

function refuse(name: string, expected: string, value: unknown): RankstreamError {
  return new RankstreamError(
    "invalid_timestamp",
    `${name}: expected ${expected}, got ${excerpt(value)}`,
  );
}

function fromInteger(value: number, name: string, given: unknown): number {
  if (Number.isInteger(value) && Math.abs(value) <= epochMsMax) return value + 0;
  throw refuse(name, `an integer of epoch ms within ±${epochMsMax}`, given);
}

function expectation(value: unknown): string {
  const general = "RFC 3339 with a zone such as 2026-11-24T10:30:00Z, or epoch ms";
  if (typeof value !== "string") return general;
  if (noZone.test(value)) return "a zone at its end (Z or ±hh:mm)";
  if (lostPlus.test(value)) return "a zone (in a URL the + of +hh:mm is written %2B)";
  return general;
}

function daysInMonth(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}

/** Throws on a field out of its range; `fields` are the form's groups. */
function checkFields(fields: Record<string, number>, name: string, given: unknown): void {
  const check = (field: string, low: number, high: number, what: string) => {
    const value = fields[field]!;
    if (value < low || value > high) {
      throw refuse(name, `${what} from ${low} to ${high} (not ${value})`, given);
    }
  };
  check("year", 1970, 9999, "a year");
  check("month", 1, 12, "a month");
  check("day", 1, daysInMonth(fields["year"]!, fields["month"]!), "a day of that month");
  check("hour", 0, 23, "an hour");
  check("minute", 0, 59, "a minute");
  check("second", 0, 59, "a second");
  check("zoneHour", 0, 23, "the zone's hour");
  check("zoneMinute", 0, 59, "the zone's minute");
}

/**
 * RFC 3339 text (`T`, `t` or a space; `Z`, ±hh:mm or ±hhmm; 1 to 9 fraction digits, floored to
 * ms; years 1970 to 9999) as epoch ms. `name` names it in the message. Throws RankstreamError
 * `invalid_timestamp`, also for an integer.
 */
export function parseTimestampText(value: string, name: string): number {
  const groups = textForm.exec(value)?.groups;
  if (groups === undefined) throw refuse(name, expectation(value), value);
  const number = (key: string) => Number(groups[key] ?? 0);
  const keys = ["year", "month", "day", "hour", "minute", "second", "zoneHour", "zoneMinute"];
  const fields = Object.fromEntries(keys.map((key) => [key, number(key)]));
  checkFields(fields, name, value);
  const local = Date.UTC(
    fields["year"]!,
    fields["month"]! - 1,
    fields["day"]!,
    fields["hour"]!,
    fields["minute"]!,
    fields["second"]!,
    Number((groups["fraction"] ?? "").padEnd(3, "0").slice(0, 3)),
  );
  const offsetMs = (fields["zoneHour"]! * 60 + fields["zoneMinute"]!) * 60_000;
  return groups["sign"] === "-" ? local + offsetMs : local - offsetMs;
}

/**
 * `from` or `to` of a query as epoch ms: RFC 3339 text, an integer, or an integer as text (a URL
 * has nothing else). Throws RankstreamError `invalid_timestamp`.
 */
export function parseTimestamp(value: string | number, name: string): number {
  if (typeof value === "number") return fromInteger(value, name, value);
  if (typeof value !== "string") throw refuse(name, expectation(value), value);
  if (integerForm.test(value)) return fromInteger(Number(value), name, value);
  return parseTimestampText(value, name);
}

/** ISO 8601 in UTC, to the ms. */
export function formatTimestamp(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
