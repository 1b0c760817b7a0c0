//! Where secrets come from, who may read them, and that no report shows one.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pushcron::config::{self, LoadEnvironment, Sight};

use super::{CANARY, SCREEN, WIRE, load, load_text, loaded, private_file, refused, surroundings};

#[test]
fn secrets_come_from_variables_files_and_credentials() {
    let directory = tempfile::tempdir().unwrap();
    let token = private_file(directory.path(), "token", format!("{CANARY}-file\n"));
    private_file(directory.path(), "creds/chat", format!("{CANARY}-credential"));
    let text = "accounts:
  - {id: v, sender: wire, url: http://127.0.0.1, token: '${TOKEN}'}
  - {id: f, sender: wire, url: http://127.0.0.1, token_file: token}
  - {id: c, sender: wire, url: http://127.0.0.1, token_credential: chat}
";
    let file = private_file(directory.path(), "a.yaml", text);
    let mut around = surroundings();
    let (credentials, other) = (directory.path().join("creds"), around.variable);
    around.variable = Box::new(move |name| match name {
        "CREDENTIALS_DIRECTORY" => Some(credentials.to_str().unwrap().to_owned()),
        _ => other(name),
    });
    let specs = [&WIRE];
    let config = config::load(std::slice::from_ref(&file), &specs, &around).unwrap_or_else(|errors| panic!("{errors}"));
    let tokens: Vec<_> = config.accounts.iter().map(|a| a.settings.secret("token").unwrap().expose()).collect();
    assert_eq!(tokens, [CANARY, &format!("{CANARY}-file"), &format!("{CANARY}-credential")]);
    assert_eq!(config.warnings, []);
    assert_eq!(config.secret_files.len(), 2);
    assert!(!format!("{config:?}").contains(CANARY));

    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    let errors = config::load(&[file], &specs, &around).unwrap_err().to_string();
    assert!(errors.contains("other users may read or write it (mode 644)"), "{errors}");
    assert!(!errors.contains(CANARY), "{errors}");
}

#[test]
fn a_plain_secret_in_a_file_that_all_can_read_is_warned_of_twice() {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("accounts: [{{id: a, sender: wire, url: http://127.0.0.1, token: {CANARY}}}]\n");
    let file = private_file(directory.path(), "a.yaml", text);
    let warnings = |mode| {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let warnings = load(&[&file]).unwrap().warnings;
        assert!(warnings.iter().all(|warning| !warning.to_string().contains(CANARY)), "{warnings:?}");
        warnings.into_iter().map(|warning| warning.message.english().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(warnings(0o600), ["token: a secret in plain text"]);
    let loud = "every user of this machine can read the secrets in this file";
    assert_eq!(warnings(0o644), [loud, "token: a secret in plain text"]);
}

#[test]
fn files_and_directories_that_others_can_change_are_warned_of() {
    let directory = tempfile::tempdir().unwrap();
    let (etc, tokens) = (directory.path().join("etc"), directory.path().join("tokens"));
    private_file(&tokens, "a", CANARY);
    let text = "accounts: [{id: a, sender: wire, url: http://127.0.0.1, token_file: ../tokens/a}]\n";
    let file = private_file(&etc, "a.yaml", text);
    let warnings = |path: &Path, mode| {
        let before = std::fs::metadata(path).unwrap().permissions();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        let warnings = load(&[&file]).unwrap().warnings;
        std::fs::set_permissions(path, before).unwrap();
        warnings
            .into_iter()
            .map(|warning| (PathBuf::from(&warning.file), warning.message.english().to_owned()))
            .collect::<Vec<_>>()
    };
    let told = |path: &Path, deed: &str| vec![(path.to_owned(), format!("every user of this machine can {deed}"))];
    assert_eq!(warnings(&etc, 0o755), []);
    assert_eq!(warnings(&file, 0o602), told(&file, "change what is in this file"));
    for open in [&etc, &tokens, directory.path()] {
        let expected = told(open, "put other files in the place of those in this directory");
        assert_eq!(warnings(open, 0o777), expected, "{}", open.display());
        assert_eq!(warnings(open, 0o1777), [], "{}", open.display());
    }
}

#[test]
fn files_and_directories_of_other_users_are_warned_of() {
    let directory = tempfile::tempdir().unwrap();
    let token = private_file(directory.path(), "token", CANARY);
    let text = "accounts: [{id: a, sender: wire, url: http://127.0.0.1, token_file: token}]\n";
    let file = private_file(directory.path(), "a.yaml", text);
    if let Err(error) = std::os::unix::fs::chown(&token, Some(1001), None) {
        eprintln!("SKIPPED: files of other users, since only root can make them ({error})");
        return;
    }
    let warnings = || {
        load(&[&file])
            .unwrap()
            .warnings
            .into_iter()
            .map(|warning| warning.message.english().to_owned())
            .collect::<Vec<_>>()
    };
    let told = warnings();
    assert!(told.len() == 1 && told[0].starts_with("token_file: "), "{told:?}");
    let owner = "user 1001 of this machine can change what is in this file, being its owner";
    assert!(told[0].ends_with(owner), "{told:?}");
    std::os::unix::fs::chown(&file, Some(1001), None).unwrap();
    assert_eq!(warnings()[0], owner);
    std::os::unix::fs::chown(directory.path(), Some(1001), None).unwrap();
    let other =
        "user 1001 of this machine can put other files in the place of those in this directory, being its owner";
    assert_eq!(warnings().iter().filter(|told| *told == other).count(), 1, "{:?}", warnings());
}

/// The canary stands in every place where a secret may stand, and each line is broken in turn.
#[test]
fn no_report_shows_a_secret_whatever_is_wrong() {
    let good = format!(
        "daemon:\n  heartbeat:\n    url: https://hc.test/{CANARY}\naccounts:\n  - id: a\n    sender: wire\n    url: 'https://u:{CANARY}@h/p?k={CANARY}'\n    \
         token: |-\n      {CANARY}\n  - {{id: b, sender: wire, url: http://h, token: \"{CANARY}\"}}\n  - id: c\n    sender: wire\n    \
         url: http://h\n    token: >-\n      {CANARY}\njobs:\n  - name: j\n    every: 1m\n    push:\n      im: chat\n      user: u\n      \
         image: https://u:{CANARY}@h/a.png?token={CANARY}\n"
    );
    loaded(&good);
    let lines: Vec<&str> = good.lines().collect();
    for broken in 0..lines.len() {
        let spoil: [fn(&str) -> String; 7] = [
            |line| format!("\t{line}"),
            |line| format!("{line} }}"),
            |line| format!("{line}\n  - ]"),
            |line| line.replacen(':', "", 1),
            |line| line.replacen(": ", "x: ", 1),
            |line| format!("{line}\""),
            |line| line.replacen("  ", " ", 1),
        ];
        for spoil in spoil {
            let mut text: Vec<String> = lines.iter().map(|line| line.to_string()).collect();
            text[broken] = spoil(&text[broken]);
            let text = text.join("\n");
            if let Err(errors) = load_text(&text) {
                let json = serde_json::to_string(&errors).unwrap();
                assert!(!errors.to_string().contains(CANARY), "{errors}\n{text}");
                assert!(!json.contains(CANARY), "{json}\n{text}");
            }
        }
    }
}

/// A variable may be the wrong one, and hold a secret.
#[test]
fn values_of_variables_are_named_and_never_shown() {
    let v = "'${TOKEN}'";
    let text = format!(
        "daemon: {{timezone: {v}, keep_history: {v}, metrics_listen: {v}, accounts_fallback: {v}, max_history_rows: {v}}}
accounts:
  - {{id: {v}, im: {v}, sender: screen, default: true}}
  - {{id: {v}, im: {v}, sender: screen, default: true}}
  - {{id: f, sender: wire, url: {v}, token_file: {v}, port: {v}, flavour: {v}, window: {v}}}
  - {{id: s, sender: {v}}}
  - {{id: g, sender: wire, url: http://h, token_credential: {v}}}
  - {{id: a, sender: screen}}
jobs:
  - {{name: {v}, cron: {v}, timezone: {v}, overlap: {v}, push: {{im: {v}, user: u, text: hi}}}}
  - {{name: {v}, cron: {v}, misfire: {v}, push: {{im: screen, user: u, text: hi, account: '${{TOKEN}}x'}}}}
  - {{name: {v}, every: {v}, push: {{im: '${{TOKEN}}x', user: u, text: hi, timeout: {v}}}}}
  - {{name: {v}, at: {v}, push: {{im: screen, user: u, image: 'ftp://{v}', account: {v}}}}}
  - {{name: n, every: 1m, push: {{im: screen, user: u, text: hi, account: {v}}}}}
include: ['${{TOKEN}}.yaml']
"
    );
    let errors = refused(&text);
    assert!(errors.errors.len() >= 20, "{errors}");
    assert!(!errors.to_string().contains(CANARY), "{errors}");
}

#[test]
fn a_token_over_plain_http_beyond_the_local_network_is_warned_of() {
    let warned = |url: &str, token: &str| {
        let config = loaded(&format!("accounts: [{{id: a, sender: wire, url: '{url}', {token}}}]\n"));
        config
            .warnings
            .iter()
            .any(|warning| warning.message.english() == "url: tokens and messages travel without encryption")
    };
    for near in ["http://127.0.0.1:3000", "http://[::1]", "http://192.168.1.5", "http://napcat:3000", "http://nas.lan"]
    {
        assert!(!warned(near, "token: '${TOKEN}'"), "{near}");
    }
    assert!(warned("http://example.org", "token: '${TOKEN}'"));
    assert!(warned("http://203.0.113.5:3000", "token: '${TOKEN}'"));
    assert!(!warned("http://example.org", "quiet: true"), "nothing secret travels");
    assert!(!warned("https://example.org", "token: '${TOKEN}'"));
}

#[test]
fn whoever_only_looks_need_not_see_the_credentials_of_the_service() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("jobs.yaml");
    let yaml =
        "daemon: {heartbeat: {url_credential: beat}, metrics_listen: 0.0.0.0:9464, metrics_token_credential: scraper}
accounts:
  - {id: seen, sender: screen}
  - {id: hidden, im: qq, sender: wire, url: 'http://h', token_credential: token}
jobs: [{name: a, every: 1s, push: {im: qq, group: g, text: hi, account: hidden}}]
";
    std::fs::write(&file, yaml).unwrap();
    let load = |sight| {
        config::load(std::slice::from_ref(&file), &[&WIRE, &SCREEN], &LoadEnvironment { sight, ..surroundings() })
    };
    assert_eq!(load(Sight::Service).unwrap_err().errors.len(), 3);
    let config = load(Sight::Judge).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.accounts.iter().map(|account| &account.id).collect::<Vec<_>>(), ["seen"]);
    assert_eq!((config.jobs.len(), config.daemon.heartbeat), (1, None));
    assert_eq!(config.daemon.metrics_listen, None, "nobody reads the numbers before it is known who may");
    assert_eq!(config.warnings.len(), 3, "{:?}", config.warnings);
    assert!(config.warnings[2].to_string().contains("token_credential: not looked at"), "{:?}", config.warnings);
}

#[test]
fn an_onlooker_needs_neither_variables_nor_files_of_secrets_and_texts_stay_as_they_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("jobs.yaml");
    let yaml = "accounts:
  - {id: seen, sender: screen}
  - {id: variable, im: qq, sender: wire, url: 'http://h', token: '${UNSET}'}
  - {id: address, im: qq, sender: wire, url: '${UNSET}', token: '${TOKEN}'}
  - {id: file, im: qq, sender: wire, url: 'http://h', token_file: gone}
jobs:
  - {name: a, every: 1s, push: {im: qq, group: '${UNSET}', text: 'it is ${UNSET}', account: variable}}
  - {name: b, every: 1s, push: {im: qq, group: '${GROUP}', text: hi}}
";
    std::fs::write(&file, yaml).unwrap();
    let load = |yaml: &str, sight| {
        std::fs::write(&file, yaml).unwrap();
        config::load(std::slice::from_ref(&file), &[&WIRE, &SCREEN], &LoadEnvironment { sight, ..surroundings() })
    };
    assert_eq!(load(yaml, Sight::Judge).unwrap_err().errors.len(), 5);
    let config = load(yaml, Sight::Onlooker).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.unseen_accounts(), ["variable", "address", "file"]);
    let targets: Vec<String> = config.jobs.iter().map(|job| job.push[0].target.to_string()).collect();
    assert_eq!(targets, ["group:${UNSET}", "group:778899"]);
    assert!(
        config.warnings.iter().any(|warning| warning.message.english().contains("the variable UNSET")),
        "{:?}",
        config.warnings
    );
    // Nothing can be told of a job without its schedule.
    for (what, with) in [("every: 1s", "cron: '${UNSET}'"), ("name: a", "name: a, timezone: '${UNSET}'")] {
        let errors = load(&yaml.replacen(what, with, 1), Sight::Onlooker).unwrap_err().to_string();
        assert!(errors.contains("the environment variable UNSET is not set"), "{errors}");
    }
}
