#!/usr/bin/env bash
# Holds what the Telegram, Feishu and DingTalk senders ask against what clients that others wrote ask (from PyPI, in a
# venv under target/). The tests find the venv's Python in PUSHCRON_CHAT_PYTHON.
set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/real/venv.sh
venv chat_clients python-telegram-bot==22.8 lark-oapi==1.7.5 DingtalkChatbot==1.5.7

PUSHCRON_CHAT_PYTHON="$PWD/$home/venv/bin/python" cargo test --test it chat_clients:: -- --nocapture "$@"
