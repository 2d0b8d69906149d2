/** The bytes of `name` in a zip archive, at most `bytesMax`; throws Error otherwise. */
export declare function zipMember(archive: Buffer, name: string, bytesMax: number): Buffer;
