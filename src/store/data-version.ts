/** Which state of the data something was said of; the main thread knows it as the store does. */

/** The data's version: it grows with every commit that touches anything. */
export function versionOf(offsets: readonly number[], mutations: number): number {
  return offsets.reduce((sum, offset) => sum + offset, mutations);
}
