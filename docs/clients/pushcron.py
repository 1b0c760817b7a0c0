"""The six push calls of a plugin SDK, by way of a running pushcron.

Put this file beside your plugin and change the import:

    from pushcron import push, pushImage

    count = push("qq", "123456", "", "Note", "Disk almost full", {"account_id": "bot"}, 8000)

Where the daemon listens and the token (`pushcron web token NAME --scope push` makes one) are in the environment,
PUSHCRON_URL and PUSHCRON_TOKEN, or are said once:

    import pushcron
    pushcron.configure("http://127.0.0.1:8600", "pcron_push_...")

An address may be that of a proxy (https://push.example.org/cron) or of the daemon's socket (unix:/run/pushcron/web.sock), which
wants no token of its own users.

A call comes back with 1 where the platform said that the message is sent, and with 0 where it ended otherwise without an error,
as one that somebody cancelled. Everything else is raised:

    PushError   it was refused, or it ended with an adapter's error, and pushcron tries no more
    StillOpen   it is recorded, and not at its end yet: pushcron goes on with it, so do not push it again
    NoAnswer    nobody answered within `patience`; it may be recorded

A connection that breaks is tried again with the same Idempotency-Key, so that a message is never pushed twice. To repeat a call
yourself, also in another process, give it a key of your own: push(..., key="order-7").

Python 3.7 or later, the standard library alone. Licence: MIT OR Apache-2.0, as pushcron.
"""

import http.client
import json
import os
import socket
import time
import urllib.parse
import uuid

__all__ = [
    "push", "pushImage", "pushVoice", "pushVideo", "pushFile", "pushMixed",
    "configure", "Client", "PushError", "StillOpen", "NoAnswer",
]

# The daemon is too busy, or a proxy lost it: the same again may do, and the key keeps it from being done twice.
_TRY_AGAIN = (429, 502, 503, 504)
_LONGEST_REST = 8.0


class PushError(Exception):
    """Why nothing was sent. What is not known is None."""

    def __init__(self, text, status=None, answer=None, key=None):
        super().__init__(text)
        answer = answer or {}
        self.status = status
        self.push_id = answer.get("push_id")
        self.state = answer.get("state")
        self.error = answer.get("error")
        self.reason = answer.get("reason")
        # All that is wrong with the call, each with `pointer`, `detail` and `hint`.
        self.errors = answer.get("errors") or []
        self.key = key


class StillOpen(PushError):
    """It is recorded, and not at its end yet. pushcron goes on with it."""


class NoAnswer(PushError):
    """Nobody answered. The same call with the same `key` finds out."""


class Client:
    """One daemon. `wait` is for how long it is asked to wait for the end of a push, in milliseconds (at most 120000; 0: not at
    all, and a call comes back with 0 once the push is recorded). `patience` is for how many seconds an answer is sought where
    the daemon is away or too busy."""

    def __init__(self, url=None, token=None, wait=60000, patience=60.0):
        self.url = url or os.environ.get("PUSHCRON_URL") or "http://127.0.0.1:8600"
        self.token = token or os.environ.get("PUSHCRON_TOKEN")
        self.wait = wait
        self.patience = patience

    def push(self, imType, groupCode, userID, title, content, options=None, timeout=None, *, key=None):
        return self._call("push", imType, groupCode, userID, title, {"content": content}, options, timeout, key)

    def pushImage(self, imType, groupCode, userID, title, imageUrl, options=None, timeout=None, *, key=None):
        return self._call("pushImage", imType, groupCode, userID, title, {"imageUrl": imageUrl}, options, timeout, key)

    def pushVoice(self, imType, groupCode, userID, title, voiceUrl, options=None, timeout=None, *, key=None):
        return self._call("pushVoice", imType, groupCode, userID, title, {"voiceUrl": voiceUrl}, options, timeout, key)

    def pushVideo(self, imType, groupCode, userID, title, videoUrl, options=None, timeout=None, *, key=None):
        return self._call("pushVideo", imType, groupCode, userID, title, {"videoUrl": videoUrl}, options, timeout, key)

    def pushFile(self, imType, groupCode, userID, title, fileUrl, options=None, timeout=None, *, key=None):
        return self._call("pushFile", imType, groupCode, userID, title, {"fileUrl": fileUrl}, options, timeout, key)

    def pushMixed(self, imType, groupCode, userID, title, items, options=None, timeout=None, *, key=None):
        return self._call("pushMixed", imType, groupCode, userID, title, {"items": items}, options, timeout, key)

    def _call(self, call, imType, groupCode, userID, title, content, options, timeout, key):
        said = {"imType": imType, "groupCode": groupCode, "userID": userID, "title": title, "options": options,
                "timeout": timeout, "wait": self.wait}
        said.update(content)
        body = json.dumps({name: value for name, value in said.items() if value is not None}).encode()
        key = key or uuid.uuid4().hex
        status, answer = self._answered("/api/" + call, body, key)
        if status == 202 and self.wait:
            why = answer.get("error") or answer.get("reason")
            raise StillOpen("push {} is recorded and still {}{}: pushcron goes on with it".format(
                answer.get("push_id"), answer.get("state") or "open", " ({})".format(why) if why else ""),
                status, answer, key)
        if status not in (200, 202):
            raise PushError(_refusal(status, answer), status, answer, key)
        # One that is cancelled before it failed is all that ends without being sent and without an error.
        if not answer.get("count") and status == 200 and (answer.get("error") or answer.get("state") != "cancelled"):
            why = answer.get("error") or answer.get("reason") or "nobody knows why"
            raise PushError("push {} is {}: {}".format(answer.get("push_id"), answer.get("state") or "gone", why),
                            status, answer, key)
        return int(answer.get("count") or 0)

    def _answered(self, path, body, key):
        """The status and the JSON of an answer, sought until patience is over."""
        until = time.monotonic() + self.patience
        rest = 0.25
        while True:
            status, answer, retry_after, broken = None, {}, 0.0, None
            try:
                status, answer, retry_after = self._once(path, body, key)
            except (OSError, http.client.HTTPException) as error:
                broken = error
            if broken is None and status not in _TRY_AGAIN:
                return status, answer
            rest = max(rest, retry_after)
            if time.monotonic() + rest > until:
                if broken is None:
                    return status, answer
                text = "no answer from {}: {}; the push may be recorded".format(self.url, broken or type(broken).__name__)
                raise NoAnswer(text, key=key) from broken
            time.sleep(rest)
            rest = min(rest * 2, _LONGEST_REST)

    def _once(self, path, body, key):
        connection, prefix = self._connection()
        headers = {"Content-Type": "application/json", "Idempotency-Key": key, "User-Agent": "pushcron.py"}
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        try:
            connection.request("POST", prefix + path, body, headers)
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
            retry_after = response.getheader("Retry-After") or ""
            try:
                answer = json.loads(text)
            except ValueError:
                answer = {"detail": text[:200].strip()}
            if not isinstance(answer, dict) or response.status in (200, 202) and "count" not in answer:
                # Cut off within its head, or the answer of somebody else.
                raise http.client.HTTPException("the answer is not whole, or none of pushcron")
            return response.status, answer, float(retry_after) if retry_after.isdigit() else 0.0
        finally:
            connection.close()

    def _connection(self):
        # Longer than the daemon waits, so that it is the daemon who tells that the end has not come.
        timeout = self.wait / 1000.0 + 30
        if self.url.startswith("unix:"):
            return _SocketConnection(self.url[len("unix:"):], timeout), ""
        parts = urllib.parse.urlsplit(self.url)
        kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        if parts.scheme not in kinds or not parts.hostname:
            raise ValueError("pushcron: expected http://, https:// or unix:/ in PUSHCRON_URL, got {!r}".format(self.url))
        return kinds[parts.scheme](parts.hostname, parts.port, timeout=timeout), parts.path.rstrip("/")


class _SocketConnection(http.client.HTTPConnection):
    """To a socket of this machine."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _refusal(status, answer):
    told = answer.get("detail") or "HTTP {}".format(status)
    more = [error for error in answer.get("errors") or [] if error.get("detail") != told]
    hints = [error["hint"] for error in answer.get("errors") or [] if error.get("hint")]
    parts = [told] + [error.get("detail") or "" for error in more] + hints
    return "HTTP {}: {}".format(status, "; ".join(part for part in parts if part))


_default = None


def configure(url=None, token=None, **more):
    """Says which daemon the calls of this module go to; what is not said is as for Client."""
    global _default
    _default = Client(url, token, **more)


def _client():
    global _default
    if _default is None:
        _default = Client()
    return _default


def push(imType, groupCode, userID, title, content, options=None, timeout=None, *, key=None):
    return _client().push(imType, groupCode, userID, title, content, options, timeout, key=key)


def pushImage(imType, groupCode, userID, title, imageUrl, options=None, timeout=None, *, key=None):
    return _client().pushImage(imType, groupCode, userID, title, imageUrl, options, timeout, key=key)


def pushVoice(imType, groupCode, userID, title, voiceUrl, options=None, timeout=None, *, key=None):
    return _client().pushVoice(imType, groupCode, userID, title, voiceUrl, options, timeout, key=key)


def pushVideo(imType, groupCode, userID, title, videoUrl, options=None, timeout=None, *, key=None):
    return _client().pushVideo(imType, groupCode, userID, title, videoUrl, options, timeout, key=key)


def pushFile(imType, groupCode, userID, title, fileUrl, options=None, timeout=None, *, key=None):
    return _client().pushFile(imType, groupCode, userID, title, fileUrl, options, timeout, key=key)


def pushMixed(imType, groupCode, userID, title, items, options=None, timeout=None, *, key=None):
    return _client().pushMixed(imType, groupCode, userID, title, items, options, timeout, key=key)
