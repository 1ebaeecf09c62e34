#!/bin/sh
# Tries the newest releases of the libraries whose undocumented parts are used (docs/decisions.md, "Seams"), whatever
# pyproject.toml admits. Usage: try_newest.sh VENV
# They are installed in a temporary environment, on top of VENV, which stays as it is. Prints the versions and the
# outcome of the tests. Fails if a test fails, or if the libraries cannot be installed.
set -eu
base=$1
libraries="apispec eventlet Flask-SocketIO PyJWT python-engineio python-socketio redis Werkzeug wsproto"
tests="tests/unit/test_seams.py tests/unit/test_engineio_order.py tests/unit/test_engineio_server.py
tests/unit/test_engineio_transport.py tests/unit/test_asyncapi.py tests/unit/test_ui_update_emitter.py
tests/unit/test_jwt_tokens.py
tests/integration/test_http.py tests/integration/test_audio.py tests/integration/test_ui_updates.py"

site_packages() {
    "$1" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'
}

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
"$base/bin/python" -m venv "$directory"
python=$directory/bin/python
# shellcheck disable=SC2086 # a list of words
"$python" -m pip install -q --disable-pip-version-check --no-deps $libraries
echo "import site; site.addsitedir('$(site_packages "$base/bin/python")')" >"$(site_packages "$python")/base.pth"
# shellcheck disable=SC2086 # a list of words
"$python" - $libraries <<'END'
import sys
from importlib.metadata import version

print("Newest releases:", ", ".join(f"{name} {version(name)}" for name in sys.argv[1:]))
END
# shellcheck disable=SC2086 # a list of words
"$python" -m pytest -q -p no:xdist -p no:cacheprovider $tests
