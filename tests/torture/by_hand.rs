//! Pushes by hand, several at once, with a daemon and without, around kills of either.

use std::process::Stdio;
use std::time::Duration;

use tokio::task::JoinSet;

use super::checker::{Rules, number, open};
use super::receiver::{Seen, Temper};
use super::stage::{PATIENCE, Stage};

const AT_ONCE: usize = 8;

/// One `pushcron push`, and what it said.
#[derive(Debug)]
pub(crate) struct Pushed {
    /// Its target, which no other push has.
    pub group: String,
    pub how: &'static str,
    pub code: Option<i32>,
    /// What it printed: 1, 0 or nothing.
    pub printed: String,
    pub told: String,
}

impl Stage {
    /// Pushes to `hook`, under whichever name of the database. Killed by then, if asked.
    pub(crate) fn push(
        &self,
        how: &'static str,
        group: String,
        database: &std::path::Path,
        kill_after: Option<Duration>,
    ) -> impl Future<Output = Pushed> + Send + use<> {
        let words = ["--db", database.to_str().unwrap(), "push", "--im", "hook", "--text", "hi", "--timeout", "3s"];
        let mut command = self.program(&words);
        command.args(["--wait", "20s", "--group", &group]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut command = tokio::process::Command::from(command);
        command.kill_on_drop(true);
        async move {
            // Dropped at the limit, it is killed.
            let limit = kill_after.unwrap_or(PATIENCE);
            let Ok(output) = tokio::time::timeout(limit, command.output()).await else {
                let (printed, told) = (String::new(), "killed, or did not end".to_owned());
                return Pushed { group, how, code: None, printed, told };
            };
            let output = output.unwrap();
            Pushed {
                group,
                how,
                code: output.status.code(),
                printed: String::from_utf8_lossy(&output.stdout).trim().to_owned(),
                told: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            }
        }
    }
}

/// What is untrue about a push by hand.
pub(crate) fn untruth(pushed: &Pushed, seen: &[Seen], connection: &rusqlite::Connection) -> Option<String> {
    let arrivals = seen.iter().filter(|seen| seen.group == pushed.group && seen.verdict.took_it()).count();
    let state = format!("SELECT coalesce(max(state), '') FROM pushes WHERE target = 'group:{}'", pushed.group);
    let state: String = connection.query_row(&state, [], |row| row.get(0)).unwrap();
    let is_true = match (pushed.printed.as_str(), pushed.code) {
        ("1", Some(0)) => arrivals == 1 && state == "sent",
        ("0", Some(1)) => {
            let final_states = ["failed", "cancelled", "expired"];
            let said = final_states.iter().find(|state| pushed.told.contains(&format!(" is {state}")));
            // What it called ended has ended so; what was left to the daemon may have arrived since.
            said.map_or(arrivals <= 1, |said| arrivals == 0 && state == *said)
        }
        // Killed while it waited, or refused before it asked for anything.
        ("", None) => arrivals <= 1,
        ("", Some(1 | 69)) => arrivals == 0,
        _ => false,
    };
    (!is_true).then(|| format!("{}: {pushed:?} arrived {arrivals} times and is {state:?}", pushed.how))
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_by_hand_at_once_all_arrive_and_say_what_is_true() {
    let mut stage = Stage::new("pushes by hand", 5).await;
    stage.configure(&stage.account("hook", ""), "");
    // The database is there before anybody looks into it.
    stage.receiver.set("/hook", Temper::Kind);
    stage.started().await.stop().await;
    let mut pushed: Vec<Pushed> = Vec::new();
    let mut wrong = Vec::new();
    let mut daemon = None;
    for round in 0..stage.kills {
        let (kind, database) = (round % 5, stage.database());
        stage.receiver.set("/hook", Temper::Slow(Duration::from_millis(stage.dice.u64(0..500))));
        if matches!(kind, 1 | 3) && daemon.is_none() {
            daemon = Some(stage.started().await);
        }
        let mut together = JoinSet::new();
        for n in 0..AT_ONCE {
            let after = Duration::from_millis(stage.dice.u64(0..1000));
            let kill_after = (kind == 4 && n % 2 == 0).then_some(after);
            let how = ["alone", "beside a daemon", "before a daemon", "beside a kill", "some killed"][kind as usize];
            together.spawn(stage.push(how, format!("{round}x{n}"), &database, kill_after));
        }
        match kind {
            // A push never keeps a daemon from starting.
            2 => daemon = Some(stage.daemon()),
            3 => {
                let after = Duration::from_millis(stage.dice.u64(0..700));
                let _ = tokio::time::timeout(after, std::future::pending::<()>()).await;
                stage.kill(daemon.as_mut().unwrap());
                daemon = Some(stage.daemon());
            }
            _ => {}
        }
        if let Some(daemon) = &mut daemon
            && !daemon.is_up().await
        {
            stage.tell(&mut wrong, [format!("round {round}: the daemon ended instead of starting: {}", daemon.says())]);
        }
        let ended = together.join_all().await;
        // Everything that nobody killed goes out.
        let must = |pushed: &&Pushed| kind < 3 && (pushed.printed != "1" || pushed.code != Some(0));
        stage.tell(&mut wrong, ended.iter().filter(must).map(|pushed| format!("{}: {pushed:?}", pushed.how)));
        pushed.extend(ended);
        if kind != 2
            && let Some(mut running) = daemon.take()
        {
            stage.kill(&mut running);
        } else if kind == 4 {
            stage.killed += AT_ONCE as u64 / 2;
        }
    }
    drop(daemon);
    let rules = Rules { may_fail: true, ..Rules::default() };
    let mut findings = stage.verdict(&rules).await;
    let (seen, connection) = (stage.receiver.seen(), open(&stage.database()));
    wrong.extend(pushed.iter().filter_map(|pushed| untruth(pushed, &seen, &connection)));
    let twice = "SELECT count(*) - count(DISTINCT target) FROM pushes";
    assert_eq!(number(&connection, twice), 0, "{}: a push was recorded twice", stage.told());
    findings.wrong = wrong;
    println!("{} pushes by hand, {} untrue", pushed.len(), findings.wrong.len());
    stage.assert_clean(&findings);
}
