//! Lists of days from elsewhere: what is written is what the next load takes, or nothing is written.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use serde_json::Value;

use crate::cli::house::{House, Told};

const HEAD: &str = "daemon: {timezone: Asia/Shanghai}\naccounts: [{id: screen, sender: console, im: qq}]\n";

/// A house with a job on the workdays of a list, and more at the top of its file.
fn house(top: &str, workdays: &str) -> House {
    let job =
        format!("{{name: report, cron: \"0 9 * * *\", workdays: {workdays}, push: {{im: qq, group: 1, text: a}}}}");
    let house = House::with_file(&format!("{HEAD}{top}jobs: [{job}]\n"));
    fs::create_dir(house.path("calendars")).unwrap();
    house
}

fn text(house: &House, name: &str) -> String {
    fs::read_to_string(house.path(name)).unwrap()
}

fn import(house: &House, words: &str) -> Told {
    house.run(&format!("calendar import {words}"))
}

#[track_caller]
fn days(house: &House, from: &str, until: &str) -> Vec<String> {
    let told = house.run(&format!("next report --json --from {from} --until {until}")).fine();
    let rows: Vec<Value> = serde_json::from_str(&told).unwrap();
    rows.iter().map(|row| row["local"].as_str().unwrap()[..10].to_owned()).collect()
}

#[track_caller]
fn shown(house: &House, name: &str, year: u16) -> Value {
    serde_json::from_str(&house.run(&format!("calendar show {name} {year} --json")).fine()).unwrap()
}

/// A year of holiday-cn.
fn holiday_cn(year: u16, days: &[(&str, bool)]) -> String {
    let day = |(date, off): &(&str, bool)| format!("{{\"name\": \"春节\", \"date\": \"{date}\", \"isOffDay\": {off}}}");
    let days: Vec<String> = days.iter().map(day).collect();
    format!("{{\"year\": {year}, \"papers\": [], \"days\": [{}]}}", days.join(","))
}

fn ics(events: &[&str]) -> String {
    let events: String = events.iter().map(|event| format!("BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\n")).collect();
    format!("BEGIN:VCALENDAR\r\n{events}END:VCALENDAR\r\n")
}

#[test]
fn a_list_does_not_join_over_a_year_that_neither_covers() {
    let house = house("", "cn");
    let off = ["03", "04", "05", "06", "07", "10", "11", "12"].map(|day| format!("2028-01-{day}"));
    let days: Vec<(&str, bool)> = off.iter().map(|day| (&**day, true)).collect();
    house.write("2028.json", &holiday_cn(2028, &days));
    let told = import(&house, "2028.json --name cn").refused(1);
    assert!(told.contains("2027-01-01 to 2027-12-31"), "{told}");
    assert!(!house.path("calendars/cn.yaml").exists());
}

#[test]
fn the_weekend_of_a_list_comes_with_it() {
    let house = house("", "own");
    house.write("calendars/own.yaml", "covers: 2098\nrest: [2098-01-01]\n");
    house.write("own.yaml", "covers: 2099\nweekend: [fri, sat]\nrest: [2099-01-01]\n");
    import(&house, "own.yaml").fine();
    // 2 January 2099 is a Friday.
    assert_eq!(days(&house, "2099-01-01", "2099-01-05"), ["2099-01-04", "2099-01-05"]);
    // A list that says nothing of it leaves it as it is.
    house.write("own.yaml", "covers: 2100\nrest: [2100-01-01]\n");
    import(&house, "own.yaml").fine();
    assert!(text(&house, "calendars/own.yaml").contains("weekend: [fri, sat]"));
}

#[test]
fn what_a_list_is_based_on_stays_so_and_may_be_brought_by_the_new_one() {
    let house = house("", "company");
    house.write("company.yaml", "based_on: cn\nrest: [2026-12-24]\n");
    import(&house, "company.yaml").fine();
    assert!(text(&house, "calendars/company.yaml").contains("based_on: \"cn\""));
    assert!(!days(&house, "2026-12-23", "2026-12-25").contains(&"2026-12-24".to_owned()));
    assert!(!days(&house, "2026-10-01", "2026-10-07").contains(&"2026-10-01".to_owned()));
    house.write("company.yaml", "covers: 2027\nrest: [2027-01-04]\n");
    import(&house, "company.yaml").fine();
    let written = text(&house, "calendars/company.yaml");
    assert!(
        written.contains("based_on: \"cn\"") && written.contains("12-24") && !written.contains("10-01"),
        "{written}"
    );
    assert_eq!(shown(&house, "company", 2026)["workdays"], 247);
    assert!(!days(&house, "2027-01-01", "2027-01-05").contains(&"2027-01-04".to_owned()));
}

#[test]
fn what_a_list_covers_is_added_to_what_the_one_below_it_covers() {
    let over = |covers: &str| {
        house(&format!("calendars: {{company: {{based_on: cn, covers: {covers}, rest: [2027-01-04]}}}}\n"), "company")
    };
    let house = over("2027");
    for year in [2004, 2025, 2026, 2027] {
        assert_eq!(shown(&house, "company", year)["covered"], true, "{year}");
    }
    assert_eq!(shown(&house, "company", 2028)["covered"], false);
    assert_eq!(days(&house, "2026-01-01", "2026-12-31").len(), 248);
    let told = over("2028").run("check").refused(78);
    assert!(told.contains("2027-01-01 to 2027-12-31"), "{told}");
}

#[test]
fn a_link_stays_a_link_and_the_file_behind_it_is_written() {
    let house = house("", "own");
    fs::create_dir(house.path("shared")).unwrap();
    house.write("shared/list.yaml", "covers: 2098\nrest: [2098-01-01]\n");
    symlink("../shared/list.yaml", house.path("calendars/own.yaml")).unwrap();
    house.write("own.yaml", "covers: 2099\nrest: [2099-01-01]\n");
    import(&house, "own.yaml").fine();
    assert!(fs::symlink_metadata(house.path("calendars/own.yaml")).unwrap().is_symlink());
    assert!(text(&house, "shared/list.yaml").contains("2099"));
}

#[test]
fn a_file_that_names_no_day_takes_no_year_away() {
    let house = house("", "own");
    let list = "covers: 2098\nrest: [2098-01-01]\n";
    house.write("calendars/own.yaml", list);
    house.write("empty.ics", &ics(&[]));
    house.write("other.ics", &ics(&["SUMMARY:a\r\nDTSTART;VALUE=DATE:20970101"]));
    house.write("empty.json", &holiday_cn(2098, &[]));
    house.write("empty.yaml", "covers: 2098\n");
    for (words, code) in
        [("empty.ics --year 2098", 78), ("other.ics --year 2098", 78), ("empty.json", 78), ("empty.yaml", 1)]
    {
        let told = import(&house, &format!("{words} --name own")).refused(code);
        assert!(told.contains("no day") && told.contains("2098"), "{words}: {told}");
        assert_eq!(text(&house, "calendars/own.yaml"), list);
    }
}

#[test]
fn what_the_next_load_would_refuse_is_not_written() {
    let job = "{name: report, cron: \"0 9 * * *\", workdays: own, push: {im: qq, group: 1, text: a}}";
    let file = |top: &str| format!("{HEAD}{top}jobs: [{job}]\n");
    let new = "covers: 2099\nrest: [2099-01-01]\n";
    let both = "a day off and as a workday";
    let event = "SUMMARY:a\r\nDTSTART;VALUE=DATE:20990101";
    let special = format!("{event}\r\nX-APPLE-SPECIAL-DAY:ALTERNATE-WORKDAY");
    for (files, name, words, told) in [
        // The configuration has a list of that name already.
        (vec![("jobs.yaml", file("calendars: {own: {rest: [2098-01-01]}}\n"))], "own.yaml", "", "two calendars"),
        // It would be refused for something else.
        (vec![("jobs.yaml", file("accounts: []\n"))], "own.yaml", "", "accounts"),
        (vec![("own.yaml", "based_on: none\n".to_owned())], "own.yaml", "", "there is no calendar none"),
        (vec![("own.yaml", "based_on: own\n".to_owned())], "own.yaml", "", "based on itself"),
        (vec![("own.yaml", format!("{new}work: [2099-01-01]\n"))], "own.yaml", "", both),
        (vec![("own.json", holiday_cn(2099, &[("2099-01-01", true), ("2099-01-01", false)]))], "own.json", "", both),
        (vec![("own.ics", ics(&[event, &special]))], "own.ics", "--year 2099", both),
    ] {
        let house = House::with_file(&file(""));
        house.write("own.yaml", new);
        for (name, text) in files {
            house.write(name, &text);
        }
        let said = import(&house, &format!("{name} {words} --name own")).refused(78);
        assert!(said.contains(told), "{told}: {said}");
        assert!(!house.path("calendars/own.yaml").exists(), "{told}");
    }
}

#[test]
fn of_a_day_that_is_off_in_one_list_and_worked_in_the_other_the_new_list_has_its_way() {
    let house = house("", "own");
    house.write("calendars/own.yaml", "covers: 2098\nrest: [2098-12-31]\nwork: [2098-12-27]\n");
    // As lists of China do, it says something of the last days of the year before.
    house.write("own.yaml", "covers: 2099\nrest: [2098-12-27, 2099-01-01]\nwork: [2098-12-31]\n");
    import(&house, "own.yaml").fine();
    house.run("check").fine();
    let list = shown(&house, "own", 2098);
    assert_eq!((&list["makeup"][0], &list["holidays"][0]["from"]), (&"2098-12-31".into(), &"2098-12-27".into()));
}

#[test]
fn a_list_that_would_not_be_used_is_not_taken() {
    let house = house("", "cn");
    house.write("cn.yaml", "version: 2020-01-01\ncovers: 2027\nrest: [2027-01-01, \"2027-02-01..2027-02-05\"]\n");
    let told = import(&house, "cn.yaml").refused(1);
    assert!(told.contains("older than the one that pushcron brings along"), "{told}");
    assert!(!house.path("calendars/cn.yaml").exists());
}

#[test]
fn the_checksums_of_a_list_stay_with_its_years() {
    let house = house("", "own");
    house.write("calendars/own.yaml", "covers: 2098\nyears: {2098: {rest: [01-01], workdays: 260}}\n");
    house.write("own.yaml", "covers: 2099\nrest: [2099-01-01]\n");
    import(&house, "own.yaml").fine();
    assert!(text(&house, "calendars/own.yaml").contains("workdays: 260"));
    // A new list that changes the year takes the sum away with it.
    house.write("own.yaml", "covers: 2100\nrest: [2098-12-31, 2100-01-01]\n");
    import(&house, "own.yaml").fine();
    assert!(!text(&house, "calendars/own.yaml").contains("workdays"));
}

#[test]
fn a_list_may_be_read_by_those_who_may_read_the_configuration_and_by_nobody_else() {
    let mode = |house: &House, name: &str| fs::metadata(house.path(name)).unwrap().mode() & 0o777;
    for (of_file, of_list) in [(0o600, 0o600), (0o640, 0o640), (0o664, 0o640)] {
        let house = house("", "own");
        fs::set_permissions(house.path("jobs.yaml"), fs::Permissions::from_mode(of_file)).unwrap();
        house.write("own.yaml", "covers: 2099\nrest: [2099-01-01]\n");
        import(&house, "own.yaml").fine();
        assert_eq!(mode(&house, "calendars/own.yaml"), of_list, "{of_file:o}");
        // One that is there keeps its own.
        fs::set_permissions(house.path("calendars/own.yaml"), fs::Permissions::from_mode(0o604)).unwrap();
        house.write("own.yaml", "covers: 2100\nrest: [2100-01-01]\n");
        import(&house, "own.yaml").fine();
        assert_eq!(mode(&house, "calendars/own.yaml"), 0o604);
    }
}

#[test]
fn a_list_that_check_refuses_is_not_shown() {
    for list in [
        "{rest: [2026-10-01], work: [2026-10-01]}",
        "{rest: [2026-10-01], rset: [2026-10-02]}",
        "{weekend: [mon, tue, wed, thu, fri, sat, sun]}",
        "{covers: 2026, years: {2026: {workdays: 100}}}",
        "{based_on: nobody}",
        "{covers: 2026, ics: gone.ics}",
    ] {
        // No job asks for it, and it is judged all the same.
        let house = House::with_file(&format!("{HEAD}calendars: {{own: {list}}}\njobs: []\n"));
        let (checked, shown) = (house.run("check").refused(78), house.run("calendar show own 2026").refused(78));
        assert!(checked.contains("jobs.yaml:3:"), "{list}: {checked}");
        assert_eq!(shown.lines().next(), checked.lines().next(), "{list}");
    }
    let house = house("calendars: {own: {rest: [2026-10-01]}}\n", "own");
    house.write("calendars/own.yaml", "rest: [2026-10-02]\n");
    for verb in ["check", "calendar show own 2026"] {
        assert!(house.run(verb).refused(78).contains("two calendars with the name 'own'"), "{verb}");
    }
    // A problem elsewhere does not keep a sound list from being shown.
    let house = House::with_file(&format!("{HEAD}calendars: {{own: {{rest: [2026-10-01]}}}}\njobs: [{{nmae: a}}]\n"));
    house.run("calendar show own 2026").fine();
}

#[test]
fn a_directory_in_the_place_of_a_list_or_a_file_is_told() {
    let house = house("", "cn");
    fs::create_dir(house.path("calendars/cn.yaml")).unwrap();
    for verb in ["check", "calendar show cn 2026"] {
        let told = house.run(verb).refused(78);
        assert!(told.contains("calendars/cn.yaml") && told.contains("not a regular file"), "{verb}: {told}");
    }
    fs::remove_dir(house.path("calendars/cn.yaml")).unwrap();
    fs::remove_dir(house.path("calendars")).unwrap();
    house.write("calendars", "");
    let told = house.run("check").refused(78);
    assert!(told.contains("calendars") && told.contains("cannot be read"), "{told}");
    // So with the files themselves.
    let house = House::empty();
    fs::create_dir_all(house.path("conf/more.yaml")).unwrap();
    house.write("conf/jobs.yaml", &format!("{HEAD}jobs: []\n"));
    assert!(house.run("-c conf check").refused(78).contains("conf/more.yaml"));
}

#[test]
fn a_day_under_two_names_has_both_and_is_told_in_every_form() {
    let both = "2099-10-01 (国庆节 / 中秋节)";
    let yaml = "covers: 2099\nrest: {国庆节: [2099-10-01, 2099-10-02], 中秋节: 2099-10-01}\n";
    let events = [
        "DTSTART;VALUE=DATE:20991001\r\nDTEND;VALUE=DATE:20991003\r\nSUMMARY:国庆节",
        "DTSTART;VALUE=DATE:20991001\r\nSUMMARY:中秋节",
        "DTSTART;VALUE=DATE:20991001\r\nSUMMARY:国庆节",
    ];
    let json = holiday_cn(2099, &[("2099-10-01", true), ("2099-10-01", true), ("2099-10-02", true)]);
    let json = json.replace("春节", "国庆节").replacen("国庆节", "中秋节", 1);
    for (file, text, both) in [
        ("own.yaml", yaml.to_owned(), both),
        ("own.ics", ics(&events), both),
        ("own.json", json, "2099-10-01 (中秋节 / 国庆节)"),
    ] {
        let house = house("", "own");
        house.write("calendars/own.yaml", "covers: 2098\nrest: [2098-01-01]\n");
        house.write(file, &text);
        let year = if file.ends_with("ics") { " --year 2099" } else { "" };
        let told = import(&house, &format!("{file} --name own{year}")).fine();
        assert!(told.contains(&format!("1 day off stands there under two names, and has both: {both}")), "{told}");
        let name = both.trim_end_matches(')').split_once('(').unwrap().1;
        let first = &shown(&house, "own", 2099)["holidays"][0];
        assert_eq!((first["name"].as_str(), first["until"].as_str()), (Some(name), Some("2099-10-01")), "{file}");
        // What was written says both at once.
        let checked = house.run("check");
        assert!(!checked.err.contains("two names"), "{}", checked.err);
    }
    // A list that nobody imports is told of wherever it is read.
    for (file, text) in [("calendars/own.yaml", yaml.to_owned()), ("own.ics", ics(&events))] {
        let top = if file.ends_with("ics") { "calendars: {own: {ics: own.ics, covers: 2099}}\n" } else { "" };
        let house = house(top, "own");
        house.write(file, &text);
        let told = house.run("check").err;
        assert!(told.contains("under two names, and has both: 2099-10-01 (国庆节 / 中秋节)"), "{file}: {told}");
    }
}
