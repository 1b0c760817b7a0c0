//! The last thirteen weeks of a job, a square for each day: what became of it at a glance, and by keys.

use jiff::civil::Date;
use jiff::{Span, ToSpan, tz::TimeZone};

use super::chart::{Chart, Group, Label, Link, Rect, Row, counted};
use super::frame::Frame;
use crate::answers::figures::date;
use crate::domain::{Decision, PushState};
use crate::store::JobDay;
use crate::texts;

const WEEKS: usize = 13;
/// From one square to the next: a finger finds it on a phone.
const PITCH: usize = 25;
const SIDE: usize = 24;
/// Room for the days of the week.
const LEFT: usize = 31;

/// The first day that is shown: a Monday.
pub(super) fn first_day(today: Date) -> Date {
    let monday = today.saturating_sub(Span::new().days(i64::from(today.weekday().to_monday_zero_offset())));
    monday.saturating_sub(Span::new().weeks((WEEKS - 1) as i64))
}

/// What there was of a day, by its words, in the order of the table.
struct Counts([(String, u64); 9]);

impl Counts {
    fn of(day: &JobDay, f: &Frame) -> Counts {
        let decision = |decision: Decision| f.say(texts::decision(decision));
        let state = |state: PushState| f.say(texts::state(state));
        Counts([
            (decision(Decision::Fired), day.fired),
            (decision(Decision::Skipped), day.skipped),
            (decision(Decision::Missed), day.missed),
            (state(PushState::Sent), day.ends.sent),
            (state(PushState::Failed), day.ends.failed),
            (state(PushState::Unknown), day.ends.unknown),
            (state(PushState::Expired), day.ends.expired),
            (state(PushState::Cancelled), day.ends.cancelled),
            (f.say(texts::open_are()), day.ends.open),
        ])
    }

    fn told(&self) -> String {
        counted(self.0.iter().map(|(word, count)| (&**word, *count)))
    }
}

/// The class and the sign of what a person should mind most of a day.
fn worst(day: &JobDay) -> (&'static str, Option<&'static str>) {
    let ends = day.ends;
    match () {
        () if ends.failed + day.missed > 0 => ("bad", Some("✗")),
        () if ends.unknown > 0 => ("odd", Some("?")),
        () if ends.expired > 0 => ("bad", Some("⌛")),
        () if ends.open > 0 => ("open", Some("…")),
        () if ends.cancelled + day.skipped > 0 => ("gone", Some("–")),
        () if ends.sent > 0 => ("good", None),
        // It fired, and there is nothing that anybody was sent.
        () => ("gone", None),
    }
}

/// Days come with nothing missing between them but such on which nothing was due.
pub(super) fn strip(days: &[JobDay], job: &str, zone: &TimeZone, f: &Frame) -> Chart {
    let mut chart = Chart::new("strip", f.say(texts::strip_13_weeks()));
    chart.note = f.say(texts::strip_note());
    chart.legend = vec![
        ("good", f.say(texts::state(PushState::Sent))),
        ("bad", f.say(texts::strip_bad())),
        ("odd", f.say(texts::state(PushState::Unknown))),
        ("open", f.say(texts::open_are())),
        ("gone", f.say(texts::strip_gone())),
    ];
    let words = Counts::of(&JobDay::default(), f).0.map(|(word, _)| word);
    chart.heads = std::iter::once(f.say(texts::col_day())).chain(words).collect();
    (chart.left, chart.width, chart.height) = (LEFT, LEFT + WEEKS * PITCH, 7 * PITCH + 18);
    let text = f.say(texts::days_of_week());
    for (row, word) in text.split(' ').enumerate() {
        chart.labels.push(Label { x: LEFT - 7, y: row * PITCH + 16, anchor: "end", text: word.to_owned() });
    }
    let today = f.now.to_jiff().to_zoned(zone.clone()).date();
    let mut known = days.iter().peekable();
    // A clock that was put back leaves days behind today.
    let last = days.last().and_then(|day| day.day.parse().ok()).map_or(today, |last: Date| last.max(today));
    let last = last.min(first_day(today).saturating_add(((WEEKS * 7 - 1) as i64).days()));
    let dates = std::iter::successors(Some(first_day(today)), |date| date.tomorrow().ok().filter(|date| *date <= last));
    for (number, date) in dates.enumerate() {
        let (column, row) = (number / 7, number % 7);
        let (x, y) = (LEFT + column * PITCH, row * PITCH);
        if row == 0 && column % 3 == 0 {
            let text = date.strftime("%m-%d").to_string();
            // Below the last week there is no room to its right.
            let (x, anchor) = if column + 1 == WEEKS { (x + SIDE, "end") } else { (x, "start") };
            chart.labels.push(Label { x, y: 7 * PITCH + 13, anchor, text });
        }
        let date = date.to_string();
        while known.next_if(|day| *day.day < *date).is_some() {}
        let square = |class| vec![Rect { class, x, y, width: SIDE, height: SIDE }];
        let Some(day) = known.next_if(|day| day.day == date) else {
            chart.groups.push(Group::new(f.say(texts::strip_nothing(&date)), square("heat0")));
            continue;
        };
        let (class, sign) = worst(day);
        let counts = Counts::of(day, f);
        let mut group = Group::new(format!("{date}: {}", counts.told()), square(class));
        let label = |text: &str| Label { x: x + SIDE / 2, y: y + 17, anchor: "middle", text: text.to_owned() };
        group.sign = sign.map(label);
        let place = format!("{}?at={date}#why", f.job(job));
        group.link = Some(Link { place: place.clone(), number, is_stop: false });
        chart.groups.push(group);
        // In the table what there is none of is nothing to read.
        let cells = counts.0.map(|(_, count)| if count == 0 { String::new() } else { count.to_string() });
        chart.rows.push(Row { link: Some(place), cells: std::iter::once(date).chain(cells).collect() });
    }
    // The keys come to the newest day.
    if let Some(link) = chart.groups.iter_mut().rev().find_map(|group| group.link.as_mut()) {
        link.is_stop = true;
    }
    chart.rows.reverse();
    chart
}

/// Today, in a zone, as the strip of its days begins with it.
pub(super) fn since(f: &Frame, zone: &TimeZone) -> String {
    let today = date(f.now, zone);
    today.parse().map_or(today, |today: Date| first_day(today).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Ends;

    #[test]
    fn the_strip_begins_with_a_monday_and_ends_in_the_week_of_today() {
        for (today, first) in [
            ("2026-11-30", "2026-09-07"),
            ("2026-11-29", "2026-08-31"),
            ("2026-11-28", "2026-08-31"),
            ("2027-01-01", "2026-10-05"),
        ] {
            assert_eq!(first_day(today.parse().unwrap()).to_string(), first, "{today}");
        }
    }

    #[test]
    fn a_day_has_the_colour_and_the_sign_of_its_worst() {
        let of = |ends: Ends, skipped: u64, missed: u64| {
            worst(&JobDay { fired: 1, skipped, missed, ends, ..JobDay::default() })
        };
        let sent = Ends { sent: 5, ..Ends::default() };
        assert_eq!(of(sent, 0, 0), ("good", None));
        assert_eq!(of(sent, 1, 0), ("gone", Some("–")));
        assert_eq!(of(sent, 1, 1), ("bad", Some("✗")));
        assert_eq!(of(Ends { open: 1, ..sent }, 1, 0), ("open", Some("…")));
        assert_eq!(of(Ends { unknown: 1, open: 1, ..sent }, 0, 0), ("odd", Some("?")));
        assert_eq!(of(Ends { failed: 1, unknown: 1, ..sent }, 0, 0), ("bad", Some("✗")));
        assert_eq!(of(Ends { expired: 1, ..sent }, 0, 0), ("bad", Some("⌛")));
        assert_eq!(of(Ends::default(), 0, 0), ("gone", None));
    }
}
