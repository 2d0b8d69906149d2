/** Errors of a store in a lake: a part of the table in errors-table.ts. */
export const lakeKinds = {
  extensions_unusable: {
    status: 500,
    title: "DuckDB's extensions are missing, or of another version",
    hint: "Run npm run extensions -- --to FOLDER, and name it with --extension-directory.",
  },
} as const;
