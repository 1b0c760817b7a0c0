"""Sends the messages of `tests/chat_clients.rs` to the server at BASE with a client that others wrote.

    chat_clients.py telegram|feishu|dingtalk BASE FILES    # FILES: a directory with a.png, b.png, a.ogg and a.pdf
"""

import asyncio
import json
import pathlib
import sys

import lark_oapi as lark
import telegram
from dingtalkchatbot.chatbot import DingtalkChatbot
from lark_oapi.api.im.v1 import (
    CreateFileRequest,
    CreateFileRequestBody,
    CreateImageRequest,
    CreateImageRequestBody,
    CreateMessageRequest,
    CreateMessageRequestBody,
)

platform, base, files = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])


async def by_telegram():
    bot = telegram.Bot("123456:TOKEN", base_url=f"{base}/bot")
    async with bot:
        await bot.send_message(42, "<b>hi</b>", parse_mode="HTML", disable_notification=True, message_thread_id=7)
        await bot.send_photo(42, files / "a.png", caption="cap")
        await bot.send_voice(42, files / "a.ogg", duration=2)
        await bot.send_document(42, files / "a.pdf")
        first = telegram.InputMediaPhoto((files / "a.png").read_bytes(), caption="both", filename="a.png")
        second = telegram.InputMediaPhoto((files / "b.png").read_bytes(), filename="b.png")
        await bot.send_media_group(42, [first, second])


def by_lark():
    client = lark.Client.builder().app_id("cli_1").app_secret("SECRET").domain(base).build()

    def send(kind, content, uuid):
        body = CreateMessageRequestBody.builder().receive_id("oc_1").msg_type(kind).content(json.dumps(content)).uuid(uuid)
        request = CreateMessageRequest.builder().receive_id_type("chat_id").request_body(body.build()).build()
        answer = client.im.v1.message.create(request)
        assert answer.success() and answer.data.message_id == "om_1", (answer.code, answer.msg)

    def upload(file_type, name, duration=None):
        body = CreateFileRequestBody.builder().file_type(file_type).file_name(name).file(open(files / name, "rb"))
        if duration is not None:
            body = body.duration(duration)
        answer = client.im.v1.file.create(CreateFileRequest.builder().request_body(body.build()).build())
        assert answer.success(), (answer.code, answer.msg)
        return answer.data.file_key

    send("text", {"text": "hi"}, "key-1-0")
    image = CreateImageRequestBody.builder().image_type("message").image(open(files / "a.png", "rb")).build()
    answer = client.im.v1.image.create(CreateImageRequest.builder().request_body(image).build())
    assert answer.success(), (answer.code, answer.msg)
    send("image", {"image_key": answer.data.image_key}, "key-1-0")
    send("file", {"file_key": upload("pdf", "a.pdf")}, "key-1-0")
    send("audio", {"file_key": upload("opus", "a.ogg", 1001)}, "key-1-0")


def by_dingtalk():
    robot = DingtalkChatbot(f"{base}/robot/send?access_token=TOKEN", secret="SECdemo")
    answers = [
        robot.send_text("hi", at_mobiles=["13800000000"]),
        robot.send_markdown(title="daily-report", text="**m**"),
    ]
    assert all(answer["errcode"] == 0 for answer in answers), answers


if platform == "telegram":
    asyncio.run(by_telegram())
elif platform == "feishu":
    by_lark()
else:
    by_dingtalk()
