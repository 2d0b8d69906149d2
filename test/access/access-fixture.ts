// Files of keys, as tests need them.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { makeKey } from "../../src/access/credential.ts";
import { keysDocumentText, type StoredKey } from "../../src/access/keys-document.ts";

const folder = mkdtempSync(join(tmpdir(), "rankstream-keys-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;

/** A path in a folder that goes when the test file has ended. */
export function keysPath(): string {
  files += 1;
  return join(folder, `${files}.json`);
}

/** A key that may do everything unless said otherwise: as it is kept, and as it is sent. */
export function keyOf(id: string, rights: Partial<StoredKey> = {}) {
  const { key, secretSha256 } = makeKey(id);
  const stored: StoredKey = { id, secretSha256, scopes: ["ingest", "read", "admin"], ...rights };
  return { key, stored, headers: { authorization: `Bearer ${key}` } };
}

/** Writes a file of these keys and returns its path. */
export function writeKeys(keys: readonly { stored: StoredKey }[], path = keysPath()): string {
  writeFileSync(path, keysDocumentText(keys.map(({ stored }) => stored)));
  chmodSync(path, 0o600);
  return path;
}
