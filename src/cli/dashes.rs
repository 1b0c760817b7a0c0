//! Values that begin with a dash: `--group -1001234567890`, `--text '-5°C'`.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use crate::texts::{self, Language};

/// Lets every option of the tree take them, so that no option can be forgotten.
pub(super) fn taken_as_values(command: Command) -> Command {
    command
        .mut_args(|arg| if !arg.is_positional() && takes_value(&arg) { arg.allow_hyphen_values(true) } else { arg })
        .mut_subcommands(taken_as_values)
}

/// What the words say that an error of the parser does not.
#[derive(Default)]
pub(super) struct Taken {
    /// Values that may have been meant for an option, each with the option that took it.
    values: Vec<(String, String)>,
    /// What each place of the verb takes, as the parser names it and in words.
    places: Vec<(String, String)>,
}

/// Goes over the words as the parser will. Who forgot a value has the next option taken for it: where a value is
/// spelled like an option of the verb, it counts only behind a `=`.
///
/// # Errors
///
/// When an option stands in the place of a value.
pub(super) fn judge(command: &Command, words: &[OsString]) -> Result<Taken, clap::Error> {
    let mut tree = command.clone();
    tree.build();
    let (mut verb, mut taken) = (&tree, Taken::default());
    let mut words = words.iter().skip(1).map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        if word == "--" {
            break;
        }
        if waits_for_value(verb, &word) {
            let Some(value) = words.next() else { break };
            if is_spelled_like_an_option(verb, &value) {
                let name = verb.get_name();
                let text = texts::option_as_value(&word, &value, name);
                let mut error = verb.clone().error(ErrorKind::InvalidValue, text.english());
                let chinese = text.in_language(Language::Chinese).to_owned();
                error.insert(ContextKind::Custom, ContextValue::StyledStr(chinese.into()));
                return Err(error);
            }
            if value.starts_with("--") {
                taken.values.push((word.into_owned(), value.into_owned()));
            }
        } else if let Some(found) = verb.find_subcommand(&*word) {
            verb = found;
        }
    }
    let in_words = |arg: &Arg| Some((arg.to_string(), arg.get_help()?.to_string()));
    taken.places = verb.get_positionals().filter_map(in_words).collect();
    Ok(taken)
}

impl Taken {
    /// The parser's error, with what it cannot know: that a misspelt option went before as a value; and with what it
    /// does not say: what a missing word looks like.
    pub(super) fn told_with(&self, mut error: clap::Error) -> clap::Error {
        let missing = match (error.kind(), error.get(ContextKind::InvalidArg)) {
            (ErrorKind::MissingRequiredArgument, Some(ContextValue::Strings(missing))) => missing.clone(),
            _ => Vec::new(),
        };
        let places = self.places.iter().filter(|(place, _)| missing.contains(place));
        let mut tips: Vec<StyledStr> =
            places.map(|(place, words)| format!("{}: {words}", place.trim_matches(['<', '>'])).into()).collect();
        if error.kind() == ErrorKind::UnknownArgument {
            let tip = |(option, value): &(String, String)| format!("'{value}' was taken as the value of {option}");
            tips.extend(self.values.iter().map(|taken| tip(taken).into()));
        }
        if !tips.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        }
        error
    }
}

/// Whether it may take the next word. `--wait=30s` never does.
fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values() && !arg.is_require_equals_set()
}

/// `--text`, `-c`, `-vc`: the next word is its value, whatever that is.
fn waits_for_value(verb: &Command, word: &str) -> bool {
    if let Some(name) = word.strip_prefix("--") {
        return by_long(verb, name).is_some_and(takes_value);
    }
    let Some(letters) = word.strip_prefix('-') else { return false };
    let mut letters = letters.chars();
    // Behind the first that takes a value, all letters are its value.
    let takes = letters.find(|letter| by_short(verb, *letter).is_none_or(takes_value));
    takes.and_then(|letter| by_short(verb, letter)).is_some() && letters.as_str().is_empty()
}

/// `--group`, `--group=1`, `-v`, `-vv`; a text that merely begins like a letter's option (`-cool`) is one.
fn is_spelled_like_an_option(verb: &Command, value: &str) -> bool {
    if let Some(name) = value.strip_prefix("--") {
        let name = name.split_once('=').map_or(name, |(name, _)| name);
        return by_long(verb, name).is_some();
    }
    let letters = value.strip_prefix('-').unwrap_or_default();
    !letters.is_empty() && letters.chars().all(|letter| by_short(verb, letter).is_some())
}

fn by_long<'a>(verb: &'a Command, name: &str) -> Option<&'a Arg> {
    let is_called = |arg: &&Arg| {
        arg.get_long() == Some(name) || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&name))
    };
    verb.get_arguments().find(is_called)
}

fn by_short(verb: &Command, letter: char) -> Option<&Arg> {
    verb.get_arguments().find(|arg| arg.get_short() == Some(letter))
}
