//! `web`: what belongs to the HTTP API.

use std::fs::File;
use std::io::{self, Read, Write};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Args, Subcommand};

use super::context::Context;
use super::failure::{Exit, Failure};
use crate::domain::hex::sha256;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron web token ci --scope push --to 'qq group:123456'")]
pub(super) struct WebVerb {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a token for the HTTP API, and the line of the files that lets it in
    Token(Token),
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
    pub(super) fn act(&self, _context: &Context) -> Result<Exit, Failure> {
        match &self.verb {
            Verb::Token(token) => token.act(),
        }
    }
}

impl Token {
    fn act(&self) -> Result<Exit, Failure> {
        let quoted = |text: &str| serde_json::to_string(text).map_err(io::Error::other);
        let token = format!("pcron_{}_{}", self.scope, URL_SAFE_NO_PAD.encode(random()?));
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

/// 256 bits of the system's own.
fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
