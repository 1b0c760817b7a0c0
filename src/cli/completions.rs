//! `completions`: what a shell sources, and that it is answered while a person types.

use std::io::{self, Write};

use clap::Args;
use clap_complete::CompleteEnv;
use clap_complete::env::Shells;

use super::context::Context;
use super::failure::{Exit, Failure};

/// The variable by which the script that a shell sourced asks us; ours alone, so that no other program answers.
const VARIABLE: &str = "PUSHCRON_COMPLETE";

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  source <(pushcron completions bash)                       in ~/.bashrc
  source <(pushcron completions zsh)                        in ~/.zshrc
  pushcron completions fish > ~/.config/fish/completions/pushcron.fish

The script asks pushcron while you type, so that it knows your jobs, accounts and pushes.")]
pub(super) struct Completions {
    /// The shell that is to complete
    #[arg(value_parser = ["bash", "elvish", "fish", "powershell", "zsh"])]
    shell: String,
}

impl Completions {
    pub(super) fn act(&self, _context: &Context) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        // The parser lets only names of these shells through.
        if let Some(shell) = Shells::builtins().completer(&self.shell) {
            shell.write_registration(VARIABLE, "pushcron", "pushcron", "pushcron", &mut script)?;
        }
        io::stdout().write_all(&script)?;
        Ok(Exit::Done)
    }
}

/// Answers a shell that asks for completions, and ends; returns where none asks.
pub(super) fn answer_shell(command: fn() -> clap::Command) {
    CompleteEnv::with_factory(command).var(VARIABLE).complete();
}
