//! The threats of `docs/SECURITY.md` that take the whole program: what leaks, and what foreign text can do.

mod foreign_text;
mod secrets;

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
}
