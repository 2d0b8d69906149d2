/** Path of Jaeger's program; undefined where there is none. */
export declare function findJaeger(): string | undefined;
