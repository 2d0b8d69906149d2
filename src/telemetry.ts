/** Logging (JSON lines on stderr) and counters (Prometheus text). */
import { destination, pino } from "pino";

type LogFields = Readonly<Record<string, unknown>>;

/** What the parts log through. Errors go under `err`. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  fatal(fields: LogFields, message: string): void;
}

const stderrDescriptor = 2;

/** A logger of JSON lines on stderr; written at once, so that the last one survives a crash. */
export function createLogger(level: string): Logger {
  return pino(
    { level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"` },
    destination({ fd: stderrDescriptor, sync: true }),
  );
}

/** Logs nothing. */
export const silentLogger: Logger = Object.freeze({
  debug() {},
  info() {},
  warn() {},
  error() {},
  fatal() {},
});

export type CounterKind = "counter" | "gauge";

export interface Counter {
  readonly name: string;
  readonly kind: CounterKind;
  readonly help: string;
  value: number;
}

const countersMax = 1000;
const namePattern = /^[a-zA-Z_][a-zA-Z0-9_]*(\{[a-z_]+="[^"\\\n]*"(,[a-z_]+="[^"\\\n]*")*\})?$/;

/**
 * Named numbers. A name may carry labels, `x_total{code="a"}`; a part keeps the object it
 * is given and adds to its `value` once a batch.
 */
export class Counters {
  readonly #counters = new Map<string, Counter>();
  readonly #read = new Map<string, { help: string; kind: CounterKind; read: () => number }>();

  /** The counter of this name, made at its first use; at most 1000 names. */
  counter(name: string, help: string, kind: CounterKind = "counter"): Counter {
    const known = this.#counters.get(name);
    if (known !== undefined) return known;
    if (!namePattern.test(name)) throw new Error(`not a counter's name: ${name}`);
    if (this.#counters.size >= countersMax) throw new Error("too many counters");
    const made: Counter = { name, kind, help, value: 0 };
    this.#counters.set(name, made);
    return made;
  }

  /** A number read when the counters are written out. */
  gauge(name: string, help: string, read: () => number, kind: CounterKind = "gauge"): void {
    if (!namePattern.test(name)) throw new Error(`not a gauge's name: ${name}`);
    this.#read.set(name, { help, kind, read });
  }

  /** The number of this name as it is now; 0 where there is none. */
  value(name: string): number {
    return this.#counters.get(name)?.value ?? this.#read.get(name)?.read() ?? 0;
  }

  /** Every number as it is now. */
  samples(): { name: string; value: number; labels: Record<string, string> }[] {
    const values = [...this.#counters.values()].map(({ name, value }) => [name, value] as const);
    const reads = [...this.#read].map(([name, { read }]) => [name, read()] as const);
    return [...values, ...reads].map(([name, value]) => {
      const pairs = [...name.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, key, text]) => [key, text]);
      return { name: name.split("{", 1)[0]!, value, labels: Object.fromEntries(pairs) };
    });
  }

  /** Prometheus text exposition format 0.0.4. */
  toPrometheus(): string {
    const rows: Counter[] = [...this.#counters.values()];
    for (const [name, { help, kind, read }] of this.#read) {
      rows.push({ name, kind, help, value: read() });
    }
    const sortKey = ({ name }: Counter) => name.replace("{", " {");
    rows.sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
    let text = "";
    let family = "";
    for (const { name, kind, help, value } of rows) {
      const base = name.split("{", 1)[0] as string;
      if (base !== family) {
        family = base;
        const escaped = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
        text += `# HELP ${base} ${escaped}\n# TYPE ${base} ${kind}\n`;
      }
      text += `${name} ${value}\n`;
    }
    return text;
  }
}
