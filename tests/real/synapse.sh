#!/usr/bin/env bash
# Runs a command against a real Matrix homeserver: Synapse from PyPI, in a venv under target/, on a free port of the
# loopback interface, with an empty database. The command finds its address in PUSHCRON_SYNAPSE_URL.
#
#   tests/real/synapse.sh                        # cargo test --test it matrix_synapse::
#   tests/real/synapse.sh COMMAND [ARGUMENT…]
set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/real/venv.sh
venv synapse matrix-synapse==1.163.2

data=$(mktemp -d)
server=
stop() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null && wait "$server" || true
    fi
    rm -rf "$data"
}
trap stop EXIT

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$data/homeserver.yaml" <<YAML
server_name: im.test
listeners:
  - {type: http, port: $port, bind_addresses: ["127.0.0.1"], tls: false, resources: [{names: [client, media]}]}
database: {name: sqlite3, args: {database: $data/homeserver.db}}
media_store_path: $data/media
signing_key_path: $data/signing.key
log_config: $data/log.yaml
macaroon_secret_key: macaroon
form_secret: form
report_stats: false
trusted_key_servers: []
max_upload_size: 21M
# Each test makes users of its own.
enable_registration: true
enable_registration_without_verification: true
rc_registration: {per_second: 1000, burst_count: 1000}
rc_message: {per_second: 1000, burst_count: 1000}
rc_invites:
  per_issuer: {per_second: 1000, burst_count: 1000}
  per_user: {per_second: 1000, burst_count: 1000}
rc_room_creation: {per_second: 1000, burst_count: 1000}
YAML
cat >"$data/log.yaml" <<YAML
version: 1
handlers: {file: {class: logging.FileHandler, filename: $data/homeserver.log}}
root: {level: WARNING, handlers: [file]}
YAML
python="$home/venv/bin/python"
"$python" -m synapse.app.homeserver -c "$data/homeserver.yaml" --generate-keys
"$python" -m synapse.app.homeserver -c "$data/homeserver.yaml" &
server=$!

export PUSHCRON_SYNAPSE_URL="http://127.0.0.1:$port"
for _ in $(seq 300); do
    if curl --silent --fail --output /dev/null "$PUSHCRON_SYNAPSE_URL/health"; then
        if [ $# -eq 0 ]; then
            set -- cargo test --test it matrix_synapse:: -- --nocapture
        fi
        "$@"
        exit
    fi
    kill -0 "$server" || { echo "Synapse did not start:" >&2; cat "$data/homeserver.log" >&2; exit 1; }
    sleep 0.1
done
echo "Synapse was not ready within 30 s" >&2
exit 1
