#!/usr/bin/env bash
# Trains the examples from PyPI alone, and rewrites their models and proofs:
#
#     examples/train.sh                 penguins, digits and co2
#     examples/train.sh penguins        just this one
#     examples/train.sh bench           the benchmark's models, into examples/bench/models
#
# Each example gets a virtual environment of its own under ${XDG_CACHE_HOME:-~/.cache}/greenlight;
# PYTHON names another interpreter than python3 (3.11 to 3.13).
set -euo pipefail

examples=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/greenlight/examples
python=${PYTHON:-python3}

export PYTHONDONTWRITEBYTECODE=1

say() { printf '== %s\n' "$*"; }

# environment NAME: bench needs PyTorch as digits does, and that is gigabytes, so they share.
environment() {
    case $1 in
        bench) echo "$cache/digits" ;;
        *) echo "$cache/$1" ;;
    esac
}

install() {
    local venv=$1 requirements=$2
    if [ ! -x "$venv/bin/pip" ]; then
        "$python" -m venv "$venv" || {
            echo "train.sh: cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2
            return 1
        }
    fi
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
}

train() {
    local name=$1 venv models="" started=$SECONDS
    if [ ! -f "$examples/$name/train.py" ]; then
        echo "train.sh: there is no example named $name" >&2
        return 1
    fi
    venv=$(environment "$name")
    if [ "$name" = bench ]; then models=$examples/bench/models; fi
    say "$name: installing into $venv"
    install "$venv" "$examples/$name/requirements.txt"
    say "$name: training ($((SECONDS - started)) s so far)"
    "$venv/bin/python" "$examples/$name/train.py" ${models:+"$models"}
    say "$name: done in $((SECONDS - started)) s"
}

if [ $# -eq 0 ]; then set -- penguins digits co2; fi
for name in "$@"; do train "$name"; done
