#!/bin/sh
# Installs what the tests need besides Python packages, as far as possible: programs with apt if it runs as root, Swift and
# FastAPI in directories of their own, npm packages if npm is installed. Usage: install_test_tools.sh [VENV]
# Tests whose program is missing are skipped, in one line each. On CI all programs must be installed.
set -eu
cd "$(dirname "$0")/.."
venv=${1:-.venv}

# install PURPOSE COMMAND PACKAGE...: install Debian packages unless the command exists.
install() {
    purpose=$1 command=$2
    shift 2
    if ! command -v "$command" >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing $command for $purpose"
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y "$@" >/dev/null || true
    fi
}

# The tests start servers themselves: a policy (invoke-rc.d(8)) keeps Debian from starting them as services.
policy=/usr/sbin/policy-rc.d
if [ "$(id -u)" = 0 ] && [ -d /usr/sbin ] && [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
fi

install "the tests in Chromium" chromium chromium
install "the audio of the browser tests" ffmpeg ffmpeg
install "the audio of the browser tests" lame lame
install "the tests of voices" espeak-ng --no-install-recommends espeak-ng
install "the tests of players" curl curl
install "the tests of players" wget wget
install "the tests of players" mpv --no-install-recommends mpv
install "the tests in Firefox" firefox-esr --no-install-recommends firefox-esr
install "the tests in WebKit" WebKitWebDriver --no-install-recommends webkit2gtk-driver gstreamer1.0-libav \
    gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-pulseaudio
install "the tests in WebKit" Xvfb --no-install-recommends xvfb
install "the sound of the browser tests" pulseaudio --no-install-recommends pulseaudio
install "the sound of the browser tests" parec --no-install-recommends pulseaudio-utils
install "the tests of the image" bwrap bubblewrap
install "the tests of the image" podman --no-install-recommends podman runc
install "the tests of the image" buildah --no-install-recommends buildah
install "the tests of the image" debootstrap --no-install-recommends debootstrap
install "the tests of several servers" redis-server redis-server
install "the tests of a pulled cable" ip iproute2
install "the tests of deploy/" systemd-analyze --no-install-recommends systemd
install "the tests of deploy/" nginx --no-install-recommends nginx-light
install "the tests of deploy/" haproxy --no-install-recommends haproxy
install "the tests of proxies" varnishd --no-install-recommends varnish
install "the tests of deploy/" prometheus --no-install-recommends prometheus
install "the tests of deploy/" docker-compose --no-install-recommends docker-compose
if [ -n "${CI:-}" ]; then
    install "the browser tests" npm nodejs npm
fi

# Swift pins its own versions of libraries, so it needs its own environment.
if [ -x "$venv/bin/python" ] && [ ! -x "$venv/swift/bin/swift-proxy-server" ]; then
    echo "Installing OpenStack Swift for the tests of object stores"
    "$venv/bin/python" -m venv "$venv/swift" &&
        "$venv/swift/bin/pip" install -q --disable-pip-version-check 'swift>=2.35,<3' || rm -rf "$venv/swift"
fi

if [ -x "$venv/bin/python" ] && [ ! -d "$venv/fastapi" ]; then
    echo "Installing FastAPI for the tests of examples/"
    "$venv/bin/pip" install -q --disable-pip-version-check --target "$venv/fastapi" -r examples/fastapi/requirements.txt ||
        rm -rf "$venv/fastapi"
fi

for folder in tests/browser tools/site; do
    installed=$folder/node_modules/.installed
    if command -v npm >/dev/null && ! cmp -s "$folder/package-lock.json" "$installed"; then
        if npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --silent; then
            cp "$folder/package-lock.json" "$installed"
        else
            echo "The npm packages of $folder could not be installed; the tests that need them skip"
        fi
    fi
done
