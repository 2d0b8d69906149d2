/**
 * Gives large buffers' memory back at once. The garbage collector counts memory outside its heap
 * too, and marks the whole heap for every 64 MiB of it: at some hundred MB/s of bodies, frames and
 * columns that was a quarter of all CPU time. A buffer that is transferred to a port nobody reads
 * is freed on the spot, which costs a quarter of what leaving it to the collector does.
 */
import { MessageChannel } from "node:worker_threads";

/** Smaller ones are left to the collector, and those that share their memory with others. */
const bytesMin = 16 * 1024;

const { port1: nowhere, port2: other } = new MessageChannel();
other.close();
nowhere.close();

/** Frees these buffers: nobody may use them any more, nor a system call be at them. */
export function discardBuffers(buffers: ArrayBuffer[]): void {
  nowhere.postMessage(null, buffers);
}

/** Frees what `view` is of where that is large and all of its buffer. */
export function discard(view: Uint8Array): void {
  const { buffer, byteLength } = view;
  if (byteLength < bytesMin || buffer.byteLength !== byteLength) return;
  if (buffer instanceof ArrayBuffer) discardBuffers([buffer]);
}
