//! One database under several names: a symbolic link, a hard link, a bind mount of the file.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::by_hand::{Pushed, untruth};
use super::checker::{Rules, open};
use super::kills::tick;
use super::receiver::Temper;
use super::stage::{PATIENCE, Stage, within};

fn runs(program: &str, words: &[&str]) -> bool {
    let status = Command::new(program).args(words).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// A file mounted over another one, until it is dropped.
struct Bound(PathBuf);

impl Bound {
    fn mount(file: &Path, at: PathBuf) -> Option<Bound> {
        std::fs::write(&at, "").unwrap();
        runs("mount", &["--bind", file.to_str()?, at.to_str()?]).then_some(Bound(at))
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        runs("umount", &["-l", self.0.to_str().unwrap_or_default()]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_under_another_name_is_never_a_second_database() {
    let mut stage = Stage::new("link names", 5).await;
    let jobs = [("a", 1), ("b", 1)];
    stage.configure(&stage.account("hook", ""), &(tick("a", "hook", "a") + &tick("b", "hook", "b")));
    stage.receiver.set("/hook", Temper::Kind);
    stage.started().await.stop().await;
    let database = stage.database();
    for folder in ["soft", "hard", "bound"] {
        std::fs::create_dir(stage.path(folder)).unwrap();
    }
    let soft = stage.path("soft/link.db");
    std::os::unix::fs::symlink(&database, &soft).unwrap();
    let hard = stage.path("hard/other.db");
    let bound = Bound::mount(&database, stage.path("bound/mounted.db"));
    if bound.is_none() {
        eprintln!("SKIPPED: a bind mount of the database, since nothing can be mounted here (needs root)");
    }
    let (mut pushed, mut wrong): (Vec<Pushed>, Vec<String>) = (Vec::new(), Vec::new());
    let mut refused = 0;
    for round in 0..stage.kills {
        // The way in which the daemon itself knows the file.
        let own = match stage.dice.u8(0..4) {
            0 => soft.clone(),
            1 => bound.as_ref().map_or(soft.clone(), |bound| bound.0.clone()),
            _ => database.clone(),
        };
        let mut daemon = stage.daemon_on(&own);
        if !daemon.is_up().await {
            // Under a name that a log cannot be found by, it may refuse to start, and nothing else.
            let code = daemon.child.wait().unwrap().code();
            if own == database || own == soft || code != Some(69) {
                stage.tell(
                    &mut wrong,
                    [format!("round {round}: a start as {} ended with {code:?}: {}", own.display(), daemon.says())],
                );
            }
            daemon = stage.started().await;
        }
        // Something is sent and recorded in each round, before the daemon is killed in the middle of a send.
        stage.receiver.set("/hook", Temper::Kind);
        let before = stage.receiver.count();
        within(PATIENCE, || stage.receiver.count() > before + 2).await;
        std::fs::hard_link(&database, &hard).unwrap();
        stage.receiver.set("/hook", Temper::Slow(Duration::from_millis(stage.dice.u64(100..1500))));
        let before = stage.receiver.count();
        within(PATIENCE, || stage.receiver.count() > before).await;
        let mut names = vec![database.clone(), soft.clone(), hard.clone()];
        names.extend(bound.as_ref().map(|bound| bound.0.clone()));
        stage.dice.shuffle(&mut names);
        for (n, name) in names.iter().enumerate() {
            // Its end is looked for beside that of the daemon, whose start is the one that counts.
            let mut intruder = stage.daemon_on(name);
            let code = intruder.end(Duration::from_secs(10)).await.map(|status| status.code());
            if code == Some(Some(69)) {
                refused += 1;
            } else {
                stage.tell(
                    &mut wrong,
                    [format!("round {round}: a second daemon as {} ended with {code:?}", name.display())],
                );
            }
            drop(intruder);
            pushed.push(stage.push("by a name", format!("{round}n{n}"), name, None).await);
        }
        std::fs::remove_file(&hard).unwrap();
        if !daemon.is_alive() {
            stage.tell(&mut wrong, [format!("round {round}: the daemon ended: {}", daemon.says())]);
        }
        stage.kill(&mut daemon);
    }
    let rules = Rules { jobs: &jobs, may_fail: true, ..Rules::default() };
    let mut findings = stage.verdict(&rules).await;
    let (seen, connection) = (stage.receiver.seen(), open(&database));
    wrong.extend(pushed.iter().filter_map(|pushed| untruth(pushed, &seen, &connection)));
    println!("link names: {refused} second daemons refused, {} pushes by hand", pushed.len());
    findings.wrong = wrong;
    stage.assert_clean(&findings);
    drop(bound);
}
