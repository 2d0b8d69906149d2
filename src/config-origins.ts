/** Whose pages may do what: the options that name origins, and what becomes of them. */
import { quoted } from "./errors.ts";

interface OriginOptions {
  liveOrigins: string;
  corsOrigins: string;
  embedOrigins: string;
}

function namesIn(list: string, nothing = ""): string[] {
  return list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== nothing);
}

function isOrigin(name: string): boolean {
  return URL.canParse(name) && new URL(name).origin === name;
}

/** What is wrong with the options: expected and got; undefined where nothing is. */
export function originProblem(options: OriginOptions): string | undefined {
  const { liveOrigins, corsOrigins, embedOrigins } = options;
  const isAlone = (name: string) => ["none", "*"].includes(name) && name === embedOrigins.trim();
  const wrong: readonly [option: string, words: string, name: string | undefined][] = [
    ["liveOrigins", "own, or", namesIn(liveOrigins, "own").find((name) => !isOrigin(name))],
    [
      "corsOrigins",
      "none, *, or",
      namesIn(corsOrigins, "none").find((name) => name !== "*" && !isOrigin(name)),
    ],
    [
      "embedOrigins",
      "none, *, own, or",
      namesIn(embedOrigins, "own").find((name) => !isAlone(name) && !isOrigin(name)),
    ],
  ];
  const found = wrong.find(([, , name]) => name !== undefined);
  if (found === undefined) return undefined;
  const [option, words, name = ""] = found;
  const expected = `expected ${words} origins such as https://example.org by comma`;
  return `${option}: ${expected}, got ${quoted(name)}`;
}

/** Who may frame the embedded board, as a content security policy says it. */
function frameAncestors(embedOrigins: string): string {
  const sources: Readonly<Record<string, string>> = { none: "'none'", own: "'self'" };
  return namesIn(embedOrigins)
    .map((name) => sources[name] ?? name)
    .join(" ");
}

/** The same for the API; `*` stands for all. */
export function originsOf({ liveOrigins, corsOrigins, embedOrigins }: OriginOptions): {
  /** Beside the service's own, whose pages may open the live socket. */
  live: { origins: string[] };
  /** Whose pages may send events and ask. */
  corsOrigins: string[];
  frameAncestors: string;
} {
  const shared = namesIn(corsOrigins, "none");
  return {
    live: { origins: [...namesIn(liveOrigins, "own"), ...shared] },
    corsOrigins: shared,
    frameAncestors: frameAncestors(embedOrigins),
  };
}
