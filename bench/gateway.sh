#!/bin/sh
# The gateway against Debian's nginx: same upstream, one core, interleaved.
#   bench/gateway.sh [-rounds N] [-each 2s] [-only 4000]
set -eu
cd "$(dirname "$0")/.."
command -v nginx >/dev/null || apt-get install -y nginx-light >/dev/null
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$out/greenlight" ./cmd/greenlight
CGO_ENABLED=0 go build -trimpath -o "$out/bench" ./bench/gateway
"$out/bench" speed "$out/greenlight" "$@"
