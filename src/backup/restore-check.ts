/** What is looked at before anything is restored, and what is said where something is damaged. */
import { RankstreamError } from "../errors.ts";
import { isOfErasures } from "./erasure-documents.ts";
import { partName } from "./log-parts.ts";
import { type BackupFile, partBounds } from "./manifest.ts";
import { isDamage, objectName, objectsOf, type Repository } from "./repository.ts";
import { planRestore, type RestorePlan, timeText } from "./restore-plan.ts";

/** An object that is needed; bytes: null where only reading it tells. */
interface Wanted {
  path: string;
  bytes: number | null;
}

/** Throws `backup_damaged` where an object of the files is not there, or not of its length. */
export async function checkObjects(
  { destination }: Repository,
  files: readonly BackupFile[],
): Promise<void> {
  const wanted = new Map<string, Wanted>();
  for (const file of files) {
    const { path, parts, codec } = file;
    for (const [i, [from, end]] of partBounds(file).entries()) {
      const bytes = codec === "raw" ? end - from : null;
      wanted.set(objectName(parts[i]!, codec), { path, bytes });
    }
  }
  for await (const { name, bytes } of destination.list("objects/")) {
    const one = wanted.get(name);
    if (one?.bytes === null || one?.bytes === bytes) wanted.delete(name);
  }
  for (const [name, { path }] of wanted) {
    const more = wanted.size > 1 ? `, and ${wanted.size - 1} more` : "";
    const detail = `${name}, of ${path}, is missing or not of its length${more}`;
    throw new RankstreamError("backup_damaged", detail);
  }
}

/** Another base of the same log with which the plan's moment can be restored all the same. */
async function otherBase(
  repository: Repository,
  { base, to }: RestorePlan,
  damage: string,
): Promise<string | null> {
  const { bases } = await repository.readBases();
  for (const { id, log, receivedThrough } of bases.reverse()) {
    if (id === base.id || log.id !== base.log.id || receivedThrough > (to ?? Infinity)) continue;
    try {
      const plan = await planRestore(repository, { to, baseId: id });
      const files = await repository.files(plan.base);
      const names = [...objectsOf(plan.base, files), ...plan.parts.map(partName)];
      if (names.some((name) => damage.includes(name))) continue;
      return `--base ${id} (of ${timeText(receivedThrough)}) does without it`;
    } catch (error) {
      if (!(error instanceof RankstreamError) || error.code === "backup_unreachable") throw error;
    }
  }
  return null;
}

/** The error of a restore; of damage it also says what can be restored instead. */
export async function withWayOut(
  repository: Repository,
  plan: RestorePlan,
  error: unknown,
): Promise<unknown> {
  // Every base needs to know who was erased.
  if (!isDamage(error) || isOfErasures(error)) return error;
  const { base, parts } = plan;
  const part = parts.find((one) => error.message.includes(partName(one)));
  const until = (part?.firstReceivedAt ?? 0) - 1;
  const earlier = until >= base.receivedThrough ? `--to ${timeText(until)} does without it` : null;
  const other = await otherBase(repository, plan, error.message).catch(() => null);
  const way = other ?? earlier ?? "no other base of this log does without it";
  return new RankstreamError("backup_damaged", `${error.message}: ${way}`, { cause: error });
}
