/** The first of these names that a folder of PATH has; undefined where none has. */
export declare function onPath(...names: string[]): string | undefined;
