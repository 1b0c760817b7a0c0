"""What the walk of the canaries is about: files of which every name is a payload, and rows as others could have made them.

    web_canary.py payloads            the payloads and the names of the jobs, as JSON
    web_canary.py yaml PORT           the files; the lines of their users come from standard input
    web_canary.py rows DATABASE       a row for each payload in every table that a page reads
    web_canary.py accounts DATABASE   what the platforms said of the accounts, beside a daemon that runs
"""
import datetime
import json
import sqlite3
import sys

RUN = "window.canary=1;alert(1)"
PAYLOADS = [
    # In text.
    f"<script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f"<svg onload={RUN}>",
    f"<svg><script>{RUN}</script></svg>",
    f"<details open ontoggle={RUN}>",
    f"<iframe srcdoc='<script>parent.canary=1</script>'></iframe>",
    f"<object data='data:text/html,<script>{RUN}</script>'></object>",
    f"<math><mtext><img src=x onerror={RUN}></mtext></math>",
    f"<video><source onerror={RUN}></video>",
    f"<input autofocus onfocus={RUN}>",
    "<a href='https://evil.example/'>here</a>",
    "<base href='https://evil.example/'>",
    "<link rel=stylesheet href='https://evil.example/x.css'>",
    "<style>body{display:none}</style>",
    "<form action='https://evil.example/'><button>go</button></form>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    # Out of what stands around it.
    f"</title><script>{RUN}</script>",
    f"</textarea><script>{RUN}</script>",
    f"</pre></td></table><script>{RUN}</script>",
    f"</style></script><script>{RUN}</script>",
    f"</svg></details></select></option><img src=x onerror={RUN}>",
    f"--><script>{RUN}</script><!--",
    f"]]><script>{RUN}</script>",
    f"<<script>{RUN};//<</script>",
    f"<ScRiPt >{RUN}</sCrIpT >",
    # Out of an attribute.
    f"\" autofocus onfocus=\"{RUN}",
    f"' autofocus onfocus='{RUN}",
    f"\"><img src=x onerror=\"{RUN}\">",
    f"'><img src=x onerror='{RUN}'>",
    f"x onmouseover={RUN} x",
    "\" style=\"position:fixed;inset:0\" x=\"",
    # As an address.
    f"javascript:{RUN}",
    f"JaVaScRiPt:{RUN}//https://good.example/",
    f"data:text/html,<script>{RUN}</script>",
    "//evil.example/",
    "https://evil.example/x.png",
    # As a template, an entity, an escape; and turned around.
    "{{7*191}} ${7*191} <%= 7*191 %> {% raw %} #{7*191}",
    f"&lt;script&gt;{RUN}&lt;/script&gt; &#60;b&#62;",
    f"\\u003cscript\\u003e{RUN}\\u003c/script\\u003e",
    "\u202etxt.exe\u202c \u2066\u200f<b>bold</b>",
]


# So that a page says which field it shows: every value begins with the name of its field.
def value(field, number):
    return f"f-{field} {PAYLOADS[number]}"


def name(field, number):
    """What the files take as a name: without a slash, and without what nobody sees."""
    seen = (c for c in value(field, number).replace("/", "\\") if c not in "\u202e\u202c\u2066\u200f")
    return "".join(seen)[:128].strip()


def yaml(port):
    quoted = lambda text: json.dumps(text.replace("${", "$${"), ensure_ascii=True)
    lines = ["daemon:", "  timezone: UTC", "  web:", f"    listen: 127.0.0.1:{port}", "    users:", sys.stdin.read().rstrip("\n")]
    lines += ["accounts:", "  - {id: main, im: qq, sender: console, default: true}"]
    for number in range(len(PAYLOADS)):
        id, im = quoted(name("account", number)), quoted(name("im", number))
        lines.append(f"  - {{id: {id}, im: {im}, sender: webhook, url: 'http://127.0.0.1:9/'}}")
    lines.append("jobs:")
    for number in range(len(PAYLOADS)):
        job, im = quoted(name("job", number)), quoted(name("im", number))
        group, text, title = (quoted(value(field, number)) for field in ["target", "text", "title"])
        lines.append(f"  - {{name: {job}, cron: '0 0 1 1 *', push: {{im: {im}, group: {group}, title: {title}, text: {text}}}}}")
    print("\n".join(lines))


def at(when):
    return when.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def rows(database):
    db = sqlite3.connect(database)
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    message = db.execute("SELECT message FROM pushes WHERE message LIKE '%TEXT%'").fetchone()[0]
    retry = db.execute("SELECT retry FROM pushes").fetchone()[0]

    def insert(table, **columns):
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        return db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(columns.values())).lastrowid

    def content(message, number):
        def filled(json_value):
            if isinstance(json_value, dict):
                return {key: filled(inner) for key, inner in json_value.items()}
            if isinstance(json_value, list):
                return [filled(inner) for inner in json_value]
            return {"TEXT": value("text", number), "TITLE": value("title", number)}.get(json_value, json_value)
        return json.dumps(filled(json.loads(message)))

    states = ["unknown", "failed", "sent", "expired", "retrying"]
    for number in range(len(PAYLOADS)):
        say = lambda field: (name if field in ("job", "account", "im") else value)(field, number)
        begun = now - datetime.timedelta(minutes=10 + number)
        ended, later = at(begun + datetime.timedelta(seconds=2)), at(now + datetime.timedelta(hours=3))
        fire = insert("fires", job=say("job"), triggered_by="manual", due_at=at(begun), decision="fired", revision=1,
                      recorded_at=at(begun), zone="UTC x", calendar=say("calendar"))
        insert("fires", job=say("job"), triggered_by="cron", due_at=at(begun - datetime.timedelta(hours=1)), decision="skipped",
               revision=1, recorded_at=at(begun), zone="UTC x", reason=say("reason-of-fire"), calendar=say("calendar"))
        insert("contents", fire_id=fire, source=say("source"), outcome="failed", attempts=2, began_at=at(begun), made_at=ended,
               error=say("content-error"), stale_from=at(begun), stale_why=say("stale-why"))
        insert("recipient_lists", fire_id=fire, number=0, name=say("list"), source=say("list-source"), attempts=2,
               began_at=at(begun), read_at=ended, doubles=1, error=say("list-error"))
        state = states[number % len(states)]
        is_open = state == "retrying"
        push = insert("pushes", fire_id=fire, ordinal=0, im=say("im"), target="group:" + say("target"),
                      named_account=say("named-account"), account=say("account"), kind="text", message=content(message, number),
                      timeout_ms=8000, retry=retry, state=state, sent_count=int(state == "sent"), attempts=1, max_attempts=5,
                      next_attempt_at=later if is_open else None, expires_at=later, finished_at=None if is_open else ended,
                      reason=None if state == "sent" else say("reason"), detail=say("detail"),
                      parts=json.dumps([{"part": say("part")}]))
        insert("attempts", push_id=push, number=1, account=say("account"), rule="explicit", sender=say("sender"),
               started_at=at(begun), finished_at=ended, outcome="sent" if state == "sent" else "unknown",
               error=say("error"), http_status=500, message_id=say("message-id"), note=say("note"))
        insert("acts", at=at(begun), actor=say("actor"), via="web", verb=say("verb"), job=say("job"), push_id=push,
               before=say("before"), after=say("after"), request=say("request"))
        hour = at(begun.replace(minute=0, second=0) - datetime.timedelta(hours=2))
        counts = dict.fromkeys(["failed", "unknown", "expired", "cancelled", "open", "late_10", "late_50", "late_100", "late_500",
                                "late_1000", "late_5000", "late_30000", "late_60000", "late_300000", "late_3600000", "late_more"], 1)
        insert("hours", hour=hour, im=say("im"), account=say("account"), sent=3, most_ms=5, **counts)
        insert("job_days", job=say("job"), day=str((now - datetime.timedelta(days=1)).date()), zone="UTC", fired=3, skipped=1,
               missed=1, sent=1, failed=1, unknown=1, expired=0, cancelled=0, open=0)
    # Not to be tried once the daemon runs again.
    db.execute("DELETE FROM unexpanded_fires")
    db.commit()


def accounts(database):
    """As the daemon would have written it of an account that it asked."""
    with sqlite3.connect(database, timeout=30) as db:
        for number in range(len(PAYLOADS)):
            said = (value("account-error", number), name("account", number))
            db.execute("UPDATE accounts SET last_error = ?, online = 0 WHERE id = ?", said)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["payloads"]:
            jobs = [name("job", number) for number in range(len(PAYLOADS))]
            print(json.dumps({"payloads": PAYLOADS, "jobs": jobs}))
        case ["yaml", port]:
            yaml(port)
        case ["rows", database]:
            rows(database)
        case ["accounts", database]:
            accounts(database)
