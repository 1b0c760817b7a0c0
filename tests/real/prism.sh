#!/usr/bin/env bash
# Runs a command against Prism, a mock server from npm that checks each request against NapCat's published OpenAPI
# schema. The schema is no part of this repository: its path stands in PUSHCRON_NAPCAT_SCHEMA. The command finds the
# server's address in PUSHCRON_PRISM_URL.
#
#   PUSHCRON_NAPCAT_SCHEMA=openapi.json tests/real/prism.sh      # cargo test --test it onebot11_schema::
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ ! -r "${PUSHCRON_NAPCAT_SCHEMA:-}" ]; then
    echo "SKIPPED: no schema at PUSHCRON_NAPCAT_SCHEMA='${PUSHCRON_NAPCAT_SCHEMA:-}'" >&2
    exit 0
fi

home=target/real/prism
if [ ! -e "$home/installed" ]; then
    mkdir -p "$home"
    npm install --no-audit --no-fund --silent --prefix "$home" @stoplight/prism-cli@5.16.0
    touch "$home/installed"
fi

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
log=$(mktemp)
server=
stop() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null && wait "$server" || true
    fi
    rm -f "$log"
}
trap stop EXIT
node "$home/node_modules/.bin/prism" mock -h 127.0.0.1 -p "$port" "$PUSHCRON_NAPCAT_SCHEMA" >"$log" 2>&1 &
server=$!
for _ in $(seq 300); do
    grep -q "Prism is listening" "$log" && break
    kill -0 "$server" 2>/dev/null || { cat "$log"; exit 1; }
    sleep 0.1
done
grep -q "Prism is listening" "$log" || { cat "$log"; exit 1; }

export PUSHCRON_PRISM_URL="http://127.0.0.1:$port"
if [ $# -gt 0 ]; then
    "$@"
else
    cargo test --test it onebot11_schema:: -- --nocapture
fi
