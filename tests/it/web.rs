//! The HTTP API of a real daemon: over its socket, over a port, through a kill, and as docs/api.md calls it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::cli::house::{House, Told};
use crate::cli::running::Daemon;

const JOBS: &str = "
accounts:
  - {id: screen, sender: console, im: qq, default: true}
  - {id: closed, sender: onebot11, im: off, url: 'http://127.0.0.1:9'}
jobs:
  - {name: daily-report, cron: '0 0 1 1 *', push: {im: qq, group: 1, text: hi}}
";

/// A daemon whose API listens.
pub(crate) fn listening(house: &House) -> Daemon {
    let mut daemon = Daemon::start(house, &["run"]);
    daemon.line_with("the HTTP API listens");
    daemon
}

/// A daemon's files, with its API on a socket beside them.
pub(crate) fn on_a_socket() -> House {
    let house = House::empty();
    let socket = house.path("web.sock");
    house.write("jobs.yaml", &format!("daemon: {{web: {{listen: 'unix:{}'}}}}{JOBS}", socket.display()));
    house
}

fn send(house: &House, method: &str, path: &str, headers: &str, body: &Value) -> UnixStream {
    let body = body.to_string();
    let mut stream = UnixStream::connect(house.path("web.sock")).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         {headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    stream
}

/// The status, the head and the JSON of an answer.
fn heard(mut stream: UnixStream) -> (u16, String, Value) {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_owned(), serde_json::from_str(body).unwrap_or(Value::Null))
}

pub(crate) fn ask(house: &House, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let (status, _, body) = heard(send(house, method, path, "", body));
    (status, body)
}

#[test]
fn a_call_comes_back_with_what_became_of_the_push_and_a_verb_sees_who_called() {
    let house = on_a_socket();
    let _daemon = listening(&house);
    let push = json!({"imType": "qq", "groupCode": "1", "content": "您好"});
    let (status, told) = ask(&house, "POST", "/api/push", &push);
    assert_eq!((status, &told["count"], &told["state"]), (200, &json!(1), &json!("sent")), "{told}");
    assert_eq!((&told["account"], &told["rule"]), (&json!("screen"), &json!("im_default")));
    let open = json!({"im": "off", "group": "1", "text": "hi", "wait": 100});
    let (status, told) = ask(&house, "POST", "/api/push", &open);
    assert_eq!((status, &told["count"]), (202, &json!(0)), "{told}");

    // What is done over HTTP the daemon takes notice of at once, and verbs see it.
    assert_eq!(ask(&house, "POST", "/api/v1/jobs/daily-report/pause", &json!({})).0, 200);
    let jobs: Value = serde_json::from_str(&house.run("jobs --json").fine()).unwrap();
    assert_eq!(jobs[0]["state"], "paused");
    let (_, acts) = ask(&house, "GET", "/api/v1/acts", &Value::Null);
    let verbs: Vec<&str> = acts["items"].as_array().unwrap().iter().map(|act| act["verb"].as_str().unwrap()).collect();
    assert_eq!(verbs, ["pause", "push", "push"]);
    assert_eq!(acts["items"][0]["via"], "socket");
    let (_, status) = ask(&house, "GET", "/api/v1/status", &Value::Null);
    assert_eq!(status["daemon"]["state"], "running");
}

#[test]
fn a_job_made_over_http_is_fired_by_the_daemon_and_found_by_the_verbs() {
    let house = on_a_socket();
    let _daemon = listening(&house);
    let job = json!({"name": "tea", "in": "1s", "push": {"im": "qq", "group": "1", "text": "Tea is ready"}});
    let (status, told) = ask(&house, "POST", "/api/v1/jobs", &job);
    assert_eq!((status, &told["act"]), (201, &json!("defined")), "{told}");
    let sent = || house.run("history --job tea --state sent --json").fine();
    while sent().trim() == "[]" {}
    let hourly = json!({"name": "hourly", "every": "1h", "push": {"im": "qq", "group": "1", "text": "hi"}});
    assert_eq!(ask(&house, "POST", "/api/v1/jobs", &hourly).0, 201);
    assert!(house.run("export hourly").fine().contains("every: \"1h\""));
    assert!(house.run("edit hourly --every 2h").fine().starts_with("hourly: next"));
    let (_, next) = ask(&house, "GET", "/api/v1/next?n=1", &Value::Null);
    assert_eq!(next["items"][0]["job"], "hourly");
    assert_eq!(ask(&house, "DELETE", "/api/v1/jobs/hourly", &json!({})).0, 200);
    let acts: Vec<Value> = serde_json::from_str(&house.run("acts --job hourly --json").fine()).unwrap();
    let acts: Vec<(&str, &str)> =
        acts.iter().map(|act| (act["verb"].as_str().unwrap(), act["via"].as_str().unwrap())).collect();
    assert_eq!(acts, [("add", "socket"), ("edit", "cli"), ("rm", "socket")]);
}

#[test]
fn a_daemon_killed_between_the_record_and_the_answer_has_pushed_once() {
    let house = on_a_socket();
    let mut daemon = listening(&house);
    let push = json!({"im": "off", "group": "1", "text": "once", "wait": 60000});
    let key = "Idempotency-Key: \"order 7\"\r\n";
    let unanswered = send(&house, "POST", "/api/push", key, &push);
    let rows = || serde_json::from_str::<Vec<Value>>(&house.run("history --json").fine()).unwrap();
    while rows().is_empty() {}
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    drop(unanswered);
    let id = rows()[0]["id"].clone();

    // The socket that the dead one left is replaced.
    let _daemon = listening(&house);
    let mut again = push;
    again["wait"] = json!(false);
    let (status, head, told) = heard(send(&house, "POST", "/api/push", key, &again));
    assert_eq!((status, &told["push_id"]), (202, &id), "{told}");
    assert!(head.contains("idempotency-replayed: true"), "{head}");
    assert_eq!(rows().len(), 1);
}

#[test]
fn a_link_of_web_open_lets_its_maker_in_at_the_page_once() {
    let house = House::empty();
    let socket = house.path("web.sock");
    // Nobody is let in by the socket alone.
    let web = format!("daemon: {{web: {{listen: 'unix:{}', socket_users: ['4242']}}}}", socket.display());
    house.write("jobs.yaml", &format!("{web}{JOBS}"));
    let _daemon = listening(&house);
    assert_eq!(heard(send(&house, "GET", "/jobs", "", &Value::Null)).0, 303);
    let link = house.run("web open").fine();
    let code = link.split("code=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let path = format!("/in?code={code}");
    let (status, head, _) = heard(send(&house, "GET", &path, "", &Value::Null));
    assert_eq!(status, 200, "{head}");
    assert_eq!(heard(send(&house, "GET", &path, "", &Value::Null)).0, 403);
    let cookie = head.split("set-cookie: ").nth(1).unwrap().split(';').next().unwrap();
    let mut page = String::new();
    let headers = format!("Cookie: {cookie}\r\n");
    send(&house, "GET", "/jobs", &headers, &Value::Null).read_to_string(&mut page).unwrap();
    assert!(page.contains("<h1>Jobs</h1>") && page.contains("daily-report"), "{page}");
}

/// A cookie goes to every port of a host name, whoever listens there: the link names one that is ours alone.
#[test]
fn w05_a_link_of_web_open_names_a_host_that_nothing_else_of_this_machine_has() {
    let house = House::empty();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    house.write("jobs.yaml", &format!("daemon: {{web: {{listen: '127.0.0.1:{port}', tokens: []}}}}{JOBS}"));
    let _daemon = listening(&house);
    let link = house.run("web open").fine();
    assert!(link.starts_with(&format!("http://pushcron.localhost:{port}/in?code=")), "{link}");
}

#[test]
fn a_password_becomes_a_line_of_the_files_that_lets_its_user_in() {
    let house = House::empty();
    let told = |password: &str, words: &str| {
        let mut command = house.command(words.split(' '));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
        Told::from(child.wait_with_output().unwrap())
    };
    assert!(told("short\n", "web password alice").refused(64).contains("at least 8 characters"));
    let line = told("correct horse\n", "web password alice --scope act").fine();
    assert!(line.starts_with("- {name: \"alice\", password: \"$argon2id$v=19$m=19456,t=2,p=1$"), "{line}");
    let web =
        format!("daemon:\n  web:\n    listen: 'unix:{}'\n    users:\n    {line}", house.path("web.sock").display());
    house.write("jobs.yaml", &format!("{web}{JOBS}"));
    assert_eq!(house.run("check").code, Some(0));
}

#[test]
fn a_place_that_is_taken_holds_up_no_push() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let house = House::empty();
    let web = format!("daemon: {{web: {{listen: '{}', tokens: []}}}}", taken.local_addr().unwrap());
    house.write("jobs.yaml", &format!("{web}{JOBS}"));
    let mut daemon = Daemon::start(&house, &["run"]);
    let told = daemon.line_with("the HTTP API cannot start yet");
    assert!(told.contains("ERROR"), "{told}");
    assert_eq!(house.run("push --im qq --group 1 --text hi").fine(), "1\n");
}

#[test]
fn a_token_of_the_verb_opens_the_api_and_the_calls_of_the_docs_work_as_they_stand() {
    let house = House::empty();
    let token = |scope: &str| {
        let made = house.run(&format!("web token {scope} --scope {scope}")).fine();
        let (token, line) = made.split_once('\n').unwrap();
        assert!(token.starts_with(&format!("pcron_{scope}_")) && token.len() == 50 + scope.len(), "{token}");
        (token.to_owned(), line.trim_end().to_owned())
    };
    let tokens = ["read", "act", "push"].map(token);
    // Free a moment ago; another test that takes it meanwhile would be told at once.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let lines: String = tokens.iter().map(|(_, line)| format!("      {line}\n")).collect();
    house.write(
        "jobs.yaml",
        &format!("daemon:\n  web:\n    listen: 127.0.0.1:{port}\n    tokens:\n{lines}{}", &JOBS[1..]),
    );
    let _daemon = listening(&house);
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md")).unwrap();
    let blocks = docs.split("```bash\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let calls: Vec<&str> = blocks.filter(|block| block.contains("curl")).collect();
    assert!(calls.len() >= 5, "{}", calls.len());
    for call in calls {
        let call =
            call.replace("127.0.0.1:8600", &format!("127.0.0.1:{port}")).replace("curl ", "curl -sS --fail-with-body ");
        let ask = || {
            let mut shell = Command::new("sh");
            for (scope, (token, _)) in ["READ", "ACT", "PUSH"].iter().zip(&tokens) {
                shell.env(scope, token);
            }
            shell.args(["-ec", &call]).output().unwrap()
        };
        // There are more of them than a token may ask in a second.
        let mut run = ask();
        while String::from_utf8_lossy(&run.stdout).contains("/problems/too-fast") {
            run = ask();
        }
        let told = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success(), "{call}\n{told}\n{}", String::from_utf8_lossy(&run.stderr));
        assert!(serde_json::from_str::<Value>(&told).is_ok(), "{call}\n{told}");
    }
}
