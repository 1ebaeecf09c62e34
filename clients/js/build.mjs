// Builds dist/: modules with types, for bundlers and Node.js; and dist/browser/: bundles for pages without a bundler.
import { spawnSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));

function run(command, args, shell = false) {
  const { status, error } = spawnSync(command, args, { cwd: folder, stdio: ["ignore", "inherit", "inherit"], shell });
  if (status !== 0) {
    console.error(`${command} failed${error ? `: ${error.message}` : ""}`);
    process.exit(1);
  }
}

// `npm install path/to/clients/js` installs what the package needs to run, not what it needs to be built.
if (!existsSync(new URL("node_modules/esbuild", import.meta.url))) {
  run("npm", ["ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund"], process.platform === "win32");
}

rmSync(new URL("dist", import.meta.url), { recursive: true, force: true });
const require = createRequire(import.meta.url);
run(process.execPath, [require.resolve("typescript/bin/tsc")]);

const { build } = await import("esbuild");
await build({
  absWorkingDir: folder,
  entryPoints: { "asf-client": "dist/index.js", "asf-player": "dist/element/index.js" },
  outdir: "dist/browser",
  bundle: true,
  splitting: true, // What both entries use is loaded once, and what is imported dynamically only when needed.
  format: "esm",
  platform: "browser",
  target: ["es2022"],
  minify: true,
  entryNames: "[name]",
  chunkNames: "[name]-[hash]", // The server lets browsers keep files with a hash for ever.
  legalComments: "eof",
  banner: { js: "/*! Part of asf-client, which contains socket.io-client (MIT, https://socket.io), mse-audio-wrapper and codec-parser (LGPL-3.0-or-later, https://github.com/eshaz). */" },
  logLevel: "warning",
});
