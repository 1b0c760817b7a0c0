//! What the pages show can be used: each YAML is loaded, each command is one that there is, and each block of commands is
//! carried out by a test, or says beside it why not.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pushcron::cli;
use pushcron::config::{self, LoadEnvironment};
use pushcron::domain::UtcMs;
use pushcron::senders::specs;

/// Accounts and targets of fragments that name them and do not show them.
const PANTRY: &str = "
accounts:
  - {id: bot_qq, im: qq, sender: console, default: true}
  - {id: bot_qq_2, im: qq, sender: console}
  - {id: bot_telegram, im: telegram, sender: console}
  - {id: bot_weixin, im: weixin, sender: console}
  - {id: screen, im: console, sender: console}
";

fn pages() -> Vec<(PathBuf, String)> {
    let files = ["README*.md", "docs/**/*.md"].into_iter().flat_map(|pattern| glob::glob(pattern).unwrap());
    files.map(|path| path.unwrap()).map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// A block of a page: what stands behind its fence, what is in it, and the last line of text before it.
struct Block<'a> {
    info: &'a str,
    body: String,
    before: &'a str,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let (mut blocks, mut open, mut before) = (Vec::<Block<'_>>::new(), None::<usize>, "");
    for line in text.lines() {
        let bare = line.trim_start();
        match open {
            Some(_) if bare == "```" => open = None,
            Some(indent) => {
                let block = blocks.last_mut().unwrap();
                block.body.push_str(line.get(indent..).unwrap_or(""));
                block.body.push('\n');
            }
            None => match bare.strip_prefix("```") {
                Some(info) => {
                    blocks.push(Block { info, body: String::new(), before });
                    open = Some(line.len() - bare.len());
                }
                None if !bare.is_empty() => before = bare,
                None => {}
            },
        }
    }
    blocks
}

#[test]
fn every_yaml_of_every_page_is_accepted() {
    let mut tried = 0;
    for (page, text) in pages() {
        for block in blocks(&text).iter().filter(|block| block.info.split(' ').next() == Some("yaml")) {
            // What happens in a simulation is no configuration; the test of that page carries it out.
            if block.body.starts_with("latency:") {
                assert!(page.ends_with("simulate.md"), "{}", page.display());
                continue;
            }
            accepts(&page, &block.body);
            tried += 1;
        }
    }
    assert!(tried > 35, "{tried}");
}

fn accepts(page: &Path, yaml: &str) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("calendars")).unwrap();
    let events =
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:rest\nDTSTART;VALUE=DATE:20261001\nEND:VEVENT\nEND:VCALENDAR\n";
    std::fs::write(dir.path().join("calendars/sse.ics"), events).unwrap();
    std::fs::write(dir.path().join("parents.csv"), "qq,name,class\n1,a,b\n").unwrap();
    let token = dir.path().join("tokens_qq");
    std::fs::write(&token, "sample").unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    let whole = match yaml.strip_prefix("push:") {
        Some(push) => format!("jobs:\n- name: example\n  cron: '0 9 * * *'\n  push:{}\n", push.trim_end()),
        None => yaml.to_owned(),
    };
    let mut files = vec![dir.path().join("jobs.yaml")];
    std::fs::write(&files[0], &whole).unwrap();
    if !whole.contains("accounts:") {
        let targets = if whole.contains("targets:") { "" } else { "targets: {oncall: {im: qq, user: '1'}}\n" };
        files.push(dir.path().join("pantry.yaml"));
        std::fs::write(&files[1], format!("{PANTRY}{targets}")).unwrap();
    }
    let credentials = dir.path().to_str().unwrap().to_owned();
    let environment = LoadEnvironment {
        variable: Box::new(move |name| match name {
            "CREDENTIALS_DIRECTORY" => Some(credentials.clone()),
            "DINGTALK_ROBOT_URL" => Some("https://oapi.dingtalk.com/robot/send?access_token=sample".to_owned()),
            "FEISHU_ROBOT_URL" => Some("https://open.feishu.cn/open-apis/bot/v2/hook/sample".to_owned()),
            "WECOM_ROBOT_URL" => Some("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=sample".to_owned()),
            "HOOK_SECRET" => Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()),
            "DINGTALK_SECRET" => Some("SECsample".to_owned()),
            _ => Some("123456:sample".to_owned()),
        }),
        // 29 November 2026.
        ..LoadEnvironment::of_process(UtcMs(1_795_910_400_000))
    };
    if let Err(errors) = config::load(&files, &specs(), &environment) {
        panic!("{}:\n{whole}\n{errors}", page.display());
    }
}

/// The words of a line as a shell takes them, up to where another command begins.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (None, '|' | ';' | '>' | '&' | ')') => break,
            (None, '#') if word.is_none() => break,
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Words that stand for something that people fill in.
fn filled_in(word: &str) -> String {
    match word {
        "ID" | "PUSH" | "PUSH…" => "1".to_owned(),
        "TIME" => "09:00".to_owned(),
        _ => word.to_owned(),
    }
}

/// The commands of pushcron in a line of a shell.
fn commands(line: &str) -> Vec<Vec<String>> {
    let line =
        line.replace("$(date +%F)", "today").replace("sent|failed", "sent").replace("cargo run -- ", "pushcron ");
    let starts = line.match_indices("pushcron ").filter(|(at, _)| {
        let before = &line[..*at];
        before.is_empty()
            || before.ends_with("$ ")
            || before.ends_with("(")
            || before.ends_with("&& ")
            || before.ends_with("-- ")
    });
    starts.map(|(at, _)| words(&line[at..]).iter().map(|word| filled_in(word)).collect()).collect()
}

#[test]
fn every_command_that_a_page_shows_is_one_that_there_is() {
    let (mut tried, mut wrong) = (0, Vec::new());
    let mut judge = |page: &Path, line: &str, in_prose: bool| {
        for words in commands(line) {
            // `pushcron history [--job …]` describes, and `pushcron_2.deb` is a file.
            if words.len() < 2 || words[1] == "VERB" || words.iter().any(|word| word.contains(['[', '…', '*'])) {
                continue;
            }
            tried += 1;
            if let Err(error) = cli::command().try_get_matches_from(&words) {
                use clap::error::ErrorKind::{DisplayHelp, DisplayVersion, InvalidValue, MissingRequiredArgument};
                // Prose names a verb or an option without what belongs to it.
                let lacks = error.kind() == MissingRequiredArgument
                    || error.kind() == InvalidValue && error.to_string().contains("none was supplied");
                let is_named = in_prose && lacks;
                if !is_named && !matches!(error.kind(), DisplayHelp | DisplayVersion) {
                    wrong.push(format!("{}: {line}\n{error}", page.display()));
                }
            }
        }
    };
    for (page, text) in pages() {
        let blocks = blocks(&text);
        for block in blocks.iter().filter(|block| ["sh", "console"].contains(&block.info)) {
            block.body.replace("\\\n", " ").lines().for_each(|line| judge(&page, line.trim(), false));
        }
        let mut prose = text.clone();
        for block in &blocks {
            prose = prose.replace(&block.body, "");
        }
        for code in prose.replace("```", "").split('`').skip(1).step_by(2).filter(|code| !code.contains("\n\n")) {
            judge(&page, &code.replace('\n', " "), true);
        }
    }
    assert!(tried > 150, "{tried}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_block_of_commands_is_carried_out_or_says_why_not() {
    let (mut reasons, mut silent) = (Vec::new(), Vec::new());
    for (page, text) in pages() {
        let mut in_recipe = false;
        let mut rest = text.as_str();
        for block in blocks(&text) {
            // A recipe reaches to the next heading.
            let Some((before, after)) = rest.split_once(&format!("```{}\n", block.info)) else {
                panic!("{}", page.display())
            };
            let mark = before.rfind("<!-- recipe: ");
            let heading = before.rfind("\n##");
            in_recipe = match (mark, heading) {
                (Some(mark), Some(heading)) => mark > heading,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => in_recipe,
            };
            rest = after.split_once("```").map_or("", |(_, rest)| rest);
            if block.info != "sh" || in_recipe {
                continue;
            }
            match block.before.strip_prefix("<!-- not run: ").and_then(|reason| reason.strip_suffix(" -->")) {
                Some(reason) if !reason.is_empty() => reasons.push(format!("{}: {reason}", page.display())),
                // What tests are run by is run by whoever runs this.
                _ if block.before == "<!-- test command -->" => {}
                _ => silent.push(format!("{}:\n{}", page.display(), block.body)),
            }
        }
    }
    println!("not run:\n{}", reasons.join("\n"));
    // Whoever adds one should think twice: can it be a recipe?
    assert!(reasons.len() <= 32, "{} blocks are run by nobody", reasons.len());
    assert!(silent.is_empty(), "make it a recipe, or say why it is not run:\n{}", silent.join("\n"));
}
