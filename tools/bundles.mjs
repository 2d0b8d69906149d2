// What runs in browsers: each entry becomes one file with all that it imports.
import { cpSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

/** Entry below `src/`, and the file below `build/` it becomes. */
const bundles = [
  { entry: "web/main.tsx", file: "web/main.js" },
  { entry: "web/styles/main.css", file: "web/main.css" },
  // For pages of others, without a bundler of their own.
  { entry: "client/client.ts", file: "client.browser.js" },
  { entry: "kernel/item-counter.ts", file: "kernel.browser.js" },
  { entry: "web/demo/main.tsx", file: "web/demo/main.js" },
  { entry: "web/demo/speed-worker.ts", file: "web/demo/speed-worker.js" },
  { entry: "web/docs/main.ts", file: "web/docs/main.js" },
  { entry: "web/capacity/main.tsx", file: "web/capacity/main.js" },
  { entry: "web/demo/demo.css", file: "web/demo/demo.css" },
];

/** Files below `build/` that the demo and the calculator hold too: any static host serves them. */
const copies = [
  { from: "kernel/kernel.wasm", to: "web/demo/kernel.wasm" },
  { from: "kernel/kernel.scalar.wasm", to: "web/demo/kernel.scalar.wasm" },
  { from: "web/icon.svg", to: "web/demo/icon.svg" },
  { from: "web/icon.svg", to: "web/capacity/icon.svg" },
];

/** Files of packages that pages load as they are, and where below `build/` they go. */
const packageFiles = ["swagger-ui-bundle.js", "swagger-ui.css", "LICENSE", "NOTICE"].map(
  (name) => ({
    from: `swagger-ui-dist/${name}`,
    to: `web/docs/${name}`,
  }),
);

/** Browsers with import attributes of WASM SIMD, BigInt64 and top-level await: since 2022. */
const browsers = ["chrome105", "firefox105", "safari16"];

/** Whether this style sheet, a path below `src/web/`, goes into the dashboard's one. */
export function isBundled(path) {
  return /^src\/web\/(?:styles|panels)\/.*\.css$/.test(path);
}

/**
 * Writes all bundles, with source maps beside them, and copies, once everything else is in
 * `build/`; throws when one can't be built.
 */
export async function buildBundles(root) {
  await Promise.all(
    bundles.map(({ entry, file }) =>
      build({
        absWorkingDir: root,
        entryPoints: [`src/${entry}`],
        outfile: `build/${file}`,
        bundle: true,
        format: "esm",
        // Addresses in style sheets are the service's.
        external: ["/web/*"],
        target: browsers,
        minify: true,
        sourcemap: true,
        legalComments: "eof",
        jsx: "automatic",
        jsxImportSource: "preact",
        logLevel: "warning",
      }),
    ),
  );
  for (const { from, to } of packageFiles) {
    cpSync(join(root, "node_modules", from), join(root, "build", to));
  }
  for (const { from, to } of copies) cpSync(join(root, "build", from), join(root, "build", to));
}
