import { expect, test } from "vitest";
import { discard, discardBuffers } from "../src/discard.ts";

const large = 64 * 1024 * 1024;

function externalBytes(): number {
  return process.memoryUsage().arrayBuffers;
}

test("a large buffer's memory is given back at once", () => {
  const before = externalBytes();
  const view = new Uint8Array(large);
  expect(externalBytes()).toBeGreaterThanOrEqual(before + large);
  discard(view);
  expect(view.byteLength).toBe(0);
  expect(externalBytes()).toBeLessThan(before + large / 2);
  const buffers = [new ArrayBuffer(large), new ArrayBuffer(8)];
  discardBuffers(buffers);
  expect(buffers.map(({ byteLength }) => byteLength)).toEqual([0, 0]);
  expect(externalBytes()).toBeLessThan(before + large / 2);
});

test("a view that shares its memory, and a small one, are left as they are", () => {
  const buffer = new ArrayBuffer(large);
  discard(new Uint8Array(buffer, 8));
  discard(new Uint8Array(buffer, 0, large - 8));
  expect(buffer.byteLength).toBe(large);
  const small = new Uint8Array(1000);
  discard(small);
  expect(small.byteLength).toBe(1000);
  const pooled = Buffer.from("a slice of a pool of other people's bytes");
  discard(pooled);
  expect(pooled.length).toBeGreaterThan(0);
  const shared = new Uint8Array(new SharedArrayBuffer(large));
  discard(shared);
  expect(shared.byteLength).toBe(large);
});
