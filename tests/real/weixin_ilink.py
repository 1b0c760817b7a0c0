"""Speaks to an iLink service through ilink-sdk (a port of Tencent's own client).

    weixin_ilink.py BASE_URL TOKEN USER IMAGE FILE VIDEO

Logs in, polls, and sends a text, an image, a file and a video; prints what it learned as one line of JSON.
"""

import json
import os
import sys
import tempfile

base, token, user, image, file, video = sys.argv[1:]
os.environ["OPENCLAW_STATE_DIR"] = tempfile.mkdtemp()

import ilink_sdk  # noqa: E402  (it reads the folder when it is loaded)

client = ilink_sdk.Client(account_id="acc", base_url=base, cdn_base_url=base + "/c2c")
start = client.login_start(base_url=base)
login = client.login_wait(start.session_key, timeout_secs=20)
client.save_account("acc", token=token, base_url=base, user_id=user)
client.notify("start")
updates = client.get_updates("", timeout_ms=5000)
context = updates.msgs[0].context_token
client.get_config(user, context)
ids = [client.send_text(user, "hello 你好", context_token=context).message_id]
for path in (image, file, video):
    ids.append(client.send_file(user, path, context_token=context).message_id)
client.notify("stop")
print(json.dumps({
    "qr": start.qrcode_url,
    "login": str(login),
    "cursor": updates.get_updates_buf,
    "context": context,
    "ids": ids,
    "encrypted": client.crypto_encrypt("000102030405060708090a0b0c0d0e0f", b"hello").data_base64,
}))
