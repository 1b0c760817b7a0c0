//! `pushcron ledger` against databases that a scheduler on a manual clock has written: it balances whatever happened,
//! and finds what a hand has changed.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::common::world::{START, World, account, cron, job};
use pushcron::clock::Clock;
use pushcron::domain::{Job, Misfire, MisfirePolicy, Schedule, UtcMs};
use serde_json::Value;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn minutely(name: &str) -> Job {
    job(name, cron("* * * * *"))
}

/// What the verb says of a database, and whether it is content.
fn ledger(database: &Path, words: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pushcron"));
    command.env_clear().arg("--db").arg(database).arg("ledger").args(words);
    let output = command.output().unwrap();
    let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{told}");
    (output.status.success(), told)
}

fn database(world: &World) -> std::path::PathBuf {
    world.dir.path().join("pushcron.db")
}

fn in_json(database: &Path, words: &[&str]) -> Value {
    serde_json::from_str(&ledger(database, &[&["--json"], words].concat()).1).unwrap()
}

/// What a person with the `sqlite3` tool could do.
fn by_hand(world: &World, sql: &str) {
    let changed = rusqlite::Connection::open(database(world)).unwrap().execute(sql, []).unwrap();
    assert!(changed > 0, "{sql}");
}

async fn world() -> World {
    World::new(vec![account("a", true)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_to_which_nothing_happened_balances() {
    let mut world = world().await;
    assert_eq!(world.balanced_ledger(), "0 jobs, 0 instants expected, 0 recorded: difference 0\n");
    world.load(&[minutely("minutely"), job("half", Schedule::Every(30_000))]).await;
    world.pass(seconds(600)).await;
    // A fire by hand is none of the schedule's.
    world.store.fire_by_hand("half", world.clock.now()).await.unwrap();
    world.pass(seconds(20)).await;
    assert_eq!(world.balanced_ledger(), "2 jobs, 30 instants expected, 30 recorded: difference 0\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_a_hand_deleted_is_missed_and_one_that_it_wrote_is_too_many() {
    let mut world = world().await;
    world.load(&[minutely("one"), minutely("two"), minutely("three")]).await;
    world.pass(seconds(300)).await;
    by_hand(
        &world,
        "DELETE FROM fires WHERE job = 'one' AND due_at IN ('2026-01-01T01:02:00.000Z', '2026-01-01T01:05:00.000Z')",
    );
    by_hand(
        &world,
        "INSERT INTO fires (job, triggered_by, due_at, decision, recorded_at, revision)
         SELECT job, triggered_by, '2026-01-01T01:02:30.000Z', decision, '2026-01-01T01:02:30.000Z', revision
           FROM fires WHERE job = 'two' LIMIT 1",
    );
    let (fine, told) = ledger(&database(&world), &[]);
    assert!(!fine);
    let lines: Vec<&str> = told.lines().collect();
    assert!(
        lines[0].starts_with(
            "one: 2 missing, 0 too many: 2026-01-01 01:02:00 +00 has no row, 2026-01-01 01:05:00 +00 has no row; "
        ),
        "{told}"
    );
    let too_many =
        "two: 0 missing, 1 too many: the row of 2026-01-01 01:02:30 +00 is too many (not an instant of its schedule); ";
    assert!(lines[1].starts_with(too_many), "{told}");
    assert!(lines[2].starts_with("fires: 2 of 16 ids have vanished"), "{told}");
    assert!(lines[3].starts_with("pushes: 2 of 15 ids have vanished"), "{told}");
    let sums = "3 jobs, 15 instants expected, 14 recorded: difference 1 (2 missing, 1 too many; 2 jobs wrong); not every \
                id is accounted for";
    assert_eq!(lines[4..], [sums]);

    let told = in_json(&database(&world), &["one"]);
    assert_eq!((&told["balanced"], &told["expected"], &told["missing"]), (&false.into(), &5.into(), &2.into()));
    assert_eq!(told["wrong"][0]["first"][1]["due_at"], "2026-01-01T01:05:00.000Z");
    let before = ["one", "--until", "2026-01-01T01:05:00Z", "--from", "2026-01-01T01:03:00Z"];
    assert_eq!(in_json(&database(&world), &before)["expected"], 2);
    assert!(ledger(&database(&world), &before).0);
    assert!(ledger(&database(&world), &["three"]).0);
    let (fine, told) = ledger(&database(&world), &["four"]);
    assert_eq!((fine, &*told), (false, "pushcron: nothing is known of a job 'four'\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_vanished_is_noticed_though_every_instant_has_its_row() {
    let mut world = world().await;
    world.load(&[minutely("one"), minutely("two")]).await;
    world.pass(seconds(300)).await;
    world.store.set_paused("one", true, world.clock.now()).await.unwrap();
    world.pass(seconds(300)).await;
    world.balanced_ledger();
    by_hand(&world, "DELETE FROM pushes WHERE id IN (2, 3)");
    let (fine, told) = ledger(&database(&world), &[]);
    assert!(!fine, "{told}");
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].starts_with("pushes: 2 of ") && lines[0].contains(" ids have vanished "), "{told}");
    assert!(lines[1].ends_with("difference 0; not every id is accounted for") && lines.len() == 2, "{told}");

    let told = in_json(&database(&world), &["--from", "2026-01-02"]);
    assert_eq!((&told["balanced"], &told["wrong"]), (&false.into(), &Value::Array(vec![])), "no id has an instant");
    let missing = |kind: usize| (told["ids"][kind]["kind"].clone(), told["ids"][kind]["missing"].clone());
    assert_eq!([missing(0), missing(1)], [("fires".into(), 0.into()), ("pushes".into(), 2.into())]);
    // Ids belong to no job.
    let told = in_json(&database(&world), &["one"]);
    assert_eq!((&told["balanced"], &told["ids"]), (&true.into(), &Value::Array(vec![])));
    assert!(ledger(&database(&world), &["one"]).0);

    // A copy is no better.
    let backup = world.dir.path().join("copy");
    world.store.backup(&backup, world.clock.now()).await.unwrap();
    assert!(!ledger(&backup, &[]).0);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_balances_through_changes_pauses_absences_and_removals() {
    let mut world = world().await;
    let all = Misfire { policy: MisfirePolicy::All, ..Misfire::default() };
    let mut changing = minutely("changing");
    let staying = Job { misfire: all, ..minutely("staying") };
    let off = Job { enabled: false, ..minutely("off") };
    let once = job("once", Schedule::At(START + seconds(200)));
    let past = job("past", Schedule::At(START - seconds(200)));
    world.load(&[changing.clone(), staying.clone(), off.clone(), once.clone(), past.clone(), minutely("goes")]).await;
    world.pass(seconds(290)).await;
    // Just before an instant that is recorded ahead.
    world.store.set_paused("staying", true, world.clock.now()).await.unwrap();
    changing.schedule = Schedule::Every(7_000);
    world.load(&[changing.clone(), staying.clone(), off.clone(), once.clone(), past.clone()]).await;
    world.pass(seconds(200)).await;
    world.store.set_paused("staying", false, world.clock.now()).await.unwrap();
    world.clock.advance(seconds(4000));
    let mut world = world.kill_and_restart().await;
    changing.timezone = "Asia/Shanghai".into();
    world.load(&[changing, staying, Job { enabled: true, ..off }, once, past, minutely("goes")]).await;
    world.pass(seconds(200)).await;
    let told = world.balanced_ledger();
    assert!(told.starts_with("6 jobs, "), "{told}");
    let recorded = &world.rows("select sum(count) from fires").await[0][0];
    assert!(told.contains(&format!("{recorded} instants expected, {recorded} recorded")), "{recorded}: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_of_many_thousand_instants_is_one_row_and_counts_as_many() {
    let mut world = world().await;
    world.load(&[job("second", Schedule::Every(1000))]).await;
    world.pass(seconds(10)).await;
    world.clock.advance(seconds(50_000));
    let mut world = world.kill_and_restart().await;
    world.pass(seconds(10)).await;
    let told = world.balanced_ledger();
    assert!(told.starts_with("1 job, 50025 instants expected, 50025 recorded"), "{told}");
    by_hand(&world, "UPDATE fires SET count = count - 3 WHERE count > 1");
    let told = in_json(&database(&world), &[]);
    assert_eq!((&told["missing"], &told["wrong"][0]["first"][0]["finding"]), (&3.into(), &"miscounted".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pruning_took_is_not_missed() {
    let mut world = world().await;
    world.load(&[minutely("minutely")]).await;
    world.pass(seconds(600)).await;
    world.settled().await;
    world.expect("select count(*) from pushes where state = 'sent'", &[&["10"]]).await;
    assert_eq!(world.store.prune(START + seconds(300), 3).await.unwrap().fires, 3);
    assert!(world.balanced_ledger().contains("7 instants expected, 7 recorded"));
    world.store.prune(START + seconds(300), 3).await.unwrap();
    assert!(world.balanced_ledger().contains("6 instants expected, 6 recorded"));
    by_hand(&world, "DELETE FROM fires WHERE due_at = '2026-01-01T01:07:00.000Z'");
    assert!(!ledger(&database(&world), &[]).0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_and_what_is_restored_from_it_balance() {
    let mut world = world().await;
    world.load(&[minutely("minutely"), job("second", Schedule::Every(1000))]).await;
    world.pass(seconds(100)).await;
    let backup = world.dir.path().join("copy");
    world.store.backup(&backup, world.clock.now()).await.unwrap();
    world.pass(seconds(300)).await;
    let (fine, told) = ledger(&backup, &[]);
    assert!(fine, "{told}");
    let mut world = world.restore_and_restart(&backup).await;
    world.pass(seconds(100)).await;
    world.balanced_ledger();
    let told = in_json(&database(&world), &[]);
    assert!(told["expected"].as_u64().unwrap() > 500, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_balances_where_the_clock_went_back_over_a_change_of_the_definition() {
    let mut world = world().await;
    world.load(&[minutely("changing"), minutely("staying")]).await;
    world.pass(seconds(1800)).await;
    let changed = job("changing", cron("30 * * * * *"));
    world.load(&[changed.clone(), minutely("staying")]).await;
    world.pass(seconds(600)).await;
    world.clock.step_wall_to(START + seconds(600));
    world.pass(seconds(900)).await;
    world.balanced_ledger();
    world.load(&[job("changing", Schedule::Every(45_000)), minutely("staying")]).await;
    world.pass(seconds(2000)).await;
    world.balanced_ledger();
    let only_later: UtcMs = START + seconds(600);
    assert!(
        world.rows(&format!("select 1 from fires where revision = 2 and due_at > '{only_later}'")).await.len() > 20
    );
}
