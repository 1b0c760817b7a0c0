#!/usr/bin/env bash
# Runs a command against telegram-test-api, an emulator of the Bot API from npm (installed under target/), on a free port
# of the loopback interface. The command finds its address in PUSHCRON_TELEGRAM_URL.
#
#   tests/real/telegram_test_api.sh                     # cargo test --test it telegram_test_api::
#   tests/real/telegram_test_api.sh COMMAND [ARGUMENT…]
set -euo pipefail
cd "$(dirname "$0")/../.."

home=target/real/telegram_test_api
if [ ! -e "$home/installed" ]; then
    mkdir -p "$home"
    npm install --no-audit --no-fund --silent --prefix "$home" telegram-test-api@4.2.1
    touch "$home/installed"
fi

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
server=
stop() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null && wait "$server" || true
    fi
}
trap stop EXIT
NODE_PATH="$home/node_modules" node -e '
    const Server = require("telegram-test-api");
    new Server({host: "127.0.0.1", port: Number(process.argv[1]), storeTimeout: 3600}).start();
' "$port" >/dev/null &
server=$!

export PUSHCRON_TELEGRAM_URL="http://127.0.0.1:$port"
for _ in $(seq 300); do
    if curl --silent --output /dev/null "$PUSHCRON_TELEGRAM_URL/"; then
        if [ $# -eq 0 ]; then
            set -- cargo test --test it telegram_test_api:: -- --nocapture
        fi
        "$@"
        exit
    fi
    kill -0 "$server" || { echo "telegram-test-api did not start" >&2; exit 1; }
    sleep 0.1
done
echo "telegram-test-api was not ready within 30 s" >&2
exit 1
