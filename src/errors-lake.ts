/** Errors of a store in a lake: a part of the table in errors-table.ts. */
export const lakeKinds = {
  extensions_unusable: {
    status: 500,
    title: "DuckDB's extensions are missing, or of another version",
    hint: "Run npm run extensions -- --to FOLDER, and name it with --extension-directory.",
  },
  migration_refused: {
    status: 500,
    title: "The store can't be carried into this lake",
    hint: "Do as the detail says, then run rankstream migrate again.",
  },
  migration_unfinished: {
    status: 500,
    title: "A store is being carried into this lake, or that was stopped",
    hint: "Run rankstream migrate again as before: it goes on where it was.",
  },
} as const;
