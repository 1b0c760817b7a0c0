"""Sends a few messages to the OneBot implementation at argv[1] with the token argv[2]; prints what came back."""

import asyncio
import json
import sys

from aiocqhttp import CQHttp, Message, MessageSegment
from aiocqhttp.exceptions import ActionFailed


async def main():
    bot = CQHttp(api_root=sys.argv[1], access_token=sys.argv[2])
    mixed = Message([
        MessageSegment.text("早报"),
        MessageSegment(type_="at", data={"qq": "10001"}),
        MessageSegment.text(" look"),
        MessageSegment(type_="image", data={"file": "base64://cG5n"}),
    ])
    results = [
        await bot.send_group_msg(group_id="123456", message=mixed),
        await bot.send_private_msg(user_id="10001", message=Message([MessageSegment.text("hi")])),
        await bot.get_status(),
    ]
    try:
        await bot.send_group_msg(group_id="404", message=Message([MessageSegment.text("hi")]))
    except ActionFailed as error:
        results.append({"failed": error.retcode})
    print(json.dumps(results))


asyncio.run(main())
