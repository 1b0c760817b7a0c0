//! A source of definitions that is suddenly empty, held against what it brought before.

use std::fs;

use tempfile::TempDir;

use super::{ACCOUNT, load, load_text, private_file};

const JOBS: &str = "jobs:\n  - {name: a, every: 1m, push: {im: screen, user: u, text: hi}}\n  - {name: b, every: 1m, push: {im: screen, user: u, text: hi}}\n";

fn job(name: &str) -> String {
    format!("jobs: [{{name: {name}, every: 1m, push: {{im: screen, user: u, text: hi}}}}]\n")
}

/// A directory that is the configuration.
fn house(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    files.iter().for_each(|(name, text)| drop(private_file(directory.path(), name, text)));
    directory
}

/// What is said of the directory as it is after `change`, in the words of its problems.
fn said_after(house: &TempDir, change: impl FnOnce()) -> Vec<String> {
    let before = load(&[house.path()]).unwrap_or_else(|errors| panic!("{errors}"));
    change();
    let now = load(&[house.path()]).unwrap_or_else(|errors| panic!("{errors}"));
    match now.sources.hold_against(&before.sources) {
        Ok(()) => Vec::new(),
        Err(errors) => errors
            .errors
            .iter()
            .map(|error| format!("{}: {}", error.message.english(), error.hint.as_ref().unwrap().english()))
            .collect(),
    }
}

#[test]
fn a_file_that_says_nothing_any_more_is_refused_unless_it_says_that_there_are_no_jobs() {
    let whole = format!("{ACCOUNT}{JOBS}");
    for text in ["", "\n", "---\n", "null\n", "# x\n", "\u{feff}", "jobs:\n", "jobs: ~\n", "jobs:\n  # none\n"] {
        let house = house(&[("accounts.yaml", ACCOUNT), ("jobs.yaml", JOBS)]);
        let said = said_after(&house, || fs::write(house.path().join("jobs.yaml"), text).unwrap());
        let expected = "there are no jobs in this file any more, and 2 in force came from it: \
                        write 'jobs: []' if they are to go";
        assert_eq!(said, [expected], "{text:?}");
    }
    for cut in [ACCOUNT.len(), ACCOUNT.len() + "jobs:\n".len()] {
        let house = house(&[("all.yaml", &whole)]);
        let said = said_after(&house, || fs::write(house.path().join("all.yaml"), &whole[..cut]).unwrap());
        assert_eq!(said.len(), 1, "cut at {cut}");
    }
    for text in ["jobs: []\n", "jobs: [] # none\n", "{jobs: []}", &job("c")] {
        let house = house(&[("accounts.yaml", ACCOUNT), ("jobs.yaml", JOBS)]);
        let said = said_after(&house, || fs::write(house.path().join("jobs.yaml"), text).unwrap());
        assert_eq!(said, [""; 0], "{text:?}");
    }
}

#[test]
fn accounts_that_are_suddenly_none_are_refused_likewise() {
    let other = "accounts: [{id: spare, sender: screen}]\n";
    let house = house(&[("a.yaml", ACCOUNT), ("b.yaml", other), ("jobs.yaml", JOBS)]);
    let file = house.path().join("a.yaml");
    assert_eq!(said_after(&house, || fs::write(&file, "accounts: []\n").unwrap()), [""; 0]);
    fs::write(&file, ACCOUNT).unwrap();
    let said = said_after(&house, || fs::write(&file, "").unwrap());
    assert!(said.len() == 1 && said[0].ends_with("write 'accounts: []' if they are to go"), "{said:?}");
}

#[test]
fn an_include_that_leads_nowhere_any_more_is_refused() {
    let main = format!("{ACCOUNT}{}include: [jobs.d/*.yaml]\n", job("own"));
    let house = house(&[("main.yaml", &main), ("jobs.d/1.yaml", JOBS), ("jobs.d/2.yaml", &job("c"))]);
    let (mounted, away) = (house.path().join("jobs.d"), house.path().join("away"));
    let said = said_after(&house, || fs::rename(&mounted, &away).unwrap());
    assert!(
        said.len() == 1 && said[0].starts_with("include: 'jobs.d/*.yaml' leads to no file any more, and 3 jobs"),
        "{said:?}"
    );
    fs::rename(&away, &mounted).unwrap();
    // One of its files gone is how jobs are taken away.
    assert_eq!(said_after(&house, || fs::remove_file(mounted.join("2.yaml")).unwrap()), [""; 0]);
    // And this is how the last ones are.
    assert_eq!(said_after(&house, || fs::write(mounted.join("1.yaml"), "jobs: []\n").unwrap()), [""; 0]);
}

#[test]
fn a_file_that_says_nothing_is_warned_of_before_it_is_in_force() {
    for text in ["", "# x\n", "---\n", "null\n", "\u{feff}", "jobs:\n", "accounts: ~\n"] {
        let warnings = load_text(text).unwrap().warnings;
        assert!(
            warnings.len() == 1 && warnings[0].message.english().contains("there is nothing"),
            "{text:?}: {warnings:?}"
        );
    }
    for text in ["jobs: []\n", "daemon:\n", "accounts: []\n", "include:\n"] {
        assert_eq!(load_text(text).unwrap().warnings, [], "{text:?}");
    }
}

#[test]
fn a_file_that_is_gone_with_what_it_brought_is_looked_for_again() {
    let house = house(&[("accounts.yaml", ACCOUNT), ("jobs.yaml", JOBS), ("more.yaml", &job("c"))]);
    let before = load(&[house.path()]).unwrap().sources;
    let lost = || load(&[house.path()]).unwrap().sources.lost_file(&before).map(str::to_owned);
    assert_eq!(lost(), None);
    let file = house.path().join("jobs.yaml");
    fs::rename(&file, house.path().join("jobs.yaml~")).unwrap();
    assert_eq!(lost().as_deref(), file.to_str());
    // Renamed for good, its jobs are all there.
    fs::rename(house.path().join("jobs.yaml~"), house.path().join("renamed.yaml")).unwrap();
    assert_eq!(lost(), None);
}

#[test]
fn jobs_that_only_moved_to_another_file_are_not_gone() {
    let house = house(&[("main.yaml", &format!("{ACCOUNT}{JOBS}"))]);
    let said = said_after(&house, || {
        private_file(house.path(), "jobs.yaml", JOBS);
        private_file(house.path(), "main.yaml", ACCOUNT);
    });
    assert_eq!(said, [""; 0]);
}

#[test]
fn the_files_are_asked_whether_they_have_any_word_of_jobs() {
    for (text, none) in
        [("", true), (ACCOUNT, true), ("jobs:\n", true), ("jobs: []\n", false), ("jobs: &none []\n", false)]
    {
        assert_eq!(load_text(text).unwrap().sources.have_no_word_of_jobs(), none, "{text:?}");
    }
    assert!(!load_text(&format!("{ACCOUNT}{JOBS}")).unwrap().sources.have_no_word_of_jobs());
}
