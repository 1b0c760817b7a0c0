//! The page and the HTTP API of a daemon: who is let in, and one request at a time.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};

use super::now_ms;
use super::scenarios::sleep;

const PASSWORD: &str = "correct horse";

/// Where a daemon listens, and who may look.
pub(crate) struct Site {
    port: u16,
    users: Vec<String>,
    token: String,
    token_line: String,
}

/// What came back, to its end.
pub(crate) struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
    pub took_ms: f64,
}

impl Site {
    /// So many users, and one token, all of them for reading alone.
    pub(crate) fn of(users: usize) -> Site {
        let users = (0..users).map(|user| {
            let line = said(&["web", "password", &format!("user{user}"), "--scope", "read"], PASSWORD);
            line.trim().trim_start_matches("- ").to_owned()
        });
        let token = said(&["web", "token", "scraper", "--scope", "read"], "");
        let (token, line) = token.split_once('\n').expect("a token and its line");
        Site {
            port: free_port(),
            users: users.collect(),
            token: token.to_owned(),
            token_line: line.trim().trim_start_matches("- ").to_owned(),
        }
    }

    /// Files as [`super::harness::head`] begins them, with the page switched on.
    pub(crate) fn switch_on(&self, yaml: &str) -> String {
        let (port, users, token) = (self.port, self.users.join(", "), &self.token_line);
        let web = format!("web: {{listen: \"127.0.0.1:{port}\", users: [{users}], tokens: [{token}]}}");
        yaml.replacen("timezone: UTC", &format!("timezone: UTC, {web}"), 1)
    }

    pub(crate) fn wait_until_it_listens(&self) {
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            sleep(0.05);
        }
    }

    /// The field that lets a user in at the page.
    pub(crate) fn sign_in(&self, user: usize) -> String {
        let fields = "Sec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\n";
        let form = format!("name=user{user}&password={}", PASSWORD.replace(' ', "+"));
        let answer = self.ask("POST", "/in", fields, &form);
        let cookie = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: "));
        let cookie = cookie.unwrap_or_else(|| panic!("user{user} was not let in: {}", answer.status));
        format!("Cookie: {}\r\n", cookie.split(';').next().unwrap_or_default())
    }

    /// The field that lets a program in at the API.
    pub(crate) fn bearer(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.token)
    }

    /// On a connection of its own, which the answer ends.
    pub(crate) fn ask(&self, method: &str, path: &str, fields: &str, body: &str) -> Answer {
        ask(self.port, method, path, fields, body)
    }

    /// A stream of hints that has begun.
    pub(crate) fn listen(&self, cookie: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "GET /live HTTP/1.1\r\nHost: localhost\r\n{cookie}\r\n").unwrap();
        let (mut heard, mut some) = (Vec::new(), [0; 1024]);
        while !heard.windows(6).any(|window| window == b"retry:") {
            let read = stream.read(&mut some).unwrap();
            assert!(read > 0, "no stream: {}", String::from_utf8_lossy(&heard));
            heard.extend_from_slice(&some[..read]);
        }
        stream
    }
}

/// One request to a port of this machine, until the other side has said all.
pub(crate) fn ask(port: u16, method: &str, path: &str, fields: &str, body: &str) -> Answer {
    let since_ms = now_ms();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_nodelay(true).unwrap();
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    stream.write_all(format!("{head}{fields}Content-Length: {length}\r\n\r\n{body}").as_bytes()).unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).unwrap();
    let took_ms = now_ms() - since_ms;
    let _ = stream.shutdown(Shutdown::Both);
    let heard = String::from_utf8_lossy(&heard);
    let (head, body) = heard.split_once("\r\n\r\n").unwrap_or((&heard, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: body.to_owned(), took_ms }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What a verb prints.
fn said(words: &[&str], input: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pushcron"));
    let mut child = command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{input}").unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}
