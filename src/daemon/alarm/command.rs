//! `on_failure.command`: a program that gets the report on its standard input.

use std::time::Duration;

use crate::clock::SharedClock;
use crate::program::{self, Program};

/// How long the program may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs the program in a process group of its own, so that nothing of it outlives its time, and with an environment
/// of its own, so that no secret of ours is in it.
///
/// # Errors
/// In words: it cannot be started, ended badly, or took too long.
pub(super) async fn run(argv: &[String], report: &str, clock: &SharedClock) -> Result<(), String> {
    let program = Program { argv, env: &[], stdin: report, most: None, limit: LIMIT };
    let ended = program::run(program, clock).await?;
    match ended.status.success() {
        true => Ok(()),
        false => Err(ended.in_words(argv)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, SystemClock};
    use crate::domain::UtcMs;

    fn sh(script: &str) -> Vec<String> {
        ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[tokio::test]
    async fn the_report_comes_on_standard_input_and_nothing_of_our_environment() {
        let dir = tempfile::tempdir().unwrap();
        let (got, env) = (dir.path().join("got"), dir.path().join("env"));
        let script = format!("cat > {}; env > {}", got.display(), env.display());
        run(&sh(&script), "3 failed\n", &SystemClock::shared()).await.unwrap();
        assert_eq!(std::fs::read_to_string(got).unwrap(), "3 failed\n");
        let env = std::fs::read_to_string(env).unwrap();
        assert!(env.contains("PATH=") && !env.contains("HOME=") && !env.contains("CARGO"), "{env}");
    }

    #[tokio::test]
    async fn a_program_that_fails_says_why() {
        let clock = SystemClock::shared();
        let said = run(&sh("echo no such pager >&2; exit 3"), "", &clock).await.unwrap_err();
        assert_eq!(said, "/bin/sh ended with exit status: 3: no such pager");
        let said = run(&["/nowhere/pager".to_owned()], "", &clock).await.unwrap_err();
        assert!(said.starts_with("/nowhere/pager: "), "{said}");
        // One that does not read, and one that says more than a pipe holds.
        run(&sh("exec <&-; head -c 300000 /dev/zero >&2"), &"x".repeat(300_000), &clock).await.unwrap();
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_killed_with_all_it_started() {
        let clock = ManualClock::new(UtcMs(0));
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        let script = format!("sleep 1000 & echo $! > {}.new; mv {0}.new {0}; wait", pid.display());
        let running = tokio::spawn({
            let clock: SharedClock = clock.clone();
            async move { run(&sh(&script), "", &clock).await }
        });
        let inner = wait_for(|| std::fs::read_to_string(&pid).ok()).await;
        clock.advance(LIMIT);
        let said = running.await.unwrap().unwrap_err();
        assert!(said.contains("took longer than 30 s"), "{said}");
        // A zombie that nobody reaps has no command line any more.
        let command_line = format!("/proc/{}/cmdline", inner.trim());
        wait_for(|| std::fs::read(&command_line).map_or(true, |words| words.is_empty()).then_some(())).await;
    }

    async fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
        for _ in 0..1000 {
            if let Some(found) = look() {
                return found;
            }
            let _ = tokio::time::timeout(Duration::from_millis(10), std::future::pending::<()>()).await;
        }
        panic!("it did not come about");
    }
}
