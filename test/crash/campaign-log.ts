// The file a campaign goes on from: one line of JSON a round.
import { appendFileSync, existsSync, readFileSync } from "node:fs";

export interface RoundNote {
  /** UTC. */
  at: string;
  target: string;
  seed: number;
  kills: number;
  /** Faults by kind. */
  kinds: Record<string, number>;
  /** `good`, or what was found wrong. */
  verdict: string;
}

export class CampaignLog {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  append(note: RoundNote): void {
    appendFileSync(this.path, `${JSON.stringify(note)}\n`);
  }

  notes(target: string): RoundNote[] {
    if (!existsSync(this.path)) return [];
    const lines = readFileSync(this.path, "utf8").split("\n");
    const notes = lines.filter((line) => line !== "").map((line) => JSON.parse(line));
    return notes.filter((note: RoundNote) => note.target === target);
  }

  /** Kills of the rounds that ended well. */
  goodKills(target: string): number {
    const good = this.notes(target).filter(({ verdict }) => verdict === "good");
    return good.reduce((sum, { kills }) => sum + kills, 0);
  }

  summary(target: string): string {
    const notes = this.notes(target);
    const good = notes.filter(({ verdict }) => verdict === "good");
    const kinds: Record<string, number> = {};
    for (const note of good) {
      for (const [kind, n] of Object.entries(note.kinds)) kinds[kind] = (kinds[kind] ?? 0) + n;
    }
    const failed = notes.filter(({ verdict }) => verdict !== "good");
    const what = failed.map(({ seed, verdict }) => `\n  seed ${seed}: ${verdict}`).join("");
    const counted = Object.entries(kinds).map(([kind, n]) => `${kind} ${n}`);
    return (
      `${target}: ${this.goodKills(target)} kills in ${good.length} good rounds ` +
      `(${counted.join(", ")}); ${failed.length} failed rounds${what}`
    );
  }
}
