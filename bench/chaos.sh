#!/bin/sh
# Kills and replaces the parts of a running system under load, and counts.
#   bench/chaos.sh [-n 20] [-rate 500] [-only "replica killed"]
set -eu
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$out/greenlight" ./cmd/greenlight
CGO_ENABLED=0 go build -trimpath -o "$out/chaos" ./bench/chaos
"$out/chaos" "$out/greenlight" "$@"
