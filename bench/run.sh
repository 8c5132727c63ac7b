#!/usr/bin/env bash
# Measures Greenlight against ONNX Runtime, net/http and Flask, and prints the table. Arguments go to
# the benchmark: --json FILE, --strict, --only REGEXP.
#
# What it installs from PyPI is kept in ${XDG_CACHE_HOME:-~/.cache}/greenlight; PYTHON names another
# interpreter than python3 (3.11 to 3.13, with venv).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/greenlight/bench
python=${PYTHON:-python3}

export PYTHONDONTWRITEBYTECODE=1

say() { printf '== %s\n' "$*" >&2; }

need() {
    command -v "$1" >/dev/null || {
        echo "run.sh: there is no $1; on Debian: apt-get install $2" >&2
        return 1
    }
}

# flask makes an environment with Flask, gunicorn and scikit-learn, and trains in it the forest that
# examples/bench/models/forest.onnx is.
flask() {
    local digest stamp=$cache/installed
    digest=$(cat "$here/requirements.txt" "$here/../examples/bench/train.py" | sha256sum)
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$digest" ]; then return; fi
    say "installing Flask, gunicorn and scikit-learn into $cache"
    "$python" -m venv "$cache/venv"
    "$cache/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
    say "training the forest for scikit-learn"
    "$cache/venv/bin/python" "$here/../examples/bench/train.py" "$cache/models" forest >&2
    echo "$digest" >"$stamp"
}

need go golang
need taskset util-linux
need "$python" "python3 python3-venv"
mkdir -p "$cache"
library=$("$here/fetch-onnxruntime.sh")
flask

say "building"
cd "$here/.."
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$cache/greenlight" ./cmd/greenlight
CGO_ENABLED=0 go build -o "$cache/bench" ./bench
from_c=
if command -v cc >/dev/null; then
    from_c=$cache/fromc
    cc -O2 -o "$from_c" "$here/fromc/fromc.c" -ldl
fi
exec "$cache/bench" --greenlight "$cache/greenlight" --onnxruntime "$library" --fromc "$from_c" \
    --python "$cache/venv/bin/python" --forest "$cache/models/forest.joblib" --examples "$here/../examples" "$@"
