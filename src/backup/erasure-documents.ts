/**
 * Users who were erased, beside the backups that still have them: a restore erases them again.
 *
 *   erasures/<sha256>.json   ErasedUsers as JSON, sealed, under the digest of what it says
 *
 * A user may be in several. What they say is added up, so none is ever changed.
 */
import { RankstreamError } from "../errors.ts";
import type { ErasedUsers } from "../store/erase-questions.ts";
import { openFormat, sealDocument, sha256 } from "./manifest.ts";
import { type Repository, repositoryFormat } from "./repository.ts";

const prefix = "erasures/";
const namePattern = /^erasures\/[0-9a-f]{64}\.json$/;

/** Whether it is such a document that is damaged. */
export function isOfErasures({ message }: RankstreamError): boolean {
  return message.startsWith(prefix);
}

/** Writes a document, unless there is one that says the same. */
export async function writeErasures(
  { destination }: Repository,
  { key, users }: ErasedUsers,
): Promise<void> {
  const text = sealDocument({ format: repositoryFormat, key, users });
  await destination.create(`${prefix}${sha256(text)}.json`, Buffer.from(text));
  await destination.settle();
}

/** All that were written. Throws `backup_damaged`, `backup_mismatch`. */
export async function readErasures({ destination }: Repository): Promise<ErasedUsers[]> {
  const names: string[] = [];
  for await (const { name } of destination.list(prefix)) {
    if (namePattern.test(name)) names.push(name);
  }
  const read: ErasedUsers[] = [];
  for (const name of names.sort()) {
    const bytes = await destination.get(name);
    if (bytes === null) throw new RankstreamError("backup_damaged", `${name} is missing`);
    read.push(openFormat(name, bytes, repositoryFormat) as unknown as ErasedUsers);
  }
  return read;
}
