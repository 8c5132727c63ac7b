#!/usr/bin/env bash
# Runs the ONNX project's backend node cases against the native engine:
#
#     scripts/conformance.sh [CASES]     prints the count, writes docs/operators.md
#     scripts/conformance.sh --check     prints the count, fails on more failures than are known
#
# CASES is a folder, a .tar.gz or a wheel that holds onnx/backend/test/data/node. Without it, the last wheel of
# the PyPI package onnx that still holds the cases is fetched (1,765 of the newest 1,802).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

wheel_version=1.22.0
known_failures=15 # see docs/operators.md for each one's reason
cache=${XDG_CACHE_HOME:-$HOME/.cache}/greenlight/onnx

fetch() {
    if ! compgen -G "$cache/onnx-$wheel_version-*.whl" >/dev/null; then
        echo "== fetching the backend cases (onnx $wheel_version from PyPI)" >&2
        mkdir -p "$cache"
        if [ ! -x "$cache/venv/bin/pip" ]; then python3 -m venv "$cache/venv"; fi
        "$cache/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
            --dest "$cache" "onnx==$wheel_version"
    fi
    compgen -G "$cache/onnx-$wheel_version-*.whl" | head -n 1
}

if [ "${1:-}" = --check ]; then
    exec go run ./engine/native/conformance -cases "$(fetch)" -allow-failures "$known_failures"
fi
cases=${1:-$(fetch)}
go run ./engine/native/conformance -cases "$cases" -docs docs/operators.md -allow-failures "$known_failures"
