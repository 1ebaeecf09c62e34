#!/bin/sh
# Creates the virtual environment VENV. Usage: make_venv.sh PYTHON VENV [named]
# An existing one is kept unless a Python is named that has another version. VENV/.python contains its version.
set -eu
python=$1 venv=$2 named=${3:-}

version_of() {
    "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])'
}

if [ -x "$venv/bin/pip" ] && has=$(version_of "$venv/bin/python"); then
    if [ -z "$named" ] || [ "$has" = "$(version_of "$python")" ]; then
        [ "$(cat "$venv/.python" 2>/dev/null)" = "$has" ] || echo "$has" >"$venv/.python"
        exit 0
    fi
    echo "$venv has Python $has; recreating it with $python"
    rm -rf "$venv"
fi

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "ASF needs Python 3.11 or newer; '$python' is $("$python" --version). Use another one: make PYTHON=python3.12 …" >&2
    exit 1
}
# On Debian `venv` needs a separate package.
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -qq -y "python$version-venv" >/dev/null
    else
        echo "Python's venv module is incomplete. Install it: sudo apt-get install python$version-venv" >&2
        exit 1
    fi
fi
"$python" -m venv "$venv"
version_of "$venv/bin/python" >"$venv/.python"
