//! Pushes that wait for an account, over kills, stops and starts of an installation in which nothing else happens.

use std::time::Duration;

use super::checker::{Rules, number, open};
use super::receiver::Temper;
use super::stage::{PATIENCE, Stage, breath};

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_an_account_outlives_every_kill_and_stop() {
    let mut stage = Stage::new("waiting pushes", 3).await;
    let url = stage.receiver.url("/robot");
    let account = format!("  - {{id: robot, im: robot, sender: onebot11, url: \"{url}\", default: true}}\n");
    // Decided five seconds ahead, so that for a while after each instant nothing at all is recorded.
    let jobs: String = [("skips", "skip"), ("catches", "latest")]
        .map(|(name, policy)| {
            format!(
                "  - {{name: {name}, every: 9s, misfire: {{policy: {policy}}}, \
                 push: {{im: robot, group: \"{group}\", text: tick}}, retry: {{give_up_after: 24h}}}}\n",
                group = name.len()
            )
        })
        .concat();
    stage.configure(&account, &jobs);
    stage.receiver.set("/robot", Temper::Offline);
    while stage.killed < stage.kills {
        let before = stage.watch.look().len();
        let mut daemon = stage.started().await;
        let mut more = false;
        let shown = async {
            while !more {
                more = stage.watch.look().len() > before;
                breath().await;
            }
        };
        if tokio::time::timeout(PATIENCE, shown).await.is_err() {
            panic!("{}: no push waits\n{}", stage.told(), daemon.says());
        }
        let alive = Duration::from_millis(stage.dice.u64(0..2500));
        let _ = tokio::time::timeout(alive, std::future::pending::<()>()).await;
        if stage.dice.u8(0..3) == 0 {
            daemon.stop().await;
        } else {
            stage.kill(&mut daemon);
        }
        let dead = Duration::from_millis(stage.dice.u64(0..3000));
        let _ = tokio::time::timeout(dead, std::future::pending::<()>()).await;
    }
    let periods = [("skips", 9), ("catches", 9)];
    let mut findings = stage.verdict(&Rules { jobs: &periods, may_miss: true, ..Rules::default() }).await;
    let (seen, connection) = (stage.receiver.seen(), open(&stage.database()));
    for (job, group) in [("skips", "5"), ("catches", "7")] {
        let arrived = seen.iter().filter(|seen| seen.group == group && seen.verdict.took_it()).count() as i64;
        let of_job = "FROM pushes p JOIN fires f ON f.id = p.fire_id WHERE f.job =";
        let sent = number(&connection, &format!("SELECT count(*) {of_job} '{job}' AND state = 'sent'"));
        let unknown = number(&connection, &format!("SELECT count(*) {of_job} '{job}' AND state = 'unknown'"));
        if arrived < sent || arrived > sent + unknown {
            findings.wrong.push(format!("{job}: {arrived} arrived, {sent} are sent and {unknown} unknown"));
        }
    }
    stage.assert_clean(&findings);
}
