// Data folders that other versions wrote, with what these said about them (make-fixture.mjs).
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";
import { temporaryFolder } from "../support/service.ts";

const folder = join(dirname(fileURLToPath(import.meta.url)), "fixtures");
const ending = ".json.br";

export interface Fixture {
  /** The commit of the program that wrote it. */
  commit: string;
  /** What the program was started with. */
  options: string[];
  // biome-ignore lint/suspicious/noExplicitAny: whatever the program said.
  answers: { path: string; body: any }[];
  /** By path below the data folder, base64. */
  files: Record<string, string>;
}

export const fixtureNames = readdirSync(folder)
  .filter((name) => name.endsWith(ending))
  .map((name) => name.slice(0, -ending.length));

export function readFixture(name: string): Fixture {
  const packed = readFileSync(join(folder, `${name}${ending}`));
  return JSON.parse(brotliDecompressSync(packed).toString("utf8")) as Fixture;
}

/** A fresh copy of its data folder. */
export function unpack({ files }: Fixture): string {
  const dataDir = temporaryFolder();
  for (const [path, text] of Object.entries(files)) {
    const target = join(dataDir, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, Buffer.from(text, "base64"));
  }
  return dataDir;
}
