//! `check`: the files refused or accepted, without any effect.

use std::io::{self, Write};

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::render;
use super::say::say;
use crate::answers::check::Accepted;
use crate::config::ConfigErrors;
use crate::domain::escaped;
use crate::texts::{self, Text};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron -c jobs.yaml check                 0: fine, 78: refused
  pushcron -c jobs.yaml check --json \\
    | jq -r '.errors[] | \"\\(.file):\\(.line): \\(.message)\"'")]
pub(super) struct Check {
    /// One JSON object: ok, errors and warnings (each with file, line, column), files, jobs, accounts
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let report = context.check()?;
        if self.json {
            say(render::pretty(&json!(report)));
            return Ok(if report.ok { Exit::Done } else { Exit::BadConfig });
        }
        let language = context.language();
        for warning in &report.warnings {
            for line in texts::warning(warning.told(language)).in_language(language).lines() {
                writeln!(io::stderr(), "{}", escaped(line))?;
            }
        }
        match &report.accepted {
            Some(accepted) if report.ok => {
                if accepted.files.is_empty() {
                    say(texts::none_of_your_files().in_language(language));
                }
                say(summary(accepted, report.warnings.len()).in_language(language));
                Ok(Exit::Done)
            }
            _ => Err(ConfigErrors::from(report).into()),
        }
    }
}

fn summary(accepted: &Accepted, warnings: usize) -> Text {
    let disabled = if accepted.disabled == 0 { Text::none() } else { texts::and_disabled(accepted.disabled) };
    let warnings = if warnings == 0 { Text::none() } else { texts::and_warnings(warnings) };
    let files = match accepted.files.len() {
        0 => texts::embedded_example(),
        files => texts::files(files),
    };
    texts::fine(files, texts::jobs(accepted.jobs), disabled, texts::accounts(accepted.accounts), warnings)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use insta::assert_snapshot;

    use super::*;
    use crate::config::{self, LoadEnvironment};
    use crate::domain::UtcMs;
    use crate::senders;
    use crate::texts::Language;

    const WRONG: &str = "\
accounts:
- {id: a, sender: onebot11, url: \"http://127.0.0.1:1\", tokn: canary-7f3a}
- {id: tg, sender: telegram, token: \"canary-1:a b\"}
jobs:
- {name: 早报, cron: \"0 25 * * *\", timezone: Asia/Shanghi, push: {im: qq, group: 1, text: 早}}
- {name: 早报, cron: \"0 0 30 2 *\", push: {im: q, group: 1, text: hi}}
- {name: 表, every: 90, push: {im: telegram, user: '@mei', message: '{{ due }}'}}
- {name: 图, at: '14:30', push: {im: qq, image: [a.png], user: 1}}
- {name: 值班👨‍💻, every: 1h, push: {im: qq, group: 1, text: '今天 {{ nov }}', render: true}}
- 早报
daemon: {language: cn, metrics_listen: 0.0.0.0:1, timezone: UTC}
";

    /// What the files come to in these languages; the directory is called HOUSE.
    fn told(text: &str, languages: [Language; 2]) -> [String; 2] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("jobs.yaml");
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let around = LoadEnvironment::of_process(UtcMs(1_767_229_200_000));
        let report = crate::answers::check::Report::new(config::load(&[file], &senders::specs(), &around), Vec::new());
        languages.map(|language| {
            let problems = report.errors.iter().chain(&report.warnings);
            let problems: Vec<String> = problems.map(|problem| problem.told(language)).collect();
            let end = report.accepted.as_ref().map(|accepted| summary(accepted, report.warnings.len()));
            let end = end.map(|end| end.in_language(language).to_owned()).unwrap_or_default();
            let all = [problems.join("\n"), end].join("\n");
            all.replace(&*directory.path().to_string_lossy(), "HOUSE")
        })
    }

    #[test]
    fn every_problem_is_told_in_both_languages_under_the_same_carets() {
        let [english, chinese] = told(WRONG, [Language::English, Language::Chinese]);
        assert_snapshot!("check__in_english", english);
        assert_snapshot!("check__in_chinese", chinese);
        assert!(!chinese.contains("canary"), "{chinese}");
        let carets =
            |told: &str| told.lines().filter(|line| line.contains(" | ")).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(carets(&chinese), carets(&english));
        assert_eq!(chinese.lines().count(), english.lines().count());
    }

    #[test]
    fn what_is_fine_is_told_in_both_languages() {
        let text = "daemon: {timezone: UTC}\naccounts: [{id: s, im: qq, sender: console}]\n\
                    jobs: [{name: 早报, cron: '0 9 * * *', push: {im: qq, group: 1, text: '今天是 {{ due }}'}}]\n";
        let [english, chinese] = told(text, [Language::English, Language::Chinese]);
        assert!(english.ends_with("\nfine: 1 file, 1 job, 1 account, 1 warning"), "{english}");
        assert!(chinese.ends_with("\n没有问题：1 个文件，1 个任务，1 个账号，1 条警告"), "{chinese}");
        assert!(chinese.contains("'{{' 像是模板，会原样发出"), "{chinese}");
    }
}
