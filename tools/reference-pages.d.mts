/** The page of an OpenAPI document: every call, parameter, reply and schema, as Markdown. */
export declare function apiPage(document: unknown): string;
