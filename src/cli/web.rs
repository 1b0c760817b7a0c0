//! `web`: what belongs to the page and the HTTP API.

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use clap::{Args, Subcommand};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::context::Context;
use super::failure::{Exit, Failure};
use crate::config::{WebListen, WebSettings};
use crate::domain::hex::sha256;
use crate::web::{OPEN_LINK, OpenLink, hash_of_password, random};

/// How long a link lets somebody in.
const OPEN_FOR: Duration = Duration::from_secs(120);

/// Shorter ones are guessed.
const SHORTEST_PASSWORD: usize = 8;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron web open
  pushcron web password alice --scope act
  pushcron web token ci --scope push --to 'qq group:123456'")]
pub(super) struct WebVerb {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a link that lets you in at the page once, within 2 minutes
    Open(Open),
    /// Read a password, and print the line of the files that lets its user in at the page
    Password(Password),
    /// Make a token for the HTTP API, and the line of the files that lets it in
    Token(Token),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron web open

Whoever may write the database may open the page, with all that it can do. The daemon must run, with `daemon.web` in its files.")]
struct Open {}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron web password alice --scope act

The password is asked for twice and not shown; where standard input is no terminal, it is its first line. The line that is printed \
belongs under daemon.web.users; it has the argon2id hash of the password. Take it away and reload, and its sessions end.")]
struct Password {
    /// Who it is: acts will tell it
    name: String,
    /// read looks at everything, act also fires, pauses, retries …
    #[arg(long, value_parser = ["read", "act"], default_value = "read")]
    scope: String,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron web token ci --scope push --to 'qq group:123456'
  curl -H \"Authorization: Bearer $TOKEN\" http://127.0.0.1:8600/api/v1/status

The first line is the token, which is shown this once. The second one belongs under daemon.web.tokens; it has the token's SHA-256, which \
is no secret. Take it away and reload, and the token is worth nothing.")]
struct Token {
    /// Whose it is: pushes and acts will tell it
    name: String,
    /// read looks at everything, act also fires, pauses, retries …, push pushes and reads back its own pushes
    #[arg(long, value_parser = ["read", "act", "push"])]
    scope: String,
    /// A target that it may push to, with its im: 'qq group:123456'; may be repeated. Any, where there is none
    #[arg(long, value_name = "IM TARGET")]
    to: Vec<String>,
}

impl WebVerb {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        match &self.verb {
            Verb::Open(Open {}) => open(context),
            Verb::Password(password) => password.act(),
            Verb::Token(token) => token.act(),
        }
    }
}

fn open(context: &Context) -> Result<Exit, Failure> {
    let config = context.config_to_look_at()?;
    let missing = || {
        let text = "no page is switched on: write 'daemon: {web: {listen: 127.0.0.1:8600}}' into the files, and reload";
        Failure::new(Exit::Failed, text)
    };
    let settings = config.daemon.web.ok_or_else(missing)?;
    let code = random::<16>()?;
    let now = context.now();
    let link =
        OpenLink { sha256: sha256(code.as_bytes()), until: now + OPEN_FOR, uid: rustix::process::getuid().as_raw() };
    let told = serde_json::to_string(&link).map_err(io::Error::other)?;
    context.changing(async |store| Ok(store.save_state("", OPEN_LINK, &told, now).await?))?;
    writeln!(io::stdout(), "{}", address(&settings, &code))?;
    if !context.daemon_runs()? {
        let _ = writeln!(
            io::stderr(),
            "no daemon runs, so that nobody answers there: start it (`systemctl start pushcron`)"
        );
    }
    Ok(Exit::Done)
}

/// Where the page is, for a browser on this machine. On a port the name is one of our own, which keeps its cookies from what
/// else this machine serves.
fn address(settings: &WebSettings, code: &str) -> String {
    match (&settings.public_url, &settings.listen) {
        (Some(url), _) => format!("{url}/in?code={code}"),
        (None, WebListen::Tcp(address)) => format!("http://pushcron.localhost:{}/in?code={code}", address.port()),
        (None, WebListen::Unix(path)) => {
            format!(
                "http://localhost:8600/in?code={code}\n# first: ssh -L 8600:{} HOST, or a proxy to this socket",
                path.display()
            )
        }
    }
}

impl Password {
    fn act(&self) -> Result<Exit, Failure> {
        let password = match io::stdin().is_terminal() {
            true => twice()?,
            false => line(&mut io::stdin().lock())?,
        };
        if password.chars().count() < SHORTEST_PASSWORD {
            let text = format!("expected a password of at least {SHORTEST_PASSWORD} characters");
            return Err(Failure::new(Exit::Usage, text));
        }
        let name = serde_json::to_string(&self.name).map_err(io::Error::other)?;
        let hash = hash_of_password(&password)?;
        writeln!(io::stdout(), "- {{name: {name}, password: \"{hash}\", scope: {}}}", self.scope)?;
        Ok(Exit::Done)
    }
}

/// Asked for twice, so that a slip is noticed.
fn twice() -> Result<String, Failure> {
    let (first, second) = (hidden("Password: ")?, hidden("Once more: ")?);
    if first == second {
        return Ok(first);
    }
    Err(Failure::new(Exit::Usage, "these are two passwords: try again"))
}

/// A line that the terminal does not show.
fn hidden(prompt: &str) -> io::Result<String> {
    let stdin = io::stdin().lock();
    let shown = tcgetattr(&stdin)?;
    let mut silent = shown.clone();
    silent.local_modes -= LocalModes::ECHO;
    write!(io::stderr(), "{prompt}")?;
    io::stderr().flush()?;
    tcsetattr(&stdin, OptionalActions::Flush, &silent)?;
    let mut input = stdin;
    let read = line(&mut input);
    tcsetattr(&input, OptionalActions::Flush, &shown)?;
    writeln!(io::stderr())?;
    read
}

fn line(input: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

impl Token {
    fn act(&self) -> Result<Exit, Failure> {
        let quoted = |text: &str| serde_json::to_string(text).map_err(io::Error::other);
        let token = format!("pcron_{}_{}", self.scope, random::<32>()?);
        let to = match &self.to[..] {
            [] => String::new(),
            targets => {
                let targets: Vec<String> = targets.iter().map(|target| quoted(target)).collect::<Result<_, _>>()?;
                format!(", to: [{}]", targets.join(", "))
            }
        };
        let name = quoted(&self.name)?;
        let mut out = io::stdout().lock();
        writeln!(out, "{token}")?;
        writeln!(out, "- {{name: {name}, sha256: {}, scope: {}{to}}}", sha256(token.as_bytes()), self.scope)?;
        Ok(Exit::Done)
    }
}
