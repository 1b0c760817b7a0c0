#!/usr/bin/env bash
# Drives the tests' fake iLink and WeCom services with clients that others wrote (from PyPI, in a venv under target/),
# so that what our senders are tested against is what those clients speak to. The tests find the venv's Python in
# PUSHCRON_WEIXIN_PYTHON.
set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/real/venv.sh
venv weixin ilink-sdk==2.4.11 pywgb==1.0.5 wecomkit==0.2.0

PUSHCRON_WEIXIN_PYTHON="$PWD/$home/venv/bin/python" cargo test --test it weixin_clients:: -- "$@"
