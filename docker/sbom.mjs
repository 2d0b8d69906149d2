// Writes the image's bill of materials (CycloneDX 1.5, JSON) to stdout: what npm lists of the
// packages that are installed to run, and beside them what npm can't know: Node with what is built
// into it, what the build put into the pages, and the demo's flights. The base image's Debian
// packages are not in it: scanners read these from the image's own dpkg status.
//   node docker/sbom.mjs PACKAGES.json BUILD_FOLDER     made by: npm sbom --sbom-format=cyclonedx
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** Packages whose code the build puts into what browsers load. */
export const bundledPackages = Object.freeze(["preact", "uplot", "swagger-ui-dist"]);
const flightsPackage = "vega-datasets";
const flightsPath = join(flightsPackage, "data", "flights-3m.parquet");
const flightsTerms =
  "Data of the U.S. Bureau of Transportation Statistics (14 CFR Part 234), a work of the U.S. " +
  "government, as npm's vega-datasets has it; that package's own code is BSD-3-Clause.";

function manifestOf(packages, name) {
  return JSON.parse(readFileSync(join(packages, name, "package.json"), "utf8"));
}

function bundled(packages, name) {
  const { version, license, description } = manifestOf(packages, name);
  return {
    "bom-ref": `${name}@${version}`,
    type: "library",
    name,
    version,
    scope: "required",
    description,
    purl: `pkg:npm/${name}@${version}`,
    licenses: [{ license: { id: license } }],
    properties: [{ name: "rankstream:place", value: "bundled into build/web" }],
  };
}

function runtime(versions) {
  const builtIn = Object.entries(versions).filter(([name]) => name !== "node");
  return {
    "bom-ref": `node@${versions.node}`,
    type: "platform",
    name: "node",
    version: versions.node,
    scope: "required",
    purl: `pkg:generic/node@${versions.node}`,
    licenses: [{ license: { id: "MIT" } }],
    properties: builtIn.map(([name, value]) => ({ name: `node:built-in:${name}`, value })),
  };
}

function flights(packages) {
  const { version } = manifestOf(packages, flightsPackage);
  const digest = createHash("sha256").update(readFileSync(join(packages, flightsPath)));
  return {
    "bom-ref": `flights-3m.parquet@${version}`,
    type: "data",
    name: "flights-3m.parquet",
    version,
    scope: "optional",
    description: flightsTerms,
    purl: `pkg:npm/${flightsPackage}@${version}#data/flights-3m.parquet`,
    hashes: [{ alg: "SHA-256", content: digest.digest("hex") }],
  };
}

/**
 * npm's document with what it lacks. `packages` is the node_modules folder of the build;
 * `versions` is `process.versions` of the Node that the image has. Throws where a file is missing.
 */
export function completed(document, packages, versions) {
  const own = document.metadata.component;
  const added = [
    runtime(versions),
    ...bundledPackages.map((name) => bundled(packages, name)),
    flights(packages),
  ];
  const refs = added.map((component) => component["bom-ref"]);
  const dependencies = document.dependencies.map((row) =>
    row.ref === own["bom-ref"] ? { ...row, dependsOn: [...row.dependsOn, ...refs] } : row,
  );
  return {
    ...document,
    // npm names it after the folder.
    metadata: { ...document.metadata, component: { ...own, name: "rankstream" } },
    components: [...document.components, ...added],
    dependencies: [...dependencies, ...refs.map((ref) => ({ ref, dependsOn: [] }))],
  };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [, , document, folder] = process.argv;
  if (document === undefined || folder === undefined) {
    process.stderr.write("expected: node docker/sbom.mjs PACKAGES.json BUILD_FOLDER\n");
    process.exit(2);
  }
  const packages = join(folder, "node_modules");
  const whole = completed(JSON.parse(readFileSync(document, "utf8")), packages, process.versions);
  process.stdout.write(`${JSON.stringify(whole, null, 1)}\n`);
}
