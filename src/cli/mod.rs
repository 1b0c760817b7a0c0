//! The command line: one file per verb, each thin: read the arguments, one call, print.

mod accounts;
mod acts;
mod add;
mod args;
mod backfill;
mod backup;
mod calendar;
mod cancel;
mod candidates;
mod check;
mod completions;
mod context;
mod dashes;
mod done;
mod each;
mod edit;
mod explain;
mod export;
mod failure;
mod fire;
mod help;
mod history;
mod job_words;
mod jobs;
mod ledger;
mod lines;
mod login;
mod man;
mod mcp;
mod message_words;
mod misread;
mod next;
mod pause;
mod push;
mod push_updates;
mod pushes;
mod render;
mod resolve;
mod retry;
mod rm;
mod rows;
mod run;
mod say;
mod schema;
mod show;
mod simulate;
mod status;
mod wait;
mod web;
mod which;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use self::args::Global;
use self::context::Context;
use self::failure::{Exit, Failure};
use crate::clock::SystemClock;
use crate::domain::version;
use crate::logging;
use crate::texts::Language;

/// Cron for instant messages: YAML jobs, durable fires, honest delivery.
#[derive(Debug, Parser)]
#[command(
    name = "pushcron",
    version = version::BUILD,
    after_help = "Examples:
  pushcron run                      the daemon, with the files of /etc/pushcron
  pushcron -c jobs.yaml check       is the file right?
  pushcron -c jobs.yaml next        what comes in the next 24 hours?
  pushcron history --state failed   what went wrong?

Exit codes: 0 done, 1 failed or not sent, 64 usage, 69 database or service out of reach, 78 bad configuration."
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the daemon in the foreground
    Run(run::Run),
    /// Refuse or accept the files, without any effect
    Check(check::Check),
    /// Show the coming fires, with notes on summer time
    Next(next::Next),
    /// Show or bring up to date the lists of days that jobs can name
    Calendar(calendar::CalendarVerb),
    /// Live through days in a second: what the files would send, late or not at all
    Simulate(simulate::Simulate),
    /// Tell whether the daemon is there and well, and what waits for a person
    Status(status::StatusVerb),
    /// Show the jobs: when next, and what became of the last fire
    Jobs(jobs::Jobs),
    /// Make a job while the daemon runs; it survives restarts and reloads
    Add(Box<add::Add>),
    /// Change a job that `add` made
    Edit(Box<edit::Edit>),
    /// Remove jobs that `add` made
    Rm(rm::Rm),
    /// Print a job as the files would spell it
    Export(export::Export),
    /// Show the accounts and their health
    Accounts(accounts::Accounts),
    /// Show the pushes
    History(history::History),
    /// Show everything about pushes
    Show(show::Show),
    /// Tell who did what by hand, and by which door
    Acts(acts::Acts),
    /// Tell why a job fired at a time, or did not
    Explain(explain::Explain),
    /// Check that every instant that was called for has its one row
    Ledger(ledger::Ledger),
    /// Fire a job now, even a disabled or paused one
    Fire(fire::Fire),
    /// Make up for instants of a job that did not come about
    Backfill(backfill::Backfill),
    /// Push one message outside any job; prints 1 when it was sent, else 0
    Push(Box<push::Push>),
    /// Try finished pushes again
    Retry(retry::Retry),
    /// End open pushes
    Cancel(cancel::Cancel),
    /// Say what became of an unknown push
    Resolve(resolve::Resolve),
    /// Let a job skip its fires until it is resumed
    Pause(pause::Pause),
    /// End a job's pause
    Resume(pause::Resume),
    /// Log an account in, where its platform wants a person (WeChat's QR code)
    Login(login::Login),
    /// Copy the live database to a file
    Backup(backup::Backup),
    /// Make tokens for the HTTP API
    Web(web::WebVerb),
    /// Be the tools of an assistant: the Model Context Protocol on standard input and output
    Mcp(mcp::Mcp),
    /// Print the JSON Schema of the YAML, for editors
    Schema(schema::Schema),
    /// Print a shell's completion script
    Completions(completions::Completions),
    /// Write the man pages into a directory
    #[command(hide = true)]
    Man(man::Man),
}

impl Verb {
    fn act(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Verb::Run(verb) => verb.act(context),
            Verb::Check(verb) => verb.act(context),
            Verb::Next(verb) => verb.act(context),
            Verb::Calendar(verb) => verb.act(context),
            Verb::Simulate(verb) => verb.act(context),
            Verb::Status(verb) => verb.act(context),
            Verb::Jobs(verb) => verb.act(context),
            Verb::Add(verb) => verb.act(context),
            Verb::Edit(verb) => verb.act(context),
            Verb::Rm(verb) => verb.act(context),
            Verb::Export(verb) => verb.act(context),
            Verb::Accounts(verb) => verb.act(context),
            Verb::History(verb) => verb.act(context),
            Verb::Show(verb) => verb.act(context),
            Verb::Acts(verb) => verb.act(context),
            Verb::Explain(verb) => verb.act(context),
            Verb::Ledger(verb) => verb.act(context),
            Verb::Fire(verb) => verb.act(context),
            Verb::Backfill(verb) => verb.act(context),
            Verb::Push(verb) => verb.act(context),
            Verb::Retry(verb) => verb.act(context),
            Verb::Cancel(verb) => verb.act(context),
            Verb::Resolve(verb) => verb.act(context),
            Verb::Pause(verb) => verb.act(context),
            Verb::Resume(verb) => verb.act(context),
            Verb::Login(verb) => verb.act(context),
            Verb::Backup(verb) => verb.act(context),
            Verb::Web(verb) => verb.act(context),
            Verb::Mcp(verb) => verb.act(context),
            Verb::Schema(verb) => verb.act(context),
            Verb::Completions(verb) => verb.act(context),
            Verb::Man(verb) => verb.act(command()),
        }
    }
}

/// Everything that `main` does.
pub fn main() -> ExitCode {
    // Before any file is made: messages and tokens are nobody else's business, whatever the shell's umask says.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    // A file that may not grow any more is an error of that write, as a full disk is, and kills nobody. By a handler that
    // does nothing: who is ignored, not handled, is ignored by commands that we start, too.
    let _ = signal_hook::flag::register(libc::SIGXFSZ, Arc::default());
    completions::answer_shell(command);
    act(std::env::args_os()).into()
}

/// The tree of verbs, as it is parsed, completed and described.
pub fn command() -> clap::Command {
    help::laid_out(dashes::taken_as_values(Cli::command()))
}

fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let words = wait::with_durations_joined(words.into_iter().collect());
    let mut command = command();
    let taken = dashes::judge(&command, &words)?;
    let matches = command.try_get_matches_from_mut(words).map_err(|error| taken.told_with(error))?;
    Cli::from_arg_matches(&matches)
}

fn act(words: impl IntoIterator<Item = OsString>) -> Exit {
    let words: Vec<OsString> = words.into_iter().collect();
    let cli = match parse(words.iter().cloned()) {
        Ok(cli) => cli,
        Err(error) => {
            misread::tell(&error, misread::language(&words, SystemClock::shared()));
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    let clock = SystemClock::shared();
    let hand = if matches!(cli.verb, Verb::Run(_)) { logging::Hand::Thread } else { logging::Hand::Own };
    let _last_words = LastWords;
    let logs = logging::init(cli.global.log_format, verbosity(&cli), hand, clock.clone());
    let is_daemon = matches!(cli.verb, Verb::Run(_));
    let context = Context::new(cli.global, clock);
    let told = logs.map_err(|problem| Failure::new(Exit::Usage, problem)).and_then(|()| cli.verb.act(&context));
    told.unwrap_or_else(|failure| {
        if !failure.is_silent() {
            // The end of the daemon is a line of its log.
            let language = if is_daemon { Language::English } else { context.language() };
            logging::tell(&failure.told(language));
        }
        failure.exit
    })
}

/// However a verb ends, by a panic too, what it logged comes out before the process is gone.
struct LastWords;

impl Drop for LastWords {
    fn drop(&mut self) {
        logging::flush();
    }
}

/// The daemon tells its news; the other verbs answer by themselves, and log only what is broken.
fn verbosity(cli: &Cli) -> i8 {
    let steps = i8::try_from(cli.global.verbose).unwrap_or(i8::MAX) - i8::try_from(cli.global.quiet).unwrap_or(i8::MAX);
    if matches!(cli.verb, Verb::Run(_)) { steps } else { steps.saturating_sub(2) }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use clap::error::ErrorKind;

    use super::*;

    #[test]
    fn the_tree_of_verbs_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_verb_shows_an_example() {
        for verb in command().get_subcommands_mut() {
            let help = verb.render_long_help().to_string();
            let (_, examples) = help.split_once("Example").unwrap_or_else(|| panic!("{help}"));
            assert!(examples.contains("pushcron ") && examples.contains(verb.get_name()), "{help}");
        }
    }

    /// The verb with those below it.
    fn visit(verb: &clap::Command, look: &mut impl FnMut(&clap::Command)) {
        look(verb);
        verb.get_subcommands().filter(|verb| verb.get_name() != "help").for_each(|verb| visit(verb, look));
    }

    #[test]
    fn every_argument_of_every_verb_says_what_it_is() {
        let mut tree = command();
        tree.build();
        visit(&tree, &mut |verb| {
            for arg in verb.get_arguments() {
                let text = arg.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(!text.is_empty(), "{} {} has no text", verb.get_name(), arg.get_id());
            }
        });
    }

    #[test]
    fn no_example_is_broken_by_a_terminal_of_80_columns() {
        let mut tree = command();
        tree.build();
        visit(&tree, &mut |verb| {
            let text = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in text.split("\n\n").filter(|text| help::is_of_examples(text)).flat_map(str::lines) {
                assert!(line.chars().count() <= help::WIDTH, "{}: {line}", verb.get_name());
            }
        });
    }

    fn parsed(words: &[&str]) -> Result<Cli, clap::Error> {
        parse(words.iter().map(OsString::from))
    }

    #[test]
    fn every_option_of_every_verb_takes_values_that_begin_with_a_dash() {
        let mut tree = command();
        tree.build();
        let mut tried = 0;
        for verb in tree.get_subcommands().filter(|verb| verb.get_name() != "help") {
            // What takes a value only behind a `=` takes any there.
            for option in verb.get_opts().filter(|option| !option.is_require_equals_set()) {
                let verb = verb.get_name();
                let long = option.get_long().map(|name| format!("--{name}"));
                let name = long.or(option.get_short().map(|letter| format!("-{letter}"))).expect("a name");
                assert!(option.is_allow_hyphen_values_set(), "{verb} {name}");
                assert_eq!(option.get_num_args().map(|args| (args.min_values(), args.max_values())), Some((1, 1)));
                for value in ["-1001234567890/17", "-5°C", "- 条目", "-x", "--", "---", "-"] {
                    // The value may be a bad one, and others may be missing; that it has a dash is no matter.
                    let error = parsed(&["pushcron", verb, &name, value]).err();
                    let kind = error.as_ref().map(clap::Error::kind);
                    let is_judged = matches!(
                        kind,
                        None | Some(ErrorKind::ValueValidation | ErrorKind::InvalidValue)
                            | Some(ErrorKind::MissingRequiredArgument | ErrorKind::MissingSubcommand)
                    );
                    assert!(is_judged, "{verb} {name} {value}: {}", error.unwrap());
                    tried += 1;
                }
            }
        }
        assert!(tried > 500, "{tried}");
    }

    #[test]
    fn a_value_with_a_dash_is_taken_as_it_is() {
        let words = ["pushcron", "push", "--im", "telegram", "--group", "-100123/17", "--text", "- one\n- two"];
        let Verb::Push(push) = parsed(&words).unwrap().verb else { panic!("another verb") };
        let shown = format!("{push:?}");
        assert!(shown.contains("group: [\"-100123/17\"]") && shown.contains("- one\\n- two"), "{shown}");
        let cli = parsed(&["pushcron", "-vc", "-jobs.yaml", "--db", "-db", "jobs"]).unwrap();
        assert_eq!((cli.global.config, cli.global.verbose), (vec![PathBuf::from("-jobs.yaml")], 1));
        assert_eq!(cli.global.db, Some(PathBuf::from("-db")));
    }

    #[test]
    fn a_duration_behind_wait_is_its_own_with_every_verb_that_waits() {
        for verb in [&["fire", "daily"][..], &["retry", "12"], &["backfill", "daily", "--from", "1d"]] {
            for wait in [&["--wait", "60s"][..], &["--wait=60s"], &["-w", "60s"], &["-w=60s"]] {
                for words in [[verb, wait].concat(), [&verb[..1], wait, &verb[1..]].concat()] {
                    let cli = parsed(&[&["pushcron"], &words[..]].concat()).map_err(|error| error.to_string());
                    assert!(format!("{cli:?}").contains("wait: Some(Some(60s))"), "{words:?}: {cli:?}");
                }
            }
        }
        // What is no duration is what it was: a job, a number of a push, a text.
        let cli = parsed(&["pushcron", "retry", "--wait", "12"]).unwrap();
        assert!(format!("{cli:?}").contains("wait: Some(None)"), "{cli:?}");
        assert!(parsed(&["pushcron", "fire", "--", "--wait", "60s"]).is_err());
    }

    #[test]
    fn an_option_in_the_place_of_a_value_is_told_and_can_be_meant() {
        for (words, option, value) in [
            (&["push", "--im", "qq", "--text", "--group", "1"][..], "--text", "--group"),
            (&["push", "--im", "qq", "--user", "1", "--text", "--wait=5s"], "--text", "--wait=5s"),
            (&["push", "--im", "qq", "--user", "1", "--title", "--db", "--text", "a"], "--title", "--db"),
            (&["push", "--im", "qq", "--user", "1", "--text", "-vv"], "--text", "-vv"),
            (&["push", "--im", "qq", "--user", "1", "--text", "--help"], "--text", "--help"),
            (&["history", "--job", "--follow"], "--job", "--follow"),
            (&["next", "-n", "--json"], "-n", "--json"),
            (&["--db", "--config", "a", "jobs"], "--db", "--config"),
            (&["jobs", "-c", "-q"], "-c", "-q"),
        ] {
            let error = parsed(&[&["pushcron"], words].concat()).unwrap_err();
            let told = error.to_string();
            assert_eq!(error.kind(), ErrorKind::InvalidValue, "{told}");
            let sentence = format!("{option} wants a value, and '{value}' is an option");
            assert!(told.contains(&sentence) && told.contains("Usage: pushcron"), "{told}");
        }
        // What is meant is written with `=`, and after a value all is as ever.
        let words = ["pushcron", "push", "--im", "qq", "--user", "1", "--text=--group", "--title=-v", "--wait", "1s"];
        let Verb::Push(push) = parsed(&words).unwrap().verb else { panic!("another verb") };
        assert!(format!("{push:?}").contains("Some(\"--group\")"));
    }

    #[test]
    fn a_misspelt_option_in_the_place_of_a_value_is_named_where_the_rest_makes_no_sense() {
        let error = parsed(&["pushcron", "push", "--im", "qq", "--text", "--grup", "1"]).unwrap_err();
        let told = error.to_string();
        assert!(
            told.contains("unexpected argument '1'") && told.contains("'--grup' was taken as the value of --text"),
            "{told}"
        );
    }
}
