#!/bin/sh
# Builds clients/js and copies it, with socket.io-client, to where the server serves it from. The server runs without
# npm, too; its console page then says what is missing.
set -eu
cd "$(dirname "$0")/.."
target=src/asf/console/static

if ! command -v npm >/dev/null; then
    echo "npm is not installed: the console page and the browser client are not built. Install Node.js with npm, then run: make client"
    exit 0
fi
(
    cd clients/js
    cmp -s package-lock.json node_modules/.installed || {
        npm ci --ignore-scripts --no-audit --no-fund --silent
        cp package-lock.json node_modules/.installed
    }
    rm -rf dist
    node_modules/.bin/tsc
)
rm -rf "$target"
mkdir -p "$target/asf-client"
cp -R clients/js/dist/. "$target/asf-client"
find "$target" -name '*.d.ts' -delete
cp clients/js/node_modules/socket.io-client/dist/socket.io.esm.min.js "$target"
touch "$target/.built"
