/** How items and event types are named in addresses, parameters and bodies. */
import { eventBounds } from "../model.ts";
import type { ParameterTable } from "./parameters.ts";
import { text } from "./schema.ts";

const { eventIdBytesMax, eventTypeBytesMax } = eventBounds;

const withoutNul = "^[^\\u0000]*$";

/** Lengths are those of bytes of UTF-8, of which a character takes one to four. */
export const nameSchemas = Object.freeze({
  eventType: text(`The event type: 1 to ${eventTypeBytesMax} bytes of UTF-8.`, {
    minLength: 1,
    maxLength: eventTypeBytesMax,
    pattern: withoutNul,
  }),
  eventId: text(`The item: 1 to ${eventIdBytesMax} bytes of UTF-8.`, {
    minLength: 1,
    maxLength: eventIdBytesMax,
    pattern: withoutNul,
  }),
});

const { eventType, eventId } = nameSchemas;

/** Parts of an address. */
export const namesInPath = Object.freeze({
  eventType: { description: "The event type, percent-encoded.", schema: eventType },
  eventId: { description: "The item, percent-encoded.", schema: eventId },
}) satisfies ParameterTable;

/** The same as parameters, for ids that most clients can't write into an address. */
export const nameParameters = Object.freeze({
  eventType: { description: "The event type.", schema: eventType, required: true },
  eventId: { description: "The item.", schema: eventId, required: true },
}) satisfies ParameterTable;
