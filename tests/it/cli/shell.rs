//! Completions, man pages, schema.

use crate::cli::house::{House, Told};

#[test]
fn every_shell_gets_a_script_that_asks_the_program() {
    let house = House::empty();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = house.run(&format!("completions {shell}")).fine();
        assert!(script.contains("pushcron") && script.contains("PUSHCRON_COMPLETE"), "{shell}: {script}");
    }
}

/// What fish is offered after these words, the last of them being typed; options are beside the point.
fn offered(house: &House, words: &[&str]) -> Vec<String> {
    let mut command = house.command(["--", "pushcron"].iter().chain(words));
    let told = Told::from(command.env("PUSHCRON_COMPLETE", "fish").output().unwrap()).fine();
    let offers = told.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned());
    offers.filter(|offer| !offer.starts_with('-')).collect()
}

#[test]
fn shells_are_offered_jobs_accounts_and_pushes() {
    let house = House::lived_in();
    assert_eq!(offered(&house, &["fire", "da"]), ["daily-report"]);
    assert_eq!(offered(&house, &["explain", "每"]), ["每日晨报"]);
    assert_eq!(offered(&house, &["resolve", ""]), ["6"]);
    assert_eq!(offered(&house, &["resolve", "6", ""]), ["6", "sent", "failed"]);
    assert_eq!(offered(&house, &["cancel", ""]), ["7"]);
    let mut again = offered(&house, &["retry", ""]);
    again.sort();
    assert_eq!(again, ["5", "6"]);
    assert_eq!(offered(&house, &["history", "--account", "s"]), ["screen"]);
    assert_eq!(offered(&house, &["push", "--im", ""]), ["qq"]);
    assert_eq!(offered(&house, &["add", "a", "--im", "q"]), ["qq"]);
    assert!(offered(&house, &["hist"]).contains(&"history".to_owned()));
    // The files named on the line that is being typed count.
    house.write("other.yaml", "accounts: [{id: other, sender: console, im: qq}]\ndaemon: {database: none.db}\njobs: [{name: from-file, every: 1m, push: {im: qq, user: 1, text: a}}]\n");
    assert_eq!(offered(&house, &["-c", "other.yaml", "push", "--account", ""]), ["other"]);
    assert_eq!(offered(&house, &["-c", "other.yaml", "fire", ""]), ["from-file"]);
}

#[test]
fn man_pages_are_written_for_every_verb() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::empty();
    house.run("man man").fine();
    for page in ["pushcron.1", "pushcron-run.1", "pushcron-history.1", "pushcron-calendar-show.1", "pushcron.yaml.5"] {
        let text = std::fs::read_to_string(house.path("man").join(page)).unwrap();
        assert!(text.contains(".SH"), "{page}");
        let mode = std::fs::metadata(house.path("man").join(page)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644, "{page}: everybody reads the manual");
    }
    assert!(!house.path("man").join("pushcron-man.1").exists(), "a hidden verb has no page");
    house.write("a-file", "");
    assert!(house.run("man a-file").refused(1).contains("a-file"));
}

#[test]
fn an_account_whose_sender_needs_no_login_is_told_so() {
    let house = House::lived_in();
    assert_eq!(house.run("login screen").refused(1), "pushcron: accounts of sender 'console' need no login\n");
    assert_eq!(house.run("login nobody").refused(1), "pushcron: there is no account 'nobody'; known are: screen\n");
}

#[test]
fn the_schema_is_json() {
    let schema: serde_json::Value = serde_json::from_str(&House::empty().run("schema").fine()).unwrap();
    assert!(schema["properties"]["jobs"].is_object(), "{schema}");
}

/// What a terminal of so many columns shows; None where `script` is not to be had.
fn on_a_terminal(house: &House, columns: u16, verb: &str, settings: &[(&str, &str)]) -> Option<String> {
    let line = format!("stty cols {columns}; {} {verb}", env!("CARGO_BIN_EXE_pushcron"));
    let mut script = house.program("script");
    script.env("TERM", "xterm").env("PATH", "/usr/bin:/bin").envs(settings.iter().copied());
    match script.args(["-qec", &line, "/dev/null"]).output() {
        Ok(output) => Some(Told::from(output).out),
        Err(error) => {
            eprintln!("SKIPPED: script(1) cannot be run here: {error}");
            None
        }
    }
}

#[test]
fn a_terminal_gets_its_whole_width_and_colours_unless_it_wants_none() {
    let house = House::lived_in();
    let Some(wide) = on_a_terminal(&house, 160, "history", &[]) else { return };
    assert!(wide.contains("the connection broke after the request had left"), "{wide}");
    assert!(wide.contains("\u{1b}[32msent\u{1b}[0m"), "{wide}");
    let plain = on_a_terminal(&house, 160, "history", &[("NO_COLOR", "1")]).unwrap_or_default();
    assert!(!plain.contains('\u{1b}'), "{plain}");
    let narrow = on_a_terminal(&house, 60, "history", &[("NO_COLOR", "1")]).unwrap_or_default();
    let is_table = |line: &&str| !line.contains(';');
    let widest = narrow.lines().filter(is_table).map(unicode_width::UnicodeWidthStr::width).max();
    assert!(widest.is_some_and(|widest| widest <= 60), "{narrow}");
}
