// What runs in browsers: each entry becomes one file with all that it imports.
import { build } from "esbuild";

/** Entry below `src/`, and the file below `build/` it becomes. */
const bundles = [
  { entry: "web/main.tsx", file: "web/main.js" },
  { entry: "web/styles/main.css", file: "web/main.css" },
  // For pages of others, without a bundler of their own.
  { entry: "client/client.ts", file: "client.browser.js" },
];

/** Browsers with import attributes of WASM SIMD, BigInt64 and top-level await: since 2022. */
const browsers = ["chrome105", "firefox105", "safari16"];

/** Whether this style sheet, a path below `src/web/`, goes into the dashboard's one. */
export function isBundled(path) {
  return /^src\/web\/(?:styles|panels)\/.*\.css$/.test(path);
}

/** Writes all bundles, with source maps beside them; throws when one can't be built. */
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
}
