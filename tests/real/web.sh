#!/usr/bin/env bash
# Asks a real daemon's HTTP API all that its OpenAPI document allows, and much that it does not, with a token of each scope and with
# none (schemathesis from PyPI, in a venv under target/): no 5xx, no status and no shape that is not in the document. Requests come
# as fast as a token may ask, so that few of them are answered 429: it takes longer than a step of .ci/run may, and is run by hand.
set -euo pipefail
cd "$(dirname "$0")/../.."

root=$PWD
. tests/real/venv.sh
venv web schemathesis==4.32.5

cargo build --locked
binary=$root/target/debug/pushcron
place=$(mktemp -d)
daemon=
stop() {
    if [ -n "$daemon" ]; then
        kill "$daemon" 2>/dev/null && wait "$daemon" || true
    fi
    rm -rf "$place"
}
trap stop EXIT

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
{
    printf 'daemon:\n  web:\n    listen: 127.0.0.1:%s\n    tokens:\n' "$port"
    for scope in read act push; do
        "$binary" web token "$scope" --scope "$scope" >"$place/$scope"
        printf '      %s\n' "$(sed -n 2p "$place/$scope")"
    done
    printf 'accounts: [{id: screen, sender: console, im: qq, default: true}]\n'
    printf 'jobs: [{name: daily, every: 1h, push: {im: qq, group: 1, text: hi}}]\n'
} >"$place/pushcron.yaml"
chmod 600 "$place/pushcron.yaml"
"$binary" -c "$place/pushcron.yaml" --db "$place/pushcron.db" run >"$place/out" 2>"$place/log" &
daemon=$!
for _ in $(seq 300); do
    grep -q 'the HTTP API listens' "$place/log" && break
    kill -0 "$daemon" 2>/dev/null || { cat "$place/log"; exit 1; }
    sleep 0.1
done

ask() {
    local scope=$1 method=$2 rate=$3 header=()
    [ "$scope" = none ] || header=(-H "Authorization: Bearer $(sed -n 1p "$place/$scope")")
    # What it leaves behind goes with the place.
    (cd "$place" && "$root/$home/venv/bin/schemathesis" run "$root/docs/openapi.json" --url "http://127.0.0.1:$port" "${header[@]}" \
        --include-method "$method" --rate-limit "$rate" --max-examples 10 --phases examples,coverage,fuzzing \
        --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
        --generation-database none --no-color)
}
for scope in none read act push; do
    echo "--- $scope"
    ask "$scope" GET 9/s
    ask "$scope" POST 2/s
done
if grep -E 'ERROR|a bug of pushcron' "$place/log"; then
    exit 1
fi
echo "4 passed, 0 failed"
