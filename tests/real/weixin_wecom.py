"""Speaks to WeCom's robot webhook through pywgb, and to an application's API through wecomkit.

    weixin_wecom.py BASE_URL KEY CORP SECRET AGENT IMAGE FILE VOICE VIDEO

Sends one message of each kind both ways; prints what it learned as one line of JSON.
"""

import asyncio
import json
import sys

from pywgb.bot import FileBot, ImageBot, MarkdownBot, MarkdownBotV2, TextBot, VoiceBot
from pywgb.bot._abstract import _Basic
from wecomkit import AsyncWeComClient, WeComConfig
from wecomkit.exceptions import WeComAPIError

base, key, corp, secret, agent, image, file, voice, video = sys.argv[1:]
agent = int(agent)
_Basic._API_BASE_URL = base

TextBot(key).send("hello 你好", mentioned_list=["@all"])
MarkdownBot(key).send("**bold**")
MarkdownBotV2(key).send("# title")
ImageBot(key).send(file_path=image)
FileBot(key).send(file_path=file)
VoiceBot(key).send(file_path=voice)


async def application():
    async with AsyncWeComClient(WeComConfig(corp, secret, base_url=base)) as client:
        app = await client.agent.get(agent)
        text = await client.messages.send_text(agent, "hello 你好", to_user="zhangsan|nobody")
        await client.messages.send_markdown(agent, "**bold**", to_user="zhangsan")
        ids = {}
        for kind, path in {"image": image, "file": file, "voice": voice, "video": video}.items():
            ids[kind] = (await client.media.upload(path, kind))["media_id"]
        await client.messages.send_image(agent, ids["image"], to_user="lisi")
        await client.messages.send_file(agent, ids["file"], to_user="@all")
        await client.messages.send_voice(agent, ids["voice"], to_user="lisi")
        await client.messages.send_video(agent, ids["video"], title="film", to_user="lisi")
        for _ in range(2):
            await client.messages.send("text", agent, {"content": "once"}, to_user="lisi", enable_duplicate_check=1)
        try:
            await client.messages.send_text(agent, "hello", to_user="nobody")
            code = 0
        except WeComAPIError as error:
            code = error.errcode
        return {"close": app["close"], "invalid": text["invaliduser"], "msgid": text["msgid"], "nobody": code}


print(json.dumps(asyncio.run(application())))
