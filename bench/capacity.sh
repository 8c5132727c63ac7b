#!/bin/sh
# Plans of three workloads against what is measured: fitted on 1 to 4 replicas, predicted and measured for 8.
#   bench/capacity.sh [-rounds 3] [-each 3s] [-only cpu|proxy|lock]
set -eu
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$out/greenlight" ./cmd/greenlight
CGO_ENABLED=0 go build -trimpath -o "$out/workload" ./bench/capacity
"$out/workload" validate "$@" "$out/greenlight"
