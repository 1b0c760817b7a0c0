#!/usr/bin/env bash
# Holds the workdays of the calendar `cn`, day by day, against a list that others keep (PyPI's chinesecalendar, in a venv
# under target/).
set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/real/venv.sh
venv workdays chinesecalendar==1.11.0

cargo build --locked
"$home/venv/bin/python" tests/real/workdays.py target/debug/pushcron
