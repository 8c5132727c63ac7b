#!/usr/bin/env bash
# Fetches ONNX Runtime's shared library out of its wheel on PyPI, once, and prints its path. Tests
# find it by themselves afterwards; GREENLIGHT_ONNXRUNTIME_LIB names another one.
#
# It is kept in ${XDG_CACHE_HOME:-~/.cache}/greenlight/onnxruntime; PYTHON names another interpreter
# than python3, which needs venv (on Debian: apt-get install python3-venv).
set -euo pipefail

version=${ONNXRUNTIME_VERSION:-1.32.0} # the newest on PyPI when this was written
cache=${XDG_CACHE_HOME:-$HOME/.cache}/greenlight/onnxruntime
library=$cache/$version/libonnxruntime.so.$version

fetch() {
    local work
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/fetch.XXXXXX")
    # shellcheck disable=SC2064 # the folder's name is wanted as it is now
    trap "rm -rf '$work'" EXIT
    "${PYTHON:-python3}" -m venv "$work/venv"
    # Every wheel of a version holds the same library, so one that surely exists is named.
    "$work/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --implementation cp --python-version 3.12 --dest "$work" "onnxruntime==$version"
    "$work/venv/bin/python" -m zipfile --extract "$work"/onnxruntime-*.whl "$work/wheel"
    mkdir -p "$cache/$version"
    mv "$work/wheel/onnxruntime/capi/libonnxruntime.so.$version" "$library"
}

if [ ! -f "$library" ]; then
    echo "fetching ONNX Runtime $version from PyPI" >&2
    fetch >&2
fi
ln -sfn "$version/libonnxruntime.so.$version" "$cache/libonnxruntime.so"
echo "$library"
