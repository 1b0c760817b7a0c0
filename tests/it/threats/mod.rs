//! The threats of `docs/SECURITY.md` that take the whole program: what leaks, and what foreign text can do.

mod foreign_text;
mod secrets;
mod web;

use crate::common::daemon::House;

#[tokio::test]
async fn a_command_is_not_run_as_root_unless_the_file_says_so() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: a command as root, since we are not root");
        return;
    }
    let house = House::new().await;
    let yaml = "daemon: {database: pushcron.db, on_failure: {command: [/bin/true]}}\n";
    house.write(yaml);
    let (code, told) = house.ends(&["run"]).await;
    assert_eq!(code, Some(78), "{told}");
    assert!(told.contains("not run as root") && told.contains("as_root: true"), "{told}");
    house.write(&yaml.replace("[/bin/true]", "[/bin/true], as_root: true"));
    house.daemon().await.stop().await;
    // Whoever checks before is told the same, of each command.
    let head = "daemon: {database: other.db}\naccounts: [{id: screen, sender: console, im: qq}]\n";
    let content = format!(
        "{head}jobs: [{{name: one, cron: 0 9 * * *, content_from: {{command: [/bin/true]}}, push: {{im: qq, group: 1}}}}]\n"
    );
    let list = format!(
        "{head}targets: {{list: {{im: qq, from: {{command: [/bin/true], user: id}}}}}}\n\
         jobs: [{{name: one, cron: 0 9 * * *, push: {{to: list, text: hi}}}}]\n"
    );
    for yaml in [yaml, &content, &list] {
        house.write(yaml);
        for verb in ["check", "run"] {
            let (code, told) = house.ends(&[verb]).await;
            assert!(
                code == Some(78) && told.contains("not run as root") && told.contains("as_root: true"),
                "{verb}: {told}"
            );
        }
        house.write(&yaml.replace("[/bin/true]", "[/bin/true], as_root: true"));
        let (code, told) = house.ends(&["check"]).await;
        assert_eq!(code, Some(0), "{told}");
    }
    // A database of somebody else is that of a daemon that is not root.
    house.write(&content);
    let database = house.dir.path().join("other.db");
    std::fs::write(&database, "").unwrap();
    std::os::unix::fs::chown(&database, Some(65534), None).unwrap();
    let (code, told) = house.ends(&["check"]).await;
    assert_eq!(code, Some(0), "{told}");
}
