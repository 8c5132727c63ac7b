#!/bin/sh
# Plans of the three examples, with their grade, into docs/plans. It wants a
# machine with nothing else to do, and takes ten minutes.
#   scripts/plans.sh [EXAMPLE...]
set -eu
cd "$(dirname "$0")/.."
out=$(mktemp -d)
written= # a description that was not there before
trap 'rm -rf "$out" $written' EXIT
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$out/greenlight" ./cmd/greenlight

plan() {
    example=$1
    shift
    if [ ! -e "examples/$example/greenlight.yaml" ]; then
        written="$written examples/$example/greenlight.yaml"
        "$out/greenlight" init "examples/$example" >/dev/null
    fi
    how='--wait 5m --attempts 8 --rounds 5'
    "$out/greenlight" capacity plan "$example" "examples/$example" --out "docs/plans/$example" $how "$@"
    "$out/greenlight" capacity check "docs/plans/$example/plan.json" --at 8 $how --json >"docs/plans/$example/grade.json" || [ $? -eq 3 ] # off by more than a plan may be: the grade says so
}

for example in ${*:-penguins digits co2}; do
    echo "== $example"
    case $example in
    penguins) plan penguins --rate 400 --growth '5%/month' --slo 'p99<50ms' ;;
    digits) plan digits --rate 1500 --growth '8%/month' --slo 'p99<100ms' --event 'launch=2027-03-08..2027-03-15:x1.5' ;;
    co2) plan co2 --rate 1000 --growth '3%/month' --slo 'p99<100ms' --zones 3 --survive-zone ;;
    *) echo "no example $example" >&2 && exit 2 ;;
    esac
done
