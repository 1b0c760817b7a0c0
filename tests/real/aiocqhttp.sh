#!/usr/bin/env bash
# Drives the tests' fake OneBot implementation with a client that others wrote (aiocqhttp from PyPI, in a venv under
# target/). The test finds the venv's Python in PUSHCRON_AIOCQHTTP_PYTHON.
set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/real/venv.sh
venv aiocqhttp aiocqhttp==1.4.4

PUSHCRON_AIOCQHTTP_PYTHON="$PWD/$home/venv/bin/python" cargo test --test it onebot11_client:: -- --nocapture "$@"
