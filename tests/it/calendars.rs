//! Jobs that know holidays and made-up workdays, from outside: files and the program.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use pushcron::clock::{Clock, SystemClock};
use pushcron::domain::calendar::{Coverage, MonthDay};
use pushcron::domain::{Calendar, CalendarRef, DayRule, Job, UtcMs};
use serde_json::Value;

use crate::cli::house::House;
use crate::common::daemon;
use crate::common::rows::query;
use crate::common::world::{World, account, cron, job as job_of};

const HEAD: &str = "daemon: {timezone: Asia/Shanghai}\naccounts: [{id: screen, sender: console, im: qq}]\n";

fn house(jobs: &str) -> House {
    House::with_file(&format!("{HEAD}{jobs}"))
}

fn job(keys: &str) -> String {
    format!("jobs:\n  - {{name: report, push: {{im: qq, group: \"1\", text: hello}}, {keys}}}\n")
}

/// By the clock of the world, in UTC, where the houses are.
fn today() -> jiff::civil::Date {
    SystemClock::new().now().to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// The days on which a job fires, by the clock of its zone.
#[track_caller]
fn days(house: &House, from: &str, until: &str) -> Vec<String> {
    let told = house.run(&format!("next report --json --from {from} --until {until}")).fine();
    let rows: Vec<Value> = serde_json::from_str(&told).unwrap();
    rows.iter().map(|row| row["local"].as_str().unwrap()[..10].to_owned()).collect()
}

#[test]
fn d1_the_workdays_of_2026_are_248_with_make_up_days_and_without_holidays() {
    let house = house(&job("cron: \"0 9 * * *\", workdays: cn"));
    let days = days(&house, "2026-01-01", "2026-12-31");
    assert_eq!(days.len(), 248);
    for worked in ["2026-02-14", "2026-02-28", "2026-01-04", "2026-05-09", "2026-09-20", "2026-10-10"] {
        assert!(days.iter().any(|day| day == worked), "{worked}");
    }
    for off in 1..=7 {
        assert!(!days.contains(&format!("2026-10-{off:02}")), "{off} October");
    }
}

#[test]
fn d2_every_year_has_the_workdays_that_its_list_counts_and_the_list_is_the_one_that_was_checked() {
    let house = house(&job("cron: \"0 9 * * *\", workdays: cn"));
    let counts = [
        252, 251, 251, 249, 251, 250, 250, 250, 249, 250, 250, 249, 250, 249, 250, 250, 249, 250, 249, 249, 251, 248,
        248,
    ];
    let mut all = BTreeSet::new();
    for (year, count) in (2004..=2026).zip(counts) {
        let days = days(&house, &format!("{year}-01-01"), &format!("{year}-12-31"));
        assert_eq!(days.len(), count, "{year}");
        all.extend(days);
    }
    // The days on which sources disagree.
    for worked in ["2005-12-31", "2013-04-07", "2013-10-12"] {
        assert!(all.contains(worked), "{worked}");
    }
    for off in ["2020-01-31", "2020-02-01", "2015-09-03", "2019-05-02"] {
        assert!(!all.contains(off), "{off}");
    }
}

#[test]
fn d3_other_days_beside_workdays_are_refused_with_advice() {
    let told = house(&job("cron: \"0 9 * * 3\", workdays: cn")).run("check").refused(78);
    assert!(told.contains("jobs.yaml:4:") && told.contains("only: cn.workdays"), "{told}");
}

#[test]
fn d4_a_salary_on_a_saturday_comes_on_the_friday_before() {
    let house = house(&job("cron: \"0 10 15 * *\", only: cn.workdays, shift: previous"));
    assert_eq!(days(&house, "2026-08-01", "2026-08-31"), ["2026-08-14"]);
}

#[test]
fn d7_an_icalendar_file_gives_days_off_with_their_end_left_out_and_made_up_days() {
    let house = house(&format!(
        "calendars:\n  sse: {{ics: sse.ics, covers: 2026, work_if: \"上班|（班）\"}}\n{}",
        job("cron: \"0 9 * * *\", workdays: sse")
    ));
    house.write(
        "sse.ics",
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:国庆节\r\nDTSTART;VALUE=DATE:20261005\r\nDTEND;VALUE=DATE:20261008\r\nEND:VEVENT\r\n\
         BEGIN:VEVENT\r\nSUMMARY:国庆节（班）\r\nDTSTART;VALUE=DATE:20261010\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
    );
    let days = days(&house, "2026-10-02", "2026-10-12");
    assert_eq!(days, ["2026-10-02", "2026-10-08", "2026-10-09", "2026-10-10", "2026-10-12"]);
}

#[test]
fn a_list_of_ones_own_over_another_one() {
    let house = house(&format!(
        "calendars:\n  company: {{based_on: cn, rest: [2026-12-24, \"2026-12-28..2026-12-31\"], work: [2026-12-26]}}\n{}",
        job("cron: \"0 9 * * *\", workdays: company")
    ));
    assert_eq!(days(&house, "2026-12-23", "2026-12-31"), ["2026-12-23", "2026-12-25", "2026-12-26"]);
    // What it says nothing about is as in the other one.
    assert_eq!(days(&house, "2026-10-06", "2026-10-10"), ["2026-10-08", "2026-10-09", "2026-10-10"]);
}

#[test]
fn a_newer_list_beside_the_files_takes_the_place_of_the_one_that_is_brought_along() {
    let house = house(&job("cron: \"0 9 * * *\", workdays: cn"));
    std::fs::create_dir(house.path("calendars")).unwrap();
    let list = |version: &str| {
        format!(
            "calendar: cn\nversion: {version}\ncovers: 2027\nyears: {{2027: {{rest: [01-01, 02-05..02-11, 10-01..10-07], work: [02-13]}}}}\n"
        )
    };
    house.write("calendars/cn.yaml", &list("2026-12-01"));
    assert!(days(&house, "2027-02-01", "2027-02-28").contains(&"2027-02-13".to_owned()));
    house.write("calendars/cn.yaml", &list("2020-01-01"));
    let told = house.run("check");
    assert!(told.err.contains("older than the one that pushcron brings along"), "{}", told.err);
}

#[test]
fn slips_are_told_with_their_place_and_what_was_meant() {
    let keys = |keys: &str| job(&format!("cron: \"0 9 * * *\", {keys}"));
    for (text, line, word) in [
        (keys("workdays: ch"), 4, "there is no calendar ch"),
        (keys("only: cn.holiday"), 4, "cn.holidays"),
        (keys("only: 2026-13-01"), 4, "only: expected days"),
        (keys("nth: 2"), 4, "nth says nothing by itself"),
        (keys("workdays: cn, on_missing_calendar: held"), 4, "did you mean 'hold'?"),
        (keys("workdays: cn, nth: 0"), 4, "nth: expected a number"),
        (keys("only: 2026-10-05..2026-10-01"), 4, "only: expected days"),
        (job("every: 1h, workdays: cn"), 4, "only 'only' and 'except'"),
        (job("at: 2027-10-01T09:00, only: cn.workdays"), 4, "'at' has one instant"),
        (
            format!("calendars: {{a: {{based_on: b}}, b: {{based_on: a}}}}\n{}", keys("workdays: a")),
            3,
            "based on itself",
        ),
        (
            format!("calendars: {{a: {{rest: [2026-10-01], work: [2026-10-01]}}}}\n{}", keys("workdays: a")),
            3,
            "both as a day off and as a workday",
        ),
        (
            format!("calendars: {{a: {{covers: 2026, years: {{2026: {{workdays: 250}}}}}}}}\n{}", keys("workdays: a")),
            3,
            "has 261 workdays in 2026, and says 250",
        ),
        (format!("calendars: {{a: {{ics: none.ics}}}}\n{}", keys("workdays: a")), 3, "expected 'covers' beside it"),
        (
            format!("calendars: {{a: {{ics: none.ics, covers: 2026}}}}\n{}", keys("workdays: a")),
            3,
            "none.ics cannot be read",
        ),
    ] {
        let told = house(&text).run("check").refused(78);
        assert!(told.contains(&format!("jobs.yaml:{line}:")) && told.contains(word), "{word}: {told}");
    }
}

#[test]
fn a_calendar_is_shown_with_its_holidays_and_its_workdays() {
    let house = house(&job("cron: \"0 9 * * *\", workdays: cn"));
    let told = house.run("calendar show cn 2026").fine();
    for line in ["cn 2026 (2026-11-28): 248 workdays", "off     10-01 Thu to 10-07 Wed  国庆节", "worked  10-10 Sat"]
    {
        assert!(told.contains(line), "{line}: {told}");
    }
    let json: Value = serde_json::from_str(&house.run("calendar show cn 2026 --json").fine()).unwrap();
    assert_eq!((&json["workdays"], &json["covered"]), (&Value::from(248), &Value::from(true)));
    assert!(house.run("calendar show nobody").refused(78).contains("there is no calendar nobody"));
}

#[test]
fn a_list_of_others_is_taken_beside_the_years_that_are_there_and_a_changed_past_is_not() {
    let house = house(&job("cron: \"0 9 * * *\", workdays: cn"));
    let year = |days: &str| format!("{{\"year\": 2027, \"papers\": [], \"days\": [{days}]}}");
    let day = |date: &str, off: bool| format!("{{\"name\": \"春节\", \"date\": \"{date}\", \"isOffDay\": {off}}}");
    let off = [1, 2, 3, 4, 5, 8, 9, 10].map(|at| day(&format!("2027-02-{at:02}"), true));
    house.write("2027.json", &year(&[off.join(","), day("2027-02-13", false)].join(",")));
    house.run("calendar import 2027.json --name cn").fine();
    let february = days(&house, "2027-02-01", "2027-02-28");
    assert!(
        !february.contains(&"2027-02-05".to_owned()) && february.contains(&"2027-02-13".to_owned()),
        "{february:?}"
    );
    // The years before are as they were.
    assert_eq!(days(&house, "2026-01-01", "2026-12-31").len(), 248);

    house.write("cn.yaml", "calendar: cn\ncovers: 2020\nyears: {2020: {rest: [01-02, 10-01..10-08], work: []}}\n");
    let told = house.run("calendar import cn.yaml").refused(1);
    assert!(told.contains("past") && told.contains("2020-01-01"), "{told}");
    house.write("cn.yaml", "calendar: cn\ncovers: 2028\nyears: {2028: {rest: [01-01..03-31]}}\n");
    let told = house.run("calendar import cn.yaml").refused(78);
    assert!(told.contains("workdays in 2028: expected 240 to 256"), "{told}");
}

#[test]
fn a_list_that_ends_soon_is_told_of() {
    let soon = today().checked_add(jiff::Span::new().days(30)).unwrap();
    let house = house(&format!(
        "calendars: {{own: {{covers: {{from: 2020-01-01, until: {soon}}}}}}}\n{}",
        job("cron: \"0 9 * * *\", workdays: own")
    ));
    let told = house.run("check").err;
    assert!(told.contains(&format!("the calendar own ends on {soon}")), "{told}");
}

/// A list that ends with 2026.
fn list(rest: &[&str]) -> CalendarRef {
    let day = |text: &str| text.parse().unwrap();
    Arc::new(Calendar {
        name: "cn".to_owned(),
        version: rest.len().to_string(),
        covers: Some(Coverage { from: day("2026-01-01"), until: day("2026-12-31"), settled_until: None }),
        rest: rest.iter().map(|text| (day(text), "off".to_owned())).collect(),
        every_year: BTreeMap::from([("01-01".parse::<MonthDay>().unwrap(), "New Year".to_owned())]),
        ..Calendar::default()
    })
    .reference()
}

/// A job at nine on the workdays of a list.
fn at_nine(list: CalendarRef) -> Job {
    let days = Some(Box::new(DayRule { workdays: Some(list), ..DayRule::default() }));
    Job { days, ..job_of("report", cron("0 9 * * *")) }
}

async fn world_at(start: &str) -> World {
    World::within(tempfile::tempdir().unwrap(), start.parse::<UtcMs>().unwrap(), vec![account("main", true)]).await
}

const ROWS: &str =
    "select substr(due_at, 1, 10), decision, coalesce(reason, ''), coalesce(calendar, '') from fires order by due_at";

#[tokio::test]
async fn d5_without_a_list_weekdays_fire_and_the_row_says_so_and_days_off_by_law_do_not() {
    let mut world = world_at("2026-12-31T08:59:00.000Z").await;
    world.load(&[at_nine(list(&["2026-10-01"]))]).await;
    for _ in 0..5 {
        world.pass(Duration::from_secs(120)).await;
        world.clock.advance(Duration::from_secs(86_400 - 120));
    }
    world
        .expect(
            ROWS,
            &[
                &["2026-12-31", "fired", "", ""],
                &["2027-01-01", "skipped", "holiday", "cn 1: New Year"],
                &["2027-01-04", "fired", "", "cn 1: no list for 2027: weekdays assumed"],
            ],
        )
        .await;
    world.balanced_ledger();
}

#[tokio::test]
async fn a_new_list_holds_from_the_reload_on_and_what_was_due_before_is_decided_by_the_old_one() {
    let mut world = world_at("2026-12-29T08:59:00.000Z").await;
    world.load(&[at_nine(list(&[]))]).await;
    world.pass(Duration::from_secs(120)).await;
    // Away over the next day's instant; back with a list that gives that day and the one after off.
    let later = world.clock.boottime() + Duration::from_secs(86_400 - 60);
    let mut world = world.away_until(later, true).await;
    world.load(&[at_nine(list(&["2026-12-30", "2026-12-31"]))]).await;
    world.pass(Duration::from_secs(1)).await;
    world.clock.advance(Duration::from_secs(86_400));
    world.pass(Duration::from_secs(1)).await;
    world
        .expect(
            "select substr(due_at, 1, 10), decision, coalesce(reason, ''), revision from fires order by due_at",
            &[
                &["2026-12-29", "fired", "", "1"],
                &["2026-12-30", "fired", "", "1"],
                &["2026-12-31", "skipped", "holiday", "2"],
            ],
        )
        .await;
    world.balanced_ledger();
    world.expect("select count(*) from calendars", &[&["2"]]).await;
}

#[tokio::test]
async fn d6_a_list_imported_under_a_running_daemon_takes_its_day_off_at_the_reload() {
    let house = daemon::House::new().await;
    let yesterday = today().yesterday().unwrap();
    let days = |rest: &str| {
        format!("calendar: own\ncovers: {{from: {yesterday}, until: 2099-12-31}}\nweekend: []\nrest: [{rest}]\n")
    };
    std::fs::create_dir(house.dir.path().join("calendars")).unwrap();
    std::fs::write(house.dir.path().join("calendars/own.yaml"), days("")).unwrap();
    house.configure(
        "",
        "  - {name: report, cron: \"* * * * * *\", workdays: own, push: {im: hook, group: 1, text: tick}}\n",
    );
    let mut daemon = house.daemon().await;
    house.until_at_least(2, "SELECT count(*) FROM fires WHERE decision = 'fired'").await;
    // Today and tomorrow, so that midnight does not matter.
    let off = format!("{}..{}", yesterday.tomorrow().unwrap(), yesterday.tomorrow().unwrap().tomorrow().unwrap());
    std::fs::write(house.dir.path().join("own.yaml"), days(&off)).unwrap();
    let (code, told) = house.ends(&["calendar", "import", "own.yaml"]).await;
    assert_eq!(code, Some(0), "{told}");
    daemon.signal(libc::SIGHUP);
    // Not only those that are recorded ahead.
    let skipped = "SELECT count(*) FROM fires WHERE decision = 'skipped' AND reason = 'holiday'
                    AND due_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";
    house.until_at_least(3, skipped).await;
    assert_eq!(house.number("SELECT revision FROM jobs").await, 2);
    // Nothing fires any more from the reload on, but what was being sent while it was taken in.
    let fired_since = "SELECT count(*) FROM fires WHERE decision = 'fired'
                        AND due_at > (SELECT strftime('%Y-%m-%dT%H:%M:%fZ', loaded_at, '+1 seconds') FROM jobs)";
    assert_eq!(house.number(fired_since).await, 0);
    house.settled().await;
    daemon.stop().await;
    // What was skipped was called for.
    let skipped = house.rows("SELECT max(due_at) FROM fires WHERE decision = 'skipped'").await;
    let mut explain = house.program(&["explain", "report", &skipped[0][0], "--json"]);
    let told = explain.stdout(std::process::Stdio::piped()).output().await.unwrap();
    assert!(told.status.success(), "{told:?}");
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(told["calls"], serde_json::json!([skipped[0][0]]));
    let (code, told) = house.ends(&["ledger"]).await;
    assert_eq!(code, Some(0), "{told}");
}

#[tokio::test]
async fn pushes_of_a_day_without_a_list_wait_for_it_over_restarts_and_go_by_what_it_says() {
    let yesterday = today().yesterday().unwrap();
    // Tomorrow too, so that midnight does not matter.
    let days = format!("{}..{}", yesterday.tomorrow().unwrap(), yesterday.tomorrow().unwrap().tomorrow().unwrap());
    for (rest, state, reason) in [("", "sent", ""), (&*days, "cancelled", "holiday")] {
        let house = daemon::House::new().await;
        let list = |until: &str, rest: &str| {
            let covers = format!("covers: {{from: 2020-01-01, until: {until}}}");
            let text = format!("calendar: own\n{covers}\nweekend: []\nrest: [{rest}]\n");
            std::fs::write(house.dir.path().join("calendars/own.yaml"), text).unwrap();
        };
        std::fs::create_dir(house.dir.path().join("calendars")).unwrap();
        list(&yesterday.to_string(), "");
        house.configure(
            "",
            "  - {name: report, cron: \"* * * * * *\", workdays: own, on_missing_calendar: hold, push: {im: hook, group: 1, text: tick}}\n",
        );
        let mut first = house.daemon().await;
        let held = "SELECT count(*) FROM unexpanded_fires AS u JOIN fires AS f ON f.id = u.fire_id
                     WHERE f.decision = 'fired' AND f.calendar LIKE 'own: no list for %: held'";
        house.until_at_least(2, held).await;
        let due = house.rows("SELECT min(due_at) FROM fires").await[0][0].clone();
        let told = house.program(&["explain", "report", &due]).output().await.unwrap();
        assert!(String::from_utf8_lossy(&told.stdout).contains("wait for a list of days"), "{told:?}");
        first.stop().await;
        let mut second = house.daemon().await;
        house.until_at_least(house.number(held).await + 1, held).await;
        assert_eq!((house.number("SELECT count(*) FROM pushes").await, house.im.requests().len()), (0, 0));
        list("2099-12-31", rest);
        second.signal(libc::SIGHUP);
        second.says("reloaded").await;
        daemon::until("nothing waits any more", async || {
            house.number("SELECT count(*) FROM unexpanded_fires").await == 0
        })
        .await;
        house.settled().await;
        second.stop().await;
        // Each of them that was held, the first one too.
        let ends = format!(
            "SELECT count(*) = count(*) FILTER (WHERE p.state = '{state}' AND coalesce(p.reason, '') = '{reason}') AND min(f.due_at) = '{due}'
               FROM pushes AS p JOIN fires AS f ON f.id = p.fire_id WHERE f.calendar LIKE '%held'"
        );
        assert_eq!(house.number(&ends).await, 1, "{state}");
        assert_eq!(house.im.requests().is_empty(), state == "cancelled");
        let (code, told) = house.ends(&["ledger"]).await;
        assert_eq!(code, Some(0), "{told}");
    }
}

#[test]
fn a_simulation_tells_what_would_be_held_for_a_list_that_does_not_come() {
    let house = house(&job("cron: \"0 9 * * *\", workdays: cn, on_missing_calendar: hold"));
    let told = house.run("simulate --from 2026-12-31 --until 2027-01-05 --misses --db out.db").fine();
    assert!(told.contains("no list covers that day"), "{told}");
    let rows = "SELECT substr(f.due_at, 1, 10), p.state, coalesce(p.reason, '') FROM pushes p JOIN fires f ON f.id = p.fire_id ORDER BY 1";
    assert_eq!(
        query(&house.path("out.db"), rows),
        [["2026-12-31", "sent", ""], ["2027-01-04", "expired", "no_calendar"]]
    );
}

#[test]
fn days_of_ones_own_count_also_beyond_the_end_of_the_list_below() {
    let house = house(&format!(
        "calendars: {{company: {{based_on: cn, rest: [2027-01-04], work: [2027-01-09]}}}}\n{}",
        job("cron: \"0 9 * * *\", workdays: company")
    ));
    assert_eq!(
        days(&house, "2027-01-03", "2027-01-10"),
        ["05", "06", "07", "08", "09"].map(|day| format!("2027-01-{day}"))
    );
}

#[test]
fn a_list_that_is_there_and_cannot_be_read_is_not_written_over() {
    let house = house(&job("cron: \"0 9 * * *\""));
    house.write("list.yaml", "covers: 2027\nrest: [2027-01-04]\n");
    std::fs::create_dir(house.path("calendars")).unwrap();
    let broken = "covers: 2026\nrest: [2026-05-05\n";
    for words in [&["import", "list.yaml", "--name", "own"][..], &["show", "cn"]] {
        let file = format!("calendars/{}.yaml", words[words.len() - 1]);
        house.write(&file, broken);
        let told = house.run_words([&["calendar"], words].concat()).refused(78);
        assert!(told.contains(&file), "{words:?}: {told}");
        assert_eq!(std::fs::read_to_string(house.path(&file)).unwrap(), broken);
        std::fs::remove_file(house.path(&file)).unwrap();
    }
}

#[test]
fn a_list_is_written_nowhere_but_beside_the_configuration() {
    let house = house(&job("cron: \"0 9 * * *\""));
    house.write("list.yaml", "covers: 2027\nrest: [2027-01-04]\n");
    let before = std::fs::read_to_string(house.path("jobs.yaml")).unwrap();
    for name in ["../jobs", "a/b", "", ".own", "cn.rest"] {
        let told = house.run_words(["calendar", "import", "list.yaml", "--name", name]).refused(78);
        assert!(told.contains("a calendar's name"), "{name}: {told}");
    }
    assert_eq!(std::fs::read_to_string(house.path("jobs.yaml")).unwrap(), before);
}
