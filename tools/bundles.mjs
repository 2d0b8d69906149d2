// What runs in browsers: each entry becomes one file with all that it imports.
import { build } from "esbuild";

/** Entry below `src/`, and the file below `build/` it becomes. */
const bundles = [{ entry: "web/board.ts", file: "web/board.js" }];

/** Browsers with import attributes of WASM SIMD, BigInt64 and top-level await: since 2022. */
const browsers = ["chrome105", "firefox105", "safari16"];

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
