// Builds dist/: modules with types, for bundlers and Node.js; and dist/browser/: bundles for pages without a bundler.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
const { metafile } = await build({
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
  banner: { js: "/*! Part of asf-client, which contains socket.io-client (MIT, https://socket.io), mse-audio-wrapper and codec-parser (LGPL-3.0-or-later, https://github.com/eshaz). Their licenses are in licenses.txt. */" },
  metafile: true,
  logLevel: "warning",
});
writeFileSync(new URL("dist/browser/licenses.txt", import.meta.url), licensesOf(Object.keys(metafile.inputs)));

/** Returns the licenses of the packages that bundled files are from: a copy of the bundles must come with them. */
function licensesOf(files) {
  const packages = new Set(files.map((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]).filter(Boolean));
  const parts = [...packages].sort().map((name) => {
    const folder = new URL(`node_modules/${name}/`, import.meta.url);
    const { version, license } = JSON.parse(readFileSync(new URL("package.json", folder), "utf8"));
    return [`${name} ${version} (${license})`, readFileSync(new URL("LICENSE", folder), "utf8")];
  });
  // The LGPL adds to the GPL, whose text must come with it (LGPL, section 4).
  parts.push(["GNU General Public License, version 3", require("spdx-license-list/licenses/GPL-3.0-or-later.json").licenseText]);
  return parts.map(([title, text]) => `${title}\n${"=".repeat(title.length)}\n\n${text.trim()}\n`).join("\n\n");
}
