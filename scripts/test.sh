#!/usr/bin/env bash
# Everything that CI runs. On a Debian machine with Go it installs what else the tests need.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

step() { printf '== %s (%d s so far)\n' "$*" "$SECONDS"; }

# need COMMAND PACKAGE...: installs Debian packages when the command is missing.
need() {
    local command=$1
    shift
    if command -v "$command" >/dev/null; then return; fi
    local sudo=""
    if [ "$(id -u)" -ne 0 ]; then sudo=sudo; fi
    if [ -z "${apt_updated:-}" ]; then $sudo apt-get update -qq && apt_updated=yes; fi
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq "$@"
}

step "installing what the tests need"
need gcc gcc libc6-dev # the race detector is linked with cgo
need curl curl         # the tests paste the documents' commands
need chromium chromium # the console is looked at
need python3 python3 python3-venv
python3 -c 'import venv, ensurepip' 2>/dev/null || need no-such-command python3-venv
# Tests of several packages start PostgreSQL; each would install it, at the same time.
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || need no-such-command postgresql
GREENLIGHT_ONNXRUNTIME_LIB=$(bench/fetch-onnxruntime.sh)
export GREENLIGHT_ONNXRUNTIME_LIB

step "gofmt"
unformatted=$(gofmt -l .)
if [ -n "$unformatted" ]; then
    printf 'not formatted; run gofmt -w on:\n%s\n' "$unformatted" >&2
    exit 1
fi

step "go mod tidy"
go mod tidy -diff

step "go vet, also for arm64"
go vet ./...
GOARCH=arm64 go vet ./...

step "staticcheck"
go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

step "static binaries for amd64 and arm64"
for arch in amd64 arm64; do CGO_ENABLED=0 GOARCH=$arch go build -o /dev/null ./cmd/greenlight; done

step "ONNX backend cases"
scripts/conformance.sh --check

step "go test -race"
go test -race -timeout 20m ./...

step "done"
