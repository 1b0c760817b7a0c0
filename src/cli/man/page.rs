//! The page of a verb, or of the program.

use clap::{Arg, Command};

use super::paper::{Paper, option};
use super::tables::{ENVIRONMENT, EXIT_STATUS, FILES};
use crate::cli::help;

pub(super) fn page(program: &Command, verb: &Command) -> String {
    let is_program = verb.get_name() == program.get_name();
    let name = verb.get_display_name().unwrap_or(verb.get_name());
    let mut paper = Paper::new(name, "1", "pushcron manual");
    let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
    paper.name(name, &about);

    paper.heading("SYNOPSIS");
    let usage = verb.clone().render_usage().to_string();
    paper.as_typed(usage.trim_start_matches("Usage:").lines().map(str::trim));

    paper.heading("DESCRIPTION").paragraph(&format!("{}.", about.trim_end_matches('.')));
    let after = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
    let (examples, prose): (Vec<&str>, Vec<&str>) = after.split("\n\n").partition(|text| help::is_of_examples(text));
    // The program's exit codes have a section of their own.
    for text in prose.iter().filter(|text| !text.is_empty() && !text.starts_with("Exit codes:")) {
        paper.paragraph(text);
    }
    options(&mut paper, verb);
    if verb.has_subcommands() {
        paper.heading("COMMANDS");
        for verb in verb.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let name = verb.get_display_name().unwrap_or(verb.get_name());
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            paper.term(option(&[format!("{name}(1)")], None), &about);
        }
    }
    if !examples.is_empty() {
        paper.heading("EXAMPLES");
        for examples in examples {
            paper.as_typed(examples.lines().skip(1).map(|line| line.strip_prefix("  ").unwrap_or(line)));
        }
    }
    paper.heading("EXIT STATUS");
    for (code, meaning) in EXIT_STATUS {
        paper.term(option(&[(*code as u8).to_string()], None), meaning);
    }
    if is_program {
        paper.heading("ENVIRONMENT");
        for (name, meaning) in ENVIRONMENT {
            paper.term(option(&[(*name).to_owned()], None), meaning);
        }
        paper.heading("FILES");
        for (path, meaning) in FILES {
            paper.term(option(&[], Some(path)), meaning);
        }
        paper.see_also(["pushcron.yaml(5)", "systemd.service(5)", "systemd.exec(5)", "journalctl(1)", "sqlite3(1)"]);
    } else {
        paper.see_also(["pushcron(1)", "pushcron.yaml(5)"]);
    }
    paper.text()
}

/// The verb's own first, then what every verb takes.
fn options(paper: &mut Paper, verb: &Command) {
    let mut headings = vec![None];
    for arg in verb.get_arguments() {
        if !headings.contains(&arg.get_help_heading()) {
            headings.push(arg.get_help_heading());
        }
    }
    for heading in headings {
        let args: Vec<&Arg> =
            verb.get_arguments().filter(|arg| !arg.is_hide_set() && arg.get_help_heading() == heading).collect();
        if args.is_empty() {
            continue;
        }
        paper.heading(&heading.map_or("OPTIONS".to_owned(), |heading| format!("OPTIONS: {}", heading.to_uppercase())));
        for arg in args {
            let short = arg.get_short().map(|letter| format!("-{letter}"));
            let names: Vec<String> = short.into_iter().chain(arg.get_long().map(|name| format!("--{name}"))).collect();
            let value = arg.get_action().takes_values().then(|| value_of(arg));
            paper.term(option(&names, value.as_deref()), &arg.get_help().map(ToString::to_string).unwrap_or_default());
            let words: Vec<String> = match arg.get_action().takes_values() {
                true => arg.get_possible_values().iter().map(|word| format!("`{}`", word.get_name())).collect(),
                false => Vec::new(),
            };
            if !words.is_empty() {
                paper.further(&format!("One of {}.", words.join(", ")));
            }
            let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
            if !defaults.is_empty() && !arg.is_hide_default_value_set() && arg.get_action().takes_values() {
                paper.further(&format!("When absent: `{}`.", defaults.join(" ")));
            }
        }
    }
}

fn value_of(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    if names.is_empty() { arg.get_id().as_str().to_uppercase() } else { names.join(" ") }
}
