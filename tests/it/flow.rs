//! From definitions to recorded outcomes, on a clock that stands still and a platform that answers by script.

use std::time::Duration;

use crate::common::world::{Answer, START, World, account, cron, failed, job, text};
use pushcron::clock::Clock;
use pushcron::domain::{
    Job, Misfire, MisfirePolicy, Outcome, Overlap, PartReport, PushSpec, PushState, Report, RetryPolicy, Schedule,
    UtcMs,
};
use pushcron::engine::dispatcher::Event;
use pushcron::senders::Probe;
use pushcron::store::AdHoc;

const STATES: &str = "select state, sent_count, attempts from pushes order by id";
const ATTEMPTS: &str = "select account, rule, outcome from attempts order by id";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn every_minute(name: &str) -> Job {
    job(name, cron("* * * * *"))
}

#[tokio::test]
async fn a_due_job_becomes_a_fire_a_push_an_attempt_and_a_line_of_history() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[every_minute("hello")]).await;
    world.pass(seconds(59)).await;
    assert_eq!(world.platform.count(), 0, "nothing leaves before its instant");
    world.pass(seconds(1)).await;
    world.expect(STATES, &[&["sent", "1", "1"]]).await;
    world.expect(ATTEMPTS, &[&["a", "im_default", "sent"]]).await;
    world
        .expect(
            "select job, triggered_by, due_at, decision from fires",
            &[&["hello", "cron", "2026-01-01T01:01:00.000Z", "fired"]],
        )
        .await;
    world
        .expect(
            "select job, target, state, account, rule, message_id, lateness_ms from push_history",
            &[&["hello", "group:1", "sent", "a", "im_default", "m1", "0"]],
        )
        .await;
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_after_a_growing_wait() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [failed(Outcome::Unreachable), failed(Outcome::Unreachable)]);
    world.load(&[job("once", Schedule::At(START + seconds(10)))]).await;
    world.pass(seconds(10)).await;
    world.expect(STATES, &[&["retrying", "0", "1"]]).await;
    world.pass(seconds(5)).await;
    world.expect(STATES, &[&["retrying", "0", "2"]]).await;
    world.pass(seconds(9)).await;
    assert_eq!(world.platform.count(), 2, "the second wait is twice the first");
    world.pass(seconds(1)).await;
    world.expect(STATES, &[&["sent", "1", "3"]]).await;
}

#[tokio::test]
async fn a_rejected_message_fails_at_once_and_for_good() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [failed(Outcome::Rejected)]);
    world.load(&[job("once", Schedule::At(START + seconds(1)))]).await;
    world.pass(seconds(600)).await;
    world.expect(STATES, &[&["failed", "0", "1"]]).await;
    assert_eq!(world.platform.count(), 1);
}

#[tokio::test]
async fn what_may_have_gone_out_is_unknown_and_never_sent_again() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [failed(Outcome::Unknown)]);
    world.load(&[job("once", Schedule::At(START + seconds(1)))]).await;
    world.pass(seconds(600)).await;
    world.expect(STATES, &[&["unknown", "0", "1"]]).await;
    assert_eq!(world.platform.count(), 1);
}

#[tokio::test]
async fn an_unknown_outcome_is_repeated_where_the_protocol_makes_it_safe() {
    let mut world = World::with_idempotent_sender(vec![account("a", true)]).await;
    world.platform.answers("a", [failed(Outcome::Unknown)]);
    world.load(&[job("once", Schedule::At(START + seconds(1)))]).await;
    world.pass(seconds(1)).await;
    world.expect(STATES, &[&["retrying", "0", "1"]]).await;
    world.pass(seconds(10)).await;
    world.expect(STATES, &[&["sent", "1", "2"]]).await;
    let keys: Vec<String> = world.platform.arrived().into_iter().map(|(_, delivery)| delivery.key).collect();
    assert_eq!(keys[0], keys[1], "both attempts carry one key");
}

#[tokio::test]
async fn an_unknown_outcome_is_repeated_where_the_job_asks_for_it() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [failed(Outcome::Unknown)]);
    let retry = RetryPolicy { resend_unknown: true, jitter: 0.0, ..RetryPolicy::default() };
    let push = vec![PushSpec { retry, ..text("1") }];
    world.load(&[Job { push, ..job("once", Schedule::At(START + seconds(1))) }]).await;
    world.pass(seconds(1)).await;
    world.expect(STATES, &[&["retrying", "0", "1"]]).await;
    world.pass(seconds(10)).await;
    world.expect(STATES, &[&["sent", "1", "2"]]).await;
}

#[tokio::test]
async fn a_dead_default_hands_over_to_the_next_one_online() {
    let mut world = World::new(vec![account("main", true), account("spare", false)]).await;
    world.platform.answers("main", [failed(Outcome::AccountDown)]);
    world.load(&[job("once", Schedule::At(START + seconds(1)))]).await;
    world.pass(seconds(1)).await;
    world.expect(STATES, &[&["retrying", "0", "1"]]).await;
    world.platform.set_probe("main", Probe::down("logged out"));
    world.pass(seconds(6)).await;
    world.expect(ATTEMPTS, &[&["main", "im_default", "account_down"], &["spare", "first_online", "sent"]]).await;
}

#[tokio::test]
async fn a_push_that_names_its_account_waits_for_it_and_never_changes_hands() {
    let mut world = World::new(vec![account("named", false), account("spare", true)]).await;
    world.platform.set_probe("named", Probe::down("logged out"));
    let push = vec![PushSpec { account: Some("named".to_owned()), ..text("1") }];
    world.load(&[Job { push, ..job("once", Schedule::At(START + seconds(60))) }]).await;
    world.pass(seconds(120)).await;
    world.expect("select state, attempts, reason from pushes", &[&["pending", "0", "account_offline"]]).await;
    world.platform.set_probe("named", Probe::up());
    world.events.send(Event::ProbeAll).ok().unwrap();
    world.expect(ATTEMPTS, &[&["named", "explicit", "sent"]]).await;
}

#[tokio::test]
async fn without_anybody_online_no_attempt_is_spent_until_somebody_comes_up() {
    let mut world = World::new(vec![account("a", true), account("b", false)]).await;
    world.platform.set_probe("a", Probe::down("logged out"));
    world.platform.set_probe("b", Probe::down("logged out"));
    world.events.send(Event::ProbeAll).ok().unwrap();
    world.expect("select id from accounts where online = 0 order by id", &[&["a"], &["b"]]).await;
    world.load(&[job("once", Schedule::At(START + seconds(60)))]).await;
    world.pass(seconds(90)).await;
    world.expect("select state, attempts, reason from pushes", &[&["pending", "0", "no_sender"]]).await;
    world.platform.set_probe("b", Probe::up());
    world.events.send(Event::ProbeAll).ok().unwrap();
    world.expect(ATTEMPTS, &[&["b", "first_online", "sent"]]).await;
}

#[tokio::test]
async fn a_reload_opens_an_account_again_that_rests_after_failures() {
    let mut world = World::new(vec![account("main", true)]).await;
    world.platform.answers("main", (0..5).map(|_| failed(Outcome::Unreachable)));
    let soon = RetryPolicy { backoff: seconds(1), max_backoff: seconds(1), jitter: 0.0, ..RetryPolicy::default() };
    let push = (1..=5).map(|group| PushSpec { retry: soon.clone(), ..text(&group.to_string()) }).collect();
    world.load(&[Job { push, ..job("once", Schedule::At(START + seconds(1))) }]).await;
    world.pass(seconds(1)).await;
    world.expect("select count(*) from accounts where cooldown_until is not null", &[&["1"]]).await;
    world.pass(seconds(5)).await;
    world.expect("select distinct state, reason from pushes", &[&["retrying", "no_sender"]]).await;
    assert_eq!(world.platform.count(), 5);
    world.reload_accounts();
    world.expect("select distinct state from pushes", &[&["sent"]]).await;
}

#[tokio::test]
async fn a_push_that_never_found_an_account_fails_after_its_time() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.set_probe("a", Probe::down("logged out"));
    world.load(&[job("once", Schedule::At(START + seconds(60)))]).await;
    world.pass(seconds(120)).await;
    world.expect("select state from pushes", &[&["pending"]]).await;
    world.pass(seconds(3600)).await;
    world.expect("select state, attempts, reason from pushes", &[&["failed", "0", "no_sender"]]).await;
    assert_eq!(world.platform.count(), 0);
}

#[tokio::test]
async fn an_end_without_an_attempt_counts_for_the_account_of_the_last_one() {
    let end_of = |account: Option<&str>| (account.map(str::to_owned), PushState::Failed);
    let retry = || RetryPolicy { give_up_after: seconds(600), ..RetryPolicy::default() };
    for restarts in [false, true] {
        let mut world = World::new(vec![account("a", true)]).await;
        world.platform.answers("a", [failed(Outcome::AccountDown)]);
        let push = vec![PushSpec { retry: retry(), account: Some("a".to_owned()), ..text("1") }];
        let late = vec![PushSpec { retry: retry(), ..text("2") }];
        world
            .load(&[
                Job { push, ..job("once", Schedule::At(START + seconds(1))) },
                Job { push: late, ..job("later", Schedule::At(START + seconds(30))) },
            ])
            .await;
        world.pass(seconds(1)).await;
        world.platform.set_probe("a", Probe::down("logged out"));
        world.pass(seconds(60)).await;
        world.expect("select state, attempts from pushes", &[&["retrying", "1"], &["pending", "0"]]).await;
        if restarts {
            world = world.kill_and_restart().await;
        }
        world.pass(seconds(1200)).await;
        world.expect("select distinct state, finished_at is null from pushes", &[&["failed", "0"]]).await;
        let mut ended = world.ended.lock().unwrap().clone();
        ended.sort_by(|(a, _), (b, _)| b.cmp(a));
        assert_eq!(ended, [end_of(Some("a")), end_of(None)], "restarts: {restarts}");
    }
}

#[tokio::test]
async fn the_wait_that_a_platform_asks_for_is_kept() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [failed(Outcome::Throttled { wait: Some(seconds(70)) })]);
    world.load(&[job("once", Schedule::At(START + seconds(1)))]).await;
    world.pass(seconds(1)).await;
    world.expect(STATES, &[&["retrying", "0", "1"]]).await;
    world.pass(seconds(69)).await;
    assert_eq!(world.platform.count(), 1);
    world.pass(seconds(1)).await;
    world.expect(STATES, &[&["sent", "1", "2"]]).await;
}

#[tokio::test]
async fn killed_before_the_attempt_a_push_is_simply_sent_after_the_restart() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[job("once", Schedule::At(START + seconds(4)))]).await;
    // Recorded ahead, not begun.
    world.pass(seconds(1)).await;
    world.expect("select state, attempts from pushes", &[&["pending", "0"]]).await;
    let mut world = world.kill_and_restart().await;
    world.pass(seconds(5)).await;
    world.expect(STATES, &[&["sent", "1", "1"]]).await;
    assert_eq!(world.platform.count(), 1);
}

#[tokio::test]
async fn killed_between_the_record_and_the_send_a_push_goes_on_as_if_nothing_had_happened() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[job("once", Schedule::At(START + seconds(2)))]).await;
    world.pass(seconds(1)).await;
    world.clock.advance(Duration::from_millis(990));
    // Opened ahead of its instant, its sender not called.
    world.expect("select state from pushes", &[&["sending"]]).await;
    let mut world = world.kill_and_restart().await;
    assert_eq!((world.recovered.unknown, world.recovered.not_begun), (0, 1));
    world.pass(seconds(5)).await;
    world.expect("select state, sent_count from pushes", &[&["sent", "1"]]).await;
    assert_eq!(world.platform.count(), 1);
}

#[tokio::test]
async fn killed_while_sending_a_push_is_unknown_and_not_sent_again() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [Answer::Silence]);
    world.load(&[job("once", Schedule::At(START + seconds(1)))]).await;
    world.pass(seconds(1)).await;
    world.expect("select state from pushes", &[&["sending"]]).await;
    world.arrived(1).await;
    let mut world = world.kill_and_restart().await;
    assert_eq!((world.recovered.unknown, world.recovered.retried), (1, 0));
    world.pass(seconds(60)).await;
    world.expect(STATES, &[&["unknown", "0", "1"]]).await;
    assert_eq!(world.platform.count(), 1);
}

#[tokio::test]
async fn killed_while_sending_a_push_with_a_key_is_sent_again_under_the_same_key() {
    let mut world = World::with_idempotent_sender(vec![account("a", true)]).await;
    world.platform.answers("a", [Answer::Silence]);
    world.load(&[job("once", Schedule::At(START + seconds(1)))]).await;
    world.pass(seconds(1)).await;
    world.expect("select state from pushes", &[&["sending"]]).await;
    world.arrived(1).await;
    let mut world = world.kill_and_restart().await;
    assert_eq!((world.recovered.unknown, world.recovered.retried), (0, 1));
    world.pass(seconds(10)).await;
    world.expect(STATES, &[&["sent", "1", "2"]]).await;
}

/// What the third attempt is told of the parts, after one that failed and one whose sender had no last word.
async fn parts_after(cut_off: impl AsyncFnOnce(World) -> World) -> Vec<(String, String)> {
    let mut world = World::with_idempotent_sender(vec![account("a", true)]).await;
    let part =
        |part: &str, outcome: &str| PartReport { part: part.to_owned(), outcome: outcome.to_owned(), message_id: None };
    let mut report = Report::failed(Outcome::Unreachable, "scripted");
    report.parts = vec![part("text 1/3", "sent"), part("text 2/3", "unreachable")];
    world.platform.answers("a", [Answer::Report(report), Answer::Silence]);
    world.load(&[job("once", Schedule::At(START + seconds(1)))]).await;
    world.pass(seconds(1)).await;
    world.expect(STATES, &[&["retrying", "0", "1"]]).await;
    world.pass(seconds(10)).await;
    world.arrived(2).await;
    let mut world = cut_off(world).await;
    world.pass(seconds(60)).await;
    world.expect(STATES, &[&["sent", "1", "3"]]).await;
    let (_, delivery) = world.platform.arrived().pop().unwrap();
    delivery.parts.into_iter().map(|part| (part.part, part.outcome)).collect()
}

#[tokio::test]
async fn a_part_that_was_under_way_when_its_attempt_was_cut_off_is_perhaps_sent_for_the_next() {
    let expected = [("text 1/3", "sent"), ("text 2/3", "unknown")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(parts_after(async |world| world.kill_and_restart().await).await, expected, "killed");
    assert_eq!(parts_after(async |world| world.stop_and_restart(seconds(1)).await).await, expected, "stopped");
}

#[tokio::test]
async fn a_stop_gives_up_what_does_not_end_in_time_and_says_unknown() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [Answer::Silence]);
    world.load(&[job("once", Schedule::At(START + seconds(1)))]).await;
    world.pass(seconds(1)).await;
    world.expect("select state from pushes", &[&["sending"]]).await;
    world.arrived(1).await;
    let (dir, _, store) = world.stop().await;
    store.close().await;
    let rows = crate::common::rows::query(&dir.path().join("pushcron.db"), STATES);
    assert_eq!(rows, [["unknown", "0", "1"]]);
}

#[tokio::test]
async fn instants_missed_while_nobody_watched_have_their_rows_and_the_latest_fires() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[every_minute("hello")]).await;
    world.clock.step_wall_to(START + seconds(3600 + 300));
    let mut world = world.kill_and_restart().await;
    world.scheduler.run_once().await.unwrap();
    world
        .expect(
            "select decision, reason, sum(count) from fires group by decision, reason order by 1, 2",
            &[&["fired", "", "2"], &["missed", "misfire_latest", "59"], &["missed", "misfire_window", "4"]],
        )
        .await;
}

#[tokio::test]
async fn every_missed_instant_within_the_window_fires_with_policy_all() {
    let mut world = World::new(vec![account("a", true)]).await;
    let misfire = Misfire { policy: MisfirePolicy::All, ..Misfire::default() };
    world.load(&[Job { misfire, ..every_minute("hello") }]).await;
    world.clock.step_wall_to(START + seconds(600));
    let mut world = world.kill_and_restart().await;
    world.scheduler.run_once().await.unwrap();
    world.expect("select count(*) from pushes where state = 'sent'", &[&["10"]]).await;
}

#[tokio::test]
async fn a_clock_put_back_repeats_nothing_and_silences_nobody() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[every_minute("hello")]).await;
    world.pass(seconds(120)).await;
    world.expect("select count(*) from pushes where state = 'sent'", &[&["2"]]).await;
    world.clock.step_wall_to(START + seconds(30));
    world.scheduler.run_once().await.unwrap();
    world.pass(seconds(100)).await;
    // 01:01 and 01:02 came round again, and had their rows.
    world.expect("select count(*) from pushes", &[&["2"]]).await;
    world.pass(seconds(60)).await;
    world.expect("select count(*) from pushes where state = 'sent'", &[&["3"]]).await;
}

#[tokio::test]
async fn killed_after_the_clock_was_put_back_a_daemon_still_knows_what_it_then_missed() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[job("hourly", cron("30 * * * *"))]).await;
    world.pass(seconds(1800)).await;
    world.clock.step_wall_to(START + seconds(10));
    world.scheduler.run_once().await.unwrap();
    world.load(&[job("hourly", cron("30 * * * *")), every_minute("new")]).await;
    world.clock.step_wall_to(START - seconds(600));
    world.scheduler.run_once().await.unwrap();
    // Nothing was decided since; now nobody watches for five minutes.
    world.clock.advance(seconds(300));
    let mut world = world.kill_and_restart().await;
    world.scheduler.run_once().await.unwrap();
    world.expect("select sum(count) from fires where job = 'new'", &[&["5"]]).await;
}

#[tokio::test]
async fn a_machine_that_wakes_in_1970_takes_nothing_back_from_the_ledger() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[Job { enabled: false, ..every_minute("off") }]).await;
    world.pass(seconds(180)).await;
    let rows = "select decision, reason, sum(count) from fires group by 1, 2";
    world.expect(rows, &[&["skipped", "disabled", "3"]]).await;
    world.clock.step_wall_to("1970-01-01T00:10:00Z".parse().unwrap());
    world.scheduler.run_once().await.unwrap();
    let mut world = world.kill_and_restart().await;
    world.scheduler.run_once().await.unwrap();
    world.clock.step_wall_to(START + seconds(200));
    world.scheduler.run_once().await.unwrap();
    world.expect(rows, &[&["skipped", "disabled", "3"]]).await;
}

#[tokio::test]
async fn a_clock_put_forward_makes_misfires_and_no_burst() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[every_minute("hello")]).await;
    world.clock.step_wall_to(START + seconds(8 * 3600));
    world.scheduler.run_once().await.unwrap();
    world.expect("select count(*) from pushes where state = 'sent'", &[&["2"]]).await;
    world.expect("select sum(count) from fires", &[&["480"]]).await;
}

#[tokio::test]
async fn a_fire_is_skipped_while_an_older_one_is_open_if_the_job_says_so() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [Answer::Silence]);
    world.load(&[Job { overlap: Overlap::Skip, ..every_minute("hello") }]).await;
    world.pass(seconds(60)).await;
    world.expect("select state from pushes", &[&["sending"]]).await;
    world.pass(seconds(60)).await;
    world.expect("select decision, reason from fires order by id", &[&["fired", ""], &["skipped", "overlap"]]).await;
}

#[tokio::test]
async fn a_newer_fire_retires_older_open_pushes_if_the_job_says_so() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.set_probe("a", Probe::down("logged out"));
    world.load(&[Job { overlap: Overlap::Replace, ..every_minute("hello") }]).await;
    world.pass(seconds(120)).await;
    world
        .expect(
            "select state, reason from pushes order by id",
            &[&["cancelled", "replaced"], &["pending", "no_sender"]],
        )
        .await;
}

#[tokio::test]
async fn a_reload_keeps_the_place_of_unchanged_jobs_and_cancels_pushes_of_vanished_ones() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [failed(Outcome::Unreachable)]);
    world.load(&[job("goes", Schedule::At(START + seconds(1))), every_minute("stays")]).await;
    world.pass(seconds(1)).await;
    world.expect(STATES, &[&["retrying", "0", "1"]]).await;
    world.load(&[every_minute("stays")]).await;
    world.expect("select state, reason from pushes", &[&["cancelled", "job_removed"]]).await;
    world.expect("select name from jobs where removed_at is not null", &[&["goes"]]).await;
    world.pass(seconds(59)).await;
    world.expect("select job, decision from fires order by id", &[&["goes", "fired"], &["stays", "fired"]]).await;
}

#[tokio::test]
async fn a_fire_recorded_ahead_is_decided_anew_when_its_job_changes_before_the_instant() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[job("hello", Schedule::At(START + seconds(4)))]).await;
    world.pass(seconds(1)).await;
    world.expect("select state from pushes", &[&["pending"]]).await;
    world.load(&[job("hello", Schedule::At(START + seconds(30)))]).await;
    world.expect("select count(*) from pushes", &[&["0"]]).await;
    world.pass(seconds(20)).await;
    assert_eq!(world.platform.count(), 0);
    world.pass(seconds(10)).await;
    world.expect(STATES, &[&["sent", "1", "1"]]).await;
}

#[tokio::test]
async fn a_paused_job_skips_its_instants_and_says_so() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[every_minute("hello")]).await;
    world.pass(seconds(58)).await;
    assert!(world.store.set_paused("hello", true, UtcMs(START.0 + 58_000)).await.unwrap());
    world.pass(seconds(60)).await;
    world.expect("select decision, reason from fires order by id", &[&["skipped", "paused"]]).await;
    assert_eq!(world.platform.count(), 0);
}

#[tokio::test]
async fn a_push_in_answer_to_a_chat_goes_through_the_account_of_the_chat() {
    let world = World::new(vec![account("main", true), account("chatty", false)]).await;
    let push = AdHoc {
        spec: text("1"),
        triggered_by: pushcron::domain::Trigger::Message,
        chat: Some(("qq".to_owned(), "chatty".to_owned())),
    };
    world.store.push_ad_hoc(push, START).await.unwrap();
    world.events.send(Event::Opened(world.store.open_pushes().await.unwrap())).ok().unwrap();
    world.expect(ATTEMPTS, &[&["chatty", "message_account", "sent"]]).await;
}

#[tokio::test]
async fn nothing_is_decided_by_a_clock_that_cannot_be_right() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[every_minute("hello")]).await;
    world.pass(seconds(60)).await;
    world.expect(STATES, &[&["sent", "1", "1"]]).await;
    for wrong in ["1970-01-01T00:10:00.000Z", "2099-01-01T00:00:00.000Z"] {
        world.clock.step_wall_to(wrong.parse().unwrap());
        world.pass(seconds(120)).await;
        world.expect("select count(*) from fires", &[&["1"]]).await;
    }
    world.clock.step_wall_to(START + seconds(120));
    world.scheduler.run_once().await.unwrap();
    world.expect("select count(*) from pushes where state = 'sent'", &[&["2"]]).await;
}

#[tokio::test]
async fn what_a_restored_backup_does_not_know_is_missed_and_not_sent_again() {
    let mut world = World::new(vec![account("bot", true)]).await;
    world.load(&[job("minutely", cron("* * * * *"))]).await;
    world.pass(Duration::from_secs(90)).await;
    world.expect("SELECT count(*) FROM pushes WHERE state = 'sent'", &[&["1"]]).await;
    let backup = world.dir.path().join("copy");
    world.store.backup(&backup, world.clock.now()).await.unwrap();
    world.pass(Duration::from_secs(120)).await;
    world.expect("SELECT count(*) FROM pushes WHERE state = 'sent'", &[&["3"]]).await;
    let sent = world.platform.count();

    let mut world = world.restore_and_restart(&backup).await;
    world.pass(Duration::from_secs(20)).await;
    let fires = "SELECT substr(due_at, 12, 8), decision, coalesce(reason, '') FROM fires ORDER BY due_at";
    let missed = |at| [at, "missed", "restored"];
    world.expect(fires, &[&["01:01:00", "fired", ""], &missed("01:02:00"), &missed("01:03:00")]).await;
    assert_eq!(world.platform.count(), sent, "nothing is sent twice");
    world.pass(Duration::from_secs(30)).await;
    world.expect("SELECT count(*) FROM pushes WHERE state = 'sent'", &[&["2"]]).await;
    assert_eq!(world.platform.count(), sent + 1, "and it goes on");
}

#[tokio::test]
async fn definitions_that_come_under_an_impossible_clock_are_known_since_it_was_set() {
    for wrong in ["1970-01-01T00:00:10.000Z", "2099-01-01T00:00:00.000Z"] {
        let dir = tempfile::tempdir().unwrap();
        let mut world = World::within(dir, wrong.parse().unwrap(), vec![account("a", true)]).await;
        world.load(&[every_minute("hello")]).await;
        world.pass(seconds(120)).await;
        // A reload changes its mind, and a crash forgets nothing: the next start loads the files anyway.
        world.load(&[every_minute("other")]).await;
        let mut world = world.kill_and_restart().await;
        world.load(&[every_minute("other"), job("second", Schedule::Every(1000))]).await;
        world.expect("select count(*) from jobs", &[&["0"]]).await;
        world.clock.step_wall_to(START + seconds(30));
        world.pass(seconds(30)).await;
        let jobs = "select name, loaded_at from jobs order by name";
        let since = ["2026-01-01T01:00:31.000Z"];
        world.expect(jobs, &[&["other", since[0]], &["second", since[0]]]).await;
        world.expect("select decision from fires where job = 'other'", &[&["fired"]]).await;
        world.expect("select count(*) from fires where decision <> 'fired'", &[&["0"]]).await;
        world.balanced_ledger();
    }
}

#[tokio::test]
async fn changes_that_come_in_1970_leave_the_history_as_it_is_and_wait() {
    let mut world = World::new(vec![account("a", true)]).await;
    let off = Job { enabled: false, ..every_minute("off") };
    world.load(&[off.clone(), every_minute("changing"), every_minute("goes")]).await;
    world.pass(seconds(180)).await;
    let rows = "select job, decision, coalesce(reason, ''), count(*) from fires group by 1, 2, 3 order by 1, 2";
    let before: &[&[&str]] =
        &[&["changing", "fired", "", "3"], &["goes", "fired", "", "3"], &["off", "skipped", "disabled", "3"]];
    world.expect(rows, before).await;
    world.clock.step_wall_to("1970-01-01T00:10:00Z".parse().unwrap());
    let mut world = world.kill_and_restart().await;
    world.load(&[Job { enabled: true, ..off }, job("changing", cron("30 * * * * *"))]).await;
    world.store.set_paused("off", true, world.clock.now()).await.unwrap();
    world.store.set_paused("off", false, world.clock.now()).await.unwrap();
    world.pass(seconds(60)).await;
    world.expect(rows, before).await;
    // Five minutes after it went dark: what was due meanwhile is decided by what held then.
    world.clock.step_wall_to(START + seconds(490));
    world.pass(seconds(65)).await;
    world
        .expect(
            rows,
            &[
                &["changing", "fired", "", "4"],
                &["changing", "missed", "definition_changed", "5"],
                &["goes", "fired", "", "3"],
                &["goes", "missed", "definition_changed", "5"],
                &["off", "fired", "", "2"],
                &["off", "missed", "misfire_latest", "4"],
                &["off", "skipped", "disabled", "3"],
            ],
        )
        .await;
    world.balanced_ledger();
}

#[tokio::test]
async fn a_clock_that_was_hours_ahead_silences_nobody_when_it_is_set() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[every_minute("hello"), job("second", Schedule::Every(1000))]).await;
    world.pass(seconds(60)).await;
    // The clock of the machine runs by local time, five hours ahead, until the network sets it.
    world.clock.step_wall_to(START + seconds(60 + 5 * 3600));
    let mut world = world.kill_and_restart().await;
    world.pass(seconds(10)).await;
    world.expect("select count(*) > 250 from fires where job = 'hello'", &[&["1"]]).await;
    world.expect("select count(*) from fires where job = 'second' and count > 10000", &[&["1"]]).await;
    world.clock.step_wall_to(START + seconds(70));
    world.scheduler.run_once().await.unwrap();
    world.pass(seconds(300)).await;
    let fired = "select job, count(*) from fires
                  where decision = 'fired' and due_at between '2026-01-01T01:01:00' and '2026-01-01T01:06:10' group by 1";
    world.expect(fired, &[&["hello", "6"], &["second", "310"]]).await;
    world.expect("select count(*) from fires where count > 1", &[&["0"]]).await;
    world.balanced_ledger();
}

#[tokio::test]
async fn a_row_that_stands_for_many_goes_around_what_was_lived_before_the_clock_was_put_back() {
    let mut world = World::new(vec![account("a", true)]).await;
    let second = job("second", Schedule::Every(1000));
    world.load(std::slice::from_ref(&second)).await;
    world.pass(seconds(600)).await;
    world.settled().await;
    world.clock.step_wall_to(START + seconds(100));
    world.scheduler.run_once().await.unwrap();
    world.pass(seconds(5)).await;
    // Now nobody watches for hours: the first instants that are missed have fired before.
    world.clock.advance(seconds(20_000));
    let mut world = world.kill_and_restart().await;
    world.pass(seconds(5)).await;
    world.expect("select count(*) from fires where count > 10000", &[&["1"]]).await;
    let from = "2026-01-01T01:10:01.000Z";
    world.expect("select min(due_at) from fires where count > 1", &[&[from]]).await;
    let told = world.balanced_ledger();
    assert!(told.starts_with("1 job, 20115 instants expected, 20115 recorded"), "{told}");
}

#[tokio::test]
async fn a_reload_just_after_a_pause_loses_nothing() {
    let mut world = World::new(vec![account("a", true)]).await;
    let jobs = |text: &str, period| {
        let push = vec![PushSpec {
            target: pushcron::domain::Target::Group(text.to_owned()),
            ..crate::common::world::text("1")
        }];
        let text_only = Job { push, ..every_minute("text") };
        [text_only, job("schedule", Schedule::Every(period)), every_minute("goes")]
    };
    world.load(&jobs("1", 60_000)).await;
    world.pass(seconds(57)).await;
    world.expect("select count(*) from fires", &[&["3"]]).await;
    // Another process withdraws what was recorded ahead; the scheduler has not been told when the files are read again.
    for name in ["text", "schedule", "goes"] {
        world.store.set_paused(name, true, world.clock.now()).await.unwrap();
    }
    world.expect("select count(*) from fires", &[&["0"]]).await;
    world.clock.advance(seconds(5));
    world.load(&jobs("2", 30_000)[..2]).await;
    world.pass(seconds(60)).await;
    world
        .expect(
            "select job, due_at, reason from fires order by 1, 2",
            &[
                &["goes", "2026-01-01T01:01:00.000Z", "paused"],
                &["schedule", "2026-01-01T01:01:00.000Z", "paused"],
                &["schedule", "2026-01-01T01:01:30.000Z", "paused"],
                &["schedule", "2026-01-01T01:02:00.000Z", "paused"],
                &["text", "2026-01-01T01:01:00.000Z", "paused"],
                &["text", "2026-01-01T01:02:00.000Z", "paused"],
            ],
        )
        .await;
    world.balanced_ledger();
}

#[tokio::test]
async fn nothing_that_waits_is_given_up_by_a_clock_that_cannot_be_right() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [failed(Outcome::Unreachable)]);
    world.load(&[job("once", Schedule::At(START + seconds(1)))]).await;
    world.pass(seconds(1)).await;
    world.expect(STATES, &[&["retrying", "0", "1"]]).await;
    world.clock.step_wall_to("2099-01-01T00:00:00.000Z".parse().unwrap());
    let mut world = world.kill_and_restart().await;
    world.pass(seconds(120)).await;
    world.events.send(Event::ProbeAll).ok().unwrap();
    world.expect("select count(*) from accounts where checked_at like '2099%'", &[&["1"]]).await;
    world.clock.step_wall_to(START + seconds(10));
    world.pass(seconds(2)).await;
    world.expect(STATES, &[&["sent", "1", "2"]]).await;
}

#[tokio::test]
async fn what_a_crash_left_is_taken_up_again_though_the_clock_was_wrong_at_the_start() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[job("once", Schedule::At(START + seconds(2)))]).await;
    world.pass(seconds(1)).await;
    world.clock.advance(Duration::from_millis(990));
    world.expect("select state from pushes", &[&["sending"]]).await;
    world.clock.step_wall_to("2099-01-01T00:00:00.000Z".parse().unwrap());
    let mut world = world.kill_and_restart().await;
    assert_eq!((world.recovered.unknown, world.recovered.not_begun), (0, 1));
    world.clock.step_wall_to(START + seconds(5));
    world.pass(seconds(2)).await;
    world.expect("select state, sent_count from pushes", &[&["sent", "1"]]).await;
}
