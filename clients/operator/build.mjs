// Checks the types, and bundles the page for operators into dist/operator.js, with the tools of ../js.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));
const require = createRequire(new URL("../js/package.json", import.meta.url));

const { status } = spawnSync(process.execPath, [require.resolve("typescript/bin/tsc")], { cwd: folder, stdio: "inherit" });
if (status !== 0) process.exit(1);

await require("esbuild").build({
  absWorkingDir: folder,
  entryPoints: { operator: "src/main.ts" },
  outdir: "dist",
  bundle: true,
  format: "esm",
  platform: "browser",
  target: ["es2022"],
  minify: true,
  logLevel: "warning",
});
