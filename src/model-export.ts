/** The words of exports. */

export const exportFormats = ["ndjson", "csv", "parquet"] as const;
export type ExportFormat = (typeof exportFormats)[number];

/** In place of events: sums by item and so many milliseconds. */
export const countSteps = Object.freeze({ minute: 60_000, hour: 3_600_000, day: 86_400_000 });
export type CountStep = keyof typeof countSteps;
