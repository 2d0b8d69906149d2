/** Parts that JSON Schemas (2020-12) of bodies and replies are made of. */

export type Schema = Readonly<Record<string, unknown>>;

/** Pattern of a text without control characters. */
export const noControls = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";

const farTimePattern =
  "^([0-9]{4}|[+-][0-9]{6})-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$";

/** A text; `more` narrows it. */
export function text(description: string, more: Schema = {}): Schema {
  return { type: "string", description, ...more };
}

/** A whole number from 0 on; `more` may say otherwise. */
export function count(description: string, more: Schema = {}): Schema {
  return { type: "integer", minimum: 0, description, ...more };
}

export function number(description: string, more: Schema = {}): Schema {
  return { type: "number", description, ...more };
}

export function flag(description: string): Schema {
  return { type: "boolean", description };
}

/** A moment, as replies write it. */
export function time(description: string): Schema {
  return { type: "string", format: "date-time", description: `${description} ISO 8601, UTC.` };
}

/** An end of a range: ranges may reach beyond the years that RFC 3339 knows. */
export function farTime(description: string): Schema {
  const more = "ISO 8601, UTC; years beyond 9999 have a sign and six digits.";
  return { type: "string", pattern: farTimePattern, description: `${description} ${more}` };
}

/** Part of a whole. */
export function share(description: string): Schema {
  return { type: "number", minimum: 0, maximum: 1, description };
}

/** The same, or null. */
export function orNull(schema: Schema): Schema {
  const { enum: values, ...rest } = schema as { enum?: readonly unknown[]; type: string };
  const more = values === undefined ? {} : { enum: [...values, null] };
  return { ...rest, ...more, type: [rest.type, "null"] };
}

export function listOf(items: Schema, description: string, more: Schema = {}): Schema {
  return { type: "array", items, description, ...more };
}

/** An object with these members, each there but the `optional` ones. */
export function object(
  properties: Readonly<Record<string, Schema>>,
  optional: readonly string[] = [],
  description?: string,
): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return {
    type: "object",
    ...(description !== undefined && { description }),
    ...(required.length > 0 && { required }),
    ...(Object.keys(properties).length > 0 && { properties }),
  };
}

/** A schema of `components`, by its name. */
export function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}
