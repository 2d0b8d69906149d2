// Writes docs/api.md from what the built service says of itself at /openapi.json.
//   node tools/reference-pages.mjs           writes it
// test/docs/reference.test.ts fails while it is stale.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const startMsMax = 30_000;
/** Longer lists of allowed values are cut. */
const valuesMax = 12;

function cell(text) {
  return String(text).replaceAll("|", "\\|").replaceAll(/\s+/g, " ");
}

function rangeOf({ minimum, maximum }) {
  if (minimum === undefined && maximum === undefined) return "";
  return ` ${minimum ?? ""}..${maximum ?? ""}`;
}

/** What a schema takes, in a few words: `integer 1..1000`, `approx, exact`, `array of text`. */
function kindOf(schema) {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split("/").at(-1);
    return `[${name}](#${name.toLowerCase()})`;
  }
  if (schema.enum !== undefined) {
    const values = schema.enum.slice(0, valuesMax).map((value) => `\`${value}\``);
    return values.join(", ") + (schema.enum.length > valuesMax ? ", …" : "");
  }
  if (schema.const !== undefined) return `\`${schema.const}\``;
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices !== undefined) return [...new Set(choices.map(kindOf))].join(" or ");
  const { type } = schema;
  if (Array.isArray(type)) return type.map((one) => kindOf({ ...schema, type: one })).join(" or ");
  if (type === "array") return `array of ${kindOf(schema.items ?? {})}`;
  if (type === "string") return "text";
  if (type === "integer" || type === "number") return `${type}${rangeOf(schema)}`;
  return type ?? "any";
}

function parameterRow({ name, in: place, description, required, schema }) {
  const fallback = schema.default === undefined ? "" : ` Default \`${schema.default}\`.`;
  const must = required ? " Required." : "";
  const text = `${description}${must}${fallback}`;
  return `| \`${name}\` | ${place} | ${cell(kindOf(schema))} | ${cell(text)} |`;
}

function bodyLine({ content }) {
  const kinds = Object.keys(content).map((type) => `\`${type}\``);
  return `Takes a body: ${kinds.join(", ")}.`;
}

function replyLine(status, { description, content, $ref }) {
  if ($ref !== undefined) return null;
  const kinds = Object.entries(content ?? {}).map(([type, { schema }]) => {
    const kind = schema === undefined ? "" : kindOf(schema);
    return kind.startsWith("[") || kind.includes(" or [") ? `${kind}, \`${type}\`` : `\`${type}\``;
  });
  const what = kinds.length === 0 ? "" : ` (${kinds.join("; ")})`;
  return `- ${status}: ${cell(description)}${what}`;
}

function keyLine(security) {
  const scopes = security.flatMap(({ key = [] }) => key);
  if (scopes.length === 0) return "Needs no key.";
  return `Where keys are needed: one with the scope \`${scopes.join(", ")}\`.`;
}

function operationSection(
  method,
  path,
  { summary, description, parameters, requestBody, responses, security },
) {
  const lines = [`### ${method.toUpperCase()} ${path}`, "", `${summary}.`];
  if (description !== undefined) lines.push("", description);
  lines.push("", keyLine(security));
  if (parameters?.length > 0) {
    lines.push("", "| parameter | in | takes | what |", "|---|---|---|---|");
    lines.push(...parameters.map(parameterRow));
  }
  if (requestBody !== undefined) lines.push("", bodyLine(requestBody));
  const replies = Object.entries(responses).map(([status, reply]) => replyLine(status, reply));
  const problems = Object.keys(responses).filter((status) => responses[status].$ref !== undefined);
  lines.push("", ...replies.filter((line) => line !== null));
  if (problems.length > 0) lines.push(`- ${problems.join(", ")}: a [problem](errors.md)`);
  return lines.join("\n");
}

function schemaSection(name, schema) {
  const lines = [`### ${name}`];
  if (schema.description !== undefined) lines.push("", schema.description);
  const properties = Object.entries(schema.properties ?? {});
  if (properties.length === 0) return [...lines, "", cell(kindOf(schema))].join("\n");
  const required = new Set(schema.required ?? []);
  lines.push("", "| member | is | what |", "|---|---|---|");
  for (const [member, own] of properties) {
    const may = required.has(member) ? "" : "May be missing. ";
    const text = `${may}${own.description ?? ""}`.trim();
    lines.push(`| \`${member}\` | ${cell(kindOf(own))} | ${cell(text)} |`);
  }
  return lines.join("\n");
}

/** The page of an OpenAPI document: every call, parameter, reply and schema. */
export function apiPage({ paths, tags, components }) {
  const calls = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const parts = [
    "# API reference",
    "",
    "Every call, as the service describes it itself: `GET /openapi.json` is the same as OpenAPI " +
      "3.1, and `/docs` of a running service shows it. Made by " +
      "`node tools/reference-pages.mjs`; a test fails where it says something else than the " +
      "service.",
  ];
  for (const { name } of tags) {
    const own = calls.filter(({ operation }) => operation.tags.includes(name));
    parts.push("", `## ${name}`);
    for (const { path, method, operation } of own) {
      parts.push("", operationSection(method, path, operation));
    }
  }
  parts.push("", "## What replies hold");
  for (const [name, schema] of Object.entries(components.schemas)) {
    parts.push("", schemaSection(name, schema));
  }
  return `${parts.join("\n")}\n`;
}

async function readDocument() {
  const folder = mkdtempSync(join(tmpdir(), "rankstream-reference-"));
  const program = join(root, "build", "cli.js");
  const args = [program, "start", "--port", "0", "--data-dir", folder, "--log-level", "error"];
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "inherit"],
    timeout: startMsMax,
  });
  try {
    let out = "";
    for await (const text of child.stdout.setEncoding("utf8")) {
      out += text;
      const url = /ready on (\S+)\n/.exec(out)?.[1];
      if (url !== undefined) return await (await fetch(`${url}/openapi.json`)).json();
    }
    throw new Error(`the service did not start: ${out}`);
  } finally {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync(join(root, "docs", "api.md"), apiPage(await readDocument()));
}
