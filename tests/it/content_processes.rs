//! Commands of contents while they run: what becomes of their processes when nobody waits for them any more.

use crate::common::daemon::{House, until};
use crate::contents::{ENDS, by_hand, command, program, texts};

/// The number of a process that a script wrote down.
async fn written(house: &House, name: &str) -> String {
    let path = house.dir.path().join(name);
    until("a process wrote its number", async || std::fs::read_to_string(&path).is_ok_and(|pid| pid.ends_with('\n')))
        .await;
    std::fs::read_to_string(path).unwrap().trim().to_owned()
}

/// Whoever is killed has no command line any more, though nobody may have heard of its end yet.
async fn until_ended(pid: &str) {
    until("the process ended", async || {
        std::fs::read(format!("/proc/{pid}/cmdline")).map_or(true, |words| words.is_empty())
    })
    .await;
}

#[tokio::test]
async fn a_daemon_that_ends_leaves_nothing_of_a_command_behind() {
    let house = House::new().await;
    let script = "setsid sh -c 'echo $$ > other; exec sleep 1000' & echo $$ > own; wait";
    let slow = program(&house, "slow", script);
    house.configure("", &by_hand("report", &command(&slow)));
    let mut daemon = house.daemon().await;
    assert_eq!(house.ends(&["fire", "report"]).await.0, Some(0));
    let (own, other) = (written(&house, "own").await, written(&house, "other").await);
    daemon.stop().await;
    until_ended(&own).await;
    until_ended(&other).await;

    // One that is killed can end nothing; the system ends the program itself.
    std::fs::remove_file(house.dir.path().join("own")).unwrap();
    program(&house, "slow", "echo $$ > own; exec sleep 1000");
    let mut daemon = house.daemon().await;
    let own = written(&house, "own").await;
    daemon.child.kill().await.unwrap();
    until_ended(&own).await;
}

#[tokio::test]
async fn a_fire_whose_content_is_being_made_can_be_cancelled_and_its_command_ends() {
    let house = House::new().await;
    let slow = program(&house, "slow", "echo $$ > own; exec sleep 1000");
    house.configure("", &by_hand("report", &command(&slow)));
    let mut daemon = house.daemon().await;
    assert_eq!(house.ends(&["fire", "report"]).await.0, Some(0));
    let own = written(&house, "own").await;
    assert_eq!(house.ends(&["cancel", "--job", "report"]).await.0, Some(0));
    until_ended(&own).await;
    assert_eq!(house.rows(ENDS).await, [["cancelled", "cancelled by hand"]]);
    let acts = "select verb, job, fire_id, after from acts where verb = 'cancel'";
    assert_eq!(house.rows(acts).await, [["cancel", "report", "1", "cancelled"]]);
    // There is room for the next.
    program(&house, "slow", "echo quick");
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(0), "{}", daemon.log());
    daemon.stop().await;
    assert_eq!(texts(&house), ["quick"]);
}
