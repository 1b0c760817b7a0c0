//! What came of a simulation, for people and programs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::rows::{FireRow, PushRow, Rows};
use crate::domain::{Decision, Job, PushState, Target, UtcMs};
use crate::policy::schedule::ScheduleCache;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;

/// All that was called for in some time, and what became of it.
pub struct Course {
    rows: Rows,
    pub from: UtcMs,
    pub until: UtcMs,
    /// What the daemon's clock showed at the end, which is another hour than `until` where it was set.
    shown_at_end: UtcMs,
}

/// A push as it stood at the end.
pub struct PushSeen<'a> {
    pub job: &'a str,
    pub due_at: UtcMs,
    pub ordinal: u32,
    pub im: &'a str,
    pub target: &'a Target,
    pub state: PushState,
    pub reason: Option<&'a str>,
    pub finished_at: Option<UtcMs>,
    row: &'a PushRow,
}

/// One attempt at it.
pub struct AttemptSeen<'a> {
    pub account: &'a str,
    pub rule: &'static str,
    pub sender: &'static str,
    pub started_at: UtcMs,
    /// None: it was under way at the end.
    pub outcome: Option<&'static str>,
}

impl<'a> PushSeen<'a> {
    pub fn attempts(&self) -> impl ExactSizeIterator<Item = AttemptSeen<'a>> + use<'a> {
        self.row.attempts.iter().map(|attempt| AttemptSeen {
            account: &attempt.account,
            rule: attempt.rule.as_str(),
            sender: attempt.sender,
            started_at: attempt.started_at,
            outcome: attempt.outcome,
        })
    }

    /// How long after its instant the attempt began that sent it.
    pub fn late_by(&self) -> Option<Duration> {
        let last = self.row.attempts.last().filter(|_| self.state == PushState::Sent)?;
        Some(last.started_at.since(self.due_at))
    }

    /// Whether what its platform grants kept it for a while, or for good.
    pub fn is_limited(&self) -> bool {
        self.row.is_limited
    }

    pub fn is_miss(&self) -> bool {
        self.state.is_final() && self.state != PushState::Sent
    }
}

/// Why a job had no instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    Disabled,
    /// Its next instant comes later.
    Until(UtcMs),
    /// Its last instant was before.
    Since(UtcMs),
    /// It has no instant at all.
    Always,
}

/// How many of what there were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sums {
    /// By decision: `fired`, `skipped`, `missed`.
    pub instants: BTreeMap<&'static str, u64>,
    /// By state; `open` are those that were not over at the end.
    pub pushes: BTreeMap<&'static str, u64>,
    pub attempts: u64,
    /// Pushes that what their platforms grant kept for a while, or for good.
    pub limited: u64,
}

/// One account's load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Load {
    pub account: String,
    pub sender: String,
    pub attempts: u64,
    /// The minute with the most attempts, and how many.
    pub peak_minute: UtcMs,
    pub in_peak_minute: u64,
    pub peak_hour: UtcMs,
    pub in_peak_hour: u64,
    /// How long after its instant the last attempt of the peak hour began.
    pub last_of_peak_late_ms: i64,
}

/// One day of the calendar.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DayLoad {
    pub fired: u64,
    pub skipped: u64,
    pub missed: u64,
    pub sent: u64,
    pub late: u64,
    pub not_sent: u64,
    /// What summer time does to jobs on that day.
    pub notes: Vec<String>,
}

impl Course {
    pub(super) fn new(rows: Rows, from: UtcMs, until: UtcMs, shown_at_end: UtcMs) -> Course {
        Course { rows, from, until, shown_at_end }
    }

    /// What was recorded ahead of the end is not yet a part of this time.
    fn is_within(&self, fire: &FireRow) -> bool {
        !fire.withdrawn && fire.due_at < self.shown_at_end
    }

    fn fire_rows(&self) -> impl Iterator<Item = &FireRow> {
        self.rows.fires.iter().filter(|fire| self.is_within(fire))
    }

    /// Every decision, in the order in which it was made: job, instant, decision, reason, and for how many instants.
    pub fn fires(&self) -> impl Iterator<Item = (&str, UtcMs, Decision, Option<&str>, u64)> {
        self.fire_rows().map(|fire| {
            (&*self.rows.jobs[fire.job].name, fire.due_at, fire.decision, fire.reason.as_deref(), fire.count)
        })
    }

    pub fn pushes(&self) -> impl Iterator<Item = PushSeen<'_>> {
        let within = |push: &&PushRow| !push.withdrawn && self.is_within(&self.rows.fires[push.fire]);
        self.rows.pushes.iter().filter(within).map(|push| {
            let (fire, spec) = (&self.rows.fires[push.fire], self.rows.spec(push));
            PushSeen {
                job: &self.rows.jobs[fire.job].name,
                due_at: fire.due_at,
                ordinal: push.ordinal,
                im: &spec.im,
                target: &spec.target,
                state: push.state,
                reason: push.reason.as_deref(),
                finished_at: push.finished_at,
                row: push,
            }
        })
    }

    pub fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        for fire in self.fire_rows() {
            *sums.instants.entry(fire.decision.as_str()).or_default() += fire.count;
        }
        for push in self.pushes() {
            let state = if push.state.is_final() { push.state.as_str() } else { "open" };
            *sums.pushes.entry(state).or_default() += 1;
            sums.attempts += push.row.attempts.len() as u64;
            sums.limited += u64::from(push.is_limited());
        }
        sums
    }

    /// Jobs that called for nothing in this time, or that are disabled.
    pub fn silent_jobs(&self) -> Vec<(&str, Silence)> {
        let loud: BTreeSet<usize> = self.fire_rows().map(|fire| fire.job).collect();
        let silent = self.rows.jobs.iter().enumerate().filter(|(index, _)| !loud.contains(index));
        let mut cache = ScheduleCache::default();
        silent.map(|(_, job)| (&*job.name, self.silence(&job.definition, &mut cache))).collect()
    }

    fn silence(&self, job: &Job, cache: &mut ScheduleCache) -> Silence {
        if !job.enabled {
            return Silence::Disabled;
        }
        let Ok(schedule) = cache.get_or_compile(job.timing()) else {
            return Silence::Always;
        };
        let next = schedule.next_after(UtcMs(self.until.0 - 1)).map(Silence::Until);
        next.or_else(|| schedule.previous_before(self.from).map(Silence::Since)).unwrap_or(Silence::Always)
    }

    /// What each account has to carry, in the order of their names.
    pub fn load(&self) -> Vec<Load> {
        type Peaks = (&'static str, u64, BTreeMap<i64, u64>, BTreeMap<i64, (u64, i64)>);
        let mut by_account: BTreeMap<&str, Peaks> = BTreeMap::new();
        for push in self.pushes() {
            for attempt in &push.row.attempts {
                let (sender, count, minutes, hours) = by_account.entry(&attempt.account).or_default();
                *sender = attempt.sender;
                *count += 1;
                *minutes.entry(attempt.started_at.0.div_euclid(MINUTE_MS)).or_default() += 1;
                let (in_hour, late) = hours.entry(attempt.started_at.0.div_euclid(HOUR_MS)).or_default();
                *in_hour += 1;
                *late = (*late).max(attempt.started_at.ms_since(push.due_at));
            }
        }
        let load = |(account, (sender, attempts, minutes, hours)): (&str, Peaks)| {
            // Of equal ones the first.
            let minute = minutes.into_iter().max_by_key(|(minute, count)| (*count, -minute)).unwrap_or_default();
            let (hour, (in_peak_hour, late)) =
                hours.into_iter().max_by_key(|(hour, (count, _))| (*count, -hour)).unwrap_or_default();
            Load {
                account: account.to_owned(),
                sender: sender.to_owned(),
                attempts,
                peak_minute: UtcMs(minute.0 * MINUTE_MS),
                in_peak_minute: minute.1,
                peak_hour: UtcMs(hour * HOUR_MS),
                in_peak_hour,
                last_of_peak_late_ms: late,
            }
        };
        by_account.into_iter().map(load).collect()
    }

    /// A line a day, by the calendar of this zone. A push that left later than `late` after its instant counts as late.
    pub fn days(&self, zone: &jiff::tz::TimeZone, late: Duration) -> BTreeMap<jiff::civil::Date, DayLoad> {
        let mut dates: BTreeMap<i64, jiff::civil::Date> = BTreeMap::new();
        let mut days: BTreeMap<jiff::civil::Date, DayLoad> = BTreeMap::new();
        // A quarter of an hour lies within one day in every zone there is.
        let mut date_of = |at: UtcMs| {
            let quarter = at.0.div_euclid(15 * MINUTE_MS);
            *dates.entry(quarter).or_insert_with(|| at.to_jiff().to_zoned(zone.clone()).date())
        };
        let mut date = date_of(self.from);
        let last = date_of(UtcMs(self.until.0 - 1));
        while date <= last {
            days.entry(date).or_default();
            let Ok(next) = date.tomorrow() else { break };
            date = next;
        }
        for fire in self.fire_rows() {
            let day = days.entry(date_of(fire.due_at)).or_default();
            match fire.decision {
                Decision::Fired => day.fired += fire.count,
                Decision::Skipped => day.skipped += fire.count,
                Decision::Missed => day.missed += fire.count,
            }
        }
        for push in self.pushes() {
            let day = days.entry(date_of(push.due_at)).or_default();
            day.sent += u64::from(push.state == PushState::Sent);
            day.not_sent += u64::from(push.is_miss());
            day.late += u64::from(push.late_by().is_some_and(|by| by > late));
        }
        for (at, job, note) in self.dst_notes() {
            days.entry(date_of(at)).or_default().notes.push(format!("{job}: {note}"));
        }
        days
    }

    /// Where summer time changes when a job fires, as `next` notes it.
    pub fn dst_notes(&self) -> Vec<(UtcMs, &str, String)> {
        let mut cache = ScheduleCache::default();
        let mut changes: BTreeMap<&str, Vec<UtcMs>> = BTreeMap::new();
        let mut notes = Vec::new();
        for fire in self.fire_rows() {
            let job = &self.rows.jobs[fire.job].definition;
            let Job { name, timezone, .. } = job;
            let changes = changes.entry(timezone).or_insert_with(|| self.changes_of(timezone));
            if !changes.iter().any(|change| change.ms_since(fire.due_at).abs() < DAY_MS) {
                continue;
            }
            let Ok(schedule) = cache.get_or_compile(job.timing()) else { continue };
            let note = match fire.reason.as_deref() {
                Some("dst_gap") => Some("skipped: its time does not exist on that day (dst_gap: skip)".to_owned()),
                _ => schedule.note_at(fire.due_at).map(|note| note.to_string()),
            };
            notes.extend(note.map(|note| (fire.due_at, name.as_str(), note)));
        }
        notes.sort();
        notes
    }

    /// When the clocks of a zone change in this time, or a day before or after it.
    fn changes_of(&self, timezone: &str) -> Vec<UtcMs> {
        let Ok(zone) = jiff::tz::TimeZone::get(timezone) else { return Vec::new() };
        let end = UtcMs(self.until.max(self.shown_at_end).0 + DAY_MS);
        let following = zone.following(UtcMs(self.from.0 - DAY_MS).to_jiff());
        let changes = following.map(|change| UtcMs::from(change.timestamp()));
        changes.take_while(|at| *at < end).collect()
    }
}
