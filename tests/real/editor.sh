#!/usr/bin/env bash
# What an editor shows: `pushcron schema` in yaml-language-server (from npm, under target/), which must find nothing wrong
# with the example and underline a wrong key and a wrong value.
set -euo pipefail
cd "$(dirname "$0")/../.."

home=target/real/editor
if [ ! -e "$home/installed" ]; then
    mkdir -p "$home"
    npm install --silent --no-audit --no-fund --prefix "$home" yaml-language-server@1
    touch "$home/installed"
fi

cargo build --quiet
target/debug/pushcron schema > "$home/pushcron.schema.json"
cp jobs.example.yaml "$home/good.yaml"
sed 's/^    every: 5s/    evry: 5s/; s/accounts_fallback: any/accounts_fallback: anny/' jobs.example.yaml > "$home/spoiled.yaml"
exec node tests/real/editor.js "$home"
