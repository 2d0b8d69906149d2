// The project's own sources as the house rules see them: imports, functions, names used.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSync } from "oxc-parser";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export interface Source {
  /** From the project's root, with `/`. */
  path: string;
  text: string;
}

export interface FunctionSpan {
  /** From 1. */
  line: number;
  lines: number;
}

export interface ParsedSource extends Source {
  faults: string[];
  /** Every module named, however: import, import type, export from, import(), import types. */
  imports: string[];
  functions: FunctionSpan[];
  /** `process.exit`, `JSON.parse`, …: the global's name and the property, "" for the bare name. */
  globals: { name: string; property: string; line: number }[];
  /** Whether all it does is to hand on what other modules export. */
  isBarrel: boolean;
}

interface Node {
  type: string;
  start: number;
  end: number;
  [key: string]: unknown;
}

const codeEnding = /\.(?:tsx?|mts|mjs|js)$/;
const watchedGlobals = new Set(["process", "JSON", "WebAssembly"]);
const functionTypes = new Set([
  "FunctionDeclaration",
  "FunctionExpression",
  "ArrowFunctionExpression",
]);

/** Every file below a folder of the project; none where there is no such folder. */
export function readTree(folder: string, ending: RegExp = codeEnding): Source[] {
  const absolute = join(root, folder);
  if (statSync(absolute, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  return readdirSync(absolute, { recursive: true, encoding: "utf8" })
    .map((name) => posix.join(folder, name.replaceAll("\\", "/")))
    .filter((path) => ending.test(path) && statSync(join(root, path)).isFile())
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

/** AssemblyScript puts decorators on functions, which TypeScript's grammar doesn't know. */
function withoutFunctionDecorators(text: string): string {
  const decorator =
    /^([ \t]*)(@(?:inline|unsafe|global|lazy|external(?:\.js)?)(?:\([^)\n]*\))?)/gm;
  return text.replace(decorator, (_, indent, name) => indent + " ".repeat(name.length));
}

function children(node: Node): Node[] {
  return Object.values(node)
    .flat()
    .filter((value): value is Node => typeof (value as Node | null)?.type === "string");
}

/** A name that stands for a property or a key, not for a variable. */
function isKeyOf(parent: Node | undefined, node: Node): boolean {
  if (parent === undefined) return false;
  if (parent.type === "MemberExpression")
    return parent["property"] === node && !parent["computed"];
  return parent["key"] === node && !parent["computed"] && parent["value"] !== node;
}

function walk(node: Node, parent: Node | undefined, visit: (n: Node, p?: Node) => void): void {
  visit(node, parent);
  for (const child of children(node)) walk(child, node, visit);
}

function propertyName(parent: Node | undefined, node: Node): string {
  if (parent?.type !== "MemberExpression" || parent["object"] !== node) return "";
  const property = parent["property"] as Node;
  return String(property["name"] ?? property["value"] ?? "");
}

function isReexport(statement: Node): boolean {
  if (statement.type === "ExportAllDeclaration") return true;
  return statement.type === "ExportNamedDeclaration" && statement["source"] !== null;
}

/** Reads a TypeScript, AssemblyScript or JavaScript source. */
export function parseSource(source: Source): ParsedSource {
  const isAssembly = source.path.startsWith("assembly/");
  const text = isAssembly ? withoutFunctionDecorators(source.text) : source.text;
  const result = parseSync(source.path, text);
  const program = result.program as unknown as Node & { body: Node[] };
  const lineOf = (position: number) => text.slice(0, position).split("\n").length;
  const parsed: ParsedSource = {
    ...source,
    faults: result.errors.map((error) => error.message),
    imports: [],
    functions: [],
    globals: [],
    isBarrel: program.body.length > 0 && program.body.every(isReexport),
  };
  walk(program, undefined, (node, parent) => {
    const target = node["source"] as Node | undefined | null;
    if (typeof target?.["value"] === "string") parsed.imports.push(target["value"]);
    if (functionTypes.has(node.type)) {
      const line = lineOf(node.start);
      parsed.functions.push({ line, lines: lineOf(node.end) - line + 1 });
    }
    const name = String(node["name"]);
    if (node.type !== "Identifier" || !watchedGlobals.has(name) || isKeyOf(parent, node)) return;
    const property = propertyName(parent, node);
    parsed.globals.push({ name, property, line: lineOf(node.start) });
  });
  return parsed;
}
