#!/bin/sh
# The time to the first prediction, and the costs of an idle control plane.
#   bench/up.sh [-runs 10] [-idle 30s]
set -eu
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$out/greenlight" ./cmd/greenlight
CGO_ENABLED=0 go build -trimpath -o "$out/up" ./bench/up
"$out/up" "$out/greenlight" "$@"
