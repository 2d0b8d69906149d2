/** DuckDB's name for this machine; undefined where there are no extensions for it. */
export declare function platformHere(): string | undefined;

/**
 * Brings what is missing, from PyPI or from a folder of wheels, and returns the names of what it
 * brought. Throws where that fails.
 */
export declare function installExtensions(options: {
  folder: string;
  platform?: string;
  from?: string;
}): string[];

/** The tests' folder of extensions, for `--extension-directory`; undefined without them. */
export declare function findExtensions(): string | undefined;
