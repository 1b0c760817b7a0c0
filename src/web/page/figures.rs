//! Figures: how late, how much and how well, by hour and by day.

use std::time::Duration;

use askama::Template;
use jiff::tz::TimeZone;

use super::answer::{Answer, html};
use super::chart::{Chart, Columns, FOOT, Group, Label, Rect};
use super::frame::Frame;
use super::stamp::Stamp;
use super::timeline::kinds;
use crate::answers::figures::{dates, ends_by_day, lateness_by_hour, load_by_account};
use crate::answers::when;
use crate::domain::{AtMost, LATE, late_bucket};
use crate::net::http1::StatusCode;
use crate::store::{HourFigures, UnfiredDay};
use crate::texts;
use crate::web::state::Api;

const DAY: Duration = Duration::from_secs(86_400);
pub(super) const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// Days of which outcomes are shown.
const DAYS: usize = 30;
/// Accounts of which the load is shown: those to which most comes.
const ACCOUNTS: usize = 20;
/// How high a bucket of lateness is drawn.
const BUCKET: usize = 12;
/// How high the row of an account is drawn: its name, and under it the hours.
const ROW: usize = 40;

#[derive(Template)]
#[template(path = "figures.html", config = "src/web/askama.toml")]
struct FiguresPage {
    f: Frame,
    missing_from: Option<Stamp>,
    charts: Vec<Chart>,
}

impl Api {
    pub(super) async fn figures_page(&self, frame: Frame) -> Answer {
        let f = frame.of_part("figures", texts::nav_figures());
        let zone = when::zone(f.zone());
        // A day more: the first one is whole.
        let from = f.now - DAY * (DAYS as u32 + 1);
        let hours = self.reader.hours(from, f.now, f.now).await?;
        let since = dates(DAYS, f.now, &zone, None).swap_remove(0);
        let unfired = self.reader.unfired_days(&since, f.now).await?;
        let charts = vec![
            lateness(&hours.rows, &zone, &f),
            outcomes(&hours.rows, &zone, &f),
            load(&hours.rows, &zone, &f),
            not_fired(&unfired, &zone, &f),
        ];
        let missing_from = hours.missing_from.map(|at| f.at(at, None));
        html(StatusCode::OK, &FiguresPage { missing_from, charts, f })
    }
}

/// A length as people say it.
fn span(ms: u64) -> String {
    match ms {
        ..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{} s", ms / 1_000),
        60_000..3_600_000 => format!("{} min", ms / 60_000),
        _ => format!("{} h", ms / 3_600_000),
    }
}

/// What a percentile is known to be: buckets do not tell more.
fn told(at_most: Option<AtMost>) -> String {
    match at_most {
        None => String::new(),
        Some(AtMost::Ms(ms)) => format!("≤ {}", span(ms)),
        Some(AtMost::Later) => format!("> {}", span(LATE[LATE.len() - 1])),
    }
}

fn lateness(rows: &[HourFigures], zone: &TimeZone, f: &Frame) -> Chart {
    let mut chart = Chart::new("lateness", f.say(texts::figures_lateness()));
    chart.note = f.say(texts::figures_lateness_note());
    chart.legend = vec![
        ("half", f.say(texts::col_half())),
        ("most-of-them", "99 %".to_owned()),
        ("latest", f.say(texts::col_latest())),
    ];
    chart.heads = vec![
        f.say(texts::col_hour()),
        f.say(texts::col_half()),
        "99 %".to_owned(),
        f.say(texts::col_latest()),
        f.say(texts::col_count()),
    ];
    for (index, bound) in LATE.iter().enumerate().step_by(2) {
        chart.line(FOOT - (index + 1) * BUCKET, span(*bound));
    }
    let columns = Columns::of(24);
    for (hour, late) in lateness_by_hour(rows, f.now - WEEK, zone).iter().enumerate() {
        if hour % 3 == 0 {
            chart.labels.push(columns.label(hour, format!("{hour:02}")));
        }
        let Some(latest) = late.most_ms else { continue };
        let (half, most) = (late.percentile(50), late.percentile(99));
        let bar = |of: Option<AtMost>| {
            let high = (bucket(of) + 1) * BUCKET;
            (FOOT - high, high)
        };
        let rects = vec![
            columns.rect(hour, "most-of-them", bar(most), 0),
            columns.rect(hour, "half", bar(half), 3),
            columns.rect(hour, "latest", (FOOT - (late_bucket(latest) + 1) * BUCKET, 2), 0),
        ];
        let words = [format!("{hour:02}:00"), told(half), told(most), span(latest), late.count().to_string()];
        let [at, half, most, latest, count] = &words;
        let title = f.say(texts::figures_of_hour(at, half, most, latest, count));
        chart.groups.push(Group::new(title, rects));
        chart.rows.push(words.to_vec().into());
    }
    chart
}

fn bucket(at_most: Option<AtMost>) -> usize {
    match at_most {
        Some(AtMost::Ms(ms)) => late_bucket(ms),
        Some(AtMost::Later) => LATE.len(),
        None => 0,
    }
}

fn outcomes(rows: &[HourFigures], zone: &TimeZone, f: &Frame) -> Chart {
    let mut chart = Chart::new("outcomes", f.say(texts::figures_outcomes()));
    let kinds = kinds(f);
    let ends = ends_by_day(rows, zone);
    let of = |day: String| {
        let counts = ends.get(&day).map(|ends| ends.each().to_vec()).unwrap_or_else(|| vec![0; kinds.len()]);
        (day, counts)
    };
    chart.stacked(f, &kinds, dates(DAYS, f.now, zone, None).into_iter().map(of).collect());
    chart
}

fn not_fired(days: &[UnfiredDay], zone: &TimeZone, f: &Frame) -> Chart {
    let mut chart = Chart::new("unfired", f.say(texts::figures_unfired()));
    chart.note = f.say(texts::figures_unfired_note());
    let kinds = [("bad", f.say(texts::decision_missed())), ("gone", f.say(texts::decision_skipped()))];
    let of = |date: String| {
        let found = days.iter().find(|day| day.day == date);
        (date, found.map_or(vec![0, 0], |day| vec![day.missed, day.skipped]))
    };
    let last = days.last().map(|day| &*day.day);
    chart.stacked(f, &kinds, dates(DAYS, f.now, zone, last).into_iter().map(of).collect());
    chart
}

/// How much came to each account in each hour of the day, of the last days.
pub(super) fn load(rows: &[HourFigures], zone: &TimeZone, f: &Frame) -> Chart {
    const CLASSES: [&str; 6] = ["heat0", "heat1", "heat2", "heat3", "heat4", "heat5"];
    let mut chart = Chart::new("load", f.say(texts::figures_load()));
    chart.note = f.say(texts::figures_load_note());
    chart.heads =
        vec![f.say(texts::col_account()), "im".to_owned(), f.say(texts::col_count()), f.say(texts::figures_by_hour())];
    let mut loads = load_by_account(rows, f.now - WEEK, zone);
    loads.truncate(ACCOUNTS);
    let most = loads.iter().flat_map(|load| load.hours).max().unwrap_or(0).max(1);
    for (index, load) in loads.iter().enumerate() {
        let name = if load.account.is_empty() { f.say(texts::figures_no_account()) } else { load.account.clone() };
        let top = index * ROW;
        let text = format!("{} {}", shortened(&name), load.im);
        chart.labels.push(Label { x: 0, y: top + 17, anchor: "start", text });
        let mut hours = Vec::new();
        for (hour, count) in load.hours.into_iter().enumerate() {
            // In five steps, so that whatever is there differs from nothing.
            let step = usize::try_from((u128::from(count) * 5).div_ceil(u128::from(most))).unwrap_or(0).min(5);
            let rect = Rect { class: CLASSES[step], x: hour * 20, y: top + 22, width: 19, height: 14 };
            chart.groups.push(Group::new(format!("{name} {hour:02}:00: {count}"), vec![rect]));
            if count > 0 {
                hours.push(format!("{hour:02}: {count}"));
            }
        }
        chart.rows.push(vec![name, load.im.clone(), load.all().to_string(), hours.join(" · ")].into());
    }
    let foot = loads.len() * ROW + 16;
    for hour in (0..24).step_by(3) {
        chart.labels.push(Label { x: hour * 20 + 10, y: foot, anchor: "middle", text: format!("{hour:02}") });
    }
    chart.height = foot + 6;
    chart
}

/// So much of a name as there is room for; the table has all of it.
fn shortened(name: &str) -> String {
    match name.char_indices().nth(24) {
        Some((at, _)) => format!("{}…", &name[..at]),
        None => name.to_owned(),
    }
}
