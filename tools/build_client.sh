#!/bin/sh
# Builds clients/js and clients/operator, and copies the bundles, with socket.io-client and Swagger UI, to where the server serves them from. The
# server runs without npm, too; /asf/client/ and its console page then say what is missing.
set -eu
cd "$(dirname "$0")/.."
target=src/asf/console/static

if ! command -v npm >/dev/null; then
    echo "npm is not installed: the console page and the browser client are not built. Install Node.js with npm, then run: make client"
    exit 0
fi
# The packages' own install scripts do not run: that of a dependency of Swagger UI would report the installation to its makers.
install() {
    cmp -s package-lock.json node_modules/.installed || {
        npm ci --ignore-scripts --no-audit --no-fund --silent
        cp package-lock.json node_modules/.installed
    }
}
(cd clients/js && install && node build.mjs)
(cd clients/reference && install)
(cd clients/operator && node build.mjs)
rm -rf "$target"
mkdir -p "$target/asf-client"
cp clients/js/dist/browser/*.js clients/js/dist/browser/licenses.txt "$target/asf-client"
# The entry's name in earlier versions.
echo 'export * from "./asf-client.js";' >"$target/asf-client/index.js"
cp clients/js/node_modules/socket.io-client/dist/socket.io.esm.min.js "$target"
mkdir "$target/operator"
cp clients/operator/dist/operator.js "$target/operator"
mkdir "$target/swagger-ui"
for file in swagger-ui-bundle.js swagger-ui-bundle.js.LICENSE.txt swagger-ui.css LICENSE NOTICE; do
    cp "clients/reference/node_modules/swagger-ui-dist/$file" "$target/swagger-ui"
done
touch "$target/.built"
