//! From files, directories and includes to one configuration.

use std::path::PathBuf;
use std::time::Duration;

use pushcron::config::{self, LoadEnvironment};
use pushcron::domain::Database;
use pushcron::senders;

use super::{job, load, loaded, private_file, refused, surroundings};

#[test]
fn files_directories_and_includes_become_one_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let at = |name: &str, text: &str| private_file(root, name, text);
    at("conf/b.yaml", "jobs: [{name: b, every: 1m, push: {im: screen, user: u, image: pic.png}}]\n");
    at(
        "conf/a.yml",
        "include: [jobs.d/*.yaml, ../more.yaml]\ndaemon: {timezone: UTC}\naccounts: [{id: a, sender: screen}]\n",
    );
    at("conf/.hidden.yaml", "not: read\n");
    at("conf/notes.txt", "not: read\n");
    at("conf/jobs.d/2.yaml", "jobs: [{name: d2, every: 1m, push: {im: screen, user: u, image: pic.png}}]\n");
    at("conf/jobs.d/1.yaml", "jobs: [{name: d1, every: 1m, push: {im: screen, user: u, text: hi}}]\n");
    at(
        "more.yaml",
        "jobs: [{name: more, every: 1m, push: {im: screen, user: u, text: hi}}]\ndaemon: {probe_every: 10s}\n",
    );
    let extra = at("extra.yaml", "accounts: [{id: z, sender: screen}]\n");
    let config = load(&[&root.join("conf"), &extra, &root.join("conf/b.yaml")]).unwrap_or_else(|e| panic!("{e}"));
    let names: Vec<_> = config.jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["d1", "d2", "more", "b"], "in name order, includes behind the file, and no file twice");
    assert_eq!(config.accounts.iter().map(|a| a.id.as_str()).collect::<Vec<_>>(), ["a", "z"]);
    assert_eq!(config.daemon.probe_every, Duration::from_secs(10));
    assert_eq!(config.files.len(), 6);
    let real = std::fs::canonicalize(root).unwrap();
    let source = |job: usize| config.jobs[job].push[0].message.body.media()[0].source.clone();
    assert_eq!(source(1), real.join("conf/jobs.d/pic.png").to_str().unwrap(), "from the file's own directory");
    assert_eq!(source(3), real.join("conf/pic.png").to_str().unwrap());
    assert_eq!(config.daemon.media_roots, [real.join("conf"), real.join("conf/jobs.d"), real.clone()]);
}

#[test]
fn what_several_files_say_twice_is_refused_with_both_places() {
    let directory = tempfile::tempdir().unwrap();
    let text = "daemon: {timezone: UTC}\naccounts: [{id: a, sender: screen, default: true}]\n\
                jobs: [{name: j, every: 1m, push: {im: screen, user: u, text: hi}}]\ndefaults: {timeout: 1s}\n";
    let one = private_file(directory.path(), "1.yaml", text);
    let two = private_file(directory.path(), "2.yaml", text);
    let errors = load(&[directory.path()]).unwrap_err();
    let messages: Vec<_> = errors.errors.iter().map(|problem| problem.message.english()).collect();
    let first = |message: &str, place: &str| format!("{message} (first at {}:{place})", one.display());
    assert_eq!(
        messages,
        [
            first("daemon: timezone is set twice", "1:10"),
            first("there are two accounts with the id 'a'", "2:17"),
            first("there are two default accounts for the im 'screen'", "2:45"),
            first("there are two jobs with the name 'j'", "3:15"),
            first("defaults: timeout is set twice", "4:12"),
        ]
    );
    assert!(errors.errors.iter().all(|problem| problem.file == two.to_str().unwrap()));
}

#[test]
fn an_include_that_leads_back_to_itself_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    private_file(directory.path(), "b.yaml", "include: a.yaml\n");
    let file = private_file(directory.path(), "a.yaml", "include: [b.yaml, gone.yaml, none-*.yaml]\n");
    let errors = load(&[&file]).unwrap_err();
    let messages: Vec<_> = errors.errors.iter().map(|problem| problem.message.english()).collect();
    assert_eq!(messages.len(), 2, "{errors}");
    assert_eq!(messages[0], "include: there is no file 'gone.yaml'");
    assert!(messages[1].contains("a.yaml includes itself in the end"), "{errors}");
}

#[test]
fn a_long_chain_of_includes_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for index in 0..200 {
        private_file(directory.path(), &format!("{index}.yaml"), format!("include: {}.yaml\n", index + 1));
    }
    let errors = load(&[&directory.path().join("0.yaml")]).unwrap_err();
    assert_eq!(errors.errors.len(), 1, "{errors}");
    assert_eq!(errors.errors[0].message.english(), "include: files include each other more than 16 deep");
}

#[test]
fn files_that_cannot_be_read_are_told_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let empty = root.join("empty.d");
    std::fs::create_dir(&empty).unwrap();
    let fifo = root.join("fifo.yaml");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    let latin = private_file(root, "latin.yaml", b"jobs: []\n# caf\xe9\n");
    let large = private_file(root, "large.yaml", "");
    std::fs::File::options().write(true).open(&large).unwrap().set_len((64 << 20) + 1).unwrap();
    let gone = root.join("gone.yaml");
    for (path, line, message) in [
        (&empty, 0, "has no *.yaml or *.yml file"),
        (&fifo, 0, "cannot be read: not a regular file"),
        (&latin, 2, "the text is not UTF-8 from here on"),
        (&large, 0, "is larger than 64 MiB: split it with include"),
        (&gone, 0, "cannot be read: No such file or directory (os error 2)"),
    ] {
        let errors = load(&[path]).unwrap_err();
        let [problem] = &errors.errors[..] else { panic!("{errors}") };
        assert_eq!((problem.file.as_str(), problem.line), (path.to_str().unwrap(), line));
        assert_eq!(problem.message.english(), message);
    }
}

#[test]
fn an_empty_file_is_an_empty_configuration() {
    for text in ["", "# nothing yet\n", "---\n", "jobs:\n", "accounts: []\njobs: []\n", "\u{feff}jobs: []\n"] {
        assert_eq!(loaded(text).jobs, [], "{text:?}");
    }
}

#[test]
fn the_place_of_the_database_is_found_without_reading_or_judging_the_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    };
    let ask = |path: PathBuf| config::database_location(&[path], &surroundings());
    let missing_secret = "  heartbeat: {url: \"https://host/${NOT_SET}\", every: 1m}\n";
    let whole = file(
        "whole.yaml",
        &format!(
            "jobs:\n- name: broken\n  cron: nonsense\n\ndaemon:\n  database: a.db\n  timezone: Asia/Tokyo\n{missing_secret}accounts: 7\n"
        ),
    );
    let found = ask(whole).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!((found.database, found.timezone.as_str()), (Database::at("/srv/a.db"), "Asia/Tokyo"));

    // Included files, flow style and absent keys count as they do for the daemon.
    file("inner.yaml", "daemon: {database: /var/inner.db}");
    let outer = file("outer.yaml", "{include: inner.yaml}");
    assert_eq!(ask(outer).unwrap().database, Database::at("/var/inner.db"));
    let plain = file("plain.yaml", "jobs: []\n");
    let found = ask(plain).unwrap();
    assert_eq!((found.database, found.timezone.as_str()), (Database::at("/srv/pushcron.db"), "Europe/Berlin"));

    let wrong = file("wrong.yaml", "jobs: []\ndaemon:\n  database: [a]\n");
    let errors = ask(wrong).unwrap_err();
    assert_eq!((errors.errors.len(), errors.errors[0].line), (1, 3), "{errors}");
    assert!(ask(folder.path().join("absent.yaml")).is_err());
}

#[test]
fn without_any_file_the_embedded_example_holds() {
    let around = LoadEnvironment { variable: Box::new(|_| None), ..surroundings() };
    let config = config::load(&[], &senders::specs(), &around).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!((config.files.len(), config.jobs[0].name.as_str()), (0, "hello"));
    assert_eq!(config.daemon.media_roots, [PathBuf::from("/srv")]);
    assert_eq!(config::database_location(&[], &around).unwrap().database, Database::Sqlite(config.daemon.database));
}

#[test]
fn a_file_that_is_named_and_is_not_there_is_told_as_such_with_what_to_do() {
    for yaml in [
        "calendars: {r: {ics: nowhere, covers: 2026}}\njobs: []\n".to_owned(),
        "accounts: [{id: a, sender: wire, url: 'https://h.example', token_file: nowhere}]\njobs: []\n".to_owned(),
        job("every: 1m, content_from: {http: {url: 'https://a.example', headers_file: nowhere}}")
            .replace("text: hi", "render: true, text: '{{ data }}'"),
    ] {
        let told = refused(&yaml).errors[0].to_string();
        assert!(told.contains("nowhere") && told.contains("No such file"), "{told}");
        assert!(told.contains("it must be there when the files are read"), "{told}");
    }
    let directory = tempfile::tempdir().unwrap();
    let yaml = "calendars: {r: {ics: ., covers: 2026}}\njobs: []\n";
    let file = private_file(directory.path(), "pushcron.yaml", yaml);
    let told = load(&[&file]).unwrap_err().to_string();
    assert!(told.contains("not a regular file"), "{told}");
    private_file(directory.path(), "list.ics", b"\xff\xfa");
    private_file(directory.path(), "pushcron.yaml", yaml.replace("ics: .", "ics: list.ics"));
    let told = load(&[&file]).unwrap_err().to_string();
    assert!(told.contains("the text is not UTF-8") && told.contains("save the file as UTF-8"), "{told}");
}

#[test]
fn lines_of_calendars_are_shown_but_for_their_addresses() {
    let told = refused(
        "calendars:\n  work25: {url: 'https://u:CANARY@a.example/l?t=CANARY', every: 10s, covers: 2026}\njobs: []\n",
    );
    let told = told.to_string();
    assert!(told.contains("work25: {url: ****, every: 10s, covers: 2026}"), "{told}");
    let directory = tempfile::tempdir().unwrap();
    let file = private_file(directory.path(), "pushcron.yaml", "jobs: []\n");
    private_file(directory.path(), "calendars/a.yaml", "calendar: a\ncovers: 20261\nurl: https://a.example/CANARY\n");
    let told = load(&[&file]).unwrap_err().to_string();
    assert!(told.contains("covers: 20261") && !told.contains("CANARY"), "{told}");
}

#[test]
fn one_wrong_status_is_one_problem_that_says_what_came() {
    for (expect, got) in [("99", "'99'"), ("[200, 302]", "'302'"), ("[]", "an empty list")] {
        let made = format!("every: 1m, content_from: {{http: {{url: 'https://a.example', expect: {expect}}}}}");
        let yaml = job(&made).replace("text: hi", "render: true, text: '{{ data }}'");
        let errors = refused(&yaml).errors;
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].message.english().contains(got), "{errors:?}");
    }
}
