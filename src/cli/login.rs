//! `login`: an account logged in by a person with a phone.

use std::io::{self, BufRead, Write};

use async_trait::async_trait;
use clap::Args;
use clap_complete::ArgValueCandidates;

use super::candidates;
use super::context::Context;
use super::done::in_words;
use super::failure::{Exit, Failure};
use super::say::say;
use crate::acts::log_in;
use crate::domain::escaped;
use crate::senders::login::{LoginDialog, LoginEvent};

#[derive(Debug, Args)]
#[command(after_help = "Example:
  pushcron login my_wechat    scan the code with WeChat, and confirm on the phone

A running daemon notices the new login by itself. As root, what it needs is given to the user who owns the daemon's state.")]
pub(super) struct Login {
    /// The id of the account
    #[arg(add = ArgValueCandidates::new(candidates::accounts))]
    account: String,
}

impl Login {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let mut config = context.config_to_look_at()?;
        if config.unseen_accounts().contains(&&*self.account) {
            // What of it is missing, and where it stands.
            config = context.config()?;
        }
        let done = context.block_on(async {
            let environment = context.environment().await?;
            Ok(log_in(&config.accounts, &self.account, &environment, &mut Terminal, &context.actor()).await?)
        })?;
        say(in_words(&done).in_language(context.language()));
        Ok(Exit::Done)
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
