//! Kills at every write and every send.

use super::checker::Rules;
use super::receiver::Temper;
use super::stage::{Moment, Stage, strace_works};

/// A job that lets no instant go.
pub(crate) fn tick(name: &str, account: &str, group: &str) -> String {
    format!(
        "  - {{name: {name}, every: 1s, misfire: {{policy: all, within: 12h, max: 10000}}, \
         push: {{im: {account}, group: \"{group}\", text: tick, timeout: 2s}}, \
         retry: {{max_attempts: 50, backoff: 200ms, max_backoff: 1s, give_up_after: 12h}}}}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_or_guessed_however_often_the_daemon_is_killed() {
    let mut stage = Stage::new("kills", 25).await;
    let strace = strace_works();
    let jobs = ["job0", "job1", "job2", "job3", "job4"];
    let lines: String = jobs.iter().map(|job| tick(job, "hook", job)).collect();
    stage.configure(&stage.account("hook", ""), &lines);
    stage.receiver.set("/hook", Temper::Dice);
    for _ in 0..stage.kills {
        let moment = Moment::of(&mut stage.dice, strace);
        stage.one_life(moment).await;
    }
    let periods = jobs.map(|job| (job, 1));
    let findings = stage.verdict(&Rules { jobs: &periods, ..Rules::default() }).await;
    stage.assert_clean(&findings);
}
