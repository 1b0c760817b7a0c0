//! Verbs where nobody named the files: by the built-in example, but never in the place of what a database knows.

use crate::cli::house::{House, Told};

/// Runs it without a word of where the files are.
fn run(house: &House, words: &[&str]) -> Told {
    house.command(words).env_remove("PUSHCRON_CONFIG").output().unwrap().into()
}

#[test]
fn no_verb_takes_the_example_in_the_place_of_the_jobs_that_a_database_knows() {
    let house = House::lived_in();
    let known = run(&house, &["jobs"]).fine();
    for words in [
        &["run"][..],
        &["check"],
        &["next"],
        &["next", "daily"],
        &["simulate", "--days", "1"],
        &["push", "--im", "console", "--group", "1", "--text", "hi"],
        &["add", "tea", "--every", "1h", "--im", "console", "--group", "1", "--text", "tea"],
        &["login", "screen"],
        &["accounts", "--probe"],
    ] {
        let told = run(&house, words);
        assert!(matches!(told.code, Some(64 | 78)), "{words:?}: {:?} {}", told.code, told.err);
        let said = "jobs that the built-in example has not: name their files with -c or $PUSHCRON_CONFIG";
        assert!(told.err.contains(said) && told.out.is_empty(), "{words:?}: {} {}", told.err, told.out);
    }
    assert_eq!(run(&house, &["jobs"]).fine(), known, "nothing was changed");
}

#[test]
fn what_is_told_by_the_example_says_so() {
    let house = House::empty();
    for words in [&["next", "-n", "1"][..], &["simulate", "--days", "1"]] {
        let told = run(&house, words);
        assert_eq!(told.code, Some(0), "{words:?}: {}", told.err);
        assert!(told.err.contains("no -c, no $PUSHCRON_CONFIG and no /etc/pushcron names any file"), "{}", told.err);
        assert!(!told.out.is_empty());
        assert!(!run(&house, &[words, &["-q"]].concat()).err.contains("no -c"), "{words:?}");
    }
}

#[test]
fn status_names_files_that_cannot_be_read() {
    let house = House::lived_in();
    house.write("jobs.yaml", "daemon: [\n");
    let words = ["--db", "pushcron.db", "status"];
    let told = house.run_words(words).refused_with_words(69);
    assert!(told.contains("CANNOT BE READ NOW: ") && told.contains("jobs.yaml"), "{told}");
    std::fs::remove_file(house.path("jobs.yaml")).unwrap();
    let told = house.run_words(words).refused_with_words(69);
    assert!(told.contains("CANNOT BE READ NOW: jobs.yaml: cannot be read"), "{told}");
    let json: serde_json::Value =
        serde_json::from_str(&house.run_words([&words[..], &["--json"]].concat()).out).unwrap();
    assert_eq!(json["files_unread"][0]["file"], "jobs.yaml", "{json}");
}
