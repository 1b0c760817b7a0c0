//! Programs of others, run with bounds: no shell, no environment of ours, a process group of their own that ends with its
//! time, and no more output than is wanted.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use self::tree::Tree;
use crate::clock::SharedClock;

mod tree;

/// So much of the end of what it says on standard error is told.
const TOLD: usize = 500;
/// So many line ends at the end of its output do not count.
pub(crate) const LINE_ENDS: u64 = 1024;
/// Between the request to end and the end.
const GRACE: Duration = Duration::from_secs(2);

/// What to run, and with which bounds.
pub(crate) struct Program<'a> {
    /// The program by its absolute path, and its arguments.
    pub argv: &'a [String],
    /// Beside `PATH` and `LANG`, and before them.
    pub env: &'a [(String, String)],
    pub stdin: &'a str,
    /// At most so many bytes of output, without line ends at its end; None: it is not wanted. Where it is, what the program left running when it ended is
    /// ended too, since it may hold the output open.
    pub most: Option<u64>,
    pub limit: Duration,
}

/// How it ended.
pub(crate) struct Ended {
    pub status: ExitStatus,
    pub output: Vec<u8>,
    /// The end of what it said on standard error.
    pub said: String,
}

impl Ended {
    /// As an error.
    pub(crate) fn in_words(&self, argv: &[String]) -> String {
        format!("{} ended with {}: {}", argv.first().map_or("", String::as_str), self.status, self.said.trim())
    }
}

/// Runs the program to its end. Whoever drops this ends it.
///
/// # Errors
/// In words: it cannot be started, took too long, or printed too much.
pub(crate) async fn run(program: Program<'_>, clock: &SharedClock) -> Result<Ended, String> {
    let [path, arguments @ ..] = program.argv else { return Err("there is no program".to_owned()) };
    let wanted = program.most.is_some();
    let mut command = Command::new(path);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LANG", "C.UTF-8")
        .envs(program.env.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(if program.stdin.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(if wanted { Stdio::piped() } else { Stdio::null() })
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    tree::end_with_us(&mut command);
    let mut child = command.spawn().map_err(|error| format!("{path}: {error}"))?;
    let mut tree = Tree::of(&child);
    let ended = {
        let mut talk = std::pin::pin!(talk(&mut child, program.stdin, program.most, &tree));
        tokio::select! {
            ended = &mut talk => Some(ended),
            () = clock.sleep(program.limit) => {
                let others = tree.others();
                tree.ask_to_end();
                tokio::select! {
                    _ = &mut talk => {}
                    () = clock.sleep(GRACE) => {}
                }
                others.end();
                None
            }
        }
    };
    match ended {
        Some(Ok((ended, false))) => {
            tree.let_go();
            Ok(ended)
        }
        Some(Ok((_, true))) => {
            Err(format!("{path} printed more than {} bytes and was ended", program.most.unwrap_or_default()))
        }
        Some(Err(error)) => Err(format!("{path}: {error}")),
        None => Err(format!("{path} took longer than {} s and was killed", program.limit.as_secs_f64())),
    }
}

/// How it ended, and whether it printed too much.
async fn talk(child: &mut Child, report: &str, most: Option<u64>, tree: &Tree) -> std::io::Result<(Ended, bool)> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        if let Some(mut stdin) = stdin {
            // A program that does not read its input may still do its work.
            let _ = stdin.write_all(report.as_bytes()).await;
        }
    };
    let print = async {
        let (mut output, most) = (Vec::new(), most.unwrap_or_default());
        if let Some(stdout) = stdout {
            let _ = stdout.take(most.saturating_add(LINE_ENDS + 1)).read_to_end(&mut output).await;
        }
        let is_too_much = is_more(&output, most);
        if is_too_much {
            tree.end();
        }
        (output, is_too_much)
    };
    let end = async {
        let status = child.wait().await;
        tree.has_ended();
        if most.is_some() {
            tree.end();
        }
        status
    };
    let ((), (output, is_too_much), said, status) = tokio::join!(write, print, tail(stderr), end);
    Ok((Ended { status: status?, output, said }, is_too_much))
}

/// Whether an output is longer than that, though line ends at its end do not count.
pub(crate) fn is_more(output: &[u8], most: u64) -> bool {
    let ends = output.iter().rev().take_while(|byte| matches!(byte, b'\n' | b'\r')).count() as u64;
    output.len() as u64 - ends.min(LINE_ENDS) > most
}

/// Reads all of it, since the program must not stop at a full pipe, and keeps the end.
async fn tail(from: Option<impl AsyncRead + Unpin>) -> String {
    let (mut said, mut piece) = (Vec::new(), [0; 4096]);
    if let Some(mut from) = from {
        while let Ok(len @ 1..) = from.read(&mut piece).await {
            said.extend_from_slice(&piece[..len]);
            said.drain(..said.len().saturating_sub(TOLD));
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    async fn sh(script: &str, most: u64, limit_ms: u64) -> Result<Ended, String> {
        let argv = ["/bin/sh", "-c", script].map(str::to_owned);
        let env = [("WHO".to_owned(), "me".to_owned())];
        let limit = Duration::from_millis(limit_ms);
        let program = Program { argv: &argv, env: &env, stdin: "", most: Some(most), limit };
        run(program, &SystemClock::shared()).await
    }

    #[tokio::test]
    async fn output_is_read_whole_with_its_own_environment_and_an_empty_input() {
        let ended = sh("cat; pwd; echo $WHO; env | grep -c CARGO; echo aside >&2; exit 75", 100, 60_000).await.unwrap();
        assert_eq!(String::from_utf8(ended.output).unwrap(), "/\nme\n0\n");
        assert_eq!((ended.status.code(), ended.said.trim()), (Some(75), "aside"));
    }

    #[tokio::test]
    async fn who_prints_without_an_end_is_ended() {
        let said = sh("yes", 1000, 60_000).await.err().unwrap();
        assert_eq!(said, "/bin/sh printed more than 1000 bytes and was ended");
    }

    #[tokio::test]
    async fn line_ends_at_the_end_are_not_too_much() {
        let ended = sh("printf 'five.\\r\\n\\n'", 5, 60_000).await.unwrap();
        assert_eq!(ended.output, b"five.\r\n\n");
        for script in ["printf 'five.\\n!'", "printf 'sixth.\\n'", "yes ''"] {
            let said = sh(script, 5, 60_000).await.err().unwrap();
            assert_eq!(said, "/bin/sh printed more than 5 bytes and was ended");
        }
    }

    #[tokio::test]
    async fn who_leaves_a_child_with_the_pipe_behind_is_not_waited_for() {
        let ended = sh("echo done; sleep 1000 & exit 0", 1000, 60_000).await.unwrap();
        assert_eq!(ended.output, b"done\n");
    }

    #[tokio::test]
    async fn who_hangs_and_hears_nothing_is_killed() {
        let said = sh("trap '' TERM; while :; do sleep 1; done", 1000, 100).await.err().unwrap();
        assert_eq!(said, "/bin/sh took longer than 0.1 s and was killed");
    }

    /// The number that a script wrote down, of a process that runs.
    async fn written(path: &std::path::Path) -> String {
        loop {
            match std::fs::read_to_string(path) {
                Ok(pid) if pid.ends_with('\n') => return pid.trim().to_owned(),
                _ => tokio::task::yield_now().await,
            }
        }
    }

    /// Whoever is killed has no command line any more, though nobody may have heard of its end yet.
    async fn has_ended(pid: &str) {
        while std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| !words.is_empty()) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_is_given_up_ends_with_all_that_it_started_also_in_sessions_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let (own, other) = (dir.path().join("own"), dir.path().join("other"));
        let script = format!(
            "sleep 1000 & echo $! > {}; setsid sh -c 'sleep 1000 & echo $! > {}; wait' & wait",
            own.display(),
            other.display()
        );
        let running = tokio::spawn(async move { sh(&script, 1000, 600_000).await.map(|ended| ended.status) });
        let pids = [written(&own).await, written(&other).await];
        running.abort();
        for pid in &pids {
            has_ended(pid).await;
        }
        assert!(running.await.is_err_and(|error| error.is_cancelled()));
    }

    #[tokio::test]
    async fn who_takes_too_long_ends_with_those_that_hear_nothing_in_sessions_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let other = dir.path().join("other");
        let script =
            format!("setsid sh -c 'trap \"\" TERM; echo $$ > {}; while :; do sleep 1; done' & wait", other.display());
        let said = sh(&script, 1000, 2_000).await.err().unwrap();
        assert!(said.contains("took longer than 2 s"), "{said}");
        has_ended(&written(&other).await).await;
    }

    #[tokio::test]
    async fn of_a_long_complaint_the_end_is_told() {
        let ended =
            sh("head -c 300000 /dev/zero | tr '\\0' x >&2; echo the end >&2; exit 1", 10, 60_000).await.unwrap();
        assert_eq!(ended.said.len(), TOLD);
        assert!(ended.said.ends_with("xthe end\n"));
    }
}
