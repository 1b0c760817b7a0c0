//! `man`: a page for the program, one for each verb and one for the YAML, made from the very definitions that parse the
//! command line and describe the keys.

mod page;
mod paper;
mod tables;
mod yaml;

use std::path::{Path, PathBuf};

use clap::Args;
use rustix::fs::Mode;

use self::page::page;
use super::failure::{Exit, Failure};

#[derive(Debug, Args)]
#[command(after_help = "Example:
  pushcron man /usr/share/man/man1")]
pub(super) struct Man {
    /// A directory; it is made where there is none
    directory: PathBuf,
}

impl Man {
    pub(super) fn act(&self, verbs: clap::Command) -> Result<Exit, Failure> {
        // Everybody reads the manual; no verb's secret is in it.
        rustix::process::umask(Mode::WGRP | Mode::WOTH);
        let of = |path: &Path| {
            let path = path.display().to_string();
            move |error: std::io::Error| Failure::new(Exit::Failed, format!("{path}: {error}"))
        };
        std::fs::create_dir_all(&self.directory).map_err(of(&self.directory))?;
        for (name, text) in pages(verbs) {
            let path = self.directory.join(name);
            std::fs::write(&path, text).map_err(of(&path))?;
        }
        Ok(Exit::Done)
    }
}

/// The name of each file, and what is in it.
fn pages(verbs: clap::Command) -> Vec<(String, String)> {
    let mut program = verbs.disable_help_subcommand(true);
    program.build();
    let mut pages = vec![("pushcron.yaml.5".to_owned(), yaml::page())];
    add_pages(&program, &program, &mut pages);
    pages
}

fn add_pages(program: &clap::Command, verb: &clap::Command, pages: &mut Vec<(String, String)>) {
    let name = verb.get_display_name().unwrap_or(verb.get_name()).to_owned();
    pages.push((format!("{name}.1"), page(program, verb)));
    for verb in verb.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        add_pages(program, verb, pages);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command;

    #[test]
    fn every_page_says_what_people_look_for() {
        let pages = pages(command());
        assert!(pages.len() > 25, "{}", pages.len());
        for (name, text) in pages {
            let of_yaml = name == "pushcron.yaml.5";
            let mut wanted = vec!["NAME", "DESCRIPTION", "\"SEE ALSO\""];
            wanted.extend(if of_yaml { ["FILES", "EXAMPLES"] } else { ["SYNOPSIS", "\"EXIT STATUS\""] });
            if name == "pushcron.1" {
                wanted.extend(["FILES", "ENVIRONMENT", "COMMANDS", "EXAMPLES"]);
            }
            for section in wanted {
                let headings = text.matches(&format!("\n.SH {section}\n")).count();
                assert_eq!(headings, 1, "{name} {section}: {text}");
            }
            assert!(text.contains(&format!("\"pushcron {}\"", crate::domain::version::VERSION)), "{name}: {text}");
            // What apropos reads: one line, the name, and a minus sign.
            let (_, line) = text.split_once(".SH NAME\n").unwrap();
            let page = name.rsplit_once('.').unwrap().0.replace('-', "\\-");
            assert!(line.starts_with(&format!("{page} \\- ")), "{name}: {line}");
            assert!(!text.contains("SH EXTRA"), "{name}");
        }
    }

    #[test]
    fn examples_are_lines_as_they_are_typed() {
        let pages = pages(command());
        let (_, push) = pages.iter().find(|(name, _)| name == "pushcron-push.1").unwrap();
        let (_, examples) = push.split_once(".SH EXAMPLES\n").unwrap();
        let (examples, _) = examples.split_once(".fi").unwrap();
        assert!(examples.contains(".nf\n"), "{examples}");
        assert!(examples.contains("\npushcron push \\-\\-im qq \\-\\-group 123456 \\\\\n"), "{examples}");
    }
}
