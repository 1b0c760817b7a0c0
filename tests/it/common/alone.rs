//! Tests that need a process of their own, since what they measure or limit is the whole process's.

use std::process::Command;

const THE_TEST: &str = "PUSHCRON_TEST_ALONE";

/// Whether this process runs the test of this full name (`module::test`) alone. Where it does not, such a process is
/// started and waited for, and the caller has nothing left to do.
pub(crate) fn alone(test: &str) -> bool {
    if std::env::var(THE_TEST).is_ok_and(|name| name == test) {
        return true;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let run = command.args([test, "--exact", "--nocapture"]).env(THE_TEST, test).output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    eprintln!("{said}{}", String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{test} failed in a process of its own");
    assert!(said.contains("1 passed"), "there is no test of the name {test}");
    false
}
