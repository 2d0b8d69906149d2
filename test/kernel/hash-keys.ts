// Keys as they come (real names, ids in sequence, URLs) and as they come at worst (few bits set,
// few different words), for the hash's tests.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../support/source-tree.ts";

const encoder = new TextEncoder();

function distinct(texts: Iterable<string>): Uint8Array[] {
  return [...new Set(texts)].filter((text) => text !== "").map((text) => encoder.encode(text));
}

function dataFile(name: string): string {
  return readFileSync(join(root, "node_modules", "vega-datasets", "data", name), "utf8");
}

interface Film {
  Title: string | null;
}

/** Real names: US zip codes, airports, flights' routes, films and the words of their titles. */
export function realKeys(): Record<string, Uint8Array[]> {
  const lines = (name: string) => dataFile(name).split("\n").slice(1);
  const films = (JSON.parse(dataFile("movies.json")) as Film[]).flatMap(({ Title }) =>
    Title === null ? [] : [String(Title)],
  );
  const airports = lines("airports.csv").map((line) => line.split(","));
  const flights = JSON.parse(dataFile("flights-20k.json")) as Record<string, string>[];
  const names = airports.flatMap(([code, name, city]) => [code!, name ?? "", city ?? ""]);
  return {
    "zip codes": distinct(lines("zipcodes.csv").map((line) => line.split(",")[0]!)),
    airports: distinct(names),
    routes: distinct(flights.map((flight) => `${flight["origin"]}-${flight["destination"]}`)),
    films: distinct(films),
    words: distinct([...films, ...names].flatMap((text) => text.split(/[^\p{L}]+/u))),
    "film pages": distinct(
      films.flatMap((title) => {
        const slug = title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
        return [1, 2, 3].map((page) => `https://films.example.org/t/${slug}?page=${page}`);
      }),
    ),
  };
}

function made(n: number, text: (i: number) => string): Uint8Array[] {
  return Array.from({ length: n }, (_, i) => encoder.encode(text(i)));
}

/** song_0, song_1, … */
export function songKeys(n: number): Uint8Array[] {
  return made(n, (i) => `song_${i}`);
}

/** Ids as programs number them. */
export function sequentialKeys(n: number): Record<string, Uint8Array[]> {
  return {
    song_1: songKeys(n),
    "000001": made(n, (i) => String(i).padStart(9, "0")),
    "user-1-item": made(n, (i) => `user-${i}-item`),
    hexadecimal: made(n, (i) => (i + 0x10000000).toString(16)),
    uuid: made(n, (i) => `6fa459ea-ee8a-3ca4-894e-${(i * 7).toString(16).padStart(12, "0")}`),
    urls: made(n, (i) => `https://shop.example.com/catalogue/${i % 100}/products/${i}.html`),
  };
}

/** Keys of `bytes` bytes with at most two bits set. */
function sparse(bytes: number): Uint8Array[] {
  const keys = [new Uint8Array(bytes)];
  for (let a = 0; a < bytes * 8; a++) {
    for (let b = 0; b <= a; b++) {
      const key = new Uint8Array(bytes);
      key[a >> 3]! |= 1 << (a & 7);
      key[b >> 3]! |= 1 << (b & 7);
      keys.push(key);
    }
  }
  return keys;
}

/** Every sequence of `length` out of these 8-byte words. */
function sequences(words: readonly bigint[], length: number): Uint8Array[] {
  return Array.from({ length: words.length ** length }, (_, number) => {
    const lanes = new BigUint64Array(length);
    for (let at = 0, rest = number; at < length; at++) {
      lanes[at] = words[rest % words.length]!;
      rest = Math.floor(rest / words.length);
    }
    return new Uint8Array(lanes.buffer);
  });
}

const top = 1n << 63n;
const middle = 1n << 31n;

/** Keys that differ in little, or only where a weak hash looks last. */
export function contrivedKeys(): Record<string, Uint8Array[]> {
  return {
    "two bits of 7 bytes": sparse(7),
    "two bits of 24 bytes": sparse(24),
    "two bits of 64 bytes": sparse(64),
    "words of high bits": sequences([0n, top, top | middle, middle], 8),
    "words of low bits": sequences([0n, 1n, 2n, 1n << 32n], 8),
    "one letter, 1 to 512 times": Array.from({ length: 26 * 512 }, (_, i) => {
      return new Uint8Array(1 + (i % 512)).fill(97 + Math.floor(i / 512));
    }),
    "three letters": made(26 ** 3, (i) => {
      const letter = (n: number) => String.fromCharCode(97 + (n % 26));
      return letter(i) + letter(i / 26) + letter(i / 676);
    }),
  };
}
