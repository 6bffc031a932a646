// Bundles src/ into the folder that the package serves from, or into the one that is named: `node build.mjs [FOLDER]`.
// The same source gives the same bytes on every machine: a test compares them with what is kept in the repository.
import { build } from "esbuild";
import { copyFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "../plugins/triptych/api/console/static");

await build({
  absWorkingDir: here,
  entryPoints: { console: "src/main.tsx" },
  outdir: out,
  bundle: true,
  minify: true,
  legalComments: "none",
  format: "esm",
  target: ["chrome109", "firefox115", "safari16"],
  jsx: "automatic",
  jsxImportSource: "preact",
  charset: "ascii",
  banner: { js: "/* Made of console/ by `make console`. Holds Preact, copyright Jason Miller, MIT licence. */" },
});
for (const name of ["index.html", "icon.svg", "icon-dark.svg"]) await copyFile(join(here, "src", name), join(out, name));
