#!/usr/bin/env bash
# Runs an empty PostgreSQL on 127.0.0.1 until it is interrupted, and leaves nothing behind.
# usage: database.sh [PORT]
set -euo pipefail
port=${1:-54320}

# PostgreSQL refuses to run as root; Debian's package brings a user for it.
as_user=()
if [ "$(id -u)" -eq 0 ]; then as_user=(setpriv --reuid=postgres --regid=postgres --init-groups); fi

newest() { { command -v initdb || find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V; } | tail -n 1; }

install_postgresql() {
    local sudo=""
    if [ "$(id -u)" -ne 0 ]; then sudo=sudo; fi
    $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq postgresql
}

if [ -z "$(newest)" ] && ! install_postgresql >&2; then
    echo "database.sh: PostgreSQL is not installed, and apt-get could not install it; install Debian's package postgresql" >&2
    exit 1
fi
bin=$(dirname "$(readlink -f "$(newest)")")

data=$(mktemp -d)
server=
finish() {
    trap '' INT TERM
    if [ -n "$server" ]; then
        kill -INT "$server" 2>/dev/null || true
        wait "$server" || true
    fi
    rm -rf "$data"
}
trap finish EXIT
trap 'exit 0' INT TERM
if [ "$(id -u)" -eq 0 ]; then chown postgres: "$data"; fi

cd "$data"
"${as_user[@]}" "$bin/initdb" --pgdata=data --auth=trust --username=orders --encoding=UTF8 --locale=C --no-sync >/dev/null
# Nothing of it is kept, so it need not wait for the disk.
"${as_user[@]}" "$bin/postgres" -D data -h 127.0.0.1 -p "$port" -c unix_socket_directories= -c max_connections=200 -c fsync=off &
server=$!
wait "$server"
