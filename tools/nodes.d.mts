/** The versions of Node that are here beside the one that runs. */
export declare function findNodes(): { major: number; program: string }[];
