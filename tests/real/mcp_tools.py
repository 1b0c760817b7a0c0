"""`pushcron mcp` against a real daemon, by the client of the protocol's own SDK.

mcp_tools.py PUSHCRON: tokens of every scope and the socket, each tool, and what is refused."""

import asyncio
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading

from mcp import Client, StdioServerParameters

PUSHCRON = sys.argv[1]
ALL = {"push", "history", "explain", "next", "jobs", "add", "cancel"}
BY_SCOPE = {"read": {"history", "explain", "next", "jobs"}, "push": {"push"}}
BY_SCOPE["act"] = BY_SCOPE["read"] | {"add", "cancel"}
USUAL = {"push": {"im": "screen", "group": "1", "text": "x"}, "explain": {"job": "daily", "at": "09:00"}, "add": {"name": "x"},
         "cancel": {"push": 1}}


def verb(place, *words):
    run = subprocess.run([PUSHCRON, "--db", place / "pushcron.db", *words], check=True, capture_output=True, text=True)
    return run.stdout


@contextlib.contextmanager
def daemon(place):
    """The files of a daemon that listens on its socket, and the tokens by their scopes."""
    token, lines = {}, []
    for scope in ("read", "act", "push"):
        made = subprocess.run([PUSHCRON, "web", "token", scope, "--scope", scope], check=True, capture_output=True, text=True)
        token[scope], line = made.stdout.splitlines()[:2]
        lines.append("      " + line)
    file = place / "jobs.yaml"
    file.write_text(
        "daemon:\n  web:\n    listen: unix:{}\n    tokens:\n{}\n"
        "accounts:\n"
        "  - {{id: screen, im: screen, sender: console, default: true}}\n"
        "  - {{id: away, im: away, sender: webhook, url: 'http://127.0.0.1:1/'}}\n"
        "jobs:\n"
        "  - name: daily\n    cron: '0 9 * * *'\n    push: {{im: screen, group: '1', text: hello}}\n"
        .format(place / "web.sock", "\n".join(lines)))
    file.chmod(0o600)
    log = place / "log"
    with open(log, "w") as out:
        running = subprocess.Popen([PUSHCRON, "-c", file, "--db", place / "pushcron.db", "run"], stderr=out, stdout=out)
    try:
        while "the HTTP API listens" not in log.read_text():
            if running.poll() is not None:
                sys.exit("the daemon did not start: " + log.read_text())
            threading.Event().wait(0.05)
        yield file, token
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait()


def assistant(file, *tokens):
    """Started as an assistant would: told of the files alone, which say where the daemon listens."""
    environment = {"PUSHCRON_TOKEN": ",".join(tokens)} if tokens else {}
    return Client(StdioServerParameters(command=PUSHCRON, args=["-c", str(file), "mcp"], env=environment))


async def called(client, tool, /, **said):
    """Whether it is an error, what is told, and in words. Who acts too often waits, as an assistant would."""
    while True:
        done = await client.call_tool(tool, said)
        text = " ".join(block.text for block in done.content)
        if "HTTP 429" not in text:
            return done.is_error, done.structured_content, text
        await asyncio.sleep(1)


async def each_scope_sees_its_tools(file, token, _):
    for scope, wanted in BY_SCOPE.items():
        async with assistant(file, token[scope]) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert set(tools) == wanted, (scope, set(tools))
            for name in ALL - wanted:
                is_error, _, text = await called(client, name, **USUAL.get(name, {}))
                assert is_error and "scope" in text, (scope, name, text)
            for tool in tools.values():
                assert tool.annotations.read_only_hint == (tool.name in BY_SCOPE["read"]), tool


async def a_user_of_the_socket_needs_no_token(file, *_):
    async with assistant(file) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == ALL


async def a_push_is_sent_once_and_found_in_the_history(file, token, place):
    async with assistant(file, token["push"], token["read"]) as client:
        said = {"im": "screen", "group": "7", "text": "from an assistant", "key": "k-1"}
        first, again = await called(client, "push", **said), await called(client, "push", **said)
        assert not first[0] and first[1]["count"] == 1 and first[1]["push_id"] == again[1]["push_id"], (first, again)
        _, push, _ = await called(client, "history", push=first[1]["push_id"])
        assert push["state"] == "sent" and push["target"] == "group:7", push
        _, page, _ = await called(client, "history", target="group:7")
        assert len(page["items"]) == 1, page
    assert (place / "log").read_text().count("from an assistant") == 1


async def what_is_still_open_is_not_to_be_pushed_again(file, token, _):
    async with assistant(file, token["push"]) as client:
        is_error, told, _ = await called(client, "push", im="away", group="1", text="x", wait=1)
        assert not is_error and told["count"] == 0 and "do not push it again" in told["note"], told


async def a_job_is_added_explained_listed_and_cancelled(file, token, place):
    async with assistant(file, token["act"]) as client:
        is_error, made, text = await called(client, "add", name="tea", **{"in": "20m"},
                                            push={"im": "screen", "group": "1", "text": "Tea"})
        assert not is_error and made["act"] == "defined", text
        _, fires, _ = await called(client, "next", n=1)
        assert fires["items"][0]["job"] == "tea", fires
        _, jobs, _ = await called(client, "jobs")
        assert {job["job"] for job in jobs["items"]} == {"daily", "tea"}, jobs
        _, told, _ = await called(client, "explain", job="daily", at="today")
        assert told, "nothing is told of daily"
        assert not (await called(client, "cancel", job="tea"))[0]
        is_error, _, text = await called(client, "cancel", job="daily")
        assert is_error and "in the files" in text, text
    acts = json.loads(verb(place, "acts", "--json"))
    of_tea = [(act["verb"], act["actor"]) for act in acts if act["job"] == "tea"]
    assert len(of_tea) == 2 and all(actor.endswith("act") for _, actor in of_tea), of_tea


async def what_is_wrong_is_told_with_what_was_meant(file, token, _):
    async with assistant(file, token["push"], token["act"]) as client:
        is_error, told, text = await called(client, "push", im="scren", group="1", text="x")
        assert is_error and "HTTP 422" in text and "screen" in text and told["errors"], text
        is_error, _, text = await called(client, "add", name="bad", cron="61 * * * *", push={"im": "screen", "group": "1", "text": "x"})
        assert is_error and "61" in text, text
        is_error, _, text = await called(client, "add", name="bad", **{"in": "1m"}, content_from={"command": ["id"]},
                                         push={"im": "screen", "group": "1"})
        assert is_error and "files" in text, text


async def a_wrong_token_is_told_and_not_shown(file, *_):
    async with assistant(file, "nobodys-token") as client:
        is_error, _, text = await called(client, "jobs")
        assert is_error and "401" in text and "nobodys-token" not in text, text


async def a_daemon_that_is_away_is_told(file, *_):
    server = StdioServerParameters(command=PUSHCRON, args=["-c", str(file), "mcp", "--url", "http://127.0.0.1:1"])
    async with Client(server) as client:
        is_error, _, text = await called(client, "jobs")
        assert is_error and "does not answer" in text, text


CASES = [
    each_scope_sees_its_tools,
    a_user_of_the_socket_needs_no_token,
    a_push_is_sent_once_and_found_in_the_history,
    what_is_still_open_is_not_to_be_pushed_again,
    a_job_is_added_explained_listed_and_cancelled,
    what_is_wrong_is_told_with_what_was_meant,
    a_wrong_token_is_told_and_not_shown,
    a_daemon_that_is_away_is_told,
]


def main():
    os.umask(0o077)
    with tempfile.TemporaryDirectory() as directory:
        place = pathlib.Path(directory)
        with daemon(place) as (file, token):
            for case in CASES:
                asyncio.run(case(file, token, place))
                print("ok", case.__name__, flush=True)
    print(len(CASES), "cases: all well")


main()
