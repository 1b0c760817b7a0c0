"""Drives a Pro hook with forcomebot's client: URL BOT. Prints what the client got."""

import asyncio
import json
import pathlib
import sys
import sysconfig
import types

# The middleware's packages load all of it when they are imported, with a web server and a database. Empty ones in
# their place let the client alone be loaded, unchanged.
for name in ["src", "src.clients", "src.utils"]:
    package = types.ModuleType(name)
    package.__path__ = [str(pathlib.Path(sysconfig.get_path("purelib"), *name.split(".")))]
    sys.modules[name] = package

from src.clients.qianxun import QianXunClient


async def main(url, bot):
    client = QianXunClient(url, max_retries=1)
    answers = [
        await client.get_chatroom_list(bot),
        await client.send_text(bot, "123@chatroom", "第一行\n😁捂脸"),
        await client.send_image(bot, "wxid_bob", "data:image/png;base64,iVBORw0KGgo=", "a.png"),
        await client.send_image(bot, "wxid_bob", "http://10.0.0.5/a.png", "a.png"),
        await client.send_file(bot, "wxid_bob", "Z:/share/r.pdf", "日 报?.pdf"),
        await client.send_file(bot, "wxid_bob", "Z:/no/such.pdf", "x.pdf"),
    ]
    await client.close()
    print(json.dumps(answers))


asyncio.run(main(*sys.argv[1:]))
