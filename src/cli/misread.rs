//! A command line that cannot be read, and help, in the language of who typed it.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::Global;
use super::context::Context;
use crate::clock::SharedClock;
use crate::logging;
use crate::texts::{self, Language, Text};

/// Tells it: help and version on standard output, which may be a closed pipe, so that nobody is left to be told.
pub(super) fn tell(error: &clap::Error, language: Language) {
    if language == Language::English || error.kind() == ErrorKind::DisplayVersion {
        let _ = error.print();
        return;
    }
    let text = in_chinese(error);
    let _ = if error.use_stderr() {
        io::stderr().write_all(text.as_bytes())
    } else {
        io::stdout().write_all(text.as_bytes())
    };
}

/// The language of somebody whose words could not be read: by the locale, else by the files that they name.
pub(super) fn language(words: &[OsString], clock: SharedClock) -> Language {
    let mut config = Vec::new();
    let mut words = words.iter().skip(1).map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        if word == "-c" || word == "--config" {
            config.extend(words.next().map(|path| PathBuf::from(&*path)));
        } else if let Some(path) = word.strip_prefix("--config=") {
            config.push(PathBuf::from(path));
        }
    }
    let global = Global { config, db: None, verbose: 0, quiet: 0, log_format: logging::Format::default() };
    Context::new(global, clock).language()
}

fn in_chinese(error: &clap::Error) -> String {
    let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand);
    match what(error).filter(|_| !is_help) {
        Some(what) => told(error, &what),
        None => with_headings(&error.render().to_string()),
    }
}

/// What is wrong, where the parser says so in parts.
fn what(error: &clap::Error) -> Option<Text> {
    let part = |kind| error.get(kind).map(ToString::to_string);
    let argument = || part(ContextKind::InvalidArg);
    let value = || part(ContextKind::InvalidValue);
    if let Some(ContextValue::StyledStr(own)) = error.get(ContextKind::Custom) {
        return Some(Text::same(own.to_string()));
    }
    Some(match error.kind() {
        ErrorKind::UnknownArgument => texts::unexpected_argument(argument()?),
        ErrorKind::InvalidSubcommand => texts::unrecognized_verb(part(ContextKind::InvalidSubcommand)?),
        ErrorKind::MissingSubcommand => texts::verb_needs_another(part(ContextKind::InvalidSubcommand)?),
        ErrorKind::MissingRequiredArgument => {
            let Some(ContextValue::Strings(missing)) = error.get(ContextKind::InvalidArg) else { return None };
            let lines: Vec<String> = missing.iter().map(|argument| format!("\n  {argument}")).collect();
            texts::arguments_missing().and(&Text::same(lines.concat()))
        }
        ErrorKind::InvalidValue if value()?.is_empty() => texts::value_missing(argument()?),
        ErrorKind::InvalidValue => texts::invalid_value(value()?, argument()?),
        ErrorKind::ValueValidation => {
            let why = std::error::Error::source(error).map(|why| texts::because(why.to_string()));
            texts::invalid_value(value()?, argument()?).and(&why.unwrap_or_else(Text::none))
        }
        ErrorKind::TooManyValues => texts::too_many_values(value()?, argument()?),
        ErrorKind::NoEquals => texts::equals_missing(argument()?),
        ErrorKind::ArgumentConflict => {
            let (argument, prior) = (argument()?, part(ContextKind::PriorArg)?);
            if argument == prior { texts::given_twice(argument) } else { texts::not_together(argument, prior) }
        }
        _ => return None,
    })
}

/// With what may be meant instead, how the verb is used, and where there is more.
fn told(error: &clap::Error, what: &Text) -> String {
    let chinese = |text: Text| text.in_language(Language::Chinese).to_owned();
    let mut parts = vec![chinese(texts::usage_error(what))];
    let listed = |kind| match error.get(kind) {
        Some(ContextValue::Strings(all)) => all.clone(),
        Some(ContextValue::String(one)) => vec![one.clone()],
        _ => Vec::new(),
    };
    let values = [listed(ContextKind::ValidValue), listed(ContextKind::ValidSubcommand)].concat();
    if !values.is_empty() && error.kind() != ErrorKind::UnknownArgument {
        parts.push(format!("  {}{}]", chinese(texts::possible_values()), values.join(", ")));
    }
    let similar = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let mut tips: Vec<String> =
        similar.into_iter().flat_map(listed).map(|name| format!("  {}", chinese(texts::similar(name)))).collect();
    if let Some(ContextValue::StyledStrs(words)) = error.get(ContextKind::Suggested) {
        tips.extend(words.iter().map(|words| format!("  {}", chinese(texts::tip(tip(&words.to_string()))))));
    }
    if !tips.is_empty() {
        parts.push(format!("\n{}", tips.join("\n")));
    }
    if let Some(usage) = error.get(ContextKind::Usage) {
        parts.push(format!("\n{}", with_headings(&usage.to_string())));
    }
    parts.push(format!("\n{}\n", chinese(texts::try_help())));
    parts.join("\n")
}

/// What the parser, and what we add to it, say of what may be meant.
fn tip(words: &str) -> Text {
    if let Some(argument) = words.strip_prefix("to pass '").and_then(|rest| rest.split('\'').next()) {
        return texts::as_a_value(argument);
    }
    let taken = words.strip_prefix('\'').and_then(|rest| rest.split_once("' was taken as the value of "));
    taken.map_or_else(|| Text::same(words.to_owned()), |(value, option)| texts::taken_as_value(value, option))
}

/// Help with its headings, and what stands beside an option without being ours, in Chinese.
fn with_headings(help: &str) -> String {
    let alone = [
        texts::heading_options(),
        texts::heading_arguments(),
        texts::heading_commands(),
        texts::heading_everywhere(),
        texts::heading_examples(),
        texts::heading_example(),
        texts::heading_possible(),
        texts::try_help(),
    ];
    let within = [
        texts::possible_values(),
        texts::default_value(),
        texts::more_with_help(),
        texts::summary_with_h(),
        texts::help_of_verbs(),
        texts::print_help(),
        texts::print_version(),
    ];
    let chinese = |text: &Text| text.in_language(Language::Chinese).to_owned();
    let usage = texts::heading_usage();
    let line = |line: &str| {
        if let Some(heading) = alone.iter().find(|heading| heading.english() == line.trim()) {
            return line.replacen(heading.english(), &chinese(heading), 1);
        }
        let line = match line.strip_prefix(usage.english()) {
            Some(rest) => format!("{}{}", chinese(&usage), rest.trim_start()),
            None => line.to_owned(),
        };
        within.iter().fold(line, |line, words| line.replacen(words.english(), &chinese(words), 1))
    };
    let lines: Vec<String> = help.split('\n').map(line).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::parse;

    fn told(line: &str) -> String {
        let words = line.split_whitespace().map(OsString::from);
        in_chinese(&parse(words).unwrap_err())
    }

    #[test]
    fn what_cannot_be_read_is_told_in_chinese_with_what_may_be_meant() {
        for (line, wanted) in [
            (
                "pushcron histroy",
                &["错误：没有这个命令：'histroy'", "您是不是想写 'history'", "更多说明见 '--help'"][..],
            ),
            (
                "pushcron history --acount a",
                &["没有这个参数：'--acount'", "您是不是想写 '--account'", "用法：pushcron history"],
            ),
            ("pushcron history --state gone", &["'--state <", "的值 'gone' 不对", "[可选的值：pending, "]),
            ("pushcron push --im qq --group 1 --text hi --wait soon", &["'--wait <DURATION>' 的值 'soon' 不对："]),
            ("pushcron fire", &["缺少这些必需的参数：", "  <JOB>", "提示：JOB: "]),
            ("pushcron calendar", &["用法：pushcron calendar", "命令："]),
            ("pushcron jobs --json --csv", &["参数 '--json' 不能与 '--csv' 一起用"]),
            ("pushcron jobs --utc --utc", &["参数 '--utc' 只能写一次"]),
            (
                "pushcron history --job --follow",
                &["--job 要有一个值，而 '--follow' 是 history 的选项", "'--job=--follow'"],
            ),
            ("pushcron push --im qq --text --grup 1", &["没有这个参数：'1'", "'--grup' 被当成了 --text 的值"]),
        ] {
            let told = told(line);
            for wanted in wanted {
                assert!(told.contains(wanted), "{line}: {wanted}\n{told}");
            }
            for english in ["error:", "Usage:", "tip:", "For more", "unexpected", "possible"] {
                assert!(!told.contains(english), "{line}: {english}\n{told}");
            }
        }
    }

    #[test]
    fn help_has_its_headings_in_chinese_and_its_examples_as_they_are_typed() {
        for line in ["pushcron", "pushcron --help", "pushcron push --help", "pushcron history -h"] {
            let told = told(line);
            for wanted in ["用法：pushcron", "各处通用：", "显示帮助", "示例："] {
                assert!(told.contains(wanted), "{line}: {wanted}\n{told}");
            }
            for english in
                ["Usage:", "\nOptions:", "\nCommands:", "Everywhere:", "Print help", "[possible", "Examples:"]
            {
                assert!(!told.contains(english), "{line}: {english}\n{told}");
            }
        }
        assert!(told("pushcron push --help").contains("pushcron push --im qq --group 123456"));
    }
}
