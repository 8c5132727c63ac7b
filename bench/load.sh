#!/bin/sh
# Greenlight's load generator beside wrk, wrk2, vegeta, hey, fortio and k6.
#   bench/load.sh [stall|pacing|speed|same [OPTION...]]
# wrk comes from Debian; vegeta, hey, fortio and k6 from the Go proxy by exact
# version, into a folder of their own (k6 takes minutes to build, once); wrk2,
# which neither has, takes part where it is in the PATH.
set -eu
cd "$(dirname "$0")/.."
tools=${GREENLIGHT_BENCH_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/greenlight-bench/bin}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
command -v wrk >/dev/null || apt-get install -y -qq wrk >/dev/null
mkdir -p "$tools"
install_tool() {
    command -v "$1" >/dev/null || [ -x "$tools/$1" ] || (cd "$out" && GOBIN="$tools" GOFLAGS='' go install "$2")
}
install_tool vegeta github.com/tsenart/vegeta/v12@v12.12.0
install_tool hey github.com/rakyll/hey@v0.1.4
install_tool fortio fortio.org/fortio@v1.63.0
install_tool k6 go.k6.io/k6@v0.57.0
PATH="$tools:$PATH"
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$out/greenlight" ./cmd/greenlight
CGO_ENABLED=0 go build -trimpath -o "$out/bench" ./bench/load
if [ $# -gt 0 ]; then
    what=$1
    shift
    "$out/bench" "$what" "$out/greenlight" "$@"
    exit
fi
for what in stall pacing speed same; do
    echo "== $what"
    "$out/bench" "$what" "$out/greenlight"
done
