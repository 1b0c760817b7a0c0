//! `login`: an account logged in by a person with a phone.

use std::io::{self, BufRead, Write};

use async_trait::async_trait;
use clap::Args;
use clap_complete::ArgValueCandidates;

use super::candidates;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::say::say;
use crate::domain::escaped;
use crate::senders::log_in;
use crate::senders::login::{LoggedIn, LoginDialog, LoginError, LoginEvent};

#[derive(Debug, Args)]
#[command(after_help = "Example:
  pushcron login my_wechat    scan the code with WeChat, and confirm on the phone

A running daemon notices the new login by itself. Run this as the daemon's own user, or its files will not be its own.")]
pub struct Login {
    /// The id of the account
    #[arg(add = ArgValueCandidates::new(candidates::accounts))]
    account: String,
}

impl Login {
    pub fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let config = context.config()?;
        let account = config.accounts.iter().find(|account| account.id == self.account).ok_or_else(|| {
            let known: Vec<&str> = config.accounts.iter().map(|account| account.id.as_str()).collect();
            Failure::new(
                Exit::Failed,
                format!("there is no account '{}'; known are: {}", self.account, known.join(", ")),
            )
        })?;
        let done = context.block_on(async {
            let environment = context.environment().await?;
            log_in(account, &environment, &mut Terminal).await.map_err(Failure::from)
        })?;
        say(told(&self.account, &done));
        Ok(Exit::Done)
    }
}

fn told(account: &str, done: &LoggedIn) -> String {
    let contact = done.contact.as_ref().map(|contact| format!("; it can write to user {contact}")).unwrap_or_default();
    let text = format!("{account} is logged in as {}{contact}; kept in {}", done.platform_id, done.kept_in.display());
    escaped(&text).into_owned()
}

impl From<LoginError> for Failure {
    fn from(error: LoginError) -> Failure {
        let exit = match error {
            LoginError::Unreachable(_) => Exit::OutOfReach,
            LoginError::NotNeeded(_)
            | LoginError::Refused(_)
            | LoginError::TimedOut
            | LoginError::Cancelled
            | LoginError::NotKept(_) => Exit::Failed,
        };
        Failure::of(exit, &error)
    }
}

struct Terminal;

#[async_trait]
impl LoginDialog for Terminal {
    fn tell(&mut self, event: LoginEvent) {
        let text = match event {
            // The drawing is ours, lines and all; only the link is foreign.
            LoginEvent::Scan { drawing, link } => {
                format!("{drawing}\nScan this with the phone, or open {} there.", escaped(&link))
            }
            LoginEvent::Scanned => "Scanned; now confirm on the phone.".to_owned(),
            LoginEvent::Expired => "The code is too old; here is a new one.".to_owned(),
        };
        // Whether the login comes about does not depend on the terminal.
        let _ = writeln!(io::stderr(), "{text}");
    }

    async fn number_on_phone(&mut self, again: bool) -> Option<String> {
        let question = if again { "That was another number; the phone shows: " } else { "The number on the phone: " };
        let _ = write!(io::stderr(), "{question}");
        let answer = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line).map(|_| line.trim().to_owned())
        });
        answer.await.ok()?.ok().filter(|number| !number.is_empty())
    }
}
