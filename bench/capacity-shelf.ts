/** Files of a table: small ones by the hour, merged ones by the day, replaced ones for a while. */

interface Batch {
  hour: number;
  files: number;
  bytes: number;
}

interface Day {
  files: number;
  bytes: number;
  rows: number;
}

export class Shelf {
  readonly #targetBytes: number;
  readonly #keepHours: number;
  /** Each has files of its own. */
  readonly #tables: number;
  /** Not merged yet. */
  #small: Batch[] = [];
  #replaced: Batch[] = [];
  /** Live files by day, small ones too. */
  readonly #days = new Map<number, Day>();
  #files = 0;
  #bytes = 0;
  #rows = 0;
  /** Files ever written. */
  #made = 0;

  constructor(targetBytes: number, keepHours: number, tables = 1) {
    this.#tables = tables;
    this.#targetBytes = targetBytes;
    this.#keepHours = keepHours;
  }

  get files(): number {
    return this.#files;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get rows(): number {
    return this.#rows;
  }

  get made(): number {
    return this.#made;
  }

  put(hour: number, files: number, bytes: number, rows = 0): void {
    const last = this.#small.at(-1);
    if (last?.hour === hour) {
      last.files += files;
      last.bytes += bytes;
    } else {
      this.#small.push({ hour, files, bytes });
    }
    this.#add(hour, files, bytes, rows);
    this.#made += files;
  }

  #add(hour: number, files: number, bytes: number, rows: number): void {
    const number = Math.floor(hour / 24);
    const day = this.#days.get(number) ?? { files: 0, bytes: 0, rows: 0 };
    day.files += files;
    day.bytes += bytes;
    day.rows += rows;
    this.#days.set(number, day);
    this.#files += files;
    this.#bytes += bytes;
    this.#rows += rows;
  }

  /** Merges small files of hours up to `over`, those of a day together; bytes written. */
  merge(now: number, over: number): number {
    const due = this.#small.filter(({ hour }) => hour <= over);
    this.#small = this.#small.filter(({ hour }) => hour > over);
    const byDay = new Map<number, Batch>();
    for (const { hour, files, bytes } of due) {
      const day = byDay.get(Math.floor(hour / 24)) ?? { hour, files: 0, bytes: 0 };
      day.files += files;
      day.bytes += bytes;
      byDay.set(Math.floor(hour / 24), day);
    }
    let written = 0;
    for (const { hour, files, bytes } of byDay.values()) {
      if (files === 0) continue;
      const merged = Math.max(this.#tables, Math.ceil(bytes / this.#targetBytes));
      this.#add(hour, merged - files, 0, 0);
      this.#retire({ hour: now, files, bytes });
      this.#made += merged;
      written += bytes;
    }
    return written;
  }

  /**
   * Merges what was put in this hour by `together` while files are small and there are `least` of
   * them; the bytes written and the files made by that.
   */
  compact(hour: number, smallBytes: number, together: number, least: number) {
    const last = this.#small.at(-1);
    const done = { bytes: 0, files: 0 };
    if (last?.hour !== hour) return done;
    this.#small.pop();
    let small = last.files;
    const each = () => last.bytes / small;
    while (small >= least && each() < smallBytes) {
      const merged = Math.ceil(small / together);
      this.#retire({ hour, files: small, bytes: last.bytes });
      this.#add(hour, merged - small, 0, 0);
      this.#made += merged;
      done.files += merged;
      done.bytes += last.bytes;
      small = merged;
    }
    return done;
  }

  /** What was put in this hour is not needed any more. */
  drop(hour: number): void {
    const last = this.#small.pop();
    if (last === undefined) return;
    this.#add(hour, -last.files, -last.bytes, 0);
    this.#retire({ ...last, hour });
  }

  #retire(batch: Batch): void {
    const last = this.#replaced.at(-1);
    if (last?.hour === batch.hour) {
      last.files += batch.files;
      last.bytes += batch.bytes;
    } else {
      this.#replaced.push(batch);
    }
  }

  #kept(now: number): Batch[] {
    this.#replaced = this.#replaced.filter(({ hour }) => hour > now - this.#keepHours);
    return this.#replaced;
  }

  replacedFiles(now: number): number {
    return this.#kept(now).reduce((sum, { files }) => sum + files, 0);
  }

  replacedBytes(now: number): number {
    return this.#kept(now).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Days before this one go. */
  expire(day: number): void {
    for (const [number, { files, bytes, rows }] of this.#days) {
      if (number >= day) continue;
      this.#days.delete(number);
      this.#files -= files;
      this.#bytes -= bytes;
      this.#rows -= rows;
    }
    this.#small = this.#small.filter(({ hour }) => hour >= day * 24);
  }
}
