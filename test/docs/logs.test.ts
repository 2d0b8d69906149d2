// docs/logs.md against the sources: every part that speaks, and every level, is on the page.
import { expect, it } from "vitest";
import { configOptions } from "../../src/config-options.ts";
import { readPage } from "../support/markdown.ts";
import { readTree } from "../support/source-tree.ts";

const page = readPage("docs/logs.md");

it("names every part that writes lines, and no other", () => {
  const parts = readTree("src").flatMap(({ text }) =>
    [...text.matchAll(/\bpart: "([a-z]+)"/g)].map(([, part]) => part),
  );
  const [line = ""] = page.match(/^Parts: .*$/m) ?? [];
  const named = [...line.matchAll(/`([a-z]+)`/g)].map(([, part]) => part);
  expect(named.length).toBeGreaterThan(10);
  expect(named).toEqual([...new Set(parts)].sort());
});

it("names every level and option", () => {
  const levels = configOptions.logLevel.choices.filter((level) => level !== "silent");
  const rows = [...page.matchAll(/^\| `([a-z]+)` \|/gm)].map(([, level]) => level);
  expect(new Set(rows)).toEqual(new Set(levels));
  for (const name of [
    "logLevel",
    "logRepeatsMax",
    "logClientAddresses",
    "slowRequestMs",
    "nodeName",
  ]) {
    expect(configOptions).toHaveProperty(name);
    expect(page).toContain(`\`${name}\``);
  }
});
