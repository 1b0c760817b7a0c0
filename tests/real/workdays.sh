#!/usr/bin/env bash
# Holds the workdays of the calendar `cn`, day by day, against a list that others keep (PyPI's chinesecalendar, in a venv
# under target/).
set -euo pipefail
cd "$(dirname "$0")/../.."

home=target/real/workdays
if [ ! -e "$home/installed" ]; then
    python3 -m venv "$home/venv"
    "$home/venv/bin/pip" install --quiet --disable-pip-version-check chinesecalendar==1.11.0
    touch "$home/installed"
fi

cargo build --locked
"$home/venv/bin/python" tests/real/workdays.py target/debug/pushcron
