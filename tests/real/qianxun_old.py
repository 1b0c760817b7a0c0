"""Drives a hook of the old generation with qianxun-wechat-sdk: HOST PORT BOT. Prints what the client got."""

import json
import sys

from qianxun.SDK import Robot

host, port, bot = sys.argv[1:]
robot = Robot(host, port, bot)
answers = [
    robot.getWeChatList(),
    robot.checkWeChatStatus(),
    robot.sendTextMessage("123@chatroom", "第一行\r[emoji=D83D][emoji=DE01] [@,wxid=all,nick=,isAuto=true]"),
    robot.post_(data={"type": "Q0010", "data": {"wxid": "wxid_bob", "path": "http://10.0.0.5/a.png"}}),
    robot.post_(data={"type": "Q0011", "data": {"wxid": "wxid_bob", "path": "Z:/share/r.pdf"}}),
    robot.post_(data={"type": "Q0010", "data": {"wxid": "wxid_bob", "path": "base64,AAAA"}}),
]
print(json.dumps(answers))
