#!/usr/bin/env bash
# Walks a real daemon's pages in headless Chromium (Debian's, driven by playwright-core from npm, under target/): with and without a
# script, wide and narrow, light and dark, in both languages; axe-core finds nothing, Chromium reports no violation of the policy,
# and no dialog opens though every foreign field holds a canary. The screenshots stay in target/real/web_pages/shots.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! command -v chromium >/dev/null; then
    (apt-get update && apt-get install -y --no-install-recommends chromium fonts-noto-cjk) >/dev/null || {
        echo "SKIPPED: the pages in a browser, since chromium cannot be installed here" >&2
        echo "0 passed, 0 failed, 1 skipped"
        exit 0
    }
fi
root=$PWD
home=$root/target/real/web_pages
if [ ! -e "$home/installed-2" ]; then
    mkdir -p "$home"
    npm install --silent --no-audit --no-fund --prefix "$home" playwright-core@1.65.1 axe-core@4.14.1
    touch "$home/installed-2"
fi

. tests/real/web_daemon.sh
canary="<img src=x onerror=alert(1)>\"'><script>alert(2)</script>"
{
    printf 'daemon:\n  timezone: Asia/Shanghai\n  web:\n    listen: 127.0.0.1:%s\n    users:\n' "$port"
    printf 'correct horse\n' | "$binary" web password alice --scope act | sed 's/^/      /'
    cat <<YAML
    max_body: 1MiB
accounts:
  - {id: bot_main, im: qq, sender: console, default: true}
  - {id: hook_ops, im: ops, sender: webhook, url: 'http://127.0.0.1:$((port))/none'}
  - {id: onebot_spare, im: closed, sender: onebot11, url: 'http://127.0.0.1:9'}
jobs:
  - {name: daily-report, cron: '0 9 * * 1-5', timezone: Asia/Shanghai, push: {im: qq, group: '123456', text: '日报：今天的任务都完成了'}}
  - {name: berlin-night, cron: '30 2 * * *', timezone: Europe/Berlin, push: {im: qq, user: '10001', text: 'Gute Nacht'}}
  - {name: heartbeat-of-the-warehouse, every: 1h, push: {im: qq, group: '123456', text: 'alive'}}
  - {name: backup-done, cron: '15 4 * * *', push: [{im: qq, group: '777', text: 'backup'}, {im: closed, group: '5', text: 'backup'}]}
  - {name: disabled-one, every: 1d, enabled: false, push: {im: qq, group: '1', text: 'never'}}
YAML
} >"$place/pushcron.yaml"
start

# What there is to see: sent, failed, waiting, and one of which nobody knows whether it arrived.
for number in $(seq 60); do printf '%s\n' "$number"; done | xargs -I{} -P4 "$binary" -c "$place/pushcron.yaml" --db "$place/pushcron.db" \
    push --im qq --group 123456 --text 'message {}' >/dev/null
run fire daily-report >/dev/null
run fire backup-done >/dev/null || true
run push --im qq --group 9 --title "$canary" --text "$canary" >/dev/null
run push --im ops --group 404 --text "$canary" --timeout 2s >/dev/null 2>&1 || true
stop
python3 - "$place/pushcron.db" "$canary" <<'PY'
# Nothing here loses a connection by itself: the row of such a push is made as the daemon would have written it.
import sqlite3, sys
database, canary = sys.argv[1:]
with sqlite3.connect(database) as rows:
    for (id,) in rows.execute("SELECT id FROM pushes WHERE state = 'sent' ORDER BY id DESC LIMIT 2").fetchall():
        rows.execute("UPDATE pushes SET state = 'unknown', sent_count = 0, reason = 'unknown' WHERE id = ?", (id,))
        rows.execute("UPDATE attempts SET outcome = 'unknown', error = ?, message_id = NULL WHERE push_id = ?",
                     ("connection closed before message completed " + canary, id))
PY
start

link=$(run web open)
NODE_PATH=$home/node_modules node tests/real/web_pages.js "http://127.0.0.1:$port" "$link" "$home/shots"
see_no_error
