//! The text below a verb's options, in a form that fits every terminal: prose flows, and examples stay in one piece.

use clap::Command;

/// What the narrowest terminal that people use shows in a line.
pub(super) const WIDTH: usize = 80;

/// Where the comment of an example stands that has no room beside its command.
const COMMENT: &str = "      # ";

/// Gives every verb of the tree such a text, so that none can be forgotten.
pub(super) fn laid_out(command: Command) -> Command {
    let text = command.get_after_help().map(ToString::to_string).map(|text| after_help(&text));
    let command = if let Some(text) = text { command.after_help(text) } else { command };
    command.mut_subcommands(laid_out)
}

fn after_help(text: &str) -> String {
    let paragraphs: Vec<String> = text.split("\n\n").map(paragraph).collect();
    paragraphs.join("\n\n")
}

fn paragraph(text: &str) -> String {
    if !is_of_examples(text) {
        return text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    let is_wide = text.lines().any(|line| line.chars().count() > WIDTH);
    // All of them alike, so that the comments still stand in a column.
    let lines: Vec<String> = text.lines().map(|line| if is_wide { example(line) } else { line.to_owned() }).collect();
    lines.join("\n")
}

pub(super) fn is_of_examples(paragraph: &str) -> bool {
    paragraph.starts_with("Example")
}

/// A line with a command, and below it what stood beside it.
fn example(line: &str) -> String {
    let command = line.trim_start();
    let lead = &line[..line.len() - command.len()];
    match command.split_once("  ") {
        Some((command, comment)) => format!("{lead}{command}\n{COMMENT}{}", comment.trim()),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_below_their_commands_where_a_line_would_be_too_wide() {
        let narrow = "Examples:\n  pushcron a    does a\n  pushcron b -c    does b";
        assert_eq!(after_help(narrow), narrow);
        let wide = format!("Examples:\n  pushcron a    does a\n  pushcron b '{}'  does b\n\nOne\ntwo.", "x".repeat(60));
        let expected = format!(
            "Examples:\n  pushcron a\n      # does a\n  pushcron b '{}'\n      # does b\n\nOne two.",
            "x".repeat(60)
        );
        assert_eq!(after_help(&wide), expected);
    }
}
