#!/usr/bin/env bash
# Has promtool of Debian's package `prometheus` check the alerts that are shipped, and live through what they are for.
# The package is only unpacked: no server is started.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
promtool=$(command -v promtool || true)
if [ -z "$promtool" ]; then
    if (cd "$work" && apt-get download prometheus) >"$work/log" 2>&1 ||
        (apt-get update && cd "$work" && apt-get download prometheus) >"$work/log" 2>&1; then
        dpkg-deb --extract "$work"/prometheus_*.deb "$work"
        promtool=$work/usr/bin/promtool
    else
        tail -n 3 "$work/log" >&2
        echo "SKIPPED: the alerts, since there is no promtool and Debian's prometheus cannot be had" >&2
        exit 0
    fi
fi

"$promtool" check rules systemd/pushcron.rules.yml
"$promtool" test rules tests/real/rules.yml
