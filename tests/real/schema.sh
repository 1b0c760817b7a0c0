#!/usr/bin/env bash
# Holds `pushcron schema` against `check` with a validator that others wrote (jsonschema and ruamel.yaml from PyPI, in a
# venv under target/). The test finds the venv's Python in PUSHCRON_SCHEMA_PYTHON.
set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/real/venv.sh
venv schema jsonschema==4.26.0 ruamel.yaml==0.19.1

PUSHCRON_SCHEMA_PYTHON="$PWD/$home/venv/bin/python" cargo test --test it schema:: -- --nocapture "$@"
