//! The last twelve hours and the coming day on one line: what became of pushes by the hour, and when jobs fire.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::chart::{Chart, Columns, Group, Label, Rect};
use super::frame::Frame;
use crate::answers::next::{Fire, Note, in_words};
use crate::domain::{PushState, UtcMs};
use crate::store::{Ends, HourFigures};
use crate::texts;

const HOUR: i64 = 3_600_000;
/// Hours behind, the running one among them, and those to come.
const BEHIND: usize = 12;
const AHEAD: usize = 25;
/// How wide an hour is.
const STEP: usize = 13;
const FOOT: usize = 76;
/// How high a fire to come is drawn.
const TICK: usize = 26;
/// Fires to come within such a time are one tick.
const SLOT: i64 = 600_000;
/// Fires of a tick that are named.
const NAMED: usize = 6;

/// Since when the figures are asked for.
pub(super) fn since(now: UtcMs) -> UtcMs {
    UtcMs(now.0 - now.0.rem_euclid(HOUR) - (BEHIND as i64 - 1) * HOUR)
}

/// What became of pushes, by class and word, in the order of [`Ends::each`].
pub(super) fn kinds(f: &Frame) -> [(&'static str, String); 6] {
    let word = |state: PushState| f.say(texts::state(state));
    [
        ("good", word(PushState::Sent)),
        ("bad", word(PushState::Failed)),
        ("odd", word(PushState::Unknown)),
        ("late", word(PushState::Expired)),
        ("gone", word(PushState::Cancelled)),
        ("open", f.say(texts::open_are())),
    ]
}

pub(super) fn timeline(rows: &[HourFigures], fires: &[Fire], zone: &TimeZone, f: &Frame) -> Chart {
    let mut chart = Chart::new("timeline", f.say(texts::timeline()));
    (chart.left, chart.width, chart.height) = (0, (BEHIND + AHEAD) * STEP, FOOT + 22);
    let (kinds, since) = (kinds(f), since(f.now));
    let clock = |at: UtcMs| at.to_jiff().to_zoned(zone.clone()).strftime("%H:%M").to_string();
    chart.heads = std::iter::once(f.say(texts::col_hour())).chain(kinds.iter().map(|kind| kind.1.clone())).collect();
    let mut hours = [Ends::default(); BEHIND];
    for row in rows {
        let column = usize::try_from((row.hour.0 - since.0).div_euclid(HOUR)).ok();
        if let Some(hour) = column.and_then(|column| hours.get_mut(column)) {
            hour.merge(row.ends);
        }
    }
    let most = hours.iter().map(|hour| hour.all()).max().unwrap_or(0);
    let columns = Columns::wide(STEP);
    for (column, ends) in hours.into_iter().enumerate() {
        let at = UtcMs(since.0 + column as i64 * HOUR);
        chart.stack(&columns, column, &kinds, clock(at), &ends.each(), (most, FOOT));
    }
    chart.legend = kinds.into_iter().filter(|kind| has(&chart, kind.0)).collect();
    chart.note = ticks(&mut chart, fires, since, zone, f);
    if chart.groups.is_empty() {
        return chart;
    }
    for column in (0..BEHIND + AHEAD - 1).step_by(6) {
        let at = UtcMs(since.0 + column as i64 * HOUR);
        chart.labels.push(Label { x: column * STEP, y: FOOT + 16, anchor: "start", text: clock(at) });
    }
    chart.lines.push(super::chart::Line { y: FOOT });
    let now = Rect { class: "now", x: place(f.now, since), y: 0, width: 2, height: FOOT };
    chart.groups.push(Group::new(format!("{} {}", f.say(texts::nav_now()), clock(f.now)), vec![now]));
    chart
}

fn has(chart: &Chart, class: &str) -> bool {
    chart.groups.iter().flat_map(|group| &group.rects).any(|rect| rect.class == class)
}

/// How far from the left an instant lies.
fn place(at: UtcMs, since: UtcMs) -> usize {
    usize::try_from((at.0 - since.0) * STEP as i64 / HOUR).unwrap_or(0)
}

/// Draws the fires to come, and says what is left out of them.
fn ticks(chart: &mut Chart, fires: &[Fire], since: UtcMs, zone: &TimeZone, f: &Frame) -> String {
    let end = UtcMs(f.now.0 + 24 * HOUR);
    let mut slots: BTreeMap<i64, Vec<&Fire>> = BTreeMap::new();
    for fire in fires.iter().filter(|fire| fire.at < end) {
        slots.entry(fire.at.0.div_euclid(SLOT)).or_default().push(fire);
    }
    for fires in slots.values() {
        let Some(first) = fires.first() else { continue };
        let x = place(first.at, since);
        let tick = Rect { class: "tick", x, y: FOOT - TICK, width: 2, height: TICK };
        let named = fires.iter().take(NAMED).map(|fire| told(fire, zone, f));
        let more = fires.len().checked_sub(NAMED + 1).map(|more| f.say(texts::and_more(more + 1)));
        let mut group = Group::new(named.chain(more).collect::<Vec<_>>().join(" · "), vec![tick]);
        let by_the_clock = |note: &Note| matches!(note, Note::Dst(_) | Note::SkippedInGap);
        if fires.iter().any(|fire| fire.notes.iter().any(by_the_clock)) {
            group.sign = Some(Label { x, y: FOOT - TICK - 4, anchor: "middle", text: "⚑".to_owned() });
        }
        chart.groups.push(group);
    }
    if !slots.is_empty() {
        chart.legend.push(("tick", f.say(texts::timeline_tick())));
    }
    let is_cut = fires.iter().flat_map(|fire| &fire.notes).any(|note| matches!(note, Note::More(_)));
    if is_cut { f.say(texts::timeline_often()) } else { String::new() }
}

/// `09:00 daily-report`, and what is to be known of it.
fn told(fire: &Fire, zone: &TimeZone, f: &Frame) -> String {
    let clock = fire.at.to_jiff().to_zoned(zone.clone()).strftime("%H:%M");
    let note = in_words(&fire.notes).map(|note| f.say(texts::told_aside(note))).unwrap_or_default();
    format!("{clock} {}{note}", fire.job.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn now_lies_in_the_last_of_the_hours_behind() {
        let now: UtcMs = "2026-11-28T09:30:00.000Z".parse().unwrap();
        let since = since(now);
        assert_eq!(since.to_string(), "2026-11-27T22:00:00.000Z");
        assert_eq!(place(now, since), 11 * STEP + STEP / 2);
        assert!(place(UtcMs(now.0 + 24 * HOUR), since) + 2 <= (BEHIND + AHEAD) * STEP);
    }
}
