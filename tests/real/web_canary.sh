#!/usr/bin/env bash
# Fills every field that others write (names, texts, targets, what platforms and sources said, who did what …) with forty payloads,
# one after the other, and looks at every page of a real daemon in headless Chromium, under its policy (CSP) and with the policy
# switched off: no dialog, no violation, no script run, no element, attribute or link that is not ours. First the same look is had at
# pages that hold the payloads alive, each of which it has to notice. web_pages.sh has installed what this needs.
set -euo pipefail
cd "$(dirname "$0")/../.."

root=$PWD
home=$root/target/real/web_pages
if ! command -v chromium >/dev/null || [ ! -e "$home/installed-2" ]; then
    echo "SKIPPED: canaries in a browser, since web_pages.sh could install none here" >&2
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
. tests/real/web_daemon.sh
printf 'correct horse\n' | "$binary" web password walker --scope act | sed 's/^/      /' >"$place/user"
for number in 1 2 3 4; do sed "s/walker/walker$number/" "$place/user"; done |
    python3 tests/real/web_canary.py yaml "$port" >"$place/pushcron.yaml"
start
run push --im qq --group 9 --title TITLE --text TEXT >/dev/null
stop
python3 tests/real/web_canary.py rows "$place/pushcron.db"
start
python3 tests/real/web_canary.py accounts "$place/pushcron.db"
python3 tests/real/web_canary.py payloads >"$place/payloads.json"
NODE_PATH=$home/node_modules node tests/real/web_canary.js "http://127.0.0.1:$port" "$place/payloads.json"
see_no_error
