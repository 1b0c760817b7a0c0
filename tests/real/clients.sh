#!/usr/bin/env bash
# The clients that people paste (docs/clients) against a real daemon, in Python and in Node.
set -euo pipefail
cd "$(dirname "$0")/../.."

cargo build --locked
exec python3 tests/real/clients.py "$PWD/target/debug/pushcron"
