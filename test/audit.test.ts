// The packages that the service runs with: where they are from, under which licences, and what is
// made of the registry's word on them (tools/audit.mjs).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { auditVerdict, signaturesVerdict } from "../tools/audit.mjs";
import { root } from "./support/source-tree.ts";

interface LockedPackage {
  version: string;
  resolved?: string;
  integrity?: string;
  license?: string;
  dev?: boolean;
  link?: boolean;
  hasInstallScript?: boolean;
}

const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
  packages: Record<string, LockedPackage>;
};
const { "": _, ...locked } = lock.packages;
const packages = Object.entries(locked);
const ofService = packages.filter(([, { dev }]) => dev !== true);

/** Licences that an Apache-2.0 program may be given away with. */
const licences = [
  "MIT",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "ISC",
  "0BSD",
  "BlueOak-1.0.0",
];
/** Packages that run a script when they are installed; package.json leaves each out or not. */
const withScripts = ["@scarf/scarf", "bufferutil", "esbuild", "utf-8-validate"];

describe("package-lock.json", () => {
  it("names each package's digest, and no place but the registry", () => {
    expect(packages.length).toBeGreaterThan(100);
    const origins = new Set<string>();
    for (const [path, { resolved, integrity, link }] of packages) {
      expect(link, path).not.toBe(true);
      expect(integrity, path).toMatch(/^sha512-[A-Za-z0-9+/]{86}==$/);
      // Without it npm asks its own registry, and the digest is what counts.
      if (resolved === undefined) continue;
      expect(resolved, path).toMatch(/^https:\/\/[^/]+\/.+\.tgz$/);
      origins.add(new URL(resolved).origin);
    }
    expect(origins.size).toBeLessThanOrEqual(1);
  });

  it("has only packages whose licences are allowed, of those that the service runs with", () => {
    expect(ofService.length).toBeGreaterThan(50);
    const others = ofService.filter(([, { license }]) => !licences.includes(license ?? "none"));
    expect(others.map(([path, { license }]) => `${path}: ${license}`)).toEqual([]);
  });

  it("has no package that runs a script when it is installed but those known", () => {
    const names = packages
      .filter(([, { hasInstallScript }]) => hasInstallScript === true)
      .map(([path]) => path.replace(/^.*node_modules\//, ""));
    expect([...new Set(names)].sort()).toEqual(withScripts);
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    expect(Object.keys(manifest.allowScripts).sort()).toEqual(withScripts);
  });

  it("belongs to package.json", () => {
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const kept = lock.packages[""] as unknown as Record<string, unknown>;
    for (const name of ["dependencies", "devDependencies"]) {
      expect(kept[name], name).toEqual(manifest[name]);
    }
  });
});

describe("the audit", () => {
  const counts = { info: 0, low: 0, moderate: 0, high: 0, critical: 0, total: 0 };

  it("fails for what is high or critical, and names it", () => {
    const vulnerabilities = {
      left: { severity: "critical", range: "<2", fixAvailable: true },
      right: { severity: "low", range: "*", fixAvailable: false },
    };
    const metadata = { vulnerabilities: { ...counts, critical: 1, low: 1, total: 2 } };
    expect(auditVerdict(JSON.stringify({ vulnerabilities, metadata }))).toEqual({
      status: "flawed",
      lines: ["left <2: critical, a fix is there"],
    });
  });

  it("is good without any, or with lesser ones, which it names", () => {
    const metadata = { vulnerabilities: counts, dependencies: { prod: 120 } };
    const good = auditVerdict(JSON.stringify({ vulnerabilities: {}, metadata }));
    expect(good).toEqual({ status: "good", lines: ["120 packages, nothing high or critical"] });
    const lesser = { right: { severity: "moderate", range: "*" } };
    const { status, lines } = auditVerdict(JSON.stringify({ vulnerabilities: lesser, metadata }));
    expect([status, lines[1]]).toEqual(["good", "right: moderate"]);
  });

  it.each([
    ['{"message":"405 Method Not Allowed - POST https://x/","statusCode":405,"error":{}}', "405"],
    ['{"error":{"code":"ENOTFOUND","summary":"request failed"}}', "request failed"],
    ["", "no answer"],
    ["<html>", "no answer"],
    ["null", "no answer"],
  ])("is none where nobody could be asked: %s", (text, why) => {
    expect(auditVerdict(text)).toMatchObject({ status: "unknown" });
    expect(auditVerdict(text).lines[0]).toContain(why);
    expect(signaturesVerdict(text).status).toBe("unknown");
  });

  it("fails for packages whose signatures are wrong or not there", () => {
    const wrong = { invalid: [{ name: "a", version: "1.0.0" }], missing: [] };
    expect(signaturesVerdict(JSON.stringify(wrong))).toEqual({
      status: "flawed",
      lines: ["a@1.0.0: signature"],
    });
    expect(signaturesVerdict('{"invalid":[],"missing":[]}').status).toBe("good");
  });
});
