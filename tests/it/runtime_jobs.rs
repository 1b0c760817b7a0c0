//! Jobs that verbs make while the daemon runs, asked of the real program.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use pushcron::clock::{Clock, SystemClock};

use crate::common::daemon::{House, until};

/// One job of the files, which is never due.
const OF_FILES: &str = "  - {name: yearly, cron: '0 0 29 2 *', push: {im: hook, group: 1, text: leap}}\n";

async fn house() -> House {
    let house = House::new().await;
    house.configure("", OF_FILES);
    house
}

/// What a verb says and ends with.
async fn says(house: &House, words: &[&str]) -> (Option<i32>, String, String) {
    let mut program = house.program(words);
    let output = program.stdout(Stdio::piped()).stderr(Stdio::piped()).output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

async fn fine(house: &House, words: &[&str]) -> String {
    let (code, out, err) = says(house, words).await;
    assert_eq!(code, Some(0), "{words:?}: {out}{err}");
    out
}

async fn refused(house: &House, code: i32, words: &[&str]) -> String {
    let (ended, out, err) = says(house, words).await;
    assert_eq!(ended, Some(code), "{words:?}: {out}{err}");
    err
}

/// The rows of `jobs`, as programs see them.
async fn jobs(house: &House, words: &[&str]) -> Vec<Value> {
    let out = fine(house, &[&["jobs", "--json"], words].concat()).await;
    serde_json::from_str(&out).unwrap()
}

async fn names(house: &House, words: &[&str]) -> Vec<String> {
    jobs(house, words).await.iter().map(|job| job["job"].as_str().unwrap().to_owned()).collect()
}

/// The texts that came, in their order.
fn texts(house: &House) -> Vec<String> {
    house.im.requests().iter().map(|request| request.json()["data"]["text"].as_str().unwrap().to_owned()).collect()
}

async fn even(house: &House) {
    let (code, out, err) = says(house, &["ledger"]).await;
    assert_eq!(code, Some(0), "{out}{err}");
}

const TEA: [&str; 8] = ["--im", "hook", "--group", "7", "--text", "Tea is ready: ${HOME} $5", "--timeout", "9s"];

#[tokio::test]
async fn h1_a_reminder_comes_once_also_after_a_kill_and_is_then_listed_only_among_all() {
    let house = house().await;
    let mut daemon = house.daemon().await;
    let told = fine(&house, &[&["add", "tea", "--in", "6s"], &TEA[..]].concat()).await;
    assert!(told.starts_with("tea: next ") && told.contains("(UTC)"), "{told}");
    assert_eq!(names(&house, &["--source", "verb"]).await, ["tea"]);
    assert_eq!(house.rows("SELECT source, ended_at FROM jobs WHERE name = 'tea'").await, [["verb", ""]]);
    daemon.child.kill().await.unwrap();
    let mut daemon = house.daemon().await;
    house.until_at_least(1, "SELECT count(*) FROM pushes WHERE state = 'sent'").await;
    daemon.child.kill().await.unwrap();
    let mut daemon = house.daemon().await;
    assert_eq!(texts(&house), ["Tea is ready: ${HOME} $5"], "once, and as it was written");
    let ended = house.rows("SELECT ended_at = due_at, next_due_at FROM jobs JOIN fires ON job = name").await;
    assert_eq!(ended, [["1", ""]]);
    assert_eq!(names(&house, &[]).await, ["yearly"]);
    assert_eq!(jobs(&house, &["--all", "--source", "verb"]).await[0]["state"], "ended");
    even(&house).await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_job_that_is_added_while_no_daemon_runs_fires_once_one_does() {
    let house = house().await;
    house.daemon().await.stop().await;
    let (code, _, told) = says(&house, &[&["add", "tea", "--in", "1s"], &TEA[..]].concat()).await;
    assert!(code == Some(0) && told.contains("no daemon runs"), "{told}");
    until("its instant is past", async || {
        house
            .number(
                "SELECT next_due_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-3 seconds') FROM jobs WHERE name = 'tea'",
            )
            .await
            == 1
    })
    .await;
    let mut daemon = house.daemon().await;
    house.until_at_least(1, "SELECT count(*) FROM pushes WHERE state = 'sent'").await;
    even(&house).await;
    daemon.stop().await;
}

/// The database is locked from before a reminder is said until its instant is past.
#[tokio::test]
async fn a_reminder_whose_instant_passes_while_the_database_is_locked_comes_late_and_once() {
    let house = house().await;
    let mut daemon = house.daemon().await;
    fine(&house, &[&["add", "moved", "--in", "9h"], &TEA[..]].concat()).await;
    let add = [&["add", "tea", "--in", "1s"], &TEA[..]].concat();
    let foreign = rusqlite::Connection::open(house.database()).unwrap();
    let clock = SystemClock::new();
    for (name, words) in [("tea", &add[..]), ("moved", &["edit", "moved", "--in", "1s"])] {
        foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
        let locked_at = clock.now();
        let passes = async {
            until("the instant is past", async || clock.now() > locked_at + Duration::from_millis(2500)).await;
            foreign.execute_batch("ROLLBACK").unwrap();
        };
        let ((code, out, err), ()) = tokio::join!(says(&house, words), passes);
        assert_eq!(code, Some(0), "{out}{err}");
        assert!(out.starts_with(&format!("{name}: due since ")), "{out}");
        let sent = format!("SELECT count(*) FROM push_history WHERE job = '{name}' AND state = 'sent'");
        house.until_at_least(1, &sent).await;
        let fire = format!(
            "SELECT decision, due_at < recorded_at, ended_at = due_at FROM fires JOIN jobs ON name = job WHERE name = '{name}'"
        );
        assert_eq!(house.rows(&fire).await, [["fired", "1", "1"]]);
    }
    // Shorter than it takes to write anything.
    fine(&house, &[&["add", "blink", "--in", "1ms"], &TEA[..]].concat()).await;
    house.until_at_least(1, "SELECT count(*) FROM push_history WHERE job = 'blink' AND state = 'sent'").await;
    for (wait, part) in [("0s", "`pushcron push` sends at once"), ("99999999d", "expected a duration such as 30s")] {
        let told = refused(&house, 64, &[&["add", "other", "--in", wait], &TEA[..]].concat()).await;
        assert!(told.contains(part), "{part} in {told}");
    }
    even(&house).await;
    daemon.stop().await;
}

#[tokio::test]
async fn h2_five_reloads_leave_what_verbs_made_as_it_is() {
    let house = house().await;
    let mut daemon = house.daemon().await;
    fine(&house, &[&["add", "stretch", "--every", "1s"], &TEA[..]].concat()).await;
    let standing = "SELECT revision, source, definition, loaded_at, removed_at FROM jobs WHERE name = 'stretch'";
    let before = house.rows(standing).await;
    assert_eq!(before[0][..2], ["1", "verb"]);
    for round in 1..=5 {
        let added = format!("  - {{name: more{round}, cron: '0 0 29 2 *', push: {{im: hook, group: 1, text: x}}}}\n");
        house.configure("", &format!("{OF_FILES}{added}"));
        daemon.signal(libc::SIGHUP);
        house.until_at_least(1, &format!("SELECT count(*) FROM jobs WHERE name = 'more{round}'")).await;
    }
    assert_eq!(house.rows(standing).await, before);
    let fires = house.number("SELECT count(*) FROM fires").await;
    house.until_at_least(fires + 2, "SELECT count(*) FROM fires").await;
    let told = fine(&house, &["rm", "stretch", "stretch"]).await;
    assert_eq!(told.matches("stretch").count(), 1, "{told}");
    house.assert_it_ends_well(&mut daemon).await;
}

#[tokio::test]
async fn h3_a_job_of_three_fires_fires_three_times_whatever_a_pause_skipped() {
    let house = house().await;
    let mut daemon = house.daemon().await;
    fine(&house, &["add", "beat", "--every", "1s", "--im", "hook", "--group", "1", "--text", "beat"]).await;
    fine(&house, &[&["add", "stretch", "--every", "1s", "--max", "3"], &TEA[..]].concat()).await;
    house.until_at_least(1, "SELECT count(*) FROM fires WHERE job = 'stretch' AND decision = 'fired' AND due_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now')").await;
    fine(&house, &["pause", "stretch"]).await;
    house.until_at_least(1, "SELECT count(*) FROM fires WHERE job = 'stretch' AND decision = 'skipped'").await;
    fine(&house, &["resume", "stretch"]).await;
    house.until_at_least(1, "SELECT count(*) FROM jobs WHERE name = 'stretch' AND ended_at IS NOT NULL").await;
    let beats = house.number("SELECT count(*) FROM fires WHERE job = 'beat'").await;
    house.until_at_least(beats + 8, "SELECT count(*) FROM fires WHERE job = 'beat'").await;
    let fired = "SELECT count(*), max(due_at) = (SELECT ended_at FROM jobs WHERE name = 'stretch'),
                        (SELECT fired FROM jobs WHERE name = 'stretch')
                   FROM fires WHERE job = 'stretch' AND decision = 'fired'";
    assert_eq!(house.rows(fired).await, [["3", "1", "3"]]);
    even(&house).await;
    daemon.child.kill().await.unwrap();
    let mut daemon = house.daemon().await;
    house.until_at_least(beats + 12, "SELECT count(*) FROM fires WHERE job = 'beat'").await;
    assert_eq!(house.rows(fired).await, [["3", "1", "3"]], "nor after a restart");
    // Another text changes nothing of that; more fires let it go on.
    fine(&house, &["edit", "stretch", "--text", "once more"]).await;
    house.until_at_least(beats + 16, "SELECT count(*) FROM fires WHERE job = 'beat'").await;
    assert_eq!(house.rows(fired).await, [["3", "1", "3"]]);
    fine(&house, &["edit", "stretch", "--max", "4"]).await;
    let ended = "SELECT coalesce(max(fired), 0) FROM jobs WHERE name = 'stretch' AND ended_at IS NOT NULL";
    house.until_at_least(4, ended).await;
    house.until_at_least(4, "SELECT count(*) FROM push_history WHERE job = 'stretch' AND state = 'sent'").await;
    assert_eq!(texts(&house).iter().filter(|text| *text == "once more").count(), 1);
    even(&house).await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_job_fires_from_when_until_when_it_is_told_and_ends_with_the_last_of_it() {
    let house = house().await;
    let mut daemon = house.daemon().await;
    let soon = house.rows("SELECT strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '+3 seconds'), strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '+5 seconds')").await;
    let (from, until_at) = (&soon[0][0], &soon[0][1]);
    fine(&house, &[&["add", "stretch", "--every", "1s", "--from", from, "--until", until_at], &TEA[..]].concat()).await;
    house.until_at_least(3, "SELECT count(*) FROM pushes WHERE state = 'sent'").await;
    let ended = "SELECT count(*), substr(min(due_at), 1, 19) || 'Z', substr(max(due_at), 1, 19) || 'Z', substr(max(ended_at), 1, 19) || 'Z'
                   FROM fires JOIN jobs ON name = job";
    assert_eq!(house.rows(ended).await, [["3", from, until_at, until_at]]);
    for (words, part) in [
        (["--every", "1h", "--from", "2030-01-02T00:00", "--until", "2030-01-01T00:00"], "before"),
        (["--in", "1h", "--until", "2030-01-01T00:00", "--max", "1"], "one instant"),
        (["--every", "1h", "--max", "0", "--zone", "UTC"], "max_fires"),
    ] {
        let told = refused(&house, 64, &[&["add", "other"][..], &words, &TEA[..]].concat()).await;
        assert!(told.contains(part), "{part} in {told}");
    }
    even(&house).await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_job_on_demand_fires_when_somebody_says_so_and_at_no_other_time() {
    let house = house().await;
    let alert = "  - {name: alert, on_demand: true, push: {im: hook, group: 1, text: Something is wrong}}\n";
    house.configure("", &format!("{OF_FILES}{alert}"));
    let mut daemon = house.daemon().await;
    fine(&house, &["add", "made", "--on-demand", "--im", "hook", "--group", "2", "--text", "made"]).await;
    assert_eq!(names(&house, &[]).await, ["alert", "made", "yearly"]);
    for job in ["alert", "made"] {
        let told = fine(&house, &["next", job]).await;
        assert!(told.contains("on demand") && told.contains(&format!("pushcron fire {job}")), "{told}");
        fine(&house, &["fire", job, "--wait"]).await;
        assert!(fine(&house, &["export", job]).await.contains("on_demand: true"));
    }
    assert_eq!(texts(&house), ["Something is wrong", "made"]);
    let rows = "SELECT schedule, next_due_at, ended_at, fired FROM jobs WHERE name <> 'yearly' ORDER BY name";
    assert_eq!(house.rows(rows).await, vec![["on demand", "", "", "0"]; 2]);
    // From a schedule to none, and back.
    fine(&house, &["edit", "made", "--every", "1s"]).await;
    house.until_at_least(1, "SELECT count(*) FROM fires WHERE triggered_by = 'cron'").await;
    fine(&house, &["edit", "made", "--on-demand"]).await;
    even(&house).await;
    for (words, part) in [(["--max", "3"], "has no instants"), (["--until", "2030-01-01T00:00"], "has no instants")] {
        let told = refused(&house, 64, &[&["add", "other", "--on-demand"][..], &words, &TEA[..]].concat()).await;
        assert!(told.contains(part), "{told}");
    }
    let told = refused(&house, 64, &[&["add", "other", "--on-demand", "--every", "1h"], &TEA[..]].concat()).await;
    assert!(told.contains("--on-demand"), "{told}");
    for (keys, part) in [
        ("on_demand: true, every: 1h", "one schedule"),
        ("on_demand: false", "expected true"),
        ("on_demand: true, only: cn.workdays", "no days"),
    ] {
        let job = format!("  - {{name: bad, {keys}, push: {{im: hook, group: 1, text: x}}}}\n");
        house.configure("", &format!("{OF_FILES}{job}"));
        let told = refused(&house, 78, &["check"]).await;
        assert!(told.contains(part), "{keys}: {told}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn h4_a_job_of_the_files_is_neither_removed_nor_edited_by_a_verb_which_names_its_file_and_line() {
    let house = house().await;
    let mut daemon = house.daemon().await;
    let lines = std::fs::read_to_string(house.dir.path().join("jobs.yaml")).unwrap();
    let line = 1 + lines.lines().position(|line| line.contains("yearly")).unwrap();
    let place = format!("jobs.yaml:{line}");
    for words in [
        &["rm", "yearly"][..],
        &["edit", "yearly", "--text", "other"],
        &[&["add", "yearly", "--in", "9m"], &TEA[..]].concat(),
    ] {
        let told = refused(&house, 1, words).await;
        assert!(told.contains("'yearly'") && told.contains(&place), "{told}");
    }
    assert_eq!(house.rows("SELECT revision, source FROM jobs").await, [["1", "file"]]);
    for words in [&["rm", "nobody"][..], &["edit", "nobody", "--text", "x"], &["export", "nobody"]] {
        assert!(refused(&house, 1, words).await.contains("'nobody'"));
    }
    daemon.stop().await;
}

#[tokio::test]
async fn h5_what_an_absence_missed_is_made_up_for_once_oldest_first_and_carries_its_instant() {
    let house = House::new().await;
    house.configure(
        "",
        "  - {name: report, every: 1s, misfire: {policy: skip, grace: 0s}, push: {im: hook, group: 1, text: report}}\n",
    );
    let mut daemon = house.daemon().await;
    house.until_at_least(1, "SELECT count(*) FROM pushes WHERE state = 'sent'").await;
    daemon.child.kill().await.unwrap();
    let place = "SELECT next_due_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-4 seconds') FROM jobs";
    until("some instants are past", async || house.number(place).await == 1).await;
    let mut daemon = house.daemon().await;
    house.until_at_least(3, "SELECT count(*) FROM fires WHERE decision = 'missed'").await;
    let missed = house.rows("SELECT due_at FROM fires WHERE decision = 'missed' ORDER BY due_at").await;
    let before = "SELECT * FROM fires WHERE triggered_by = 'cron' AND decision = 'missed'";
    let rows = house.rows(before).await;
    let (from, until_at) = (&missed[0][0], &missed[2][0]);
    let words = ["backfill", "report", "--from", from, "--to", until_at];
    let shown = fine(&house, &[&words[..], &["--dry-run"]].concat()).await;
    assert_eq!(shown.lines().count(), 3, "two instants, since the end is not meant, and their number: {shown}");
    assert_eq!(house.number("SELECT count(*) FROM fires WHERE triggered_by = 'manual'").await, 0);
    let told = fine(&house, &[&words[..], &["--wait"]].concat()).await;
    assert!(told.starts_with("report: made up for 2 instants: pushes "), "{told}");
    let made = "SELECT f.due_at FROM pushes p JOIN fires f ON f.id = p.fire_id
                 WHERE f.triggered_by = 'manual' AND f.reason = 'backfill' AND p.state = 'sent' ORDER BY p.id";
    assert_eq!(house.rows(made).await, missed[..2]);
    let arrived: Vec<String> = house
        .im
        .requests()
        .iter()
        .map(|request| request.json()["data"]["due_at"].as_str().unwrap().to_owned())
        .collect();
    for row in &missed[..2] {
        assert_eq!(arrived.iter().filter(|at| **at == row[0]).count(), 1, "{row:?} in {arrived:?}");
    }
    let told = fine(&house, &words).await;
    assert_eq!(told, "report: nothing to make up for\n");
    assert_eq!(house.rows(before).await, rows, "what the schedule called for stays as it was decided");
    let told = refused(&house, 64, &["backfill", "report", "--from", until_at, "--to", from]).await;
    assert!(told.contains("not after"), "{told}");
    even(&house).await;
    daemon.stop().await;
}

#[tokio::test]
async fn what_was_paused_is_made_up_for_only_where_that_is_wanted() {
    let house = House::new().await;
    house.configure("", "  - {name: report, every: 1s, push: {im: hook, group: 1, text: report}}\n");
    let mut daemon = house.daemon().await;
    fine(&house, &["pause", "report"]).await;
    house.until_at_least(2, "SELECT count(*) FROM fires WHERE decision = 'skipped'").await;
    let words = ["backfill", "report", "--from", "1h"];
    let skipped = fine(&house, &[&words[..], &["--only", "missed"]].concat()).await;
    assert_eq!(skipped, "report: nothing to make up for\n");
    fine(&house, &[&words[..], &["--only", "skipped", "--gap", "1s"]].concat()).await;
    house.until_at_least(2, "SELECT count(*) FROM pushes WHERE state = 'sent'").await;
    let apart = "SELECT count(*) FROM pushes a JOIN pushes b ON b.id = a.id + 1
                  WHERE julianday(b.expires_at) - julianday(a.expires_at) NOT BETWEEN 0.9/86400 AND 1.1/86400
                    AND EXISTS (SELECT 1 FROM fires f WHERE f.id = b.fire_id AND f.triggered_by = 'manual')
                    AND EXISTS (SELECT 1 FROM fires f WHERE f.id = a.fire_id AND f.triggered_by = 'manual')";
    assert_eq!(house.number(apart).await, 0);
    daemon.stop().await;
}

#[tokio::test]
async fn h6_another_schedule_is_a_new_revision_whose_first_instant_is_the_next() {
    let house = house().await;
    let mut daemon = house.daemon().await;
    fine(&house, &[&["add", "stretch", "--cron", "0 0 29 2 *"], &TEA[..]].concat()).await;
    // By the day, so that the schedule calls for nothing while this runs, whatever the hour.
    let told = fine(&house, &["edit", "stretch", "--cron", "30 12 24 12 *", "--zone", "Asia/Shanghai"]).await;
    assert!(told.contains("-12-24 12:30:00 +08 (Asia/Shanghai)"), "{told}");
    let next = fine(&house, &["next", "stretch", "-n", "1", "--json"]).await;
    assert!(next.contains("-12-24T04:30:00.000Z"), "{next}");
    let row = &jobs(&house, &["--source", "verb"]).await[0];
    assert_eq!((row["revision"].as_i64(), row["timezone"].as_str()), (Some(2), Some("Asia/Shanghai")));
    assert!(row["next_due_at"].as_str().unwrap().ends_with("-12-24T04:30:00.000Z"), "{row}");
    // And what is said of the text alone keeps the rest, and its place.
    fine(&house, &["edit", "stretch", "--text", "Get up"]).await;
    let kept = "SELECT revision, definition ->> '$.push[0].message.text', definition ->> '$.push[0].timeout_ms',
                       definition ->> '$.schedule.cron' FROM jobs WHERE name = 'stretch'";
    assert_eq!(house.rows(kept).await, [["3", "Get up", "9000", "30 12 24 12 *"]]);
    assert_eq!(house.number("SELECT count(*) FROM fires").await, 0, "nothing fired early");
    fine(&house, &["edit", "stretch", "--every", "1s"]).await;
    house.until_at_least(2, "SELECT count(*) FROM pushes WHERE state = 'sent'").await;
    assert_eq!(texts(&house)[0], "Get up");
    fine(&house, &["rm", "stretch"]).await;
    house.assert_it_ends_well(&mut daemon).await;
}

#[tokio::test]
async fn h7_of_two_that_add_one_name_at_once_one_wins() {
    let house = house().await;
    let mut daemon = house.daemon().await;
    for round in 0..4 {
        let name = format!("tea{round}");
        let words = [&["add", &name, "--in", "9m"], &TEA[..]].concat();
        let (one, other) = tokio::join!(says(&house, &words), says(&house, &words));
        let mut codes = [one.0, other.0];
        codes.sort_unstable();
        assert_eq!(codes, [Some(0), Some(1)], "{one:?} {other:?}");
        let loser = if one.0 == Some(1) { one } else { other };
        assert!(loser.2.contains(&format!("there is a job '{name}' already")), "{loser:?}");
    }
    assert_eq!(house.number("SELECT count(*) FROM jobs WHERE source = 'verb' AND revision = 1").await, 4);
    daemon.stop().await;
}

#[tokio::test]
async fn h8_a_job_that_moves_into_the_files_is_taken_over_and_nothing_of_it_comes_twice() {
    let house = house().await;
    let mut daemon = house.daemon().await;
    fine(&house, &[&["add", "stretch", "--every", "1s", "--misfire", "all"], &TEA[..]].concat()).await;
    house.until_at_least(2, "SELECT count(*) FROM pushes WHERE state = 'sent'").await;
    let yaml = fine(&house, &["export", "stretch"]).await;
    let (head, job) = yaml.split_once('\n').unwrap();
    assert_eq!(head, "jobs:");
    let whole = || house.rows("SELECT definition FROM jobs WHERE name = 'stretch'");
    let before = whole().await;
    house.configure("", &format!("{OF_FILES}{job}"));
    daemon.signal(libc::SIGHUP);
    house.until_at_least(1, "SELECT count(*) FROM jobs WHERE name = 'stretch' AND source = 'file'").await;
    daemon.says("the files bring jobs that verbs had made").await;
    assert_eq!(house.number("SELECT revision FROM jobs WHERE name = 'stretch'").await, 2);
    assert_eq!(whole().await, before, "it says the same as before");
    let told = refused(&house, 1, &["rm", "stretch"]).await;
    assert!(told.contains("jobs.yaml:"), "{told}");
    let fires = house.number("SELECT count(*) FROM fires").await;
    house.until_at_least(fires + 2, "SELECT count(*) FROM fires").await;
    house.assert_it_ends_well(&mut daemon).await;
}

#[tokio::test]
async fn a_job_that_is_removed_fires_no_more_and_its_name_is_free_again() {
    let house = house().await;
    let mut daemon = house.daemon().await;
    let add = [&["add", "stretch", "--every", "1s"], &TEA[..]].concat();
    fine(&house, &add).await;
    house.until_at_least(2, "SELECT count(*) FROM pushes WHERE state = 'sent'").await;
    assert_eq!(
        fine(&house, &["rm", "stretch"]).await.lines().next().unwrap().split(',').next().unwrap(),
        "stretch is removed"
    );
    let of_it = "SELECT count(*) FROM fires WHERE job = 'stretch'";
    let fires = house.number(of_it).await;
    fine(&house, &["add", "beat", "--every", "1s", "--im", "hook", "--group", "1", "--text", "beat"]).await;
    house.until_at_least(3, "SELECT count(*) FROM fires WHERE job = 'beat'").await;
    assert_eq!(house.number(of_it).await, fires, "another one fires, and it does not");
    fine(&house, &["rm", "beat"]).await;
    fine(&house, &add).await;
    assert_eq!(house.number("SELECT revision FROM jobs WHERE name = 'stretch'").await, 2);
    house.until_at_least(fires + 2, of_it).await;
    fine(&house, &["rm", "stretch"]).await;
    house.settled().await;
    even(&house).await;
    daemon.stop().await;
}

#[tokio::test]
async fn what_is_said_of_a_job_is_judged_as_the_files_are() {
    let house = house().await;
    let mut daemon = house.daemon().await;
    let add = |more: &[&'static str]| [&["add", "tea"][..], more, &TEA[..]].concat();
    for (words, part) in [
        (add(&["--at", "2020-01-01T00:00:00Z"]), "past"),
        (add(&["--at", "noon"]), "expected a time such as 14:30"),
        (add(&["--cron", "61 * * * *"]), "61"),
        (add(&["--every", "100ms"]), "whole seconds"),
        (add(&["--in", "1h", "--zone", "Asia/Shanghia"]), "Asia/Shanghai"),
        (add(&["--in", "1h", "--account", "hok"]), "no account 'hok'"),
        (add(&[]), "--in"),
        (vec!["add", "tea", "--in", "1h", "--im", "hook", "--text", "x"], "a group or a user"),
        (vec!["add", "tea", "--in", "1h", "--im", "hok", "--group", "1", "--text", "x"], "im 'hok'"),
        (vec!["add", "tea", "--in", "1h", "--every", "1h", "--im", "hook"], "cannot be used with"),
        (vec!["edit", "tea"], "at least one option"),
    ] {
        let told = refused(&house, 64, &words).await;
        assert!(told.contains(part), "{part} in {told}");
    }
    let file = house.dir.path().join("more.yaml");
    let more = file.to_str().unwrap();
    std::fs::write(&file, "accounts: []\njobs: []\n").unwrap();
    assert!(refused(&house, 78, &["add", "-f", more]).await.contains("at least one job"));
    std::fs::write(&file, "jobs:\n- {name: a, in: 20m, push: {im: hook, group: 1, text: x}}\n").unwrap();
    let told = refused(&house, 78, &["add", "-f", more]).await;
    assert!(told.contains("more.yaml:2") && told.contains("in"), "{told}");
    assert_eq!(house.number("SELECT count(*) FROM jobs").await, 1, "nothing is made by halves");
    let two = "jobs:\n- {name: a, every: 1h, push: {im: hook, group: 1, text: x}}\n- {name: b, every: 1h, push: {im: hook, user: 1, text: x}}\n";
    std::fs::write(&file, two).unwrap();
    fine(&house, &["add", "-f", more]).await;
    assert_eq!(names(&house, &["--source", "verb"]).await, ["a", "b"]);
    assert!(refused(&house, 1, &["add", "-f", more]).await.contains("there is a job 'a' already"));
    daemon.stop().await;
}

#[tokio::test]
async fn check_tells_of_accounts_that_the_database_asks_for_and_the_files_do_not_have_any_more() {
    let house = House::new().await;
    let spare = |id: &str| format!("  - {{id: {id}, im: hook, sender: webhook, url: \"http://127.0.0.1:1/\"}}\n");
    let jobs = |account: &str| {
        let push = format!("{{im: hook, group: 1, text: hi, account: {account}}}");
        format!("  - {{name: daily, cron: '0 0 29 2 *', push: {push}}}\n")
    };
    house.configure(&spare("spare"), &jobs("spare"));
    house.daemon().await.stop().await;
    let tea = ["add", "tea", "--cron", "0 0 29 2 *", "--im", "hook", "--user", "1", "--user", "2", "--text", "tea"];
    fine(&house, &[&tea[..], &["--account", "spare"]].concat()).await;
    let fallback =
        "jobs: [{name: alert, cron: '0 0 29 2 *', push: {im: hook, group: 1, text: hi, fallback: {account: spare}}}]";
    let file = house.dir.path().join("alert.yaml");
    std::fs::write(&file, fallback).unwrap();
    fine(&house, &["add", "-f", file.to_str().unwrap()]).await;
    for job in ["daily", "alert"] {
        fine(&house, &["fire", job]).await;
    }
    let database = house.database();
    let with_database = ["check", "--json", "--db", database.to_str().unwrap()];
    let warnings = async |words: &[&str]| -> Vec<(String, String)> {
        let report: Value = serde_json::from_str(&fine(&house, words).await).unwrap();
        let text = |problem: &Value, key: &str| problem[key].as_str().unwrap_or_default().to_owned();
        let warnings = report["warnings"].as_array().unwrap().iter();
        warnings.map(|warning| (text(warning, "message"), text(warning, "hint"))).collect()
    };
    assert_eq!(warnings(&with_database).await, []);
    // The account was renamed, which the jobs of the files took along.
    house.configure(&spare("spare2"), &jobs("spare2"));
    assert_eq!(warnings(&["check", "--json"]).await, [], "of the files alone");
    let told = warnings(&with_database).await;
    let messages: Vec<&str> = told.iter().map(|(message, _)| message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "job 'alert', which a verb made: there is no account 'spare' any more, so a fallback of it would wait in vain",
            "job 'tea', which a verb made: there is no account 'spare' any more, so its pushes wait in vain",
            "1 open push of job 'daily': there is no account 'spare' any more, so nothing is sent",
            "1 open push of job 'alert': there is no account 'spare' any more, so the fallback would wait in vain",
        ]
    );
    assert!(told[1].1.starts_with("did you mean 'spare2'?") && told[1].1.contains("pushcron edit tea"), "{told:?}");
}
