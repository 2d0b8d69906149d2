/** What the Dockerfile begins with, unless told otherwise. */
export declare const baseImage: string;
/** Path of docker or podman, whichever works; undefined where none does. */
export declare function findEngine(): string | undefined;
/** Whether the engine has the image, without asking a registry. */
export declare function hasImage(engine: string, name: string): boolean;
