/**
 * Keeps secrets, user ids and session ids out of what is written: by what they look like, by the
 * names they stand under, and by the values that the configuration or a request gave.
 */

const hidden = "***";
/** Of a text only so much is looked through; the rest is cut off. */
const lookedCharsMax = 64 * 1024;
const textCharsMax = 16 * 1024;
/** Cut from a text that was too long: a secret may have been cut in two there. */
const brokenCharsMax = 1024;
/** Shorter values are hidden where they stand alone: inside of words they would be everywhere. */
const aloneCharsMax = 4;
/** Longer values are cut where messages quote them (errors.ts). */
const quotedCharsMax = 60;

/** An expression in parts, so that each can be read. */
function pattern(parts: readonly string[], flags = "g"): RegExp {
  return new RegExp(parts.join(""), flags);
}

const sqlTexts = String.raw`\((?:'(?:[^']|'')*'?|[^')])*\)?`;
const sqlText = "'(?:[^']|'')*'?";

const memberNames = "userId|sessionId|user_id|session_id|password|api_?key|token";

/** Each finds one kind of secret; `$1` and so on is what stays. Bounded, or linear at worst. */
const patterns: readonly (readonly [RegExp, string])[] = [
  [
    pattern([
      "-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----",
      String.raw`[\s\S]*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|$)`,
    ]),
    hidden,
  ],
  // API keys.
  [/\brsk_[\w.~+/=-]+/g, `rsk_${hidden}`],
  // Tokens of three parts (JWT).
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, hidden],
  [/\b(Bearer|bearer|Basic|ApiKey)\s+[\w.~+/=-]{4,}/g, `$1 ${hidden}`],
  [
    pattern(
      [
        String.raw`\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key)`,
        String.raw`(\W{0,4}[:=]\s{0,4})[^\n]*`,
      ],
      "gi",
    ),
    `$1$2${hidden}`,
  ],
  // Names and passwords in addresses.
  [/\b([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s"'<>/?#]*@/gi, `$1${hidden}@`],
  // Parameters of addresses, of PostgreSQL's with their quotes.
  [
    pattern(
      [
        String.raw`(^|[^\w.])(userId|sessionId|filter(?:Not)?\.[^=\s&"']{1,300}|password|api_?key`,
        String.raw`|[a-z_]{0,20}token)=(?:'(?:[^'\\]|\\.)*'?|[^&\s"']*)`,
      ],
      "gi",
    ),
    `$1$2=${hidden}`,
  ],
  // Members of JSON, and of JSON in a string of JSON.
  [
    pattern(
      [`"(${memberNames})"`, String.raw`(\s{0,4}:\s{0,4})(?:"(?:[^"\\]|\\.)*"?|[\d.]+)`],
      "gi",
    ),
    `"$1"$2"${hidden}"`,
  ],
  [
    pattern(
      [
        String.raw`(\\{1,16}")(${memberNames})\1`,
        String.raw`(\s{0,4}:\s{0,4})(?:\1(?:\\{2,16}"|(?!\1).)*(?:\1)?|[\d.]+)`,
      ],
      "gi",
    ),
    `$1$2$1$3$1${hidden}$1`,
  ],
  // Members of an event's metadata, up to the first that is itself no text.
  [/("metadata\\{0,16}"\s{0,4}:\s{0,4})\{[^{}]*\}?/g, `$1${hidden}`],
  // The address of one user.
  [/(\/users\/)[^\s/?#"']+/g, `$1${hidden}`],
  // What DuckDB shows of a statement, and conditions of one.
  [/\bLINE \d+:[^\n]*(?:\n *\^)?/g, `LINE ${hidden}`],
  [
    pattern(
      [
        String.raw`\b(user_id|session_id|json_extract_string\(metadata, '[^']*'\))`,
        String.raw`(\s{0,4}(?:=|<>|NOT IN|IN)\s{0,4})(?:${sqlTexts}|${sqlText})`,
      ],
      "gi",
    ),
    `$1$2${hidden}`,
  ],
];

const secretNames = pattern(
  [
    "^(?:(?:proxy-)?authorization|(?:set-)?cookie|(?:x-)?api[-_]?key|password|secret|token",
    "|user[-_]?ids?|session[-_]?ids?)$",
  ],
  "i",
);

/** Whether what stands under this name is not to be written. */
export function isSecretName(name: string): boolean {
  return secretNames.test(name);
}

const depthMax = 4;
const filterName = /^filter(?:Not)?\./;

/** Every text in it, however deep. */
export function textsIn(value: unknown, depth = depthMax): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null || depth === 0) return [];
  return Object.values(value).flatMap((one) => textsIn(one, depth - 1));
}

/** Texts in it that stand under a name of what is not to be written: of users, of filters. */
export function secretsIn(value: unknown, depth = depthMax): string[] {
  if (typeof value !== "object" || value === null || depth === 0) return [];
  return Object.entries(value).flatMap(([name, one]) => {
    const isSecret = isSecretName(name) || filterName.test(name) || name === "metadata";
    return isSecret ? textsIn(one) : secretsIn(one, depth - 1);
  });
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
}

/** The forms a value may stand in: as it is, in a URL, in JSON, and cut as messages quote it. */
function formsOf(whole: string): string[] {
  return [...new Set([whole, whole.slice(0, quotedCharsMax)])].flatMap(writtenForms);
}

function writtenForms(value: string): string[] {
  const inUrl = encodeURIComponent(value.replaceAll(/\p{Surrogate}/gu, "\ufffd"));
  const inForm = inUrl.replaceAll("%20", "+");
  return [...new Set([value, inUrl, inForm, JSON.stringify(value).slice(1, -1)])];
}

/** Finds these values; null for none. */
function findValues(values: readonly string[]): RegExp | null {
  const forms = [...new Set(values.filter((value) => value !== "").flatMap(formsOf))];
  if (forms.length === 0) return null;
  // The longest first: one may begin with another.
  forms.sort((a, b) => b.length - a.length);
  const one = (form: string) => {
    const text = escaped(form);
    return form.length < aloneCharsMax ? `(?<![\\w.])${text}(?![\\w.])` : text;
  };
  return new RegExp(forms.map(one).join("|"), "g");
}

export class Redactor {
  readonly #configured: RegExp | null;

  /** `secrets`: values of the configuration that are never written. */
  constructor(secrets: readonly string[] = []) {
    this.#configured = findValues(secrets);
  }

  /** The text without secrets, and without `more` values; cut at 16 KiB. */
  text(given: string, more: readonly string[] = []): string {
    const isCut = given.length > lookedCharsMax;
    let text = isCut ? given.slice(0, lookedCharsMax) : given;
    for (const values of [this.#configured, findValues(more)]) {
      if (values !== null) text = text.replaceAll(values, hidden);
    }
    for (const [pattern, stays] of patterns) text = text.replaceAll(pattern, stays);
    if (isCut) text = text.slice(0, -brokenCharsMax);
    return text.length > textCharsMax ? `${text.slice(0, textCharsMax)}…` : text;
  }
}
