/** The first of these names that a folder of PATH has. */
export declare function onPath(...names: string[]): string | undefined;
/** The first of these that may be executed. */
export declare function firstExecutable(paths: string[]): string | undefined;
