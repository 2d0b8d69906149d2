/**
 * Bounds the bytes of bodies held at once, packed and unpacked: reserved as they arrive,
 * released when the batch is answered.
 */
export class ByteBudget {
  readonly bytesMax: number;
  #bytesHeld = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get bytesHeld(): number {
    return this.#bytesHeld;
  }

  /** Takes `bytes`, or takes nothing and returns false when they don't fit. */
  reserve(bytes: number): boolean {
    if (this.#bytesHeld + bytes > this.bytesMax) return false;
    this.#bytesHeld += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#bytesHeld -= bytes;
    if (this.#bytesHeld < 0) throw new Error("more bytes released than reserved");
  }
}
