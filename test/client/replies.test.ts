// The client's types of replies have the members that /openapi.json says, and no others.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseSync } from "oxc-parser";
import { expect, test } from "vitest";
import { replySchemas } from "../../src/api/reply-schemas.ts";
import { root } from "../support/source-tree.ts";

// biome-ignore lint/suspicious/noExplicitAny: a syntax tree, looked into where it is known.
type Node = any;

/** Where the client's type of a reply has another name. */
const otherNames: Readonly<Record<string, string>> = { Items: "ItemsWithHistory" };
/** Members that the client adds to what came. */
const ofTheClient: Readonly<Record<string, string[]>> = { BatchReply: ["replayed"] };

const interfaces = new Map<string, Node>();
const files = [
  "replies.ts",
  "item-histories.ts",
  "backups.ts",
  "metrics-history.ts",
  "users.ts",
  "regions.ts",
];
for (const file of files) {
  const path = join(root, "src", "client", file);
  for (const statement of parseSync(path, readFileSync(path, "utf8")).program.body as Node[]) {
    const declared = statement.declaration ?? statement;
    if (declared.type === "TSInterfaceDeclaration") interfaces.set(declared.id.name, declared);
  }
}

/** By name, whether it may be absent. */
type Members = Map<string, boolean>;

/** Members of what an interface extends: a name, Partial of one, or Omit. */
function membersOfBase({ expression, typeArguments }: Node): Members {
  const [of, names] = typeArguments?.params ?? [];
  if (of === undefined) return membersOf(expression.name);
  const members = membersOf(of.typeName.name);
  if (expression.name === "Partial") return new Map([...members].map(([name]) => [name, true]));
  const left = new Set<string>((names.types ?? [names]).map((one: Node) => one.literal.value));
  return new Map([...members].filter(([name]) => !left.has(name)));
}

function membersOf(name: string): Members {
  const declared = interfaces.get(name);
  if (declared === undefined) throw new Error(`the client has no interface ${name}`);
  const members: Members = new Map();
  for (const base of declared.extends) {
    for (const [key, isOptional] of membersOfBase(base)) members.set(key, isOptional);
  }
  for (const { key, optional } of declared.body.body) members.set(key.name, optional === true);
  return members;
}

const shared = Object.keys(replySchemas).filter((name) => interfaces.has(name));

test("most replies have a type in the client", () => {
  expect(shared.length).toBeGreaterThanOrEqual(17);
});

test.each(shared)("%s", (name) => {
  const schema = replySchemas[name] as { properties: object; required: string[] };
  const told = Object.keys(schema.properties).map((key) => {
    return `${key}${schema.required.includes(key) ? "" : "?"}`;
  });
  const added = ofTheClient[name] ?? [];
  const typed = [...membersOf(otherNames[name] ?? name)]
    .filter(([key]) => !added.includes(key))
    .map(([key, isOptional]) => `${key}${isOptional ? "?" : ""}`);
  expect(typed.sort()).toEqual(told.sort());
});
