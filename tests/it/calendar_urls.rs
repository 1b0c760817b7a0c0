//! Lists of days that lie at an address: the daemon fetches them, keeps the last good version, and nothing that fails takes days
//! away.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::{Date, date};
use pushcron::clock::{Clock, SystemClock};
use pushcron::config::{self, FetchedList, LoadEnvironment, TakenList};
use pushcron::domain::{Calendar, UtcMs};
use pushcron::senders;

use crate::common::daemon::{Daemon, House, until};
use crate::common::fake_im::Answer;

const LIST: &str = "calendar: trading\nversion: \"1\"\ncovers: {from: 2030-01-01, until: 2031-12-31}\n\
                    rest: {Fair: [2030-03-04, 2030-03-05]}\nwork: [2030-03-09]\n";

fn configure(house: &House, private: bool, calendar: &str) {
    house.write(&format!(
        "daemon: {{database: {}, timezone: UTC, media_allow_private: {private}}}\n\
         accounts:\n  - {{id: hook, im: hook, sender: webhook, url: \"{}\", default: true}}\n\
         calendars: {{trading: {{{calendar}}}}}\n\
         jobs:\n  - {{name: a, cron: 0 9 * * *, workdays: trading, push: {{im: hook, group: 1, text: hi}}}}\n",
        house.database().display(),
        house.im.url("/hook"),
    ));
}

async fn said(house: &House, words: &[&str]) -> String {
    let said = house.program(words).stdout(std::process::Stdio::piped()).output().await.unwrap();
    String::from_utf8(said.stdout).unwrap()
}

const REVISION: &str = "SELECT revision FROM jobs WHERE name = 'a'";

/// The time for the next fetch has come.
fn make_due(house: &House) {
    let conn = rusqlite::Connection::open(house.database()).unwrap();
    conn.execute("UPDATE fetched_calendars SET tried_at = '2020-01-01T00:00:00.000Z'", []).unwrap();
}

#[tokio::test]
async fn a_list_is_fetched_and_used_at_once_and_stays_whatever_becomes_of_its_server() {
    let house = House::new().await;
    house.im.on("/list", Answer::text(200, LIST));
    configure(&house, true, &format!("url: \"{}\"", house.im.url("/list")));
    let (_, told) = house.ends(&["check"]).await;
    let told = told + &said(&house, &["check"]).await;
    assert!(told.contains("the calendar trading was not fetched yet"), "{told}");
    let mut daemon = house.daemon().await;
    until("the job goes by the list", async || house.number(REVISION).await == 2).await;
    assert!(daemon.log().contains("a list of days was fetched and is used from now on"), "{}", daemon.log());
    let year = said(&house, &["calendar", "show", "trading", "2030"]).await;
    assert!(year.contains("03-04 Mon to 03-05 Tue  Fair") && year.contains("worked  03-09 Sat"), "{year}");
    let next = said(&house, &["next", "a", "--from", "2030-03-02", "--until", "2030-03-11", "--json"]).await;
    for (day, is_in) in [("2030-03-04", false), ("2030-03-06", true), ("2030-03-09", true), ("2030-03-10", false)] {
        assert_eq!(next.contains(&format!("\"{day}T09:00")), is_in, "{day}: {next}");
    }
    daemon.stop().await;

    for answer in [
        Answer::status(500),
        Answer::text(200, "<html>sign in</html>"),
        Answer::text(200, "calendar: trading\ncovers: 2030\n"),
        Answer::text(200, "calendar: trading\nrest: [2030-03-04]\n"),
        Answer::text(200, b"\xff\xfe".to_vec()),
    ] {
        house.im.on("/list", answer.clone());
        make_due(&house);
        let mut daemon = house.daemon().await;
        until("the failure is noted", async || {
            house.number("SELECT count(*) FROM fetched_calendars WHERE error IS NOT NULL AND tried_at > '2021'").await
                == 1
        })
        .await;
        daemon.stop().await;
        assert!(daemon.log().contains("could not be fetched, and stays as it is"), "{answer:?}: {}", daemon.log());
        assert_eq!(said(&house, &["calendar", "show", "trading", "2030"]).await, year, "{answer:?}");
        assert_eq!(house.number(REVISION).await, 2, "{answer:?}");
    }
    let (code, told) = house.ends(&["ledger"]).await;
    assert_eq!(code, Some(0), "{told}");
}

#[tokio::test]
async fn a_new_version_is_a_new_revision_and_the_old_one_is_kept_for_the_past() {
    let house = House::new().await;
    house.im.on("/list", Answer::text(200, LIST));
    configure(&house, true, &format!("url: \"{}\"", house.im.url("/list")));
    let mut daemon = house.daemon().await;
    until("the job goes by the list", async || house.number(REVISION).await == 2).await;
    daemon.stop().await;
    house.im.on("/list", Answer::text(200, LIST.replace("2030-03-05", "2030-03-06").replace("\"1\"", "\"2\"")));
    make_due(&house);
    let mut daemon = house.daemon().await;
    until("the job goes by the new one", async || house.number(REVISION).await == 3).await;
    daemon.stop().await;
    assert!(daemon.log().contains("2030-03-05 worked, 2030-03-06 off"), "{}", daemon.log());
    let versions =
        house.rows("SELECT version FROM calendars WHERE name = 'trading' AND version <> '' ORDER BY 1").await;
    assert_eq!(versions, [["1"], ["2"]]);
    // The same again is nothing new.
    make_due(&house);
    let mut daemon = house.daemon().await;
    until("it was looked at", async || {
        house.number("SELECT count(*) FROM fetched_calendars WHERE tried_at > '2021' AND error IS NULL").await == 1
    })
    .await;
    daemon.stop().await;
    assert_eq!(house.number(REVISION).await, 3);
}

/// How often the log of this daemon says that a list is old.
fn told_old(daemon: &Daemon) -> usize {
    daemon.log().matches("a list of days is old").count()
}

/// Starts the daemon for as long as the one fetch takes that is due.
async fn through_one_fetch(house: &House) -> Daemon {
    make_due(house);
    let mut daemon = house.daemon().await;
    until("it was fetched", async || {
        house.number("SELECT count(*) FROM fetched_calendars WHERE tried_at > '2021'").await == 1
    })
    .await;
    daemon.stop().await;
    daemon
}

#[tokio::test]
async fn a_list_that_could_not_be_fetched_for_long_is_told_once_a_day_over_restarts_too() {
    let house = House::new().await;
    house.im.on("/list", Answer::text(200, LIST));
    configure(&house, true, &format!("url: \"{}\", old_after: 2d", house.im.url("/list")));
    let mut daemon = house.daemon().await;
    until("the job goes by the list", async || house.number(REVISION).await == 2).await;
    daemon.stop().await;
    let set = |column: &str, at: &str| {
        let conn = rusqlite::Connection::open(house.database()).unwrap();
        conn.execute(&format!("UPDATE fetched_calendars SET {column} = ?1"), [at]).unwrap();
    };
    let checked = async || said(&house, &["check"]).await + &house.ends(&["check"]).await.1;
    // A daemon that was away for long.
    set("good_at", "2020-01-01T00:00:00.000Z");
    let told = checked().await;
    assert!(told.contains("fetched last at 2020-01-01T00:00:00.000Z") && told.contains("nobody tried since"), "{told}");
    assert_eq!(told_old(&through_one_fetch(&house).await), 0, "it was fetched well");

    house.im.on("/list", Answer::status(503));
    set("good_at", "2020-01-01T00:00:00.000Z");
    let daemon = through_one_fetch(&house).await;
    assert_eq!(told_old(&daemon), 1, "{}", daemon.log());
    let told = checked().await;
    assert!(told.contains("could not be fetched since 2020-01-01"), "{told}");
    assert!(told.contains("the last try: ") && told.contains("503"), "{told}");
    // The same day again.
    let mut daemon = house.daemon().await;
    daemon.stop().await;
    assert_eq!(told_old(&daemon), 0, "{}", daemon.log());
    let tried = SystemClock::new().now() - Duration::from_secs(3700);
    let good = tried - Duration::from_secs(2 * 86_400 + 3600);
    set("good_at", &good.to_string());
    set("tried_at", &tried.to_string());
    let failures = "SELECT count(*) FROM fetched_calendars WHERE tried_at > ";
    let mut daemon = house.daemon().await;
    until("it was tried again", async || house.number(&format!("{failures}'{tried}'")).await == 1).await;
    daemon.stop().await;
    assert_eq!(told_old(&daemon), 0, "an hour after it was told: {}", daemon.log());
    assert!(said(&house, &["calendar", "show", "trading", "2030"]).await.contains("Fair"));
}

#[tokio::test]
async fn a_server_that_hangs_holds_up_no_other_list() {
    let house = House::new().await;
    house.im.on("/hang", Answer::text(200, LIST).held(&Arc::default()));
    house.im.on("/list", Answer::text(200, LIST));
    let hang = house.im.url("/hang");
    let all: String = (0..3).map(|number| format!("a{number}: {{url: \"{hang}\"}}, ")).collect();
    configure(&house, true, &format!("url: \"{}\"}}, {all}z: {{rest: [2030-01-01]", house.im.url("/list")));
    let mut daemon = house.daemon().await;
    until("the others are asked", async || house.im.requests_to("/hang").len() == 3).await;
    until("the job goes by the list", async || house.number(REVISION).await == 2).await;
    let told = said(&house, &["check"]).await + &house.ends(&["check"]).await.1;
    assert!(told.contains("the calendar a0 was not fetched yet"), "{told}");
    daemon.stop().await;
}

#[tokio::test]
async fn an_address_of_this_machine_and_what_does_not_go_together_are_refused() {
    let house = House::new().await;
    for (calendar, told) in [
        ("url: http://a.example/l", "url: expected an address that begins with https://"),
        ("url: https://127.0.0.1/l", "url: 127.0.0.1: nothing is fetched from loopback addresses"),
        ("url: a.ics", "expected an address that begins with http"),
        ("url: https://a.example/l, ics: a.ics, covers: 2030", "expected ics or url"),
        ("rest: [2030-01-01], every: 1d", "every belongs to a calendar with a url"),
        ("rest: [2030-01-01], old_after: 9d", "old_after belongs to a calendar with a url"),
        ("url: https://a.example/l, every: 5s", "every: expected a duration of at least 1m"),
    ] {
        configure(&house, false, calendar);
        let (code, said) = house.ends(&["run"]).await;
        assert!(code == Some(78) && said.contains(told), "{calendar}: {code:?} {said}");
    }
}

/// What becomes of an answer, on a day, beside what is kept.
fn taken(calendar: &str, kept: Option<&str>, answer: &str, today: Date) -> Result<Option<TakenList>, String> {
    let dir = tempfile::tempdir().unwrap();
    let file: PathBuf = dir.path().join("pushcron.yaml");
    let yaml = format!("calendars: {{trading: {{url: https://a.example/l{calendar}}}}}\njobs: []\n");
    std::fs::write(&file, yaml).unwrap();
    let now = UtcMs(today.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_millisecond());
    let kept: Vec<FetchedList> = kept
        .map(|text| FetchedList { name: "trading".to_owned(), text: text.to_owned(), good_at: now, error: None })
        .into_iter()
        .collect();
    let around = || {
        let kept = kept.clone();
        let fetched = Box::new(move || kept.clone());
        LoadEnvironment { fetched, timezone: Some("UTC".to_owned()), ..LoadEnvironment::of_process(now) }
    };
    let taken = config::take_fetched(&[file], "trading", answer.as_bytes(), &senders::specs(), &around);
    taken.map_err(|problem| format!("{problem:?}"))
}

fn days(calendar: &Calendar) -> BTreeMap<Date, String> {
    calendar.rest.clone()
}

const TODAY: Date = date(2030, 6, 1);

#[test]
fn an_icalendar_file_covers_the_years_that_it_names_and_its_own_words_say_what_is_worked() {
    let ics = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20300304\r\nDTEND;VALUE=DATE:20300306\r\n\
               SUMMARY:Fair\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20300309\r\nSUMMARY:Fair (work)\r\n\
               END:VEVENT\r\nEND:VCALENDAR\r\n";
    let list = taken(", work_if: '\\(work\\)'", None, ics, TODAY).unwrap().unwrap();
    let covers = list.after.covers.unwrap();
    assert_eq!((covers.from, covers.until), (date(2030, 1, 1), date(2030, 12, 31)));
    assert_eq!(days(&list.after).len(), 2);
    assert!(list.after.work.contains(&date(2030, 3, 9)));
    assert_eq!(list.after.version, "2030-06-01");
    assert!(
        taken(", work_if: '\\(work\\)'", Some(&list.text), ics, date(2030, 6, 2)).unwrap().is_none(),
        "nothing new"
    );
}

#[test]
fn a_list_of_the_next_year_takes_nothing_from_this_one_and_days_that_are_past_stay_as_they_were() {
    let of = |year: i16, day: &str| format!("calendar: trading\ncovers: {year}\nrest: {{Fair: [{year}-{day}]}}\n");
    let first = taken("", None, &of(2030, "03-04"), TODAY).unwrap().unwrap();
    let both = taken("", Some(&first.text), &of(2031, "03-03"), TODAY).unwrap().unwrap();
    let covers = both.after.covers.unwrap();
    assert_eq!((covers.from, covers.until), (date(2030, 1, 1), date(2031, 12, 31)));
    assert_eq!(days(&both.after).into_keys().collect::<Vec<_>>(), [date(2030, 3, 4), date(2031, 3, 3)]);
    // What is past is not changed by anybody any more; what is to come is.
    assert!(taken("", Some(&first.text), &of(2030, "03-05"), TODAY).unwrap().is_none());
    let moved = of(2030, "03-05").replace("[2030-03-05]", "[2030-03-05, 2030-09-02]");
    let moved = taken("", Some(&first.text), &moved, TODAY).unwrap().unwrap();
    assert_eq!(days(&moved.after).into_keys().collect::<Vec<_>>(), [date(2030, 3, 4), date(2030, 9, 2)]);
}

#[test]
fn what_is_no_list_or_says_too_little_is_not_taken() {
    for (answer, told) in [
        ("", "expected a value"),
        ("<html>", "Refused"),
        ("calendar: other\ncovers: 2030\nrest: [2030-03-04]", "expected trading"),
        ("rest: [2030-03-04]", "does not say what time it covers"),
        ("covers: 2030\nrest: [2031-03-04]", "names no day of the time"),
        ("covers: 2030\nrest: [2030-03-09]\nwork: [2030-03-09]", "both as a day off and as a workday"),
        ("covers: 2030\nics: /etc/passwd", "leads to another file"),
        ("covers: 2030\nbased_on: cn\nurl: https://b.example/\nrest: [2030-03-04]", "leads to another file"),
        ("{\"year\": 2030, \"days\": []}", "names no day of 2030"),
        ("BEGIN:VCALENDAR\nEND:VCALENDAR\n", "does not say what time it covers"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20300304T090000Z\nEND:VEVENT\nEND:VCALENDAR\n", "line 3"),
    ] {
        let problem = taken("", None, answer, TODAY).unwrap_err();
        assert!(problem.contains(told), "{answer:?}: {problem}");
    }
}

#[test]
fn what_the_files_say_goes_over_what_was_fetched() {
    let list = taken(", rest: [2030-07-01]", None, "covers: 2030\nrest: [2030-03-04]", TODAY).unwrap().unwrap();
    assert_eq!(days(&list.after).into_keys().collect::<Vec<_>>(), [date(2030, 3, 4), date(2030, 7, 1)]);
    assert!(!list.text.contains("07-01"), "only what was fetched is kept: {}", list.text);
}
