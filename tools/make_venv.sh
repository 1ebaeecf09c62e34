#!/bin/sh
# Makes the virtual environment .venv. Usage: make_venv.sh PYTHON
set -eu
python=$1
[ -x .venv/bin/pip ] && exit 0

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "ASF needs Python 3.11 or newer; '$python' is $("$python" --version). Say which: make PYTHON=python3.12 …" >&2
    exit 1
}
# Debian keeps what `venv` needs in a package of its own.
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -qq -y "python$version-venv" >/dev/null
    else
        echo "Python's venv is not complete here. Install it: sudo apt-get install python$version-venv" >&2
        exit 1
    fi
fi
"$python" -m venv .venv
