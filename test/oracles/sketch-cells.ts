/**
 * Sketches in plain arrays and BigInt, to the letter of their description: the row hash, the
 * cells' places, conservative update, fold by maximum. Slow, and shares nothing with the kernel.
 */
const u64 = (n: bigint): bigint => BigInt.asUintN(64, n);
const cellMax = 2 ** 32 - 1;

function finalise(hash: bigint): bigint {
  let h = hash;
  h = u64((h ^ (h >> 33n)) * 0xff51afd7ed558ccdn);
  h = u64((h ^ (h >> 33n)) * 0xc4ceb9fe1a85ec53n);
  return h ^ (h >> 33n);
}

function little(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function mixLane(hash: bigint, word: bigint): bigint {
  const x = hash ^ word;
  const h = u64(((x % 2n ** 32n) + 0x9e3779b185ebca87n) * (x / 2n ** 32n + 0xc2b2ae3d27d4eb4fn));
  return h ^ (h >> 32n);
}

function bytesHash(bytes: Uint8Array, seed: bigint): bigint {
  const length = bytes.length;
  let h = seed ^ u64(BigInt(length) * 0xc2b2ae3d27d4eb4fn);
  const whole = length - (length % 8);
  for (let at = 0; at < whole; at += 8) h = mixLane(h, little(bytes.subarray(at, at + 8)));
  const rest = bytes.subarray(whole);
  let tail = 0n;
  if (rest.length >= 4) {
    tail = little(rest.subarray(0, 4)) | (little(rest.subarray(rest.length - 4)) << 32n);
  } else if (rest.length > 0) {
    const three = [rest[0]!, rest[rest.length >> 1]!, rest[rest.length - 1]!];
    tail = little(Uint8Array.from(three));
  }
  return finalise(mixLane(h, tail));
}

const encoder = new TextEncoder();

/** Row hash of (type, id) under a seed. */
export function oracleRowHash(type: string, id: string, low: number, high: number): bigint {
  const seed = (BigInt(high) << 32n) | BigInt(low);
  return bytesHash(encoder.encode(id), bytesHash(encoder.encode(type), seed));
}

/** One array of cells a row. */
export class OracleSketch {
  rows: number[][];
  readonly width: number;

  constructor(depth: number, width: number) {
    this.width = width;
    this.rows = Array.from({ length: depth }, () => new Array<number>(width).fill(0));
  }

  #place(hash: bigint, row: number): number {
    const low = hash & 0xffffffffn;
    const step = (hash >> 32n) | 1n;
    return Number((low + BigInt(row) * step) % BigInt(this.width));
  }

  estimate(hash: bigint): number {
    return Math.min(...this.rows.map((cells, row) => cells[this.#place(hash, row)]!));
  }

  /** Conservative update. */
  add(hash: bigint, weight: number): number {
    const next = Math.min(this.estimate(hash) + weight, cellMax);
    this.fold(hash, next);
    return next;
  }

  /** Plain Count-Min: every cell grows. */
  addPlain(hash: bigint, weight: number): void {
    this.rows.forEach((cells, row) => {
      const place = this.#place(hash, row);
      cells[place] = Math.min(cells[place]! + weight, cellMax);
    });
  }

  fold(hash: bigint, count: number): void {
    this.rows.forEach((cells, row) => {
      const place = this.#place(hash, row);
      cells[place] = Math.max(cells[place]!, Math.min(count, cellMax));
    });
  }

  /** Cells of all rows, one row after the other. */
  get cells(): number[] {
    return this.rows.flat();
  }
}
