/**
 * How a process takes part in a lake beside its own transactions: it follows what others commit
 * where it answers questions or does the maintenance, tells them what it commits and waits for,
 * and takes its turn at maintenance.
 */
import type { LakePlace } from "../model-lake.ts";
import type { LakeDatabase } from "./lake-database.ts";
import { LakeLeader } from "./lake-leader.ts";
import { LakeNotices } from "./lake-notices.ts";

/** What others commit is looked for so often where no notice comes. */
const followEveryMs = 1000;
/** From one word of offsets wanted to the next. */
const wantEveryMs = 20;
/** Whose session is silent for so long while others wait for its locks loses it. */
const holdupMsMax = 8000;
const lookForHoldupsEveryMs = 4000;

export interface LakeLifeDeps {
  lake: LakeDatabase;
  place: LakePlace;
  /** Whether this process answers questions of its own mirror. */
  answers: boolean;
  /** Whether it does maintenance when it is its turn. */
  maintains: boolean;
  /** Told of offsets that some process waits for. */
  onWanted: (offsets: number[]) => void;
  onLeader: (isLeader: boolean) => void;
  /** Told how far partitions are where nothing is followed: such a process answers nothing. */
  onReached: (offsets: number[]) => void;
  /** Told of what failed, and is tried again. */
  onFailure: (error: unknown, what: string) => void;
}

export class LakeLife {
  readonly #deps: LakeLifeDeps;
  readonly #notices: LakeNotices;
  readonly #leader: LakeLeader;
  #timer: NodeJS.Timeout | null = null;
  #wanted: number[] | null = null;
  #telling: NodeJS.Timeout | null = null;
  #isClosed = false;
  #isLooking = false;
  #holdups: NodeJS.Timeout | null = null;
  #isEnding = false;

  constructor(deps: LakeLifeDeps) {
    this.#deps = deps;
    const { lake, place, onWanted, onLeader, onFailure } = deps;
    this.#notices = new LakeNotices(place, (notice) => {
      if (notice.kind === "committed") this.#follow();
      else onWanted(notice.offsets);
    });
    this.#leader = new LakeLeader({
      place,
      write: (work) => lake.write(work),
      onChange: (isLeader) => {
        lake.fenceDeferrable(isLeader ? (connection) => this.#leader.fence(connection) : null);
        onLeader(isLeader);
      },
      onFailure: (error) => onFailure(error, "whose turn maintenance is was not to be learnt"),
    });
  }

  /** Whether maintenance is this process's turn. */
  get isLeader(): boolean {
    return this.#leader.isLeader;
  }

  async start(): Promise<void> {
    if (this.#deps.maintains) await this.#leader.start();
    this.#timer = setInterval(() => {
      this.#follow();
      this.#look();
    }, followEveryMs);
    this.#holdups = setInterval(() => void this.#endHoldups(), lookForHoldupsEveryMs);
  }

  /** This process committed something. */
  committed(): void {
    this.#notices.tell({ kind: "committed" });
    // The others hear of it there; here it is known sooner.
    this.#follow();
  }

  /** Somebody here waits until these offsets are committed, by whoever counts them. */
  want(offsets: readonly number[]): void {
    const before = this.#wanted;
    this.#wanted = offsets.map((offset, partition) => Math.max(offset, before?.[partition] ?? 0));
    if (this.#telling !== null) return;
    this.#tellWanted();
    this.#telling = setTimeout(() => {
      this.#telling = null;
      if (this.#wanted !== null) this.want(this.#wanted);
    }, wantEveryMs);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer ?? undefined);
    clearInterval(this.#holdups ?? undefined);
    clearTimeout(this.#telling ?? undefined);
    await Promise.all([this.#leader.close(), this.#notices.close()]);
  }

  /** Of whoever stood still, or is gone, in the middle of a commit. */
  async #endHoldups(): Promise<void> {
    // Behind a silent PostgreSQL one after another would wait.
    if (this.#isEnding) return;
    this.#isEnding = true;
    const { lake, onFailure } = this.#deps;
    try {
      const ended = await lake.catalog.endHoldups(holdupMsMax);
      if (ended > 0) onFailure(new Error(`sessions: ${ended}`), "others held up commits: ended");
    } catch {
      // PostgreSQL is away, which commits and questions say themselves.
    } finally {
      this.#isEnding = false;
    }
  }

  #tellWanted(): void {
    if (this.#wanted !== null) this.#notices.tell({ kind: "wanted", offsets: this.#wanted });
    this.#wanted = null;
  }

  get #isFollowing(): boolean {
    return this.#deps.answers || this.isLeader;
  }

  /** How far all partitions are, others' too: those that stand still are to be noticed. */
  #look(): void {
    if (this.#isClosed || this.#isFollowing || this.#isLooking) return;
    this.#isLooking = true;
    const { lake, onReached, onFailure } = this.#deps;
    lake
      .reached()
      .then((offsets) => {
        onReached(offsets);
        return lake.followKept();
      })
      .catch((error) => {
        if (!this.#isClosed) onFailure(error, "how far partitions are was not to be learnt");
      })
      .finally(() => {
        this.#isLooking = false;
      });
  }

  #follow(): void {
    if (this.#isClosed || !this.#isFollowing) return;
    this.#deps.lake.follow().catch((error) => {
      if (!this.#isClosed) this.#deps.onFailure(error, "what was committed is not seen yet");
    });
  }
}
