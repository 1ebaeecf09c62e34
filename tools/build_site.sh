#!/bin/sh
# Builds the documents as a site. Usage: build_site.sh PYTHON SITE [SOURCE]
# A dead link, a missing heading or a page outside the sidebar fails the build. Without the npm package of tools/site,
# diagrams are shown as text.
set -eu
tools=$(cd "$(dirname "$0")" && pwd)
python=$1 site=$2 source=${3:-$tools/..}

doctrees=$(mktemp -d)
trap 'rm -rf "$doctrees"' EXIT
rm -rf "$site"
"$python" -m sphinx -q -b html -W --keep-going -c "$tools/site" -d "$doctrees" "$source" "$site"
