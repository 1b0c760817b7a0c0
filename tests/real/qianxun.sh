#!/usr/bin/env bash
# Drives the tests' fake Qianxun hook with clients that others wrote (one per generation, from PyPI, in a venv under
# target/), so that what our sender is tested against is what they speak to. The tests find the venv's Python in
# PUSHCRON_QIANXUN_PYTHON.
set -euo pipefail
cd "$(dirname "$0")/../.."

home=target/real/qianxun
if [ ! -e "$home/installed" ]; then
    python3 -m venv "$home/venv"
    pip=("$home/venv/bin/pip" install --quiet --disable-pip-version-check)
    # Of the middleware around the Pro client only the client is wanted, so not its many dependencies.
    "${pip[@]}" --no-deps forcomebot==2.2.39
    # The old client imports flask without saying so.
    "${pip[@]}" qianxun-wechat-sdk==0.0.3 requests flask httpx
    touch "$home/installed"
fi

PUSHCRON_QIANXUN_PYTHON="$PWD/$home/venv/bin/python" cargo test --test it qianxun_clients:: -- "$@"
