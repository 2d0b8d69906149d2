/**
 * Removes the lake's files that no state names: what transactions wrote that were rolled back,
 * or whose process died. DuckLake would find them by settings that it is not given
 * (lake-session.ts). A file's name says when it was made; what is young may be committed yet.
 */
import { type LakeData, lakeDirectory } from "./lake-s3.ts";
import type { RawPlace } from "./raw-place.ts";
import { sqlText } from "./sql.ts";

/** As DuckLake names files: a UUID of version 7 says its milliseconds first. */
const ownName = /ducklake-([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f-]{21}(?:-delete)?\.parquet$/;
/** Names asked for in one statement. */
const namesAtOnce = 1000;

export interface LakeOrphansDeps {
  /** Rows of one column, of a connection that sees the lake's files. */
  column: (sql: string) => Promise<string[]>;
  /** Which of these names files have that the lake names, or is about to remove. */
  namedOf: (names: readonly string[]) => Promise<Set<string>>;
  place: Pick<RawPlace, "remove">;
  data: LakeData;
}

function madeAt(path: string): number | null {
  const [, high, low] = ownName.exec(path) ?? [];
  return high === undefined ? null : Number.parseInt(high + low!, 16);
}

const baseOf = (path: string) => path.slice(path.lastIndexOf("/") + 1);

/** Removes those made before `before`, epoch ms; how many. Throws what the place throws. */
export async function removeOrphans(deps: LakeOrphansDeps, before: number): Promise<number> {
  const directory = lakeDirectory(deps.data.dataPath);
  const all = await deps.column(`SELECT file FROM glob(${sqlText(`${directory}lake/**`)})`);
  const old = all.filter((path) => (madeAt(path) ?? before) < before);
  let removed = 0;
  for (let from = 0; from < old.length; from += namesAtOnce) {
    const part = old.slice(from, from + namesAtOnce);
    // Asked after the list was, and a file that is old is named by none that comes later.
    const named = await deps.namedOf(part.map(baseOf));
    const orphans = part.filter((path) => !named.has(baseOf(path)));
    await deps.place.remove(orphans.map((path) => path.slice(directory.length)));
    removed += orphans.length;
  }
  return removed;
}
