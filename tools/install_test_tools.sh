#!/bin/sh
# Installs what the tests of browsers, of deploy/, of Redis and of object stores need and can be had: Chromium, ffmpeg,
# bubblewrap, redis-server, nginx, HAProxy and docker-compose where apt and root allow, npm packages where npm is, and
# OpenStack Swift from PyPI.
# The tests skip, in one line each, what is missing; on CI everything must be there.
set -eu
cd "$(dirname "$0")/.."

if ! command -v chromium >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Chromium for the browser tests"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium >/dev/null || true
fi
if ! command -v ffmpeg >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing ffmpeg for the audio of the browser tests"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y ffmpeg >/dev/null || true
fi
if ! command -v bwrap >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing bubblewrap for the tests of the image"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y bubblewrap >/dev/null || true
fi
if ! command -v redis-server >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Redis for the tests of several servers"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y redis-server >/dev/null || true
fi
if ! { command -v nginx && command -v haproxy; } >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing nginx and HAProxy for the tests of deploy/"
    # The tests start them; what says so (invoke-rc.d(8)) keeps Debian from starting them as services, too.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        trap 'rm -f $policy' EXIT
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod 755 $policy
    fi
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends nginx-light haproxy >/dev/null || true
fi
if ! command -v docker-compose >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing docker-compose for the tests of deploy/"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends docker-compose >/dev/null || true
fi
# In an environment of its own, as it is a program of its own, which pins libraries in its own way.
if [ -x .venv/bin/python ] && [ ! -x .venv/swift/bin/swift-proxy-server ]; then
    echo "Installing OpenStack Swift for the tests of object stores"
    .venv/bin/python -m venv .venv/swift
    .venv/swift/bin/pip install -q --disable-pip-version-check 'swift>=2.35,<3' || rm -rf .venv/swift
fi
if ! command -v npm >/dev/null && [ -n "${CI:-}" ]; then
    echo "Installing Node.js for the browser tests"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y nodejs npm >/dev/null
fi
installed=tests/browser/node_modules/.installed
if command -v npm >/dev/null && ! cmp -s tests/browser/package-lock.json $installed; then
    npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund --silent
    cp tests/browser/package-lock.json $installed
fi
