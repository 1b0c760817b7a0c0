#!/usr/bin/env bash
# Asks a real daemon's HTTP API all that its OpenAPI document allows, and much that it does not, with tokens of each scope and with
# none (schemathesis from PyPI, in a venv under target/): no 5xx, no status and no shape that is not in the document, and nothing is
# written by a token that only reads. A token may act twice a second, so that many of each scope take turns.
set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/real/venv.sh
venv web schemathesis==4.32.5

. tests/real/web_daemon.sh
{
    printf 'daemon:\n  web:\n    listen: 127.0.0.1:%s\n    tokens:\n' "$port"
    for scope in read act push; do
        for number in $(seq 25); do
            "$binary" web token "$scope$number" --scope "$scope" >"$place/token"
            sed -n 1p "$place/token" >>"$place/$scope"
            printf '      %s\n' "$(sed -n 2p "$place/token")"
        done
    done
    printf 'accounts: [{id: screen, sender: console, im: qq, default: true}]\n'
    printf 'jobs: [{name: daily, every: 1h, push: {im: qq, group: 1, text: hi}}]\n'
} >"$place/pushcron.yaml"
: >"$place/none"
start

# ask SCOPE SECONDS
ask() {
    echo "--- $1"
    # What it leaves behind goes with the place.
    (cd "$place" && PUSHCRON_TOKENS=$(paste -sd, "$1") SCHEMATHESIS_HOOKS=$root/tests/real/web_tokens.py \
        "$root/$home/venv/bin/schemathesis" run "$root/docs/openapi.json" --url "http://127.0.0.1:$port" \
        --rate-limit 40/s --max-examples 10 --phases examples,coverage,fuzzing --max-time "$2" --seed 1 \
        --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
        --generation-database none --no-color)
}
written() {
    "$binary" --db "$place/pushcron.db" acts --json
    "$binary" --db "$place/pushcron.db" history --json
}
ask none 30
ask read 45
if [ "$(written | tr -d ' \n')" != '[][]' ]; then
    echo "a token that only reads, or nobody, has written:"
    written
    exit 1
fi
ask push 60
ask act 120
see_no_error
echo "4 scopes: all well"
