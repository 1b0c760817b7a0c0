#!/usr/bin/env bash
# The tools of `pushcron mcp` as an assistant calls them: by the official SDK for Python, against a real daemon.
set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/real/venv.sh
venv mcp mcp==2.3.0

cargo build --locked
exec "$home/venv/bin/python" tests/real/mcp_tools.py "$PWD/target/debug/pushcron"
