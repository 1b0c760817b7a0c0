//! A send that is open for long beside very many short ones.

use std::time::Duration;

use super::checker::{Rules, number, open};
use super::receiver::Temper;
use super::stage::{PATIENCE, Stage, from_env, within};

/// Pushes of one fire of the flood.
const WAVE: u64 = 500;

#[tokio::test(flavor = "multi_thread")]
async fn a_long_send_beside_a_flood_is_unknown_after_a_kill_and_never_sent_twice() {
    let mut stage = Stage::new("long sends", 3).await;
    let flood = from_env("PUSHCRON_TORTURE_FLOOD").unwrap_or(2 * WAVE);
    let never = "cron: \"0 0 1 1 *\"";
    let many: String = (0..WAVE).map(|n| format!("{{im: flood, group: \"{n}\", text: x, timeout: 10s}}, ")).collect();
    let jobs = format!(
        "  - {{name: long, {never}, push: {{im: long, group: \"1\", text: long, timeout: 1h}}}}\n  \
         - {{name: flood, {never}, push: [{many}]}}\n"
    );
    stage.configure(&(stage.account("long", "") + &stage.account("flood", "")), &jobs);
    stage.receiver.set("/long", Temper::Holding);
    stage.receiver.set("/flood", Temper::Kind);
    let fire = |stage: &Stage, job: &str| assert!(stage.program(&["fire", job]).status().unwrap().success());
    for life in 1..=stage.kills {
        let mut daemon = stage.started().await;
        fire(&stage, "long");
        let arrived = |stage: &Stage, path: &str| stage.receiver.taken_since(path, Duration::ZERO);
        assert!(within(PATIENCE, || arrived(&stage, "/long") as u64 >= life).await, "{}", daemon.says());
        let before = arrived(&stage, "/flood");
        // A kill in the middle of the flood, and one behind all of it.
        let least = if life % 2 == 0 { stage.dice.u64(1..flood) } else { flood };
        for _ in 0..flood.div_ceil(WAVE) {
            fire(&stage, "flood");
        }
        let passed = within(PATIENCE * 10, || (arrived(&stage, "/flood") - before) as u64 >= least).await;
        assert!(passed, "{}: the flood stands still\n{}", stage.told(), daemon.says());
        stage.kill(&mut daemon);
    }
    let mut findings = stage.verdict(&Rules::default()).await;
    let connection = open(&stage.database());
    let of_long =
        |state: &str| number(&connection, &format!("SELECT count(*) FROM pushes WHERE im = 'long' AND state {state}"));
    let (all, unknown) = (of_long("<> ''"), of_long("= 'unknown'"));
    let requests = stage.receiver.seen().iter().filter(|seen| seen.path == "/long").count();
    if (all, unknown, requests as i64) != (stage.kills as i64, all, all) {
        findings.wrong.push(format!("{all} long sends: {unknown} are unknown, {requests} requests"));
    }
    stage.assert_clean(&findings);
}
