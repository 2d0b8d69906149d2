/** Numbers of an estimate as a reader is told them: two or three digits, for no more is known. */
import type { PlannedStep } from "./plan.ts";
import type { StepName } from "./steps.ts";

const byteUnits = ["bytes", "kB", "MB", "GB", "TB", "PB", "EB"];
const countUnits = ["", " thousand", " million", " billion", " trillion"];

function scaled(value: number, step: number, units: readonly string[]): [string, string] {
  let unit = 0;
  let rest = value;
  // 999.6 would be shown as 1000 of the smaller unit.
  while (rest >= step - 0.5 && unit < units.length - 1) {
    rest /= step;
    unit++;
  }
  const digits = rest >= 100 || Number.isInteger(rest) ? 0 : rest >= 10 ? 1 : 2;
  const text = rest.toLocaleString("en", { maximumFractionDigits: digits });
  return [text, units[unit]!];
}

/** `6.13 TB`: powers of 1000, as disks are sold. */
export function bytesText(bytes: number): string {
  return scaled(bytes, 1000, byteUnits).join(" ");
}

/** `11.6 thousand`; below a thousand as it is. */
export function countText(count: number): string {
  if (count < 1000) return count.toLocaleString("en", { maximumFractionDigits: 2 });
  return scaled(count, 1000, countUnits).join("");
}

export function percentText(share: number): string {
  const percent = share * 100;
  if (percent > 0 && percent < 0.1) return "< 0.1 %";
  const digits = percent < 10 ? 1 : 0;
  return `${percent.toLocaleString("en", { maximumFractionDigits: digits })} %`;
}

/** Whole units of whatever the prices are in; below ten with cents. */
export function moneyText(amount: number): string {
  const digits = amount < 10 ? 2 : 0;
  return amount.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

export const stepTitles: Readonly<Record<StepName, string>> = Object.freeze({
  mvp: "1 MVP: one process",
  growth: "2 Growth: nodes and Redis before it",
  scale: "3 Scale: log in Kafka, edges",
  enterprise: "4 Enterprise: several stores",
});

/** Value and unit of a limit's side: bytes get units of their own. */
export function limitText(value: number, unit: string): string {
  if (unit === "bytes") return bytesText(value);
  if (unit === "bytes/s") return `${bytesText(value)}/s`;
  return `${countText(value)} ${unit}`;
}

/** Whether a step carries the load, and what is nearest to its limit. */
export function verdictText({ carries, lacks, first }: PlannedStep): string {
  const near = `${first.what} at ${percentText(first.share)}`;
  if (carries) return `carries it; ${near}`;
  const reasons = [lacks, first.share > 1 ? near : null].filter((reason) => reason !== null);
  return `does not: ${reasons.join("; ")}`;
}

/** `1 process, 3 brokers, 2 × …` of what runs. */
export function fleetsText({ fleets }: PlannedStep): string {
  return fleets.map(({ what, processes }) => `${processes} × ${what}`).join(", ");
}

/** What no estimate of this kind holds. */
export const leftOut: readonly string[] = Object.freeze([
  "The store has no replica: one copy on one machine's disk. Put your own copies (RAID, a " +
    "replicated volume, backups) on top; three copies cost three times the disk.",
  "Backups, and the people who look after it.",
  "Spare machines for the store: while one starts again nothing is counted and events " +
    "wait in the log.",
  "Questions with filters, by users or over ragged ends read raw events and cost what they read.",
  "Live boards: a board pushed to a client costs some 0.16 ms of CPU.",
  "Some thousand files of raw events were measured; with hundreds of thousands, questions that " +
    "read them may take longer.",
  "Everything was measured on two cores; a limit says what was seen there, not what is possible.",
]);
