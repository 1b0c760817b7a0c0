//! `export`: a job as the files would spell it.

use std::io::{self, Write};

use clap::Args;
use clap_complete::ArgValueCandidates;
use serde_json::Value;

use super::candidates;
use super::context::Context;
use super::failure::{Exit, Failure};
use crate::acts::whole_inline;
use crate::answers::jobs::definition;
use crate::config::written;

#[derive(Debug, Args)]
#[command(after_help = "Example:
  pushcron export tea >> jobs.d/tea.yaml    a reload then takes the job over, and nothing of it fires twice")]
pub(super) struct Export {
    /// The name of the job
    #[arg(value_name = "JOB", add = ArgValueCandidates::new(candidates::jobs))]
    job: String,
}

impl Export {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let job = context.reading_all(async |store| {
            let found = definition(store, &self.job).await;
            let mut found = found.map_err(|refusal| context.of_job(&self.job, refusal))?;
            for push in &mut found.job.push {
                whole_inline(store, &mut push.message).await?;
            }
            Ok(written(&found.job))
        })?;
        print(&mut io::stdout().lock(), &job)?;
        Ok(Exit::Done)
    }
}

/// The keys of the job a line each, their values as JSON, which YAML includes.
fn print(out: &mut dyn Write, job: &Value) -> io::Result<()> {
    writeln!(out, "jobs:")?;
    for (place, (key, value)) in job.as_object().into_iter().flatten().enumerate() {
        let lead = if place == 0 { "  - " } else { "    " };
        match value {
            Value::Array(values) => {
                writeln!(out, "{lead}{key}:")?;
                for value in values {
                    writeln!(out, "      - {}", in_yaml(value))?;
                }
            }
            value => writeln!(out, "{lead}{key}: {}", in_yaml(value))?,
        }
    }
    Ok(())
}

/// JSON that is YAML too, character by character: what that does not print, or takes for the end of a line, is escaped. In
/// JSON such characters stand in texts alone.
fn in_yaml(value: &Value) -> String {
    let mut yaml = String::new();
    for c in value.to_string().chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                yaml.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => yaml.push(c),
        }
    }
    yaml
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::{LoadEnvironment, load};
    use crate::domain::{Body, Job, UtcMs};
    use crate::senders::specs;

    const FILE: &str = "accounts:\n  - {id: c, im: qq, sender: console, default: true}\n";

    fn read(jobs: &str) -> Job {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("jobs.yaml");
        std::fs::write(&file, format!("{FILE}{jobs}")).unwrap();
        let config = load(&[file], &specs(), &LoadEnvironment::of_process(UtcMs(0))).unwrap();
        config.jobs.into_iter().next().unwrap()
    }

    /// Every kind of character that somebody's rules set apart, and others.
    fn character() -> impl Strategy<Value = char> {
        let apart = (
            prop::char::range('\u{1}', '\u{a0}'),
            prop::sample::select(vec![
                '\u{2028}',
                '\u{2029}',
                '\u{feff}',
                '\u{fffe}',
                '\u{ffff}',
                '\u{fffd}',
                '\u{1fffe}',
                '"',
                '\\',
                '#',
                ':',
                '-',
                '$',
                '{',
                ' ',
                '\n',
            ]),
        );
        // No text holds a NUL.
        let other = any::<char>().prop_filter("no NUL", |c| *c != '\0');
        (apart, other, 0..3).prop_map(|((control, special), other, which)| match which {
            0 => control,
            1 => special,
            _ => other,
        })
    }

    proptest! {
        #[test]
        fn what_is_exported_is_yaml_of_the_same_job(text in prop::collection::vec(character(), 0..12)) {
            let text: String = std::iter::once('a').chain(text).collect();
            let mut job = read("jobs:\n  - {name: tea, every: 1h, push: {im: qq, group: '1', text: a}}\n");
            job.push[0].message.body = Body::Text { text: text.clone() };
            let mut exported = Vec::new();
            print(&mut exported, &written(&job)).unwrap();
            let exported = String::from_utf8(exported).unwrap();
            let printed = |c: char| matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
            prop_assert!(exported.chars().all(|c| printed(c) && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')), "{exported:?}");
            let again = read(&exported);
            prop_assert_eq!(&again.push[0].message.body, &Body::Text { text });
            prop_assert_eq!(again, job);
        }
    }
}
