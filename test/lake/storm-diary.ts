// What was measured while what was done, and a table of it.
export type Measured = "post" | "exact" | "board" | "stall";

interface Measure {
  kind: Measured;
  from: number;
  to: number;
}

interface Refusal {
  kind: Measured;
  at: number;
  reason: string;
}

interface Span {
  name: string;
  times: number;
  from: number;
  to: number;
}

/** Milliseconds by performance.now(). */
export class StormDiary {
  readonly #measures: Measure[] = [];
  readonly #refusals: Refusal[] = [];
  readonly #spans: Span[] = [];

  note(kind: Measured, from: number, to = performance.now()): void {
    this.#measures.push({ kind, from, to });
  }

  /** A request that was not answered as it should be, and is to be sent again. */
  refuse(kind: Measured, reason: string): void {
    this.#refusals.push({ kind, at: performance.now(), reason });
  }

  /** What is measured meanwhile is in the row of this name, which counts `times` blows more. */
  async during(name: string, work: () => Promise<void>, times = 1): Promise<void> {
    const from = performance.now();
    await work();
    this.#spans.push({ name, times, from, to: performance.now() });
  }

  /** The longest that overlaps one of the row's spans, ms; 0 where there is none. */
  longest(kind: Measured, name: string): number {
    const spans = this.#spansOf(name);
    return this.#measures.reduce((longest, measure) => {
      if (measure.kind !== kind || measure.to - measure.from <= longest) return longest;
      const isIn = spans.some(({ from, to }) => measure.from < to && measure.to > from);
      return isIn ? measure.to - measure.from : longest;
    }, 0);
  }

  /** Refused requests of these kinds in the row's spans, by reason, of how many in all. */
  refused(kinds: readonly Measured[], name: string) {
    const spans = this.#spansOf(name);
    const isIn = (at: number) => spans.some(({ from, to }) => at >= from && at <= to);
    const reasons: Record<string, number> = {};
    let refused = 0;
    for (const { kind, at, reason } of this.#refusals) {
      if (!kinds.includes(kind) || !isIn(at)) continue;
      refused++;
      reasons[reason] = (reasons[reason] ?? 0) + 1;
    }
    const answered = this.#measures.filter(({ kind, to }) => kinds.includes(kind) && isIn(to));
    return { refused, of: answered.length + refused, reasons };
  }

  get names(): string[] {
    return [...new Set(this.#spans.map(({ name }) => name))];
  }

  /** Markdown: a row for each name, times in seconds; then the reasons of refusals. */
  table(): string {
    const columns = ["what", "times", "longest POST, s", "refused POSTs"];
    columns.push("longest exact answer, s", "refused questions", "longest stall of counting, s");
    const rows = [columns, columns.map(() => "---"), ...this.names.map((name) => this.#row(name))];
    const all = this.names.map((name) => {
      const { reasons } = this.refused(["post", "exact", "board"], name);
      return `${name}: ${JSON.stringify(reasons)}`;
    });
    const lines = rows.map((row) => `| ${row.join(" | ")} |`);
    return `${[...lines, "", "refused:", ...all].join("\n")}\n`;
  }

  #row(name: string): string[] {
    const seconds = (kind: Measured) => (this.longest(kind, name) / 1000).toFixed(1);
    const share = (kinds: Measured[]) => {
      const { refused, of } = this.refused(kinds, name);
      return `${refused} of ${of}`;
    };
    const times = this.#spansOf(name).reduce((sum, span) => sum + span.times, 0);
    return [
      name,
      String(times),
      seconds("post"),
      share(["post"]),
      seconds("exact"),
      share(["exact", "board"]),
      seconds("stall"),
    ];
  }

  #spansOf(name: string): Span[] {
    return this.#spans.filter((span) => span.name === name);
  }
}
