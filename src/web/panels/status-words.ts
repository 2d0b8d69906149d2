/** What the status corner says, in plain words. */
import type { LiveState } from "../../client/live.ts";
import type { EventRate, Status } from "../../model-status.ts";
import { countText, timeText } from "../words.ts";
import { shortCount } from "./panel-words.ts";

/** Later than this and whoever watches should know. */
const lagMsMax = 10_000;
const freeShareMin = 0.05;

export interface Health {
  level: "good" | "wait" | "bad";
  /** Changes only when there is something new to say: it is read aloud. */
  words: string;
}

/** `0.4 s`, `12 s`, `5 min`, `2 h 30 min`, `3 d 4 h`. */
export function durationText(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return hours % 24 === 0 ? `${hours / 24} d` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `512 B`, `31.5 MB`, `107 GB`: by thousands. */
export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** The part that counts: this service, or the one behind it. */
export function countingPart(status: Status): Status {
  return status.upstream?.status ?? status;
}

function isDiskFull({ disk }: Status): boolean {
  return disk !== null && disk.freeBytes < freeShareMin * disk.totalBytes;
}

/** How all is, from the live socket and the last status; `isAnswering` is whether that is new. */
export function healthOf(live: LiveState, status: Status | null, isAnswering: boolean): Health {
  if (live === "lost") return { level: "bad", words: "Connection lost, trying again" };
  if (live === "closed") return { level: "bad", words: "Closed" };
  if (live === "connecting") return { level: "wait", words: "Connecting" };
  if (status === null) return { level: "good", words: "Live" };
  if (!isAnswering) return { level: "bad", words: "The service does not answer" };
  const part = countingPart(status);
  const missing = [...new Set([...status.notReady, ...part.notReady])];
  if (missing.length > 0) return { level: "bad", words: `Not ready: ${missing.join(", ")}` };
  if ((part.lag?.ms ?? 0) > lagMsMax) return { level: "wait", words: "Counting lags behind" };
  if (isDiskFull(part)) return { level: "wait", words: "The disk is almost full" };
  return { level: "good", words: "Live" };
}

function rateText(rate: EventRate): string {
  const lately = `${shortCount(rate.perSecond)} a second in the last 10 s`;
  const before = `${shortCount(rate.perSecondLastMinute)} in the last minute`;
  return `${countText(rate.total)} events since the start; ${lately}, ${before}`;
}

function lagText(lag: NonNullable<Status["lag"]>, now: Date, zone: string): string {
  const { ms, records, asOf } = lag;
  if (records === 0) {
    const through = asOf === null ? "" : `; all counted up to ${timeText(asOf, now, zone)}`;
    return `nothing waits${through}`;
  }
  const waiting = records === 1 ? "1 batch waits" : `${countText(records)} batches wait`;
  return `${waiting}, the oldest for at most ${durationText(ms)}`;
}

function diskText({ storeBytes, logBytes, freeBytes, totalBytes }: NonNullable<Status["disk"]>) {
  const log = logBytes === null ? "" : `, log ${bytesText(logBytes)}`;
  const free = `${bytesText(freeBytes)} of ${bytesText(totalBytes)} free`;
  return `store ${bytesText(storeBytes)}${log}; ${free}`;
}

/** All of a status as names and sentences, without what it doesn't know. */
export function statusLines(status: Status, timeZone: string): [name: string, text: string][] {
  const now = new Date(status.now);
  const { accepted, counted, lag, checkpoints, disk, live, memory } = status;
  const ready = status.status === "ready" ? "ready" : `not ready: ${status.notReady.join(", ")}`;
  const lines: [string, string | null][] = [
    ["State", `${ready}, running for ${durationText(status.uptimeSeconds * 1000)}`],
    ["Taken", accepted && rateText(accepted)],
    ["Counted", counted && rateText(counted)],
    ["Behind", lag && lagText(lag, now, timeZone)],
    [
      "Last commit",
      checkpoints &&
        (checkpoints.ageMs === null
          ? "none since the start"
          : `${durationText(checkpoints.ageMs)} ago`),
    ],
    ["Disk", disk && diskText(disk)],
    [
      "Memory",
      `${bytesText(memory.rssBytes)}, of it ${bytesText(memory.heapBytes)} objects and ` +
        `${bytesText(memory.bufferBytes)} buffers`,
    ],
    [
      "Watching",
      `${countText(live.clients)} live ${live.clients === 1 ? "client" : "clients"}, ` +
        `${countText(live.boards)} ${live.boards === 1 ? "board" : "boards"}`,
    ],
    ["Version", `${status.version} (${status.roles.join(", ")})`],
  ];
  return lines.filter((line): line is [string, string] => line[1] !== null);
}
