//! What the pages tell that no definition of a verb knows.

use crate::cli::failure::Exit;

pub(super) const EXIT_STATUS: &[(Exit, &str)] = &[
    (Exit::Done, "Done. For `push`, and for verbs with `--wait`: everything was sent."),
    (Exit::Failed, "It was tried and did not come about: a push not sent, a name unknown, something missing."),
    (Exit::Usage, "The command line makes no sense."),
    (Exit::OutOfReach, "The database, or the daemon that was to act, is out of reach; or a daemon runs already."),
    (Exit::BadConfig, "The configuration is refused. systemd does not restart the daemon then."),
];

pub(super) const ENVIRONMENT: &[(&str, &str)] = &[
    ("PUSHCRON_CONFIG", "A YAML file or a directory of them, where no `--config` names one."),
    ("RUST_LOG", "Which lines are logged, as `pushcron=debug`; it wins over `--verbose` and `--quiet`."),
    ("NO_COLOR", "Where it is set and not empty, nothing is coloured."),
    ("COLUMNS", "How wide tables are where standard output is no terminal; else 80."),
    ("TERM", "With `dumb`, nothing is coloured."),
    ("COLUMNS", "How wide tables are where standard output is no terminal; 80 where it is not set."),
    ("TZ", "The zone of jobs that name none, where `daemon.timezone` does not say it either."),
    ("TZDIR", "A directory with zone data, instead of the system's."),
    ("STATE_DIRECTORY", "Where a relative path of the database begins; systemd sets it. Else the working directory."),
    ("CREDENTIALS_DIRECTORY", "Where `token_credential: NAME` is looked for; systemd sets it."),
    ("PUSHCRON_BOOT_ID", "Which boot this is, where the system does not tell; the unit sets it."),
    ("PUSHCRON_COMPLETE", "Set by the completion script of a shell, and by nobody else."),
    ("JOURNAL_STREAM", "Set by systemd: log lines then go to the journal with their fields."),
    ("NOTIFY_SOCKET, WATCHDOG_USEC", "Set by systemd: whom the daemon tells that it is ready, and that it is well."),
    (
        "LC_ALL, LC_MESSAGES, LANG",
        "The first that is set says the language of `check`, `push` and `status`: Chinese for zh, English for another one, \
         and `daemon.language` for C, C.UTF-8 and POSIX, and where none is set.",
    ),
    ("LANG", "Given to commands: always C.UTF-8."),
    ("any other", "What `${NAME}` in the YAML names, and what `daemon.template_env` lets templates read."),
];

pub(super) const FILES: &[(&str, &str)] = &[
    ("/etc/pushcron/*.yaml", "The configuration, in the order of the names, where none is named: pushcron.yaml(5)."),
    ("/etc/pushcron/tokens/", "Tokens that systemd hands to the service, as `token_credential: tokens_NAME`."),
    ("/var/lib/pushcron/pushcron.db", "The database of the service. `-wal` and `-shm` beside it belong to it."),
    ("pushcron.db.flights", "Beside the database: which sends were under way. It ends with the boot."),
    ("pushcron.db.lock", "Beside the database: held while a daemon runs."),
    ("credentials/", "Beside the database: what logins gave, readable by the daemon alone."),
    ("media/", "Beside the database: images, voices, videos and files while they are sent."),
    ("/usr/share/pushcron/pushcron.schema.json", "The JSON Schema of the YAML, for editors."),
    ("/usr/share/doc/pushcron/", "The documents, and `jobs.example.yaml` with every key in use."),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Names of variables that the code asks for: what follows a look-up, in quotes.
    fn variables(dir: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                variables(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            if path.ends_with("src/build.rs") {
                continue;
            }
            for look_up in ["var(\"", "var_os(\"", "variable)(\"", "set(\"", "VARIABLE: &str = \""] {
                let names = code.split(look_up).skip(1).filter_map(|rest| rest.split('"').next());
                let is_name = |name: &&str| name.len() > 1 && name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
                found.extend(names.filter(is_name).map(str::to_owned));
            }
        }
    }

    #[test]
    fn every_variable_that_is_asked_for_is_told() {
        let mut found = BTreeSet::new();
        variables(Path::new("src"), &mut found);
        assert!(found.len() >= 8, "{found:?}");
        let told: Vec<&str> = ENVIRONMENT.iter().flat_map(|(names, _)| names.split(", ")).collect();
        let missing: Vec<_> = found.iter().filter(|name| !told.contains(&name.as_str())).collect();
        assert!(missing.is_empty(), "say in ENVIRONMENT what {missing:?} do");
    }
}
