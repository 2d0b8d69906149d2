/** A batch of the fixtures' stream. */
export interface Batch {
  key?: string;
  events: object[];
}
export function batches(): Batch[];
export function lateBatch(): Batch;
export function uncounted(): Batch;
export function askedOf(): string[];
