/** A store in a lake commits in tens of milliseconds, and some tests commit a thousand times. */
export const lakeTestMsMax = 300_000;
