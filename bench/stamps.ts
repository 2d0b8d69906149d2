/**
 * Bodies that are sent again later: the times in them are set anew where they stand, since
 * making events anew costs more than the service takes to count them.
 */
import type { Body } from "./event-stream.ts";

const key = Buffer.from('"timestamp"');
const quote = 0x22;
const digit0 = 0x30;
const digit9 = 0x39;
/** "YYYY-MM-DDTHH:MM:SS.mmm", then a zone. */
const isoBytes = 23;
const zoneZ = 0x5a;
const localMs = 2 * 3_600_000;

/** Where the times stand in one body, by the form they are written in. */
export interface Stamps {
  numbers: Uint32Array;
  utc: Uint32Array;
  /** Of an offset of two hours. */
  local: Uint32Array;
}

/** Finds the times of a body's events; each event must have one. */
export function stampsOf({ bytes, events }: Body): Stamps {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const numbers: number[] = [];
  const utc: number[] = [];
  const local: number[] = [];
  for (let at = body.indexOf(key); at >= 0; at = body.indexOf(key, at)) {
    at += key.length;
    while (body[at] !== quote && !(body[at]! >= digit0 && body[at]! <= digit9)) at++;
    if (body[at] !== quote) numbers.push(at);
    else if (body[at + 1 + isoBytes] === zoneZ) utc.push(at + 1);
    else local.push(at + 1);
  }
  const found = numbers.length + utc.length + local.length;
  if (found !== events) throw new Error(`${found} times in ${events} events`);
  return {
    numbers: Uint32Array.from(numbers),
    utc: Uint32Array.from(utc),
    local: Uint32Array.from(local),
  };
}

/** The text's bytes as little-endian words; its length is a multiple of four. */
function wordsOf(text: string): Uint32Array {
  return new Uint32Array(Uint8Array.from(Buffer.from(text)).buffer);
}

/** Makes `at`, epoch ms, the time of all events of the body. */
export function restamp({ bytes }: Body, stamps: Stamps, at: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  // Words instead of `set`, which takes as long as the service needs to scan an event.
  const write = (places: Uint32Array, text: string) => {
    const words = wordsOf(text.slice(0, text.length & ~3));
    const rest = Buffer.from(text.slice(text.length & ~3));
    for (let i = 0; i < places.length; i++) {
      const place = places[i]!;
      for (let word = 0; word < words.length; word++) {
        view.setUint32(place + word * 4, words[word]!, true);
      }
      for (let byte = 0; byte < rest.length; byte++)
        bytes[place + words.length * 4 + byte] = rest[byte]!;
    }
  };
  write(stamps.numbers, String(at));
  write(stamps.utc, new Date(at).toISOString().slice(0, isoBytes));
  write(stamps.local, new Date(at + localMs).toISOString().slice(0, isoBytes));
}
