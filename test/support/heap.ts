/** How much JavaScript's heap holds of something. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Bytes of the heap that what `make` returns takes, about. */
export function heapBytesOf<T extends object>(make: () => T): number {
  collect();
  const before = process.memoryUsage().heapUsed;
  const made = make();
  collect();
  const bytes = process.memoryUsage().heapUsed - before;
  // Looked at afterwards, so that it isn't collected before.
  return Object.isFrozen(made) ? 0 : bytes;
}
