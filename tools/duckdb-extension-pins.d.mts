/** DuckDB's version that the pinned extensions go with. */
export declare const duckdbVersion: string;

/** Digests of the wheels and of the files in them, by DuckDB's name of a platform. */
export declare const extensionPins: Readonly<
  Record<
    string,
    { tag: string; files: Record<string, { wheel: string; file: string; bytes: number }> }
  >
>;
