"""The clients of docs/clients against a real daemon, by a receiver that answers as told and a connection that breaks as told.

clients.py PUSHCRON: each case is carried out in Python and in Node by the client's own file, and held against what the receiver
got and the daemon recorded."""

import contextlib
import http.server
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
PUSHCRON = sys.argv[1]
GIF = "base64://R0lGODlhAQABAAAAACwAAAAAAQABAAA="

PYTHON = """
import json, sys
import pushcron
said = json.load(sys.stdin)
if said["configure"]:
    pushcron.configure(**said["configure"])
try:
    print(json.dumps({"count": getattr(pushcron, said["call"])(*said["args"], **said["more"])}))
except pushcron.PushError as error:
    told = {name: getattr(error, name) for name in ("status", "push_id", "state", "error", "errors")}
    print(json.dumps({"raised": type(error).__name__, "text": str(error), **told}))
"""

NODE = """
import * as all from './pushcron.js';
const said = JSON.parse((await import('fs')).readFileSync(0, 'utf8'));
if (said.configure) all.configure(said.configure);
try {
  console.log(JSON.stringify({ count: await all[said.call](...said.args, said.more) }));
} catch (error) {
  if (!(error instanceof all.PushError)) throw error;
  const { status, push_id, state, error: adapters, errors } = error;
  console.log(JSON.stringify({ raised: error.name, text: error.message, status, push_id, state, error: adapters, errors }));
}
"""


def python(said):
    return [sys.executable, "-c", PYTHON], said


def node(said):
    said = dict(said, configure=said["configure"] and dict(said["configure"]))
    if said["configure"] and "patience" in said["configure"]:
        said["configure"]["patience"] *= 1000
    # The arguments that Python leaves out stand as nothing before the last one.
    said["args"] = said["args"] + [None] * (7 - len(said["args"]))
    return ["node", "--input-type=module", "-e", NODE], said


class Receiver(http.server.ThreadingHTTPServer):
    """Takes what is pushed, unless the group says otherwise."""

    daemon_threads = True
    answers = {"bad": 400, "busy": 429}

    def __init__(self):
        self.got = []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def about(self, text):
        return [event for event in self.got if text in json.dumps(event, ensure_ascii=False)]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["data"]
        self.server.got.append(event)
        self.send_response(self.server.answers.get(event["target"].get("group"), 200))
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


class Breaking:
    """A way to the daemon of which the first connections break: before the request is handed on, or instead of its answer."""

    def __init__(self, port, breaks):
        self.breaks, self.daemon, self.seen = list(breaks), port, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:{}".format(self.listener.getsockname()[1])
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            with self.listener.accept()[0] as near:
                self.seen += 1
                how = self.breaks.pop(0) if self.breaks else None
                request = read_request(near)
                if how == "early":
                    continue
                with socket.create_connection(("127.0.0.1", self.daemon)) as far:
                    far.sendall(request)
                    answer = read_answer(far)
                    near.sendall(answer[:40] if how == "within" else b"" if how == "late" else answer)


def read_request(near):
    data = b""
    while b"\r\n\r\n" not in data:
        data += near.recv(65536)
    head, body = data.split(b"\r\n\r\n", 1)
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    while len(body) < length:
        body += near.recv(65536)
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection")]
    return b"\r\n".join(lines + [b"Connection: close"]) + b"\r\n\r\n" + body


def read_answer(far):
    data = b""
    while chunk := far.recv(65536):
        data += chunk
    return data


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def daemon(place, listen, receiver):
    token = {}
    lines = []
    for name, more in (("ci", ""), ("slow", ", per_minute: 1")):
        made = subprocess.run([PUSHCRON, "web", "token", name, "--scope", "push"], check=True, capture_output=True, text=True)
        token[name], line = made.stdout.splitlines()[:2]
        lines.append("      " + line.replace("}", more + "}"))
    file = place / "jobs.yaml"
    file.write_text(
        "daemon:\n  web:\n    listen: {}\n    max_body: 1MiB\n    tokens:\n{}\n"
        "accounts:\n"
        # An account that is throttled rests, so that it is another's.
        "  - {{id: hook, im: hook, sender: webhook, url: 'http://127.0.0.1:{port}/', default: true}}\n"
        "  - {{id: jam, im: jam, sender: webhook, url: 'http://127.0.0.1:{port}/', default: true}}\n"
        # Nobody listens there, so it is offline, and what it is to send fails without an attempt.
        "  - {{id: off, im: off, sender: onebot11, url: 'http://127.0.0.1:{closed}/', token: a-token-of-some-length, default: true}}\n"
        "defaults: {{retry: {{give_up_after: 15s}}}}\n"
        "jobs: []\n".format(listen, "\n".join(lines), port=receiver.server_port, closed=free_port()))
    file.chmod(0o600)
    log = place / "log"
    with open(log, "w") as stderr:
        running = subprocess.Popen([PUSHCRON, "-c", file, "--db", place / "pushcron.db", "run"], stderr=stderr, stdout=stderr)
    try:
        while "the HTTP API listens" not in log.read_text():
            if running.poll() is not None:
                sys.exit("the daemon did not start: " + log.read_text())
            threading.Event().wait(0.05)
        yield token
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait()


def carry_out(language, environment, call, *args, configure=None, **more):
    command, said = language({"call": call, "args": list(args), "configure": configure, "more": more})
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "docs/clients"), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    run = subprocess.run(command, input=json.dumps(said), env=environment, cwd=ROOT / "docs/clients", capture_output=True,
                         text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def pushes(place):
    told = subprocess.run([PUSHCRON, "--db", place / "pushcron.db", "history", "--limit", "1000", "--json"], check=True,
                          capture_output=True, text=True)
    return json.loads(told.stdout)


def cases(language, place, port, token, receiver):
    """Each name, and what it does: it fails where anything is not as it says."""
    url = "http://127.0.0.1:{}".format(port)
    usual = {"PUSHCRON_URL": url, "PUSHCRON_TOKEN": token["ci"]}
    name = language.__name__

    def ask(call, *args, env=usual, **more):
        return carry_out(language, env, call, *args, **more)

    def a_push_is_told_as_the_sdk_tells_it():
        told = ask("push", "hook", "ops", "", "Note", "您好 " + name, {"account_id": "hook"}, 8000)
        assert told == {"count": 1}, told
        [event] = receiver.about("您好 " + name)
        assert (event["target"], event["title"], event["kind"]) == ({"group": "ops"}, "Note", "text"), event

    def its_brothers_push_each_kind():
        for call, kind, content in [
            ("pushImage", "image", GIF), ("pushVoice", "voice", "base64://SUQzBAAA"),
            ("pushVideo", "video", "base64://AAAAIGZ0eXBpc29t"), ("pushFile", "file", "base64://JVBERi0xLjQK"),
            ("pushMixed", "mixed", [{"text": "Look: "}, {"image": GIF}]),
        ]:
            title = "{} by {}".format(call, name)
            told = ask(call, "hook", "", "10001", title, content)
            assert told == {"count": 1}, (call, told)
            [event] = receiver.about(title)
            assert (event["kind"], event["target"]) == (kind, {"user": "10001"}), event

    def an_adapters_error_is_raised():
        told = ask("push", "hook", "bad", "", "", "bad " + name)
        assert (told["raised"], told["state"]) == ("PushError", "failed"), told
        assert "HTTP 400" in told["error"] and told["error"] in told["text"] and told["push_id"], told

    def a_push_that_no_account_could_send_is_raised():
        told = ask("push", "off", "1", "", "", "off " + name)
        assert (told.get("raised"), told["status"]) == ("PushError", 200), told
        assert told["state"] in ("failed", "expired") and "no_sender" in told["text"], told

    def what_is_wrong_with_a_call_is_raised_with_what_to_do():
        told = ask("push", "hok", "ops", "", "", "hi")
        assert (told["raised"], told["status"]) == ("PushError", 422), told
        assert "hok" in told["text"] and "hook" in told["text"], told

    def a_wrong_token_is_raised():
        told = ask("push", "hook", "ops", "", "", "hi", env={**usual, "PUSHCRON_TOKEN": "nobody's"})
        assert (told["raised"], told["status"]) == ("PushError", 401) and "nobody's" not in told["text"], told

    def what_is_still_open_is_told_as_such():
        told = ask("push", "jam", "busy", "", "", "busy " + name, configure={"wait": 300})
        assert (told["raised"], told["status"]) == ("StillOpen", 202), told
        assert told["push_id"] in [push["id"] for push in pushes(place)], told
        assert ask("push", "jam", "busy", "", "", "later " + name, configure={"wait": 0}) == {"count": 0}

    def a_broken_connection_doubles_nothing():
        for breaks in (["early"], ["late"], ["within", "late", "early"]):
            way, text = Breaking(port, breaks), "{} {}".format(name, "-".join(breaks))
            told = ask("push", "hook", "ops", "", "", text, env={**usual, "PUSHCRON_URL": way.url})
            assert told == {"count": 1}, (breaks, told)
            assert way.seen == len(breaks) + 1, (breaks, way.seen)
            assert len(receiver.about(text)) == 1, (breaks, receiver.about(text))

    def a_daemon_that_is_away_is_told_after_patience():
        env = {**usual, "PUSHCRON_URL": "http://127.0.0.1:{}/cron".format(free_port())}
        told = ask("push", "hook", "ops", "", "", "hi", env=env, configure={"patience": 1})
        assert (told["raised"], told["status"]) == ("NoAnswer", None), told

    def a_key_of_ones_own_pushes_once():
        text, key = "order of " + name, "order-" + name
        assert [ask("push", "hook", "ops", "", "", text, key=key) for _ in range(2)] == [{"count": 1}] * 2
        assert len(receiver.about(text)) == 1
        told = ask("push", "hook", "ops", "", "", text + "!", key=key)
        assert (told["raised"], told["status"]) == ("PushError", 422), told

    def who_pushes_too_often_is_told_after_patience():
        env = {**usual, "PUSHCRON_TOKEN": token["slow"]}
        seen = [ask("push", "hook", "ops", "", "", "hi", env=env, configure={"patience": 1}) for _ in range(2)]
        assert seen[1].get("status") == 429, seen

    def what_the_environment_does_not_say_is_said_in_the_program():
        env = {"PUSHCRON_URL": "", "PUSHCRON_TOKEN": ""}
        said = {"url": url + "/", "token": token["ci"]}
        assert ask("push", "hook", "ops", "", "", "hi", env=env, configure=said) == {"count": 1}

    return [case for case in list(locals().values()) if callable(case) and case not in (ask, language)]


def node_of_old_too(place, port, token, receiver):
    """Plugins are not all modules."""
    code = "require('./pushcron.js').push('hook', 'ops', '', '', 'required').then((count) => console.log(count))"
    env = {**os.environ, "PUSHCRON_URL": "http://127.0.0.1:{}".format(port), "PUSHCRON_TOKEN": token["ci"]}
    run = subprocess.run(["node", "-e", code], cwd=ROOT / "docs/clients", env=env, capture_output=True, text=True, timeout=60)
    assert run.stdout == "1\n" and len(receiver.about("required")) == 1, run


def on_the_socket(language, receiver):
    with tempfile.TemporaryDirectory() as directory:
        place = pathlib.Path(directory)
        listen = "unix:{}/web.sock".format(directory)
        with daemon(place, listen, receiver):
            env = {"PUSHCRON_URL": listen, "PUSHCRON_TOKEN": ""}
            told = carry_out(language, env, "push", "hook", "ops", "", "", "hi")
            assert told == {"count": 1}, told


def main():
    receiver, ran = Receiver(), 0
    with tempfile.TemporaryDirectory() as directory:
        place, port = pathlib.Path(directory), free_port()
        with daemon(place, "127.0.0.1:{}".format(port), receiver) as token:
            for language in (python, node):
                for case in cases(language, place, port, token, receiver):
                    case()
                    ran += 1
                    print("ok", language.__name__, case.__name__.replace("_", " "), flush=True)
            node_of_old_too(place, port, token, receiver)
    for language in (python, node):
        on_the_socket(language, receiver)
    print("{} passed, 0 failed".format(ran + 3))


main()
