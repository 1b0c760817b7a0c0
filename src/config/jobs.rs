//! `jobs:`: one node to one draft at a time, so that the tree of 100,000 jobs never stands in memory.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::calendars::DaysDraft;
use super::decoder::Decoder;
use super::draft::{IncompleteJob, JobDraft, LifeDraft, ScheduleDraft};
use super::keys::{DAY_KEYS, DST_GAPS, JOB_KEYS, MOST_FIRES, OVERLAPS, SCHEDULE_KEYS};
use super::text::quoted;
use super::yaml::{At, Entry, Node, Value};
use crate::domain::UtcMs;
use crate::texts;

impl Decoder<'_> {
    /// One job. None after an error; everything wrong with it has been found then.
    pub(super) fn job(&mut self, node: &Node) -> Option<JobDraft> {
        let entries = self.map(texts::a_job(), node)?;
        let errors = self.diagnostics.error_count();
        let (mut name, mut schedule, mut timezone, mut enabled, mut push) = (None, None, None, true, None);
        // Its pushes may be without a content of their own.
        let takes_content = entries.iter().any(|entry| entry.key == "content_from");
        let mut content_from = None;
        let (mut retry, mut misfire, mut overlap, mut dst_gap, mut render) = (None, None, None, None, None);
        let mut days: Option<Box<DaysDraft>> = None;
        let mut life: Option<Box<LifeDraft>> = None;
        for entry in entries {
            let (key, value) = (&*entry.key, &entry.node);
            match key {
                "name" => name = self.name(key, value).map(|name| (name, self.place(value.at))),
                key if SCHEDULE_KEYS.contains(&key) => self.schedule(entry, &mut schedule),
                "timezone" => timezone = self.zone(value),
                "enabled" => enabled = self.bool(key, value).unwrap_or(true),
                "push" => push = self.pushes(value, takes_content),
                "content_from" => content_from = self.content_from(value).map(Box::new),
                "retry" => retry = self.retry(value).map(Box::new),
                "misfire" => misfire = self.misfire(value).map(Box::new),
                "overlap" => overlap = self.choice(key, value, &OVERLAPS),
                "render" => render = self.bool(key, value),
                "dst_gap" => dst_gap = self.choice(key, value, &DST_GAPS),
                "from" => life.get_or_insert_default().from = self.at(key, value).map(|at| (at, value.at)),
                "until" => life.get_or_insert_default().until = self.at(key, value).map(|at| (at, value.at)),
                "max_fires" => life.get_or_insert_default().max_fires = self.int(key, value, 1, MOST_FIRES),
                "in" => {
                    self.error(entry.key_at, texts::in_is_not_kept()).hint(texts::add_with_in());
                }
                "holidays" => {
                    let message = texts::unknown_key(quoted(key), texts::a_job());
                    self.error(entry.key_at, message).hint(texts::workdays_or_except());
                }
                "exclude" | "excludes" | "skip" => {
                    let message = texts::unknown_key(quoted(key), texts::a_job());
                    self.error(entry.key_at, message).hint(texts::did_you_mean("except"));
                }
                key if DAY_KEYS.contains(&key) => self.day_key(key, value, days.get_or_insert_default()),
                _ => self.unknown_key(entry, texts::a_job(), JOB_KEYS),
            }
        }
        let has = |keys: &[&str]| entries.iter().any(|entry| keys.contains(&&*entry.key));
        for (keys, needed) in [
            (&["name"][..], texts::job_needs_a_name()),
            (&SCHEDULE_KEYS, texts::job_needs_a_schedule()),
            (&["push"], texts::job_needs_a_push()),
        ] {
            if !has(keys) {
                self.error(node.at, needed);
            }
        }
        if self.diagnostics.error_count() > errors {
            self.give_up(push.unwrap_or_default());
            self.incomplete.jobs.push(IncompleteJob { file: self.file, name, schedule, timezone });
            return None;
        }
        let ((name, name_at), (schedule, schedule_at), push) = (name?, schedule?, push?);
        Some(JobDraft {
            name,
            schedule,
            timezone,
            enabled,
            push,
            content_from,
            retry,
            misfire,
            overlap,
            dst_gap,
            days,
            render,
            life,
            name_at,
            schedule_at,
        })
    }

    /// One of [`SCHEDULE_KEYS`]; a second one is an error.
    fn schedule(&mut self, entry: &Entry, schedule: &mut Option<(ScheduleDraft, At)>) {
        let (key, node) = (&*entry.key, &entry.node);
        if let Some((_, before)) = schedule {
            let other = self.place(*before);
            self.error(entry.key_at, texts::job_has_one_schedule()).other(texts::other_one_at(), other);
            return;
        }
        let draft = match key {
            "cron" => self.seen_text(key, node).map(|text| ScheduleDraft::Cron(text.trim().to_owned())),
            "every" => self.every(key, node),
            // Who has no schedule says so; that there is one is said by it.
            "on_demand" => self.bool(key, node).and_then(|is_so| {
                if !is_so {
                    self.wrong(key, node, texts::true_or_a_schedule());
                }
                is_so.then_some(ScheduleDraft::OnDemand)
            }),
            _ => self.at(key, node),
        };
        *schedule = draft.map(|draft| (draft, node.at));
    }

    fn every(&mut self, key: &str, node: &Node) -> Option<ScheduleDraft> {
        let period = self.duration(key, node)?;
        let ms = u64::try_from(period.as_millis()).ok()?;
        if ms == 0 || !ms.is_multiple_of(1000) {
            self.wrong(key, node, texts::whole_seconds());
            return None;
        }
        Some(ScheduleDraft::Every(ms))
    }

    /// A date and a time in the job's zone, or an instant with its offset.
    fn at(&mut self, key: &str, node: &Node) -> Option<ScheduleDraft> {
        // What `--at` of the verbs takes stands for another instant at each reload.
        if let Value::Scalar(scalar) = node.value()
            && (scalar.text.starts_with('+') || scalar.text.contains(':') && !scalar.text.contains('-'))
        {
            self.wrong(key, node, texts::a_date_and_time()).hint(texts::add_with_at());
            return None;
        }
        let draft = self.parsed(key, node, texts::a_date_and_time(), |text| {
            let text = text.trim();
            // A bare date would mean midnight, which nobody who forgot the hour wants.
            if !text.contains(':') {
                return None;
            }
            // The parser of local times takes a text with an offset too and ignores the offset.
            match text.parse::<jiff::Timestamp>() {
                Ok(instant) => Some((ScheduleDraft::At(UtcMs::from(instant)), instant.to_zoned(TimeZone::UTC).date())),
                Err(_) if text.contains(['Z', 'z', '+', '[']) => None,
                Err(_) => text.parse().ok().map(|local: DateTime| (ScheduleDraft::LocalAt(local), local.date())),
            }
        });
        let (draft, date) = draft?;
        if !is_told(date) {
            let text = written(node);
            self.error(node.at, texts::outside_the_years(key, quoted(text)));
            return None;
        }
        Some(draft)
    }
}

/// Whether a time of that day can be told, wherever on earth it is: no row holds those of the last days before the year
/// 10000, and it would be another time that is kept.
pub(super) fn is_told(date: Date) -> bool {
    (Date::constant(1, 1, 2)..=Date::constant(9999, 12, 29)).contains(&date)
}

/// As it is written.
pub(super) fn written<'n>(node: &'n Node) -> &'n str {
    match node.value() {
        Value::Scalar(scalar) => &scalar.text,
        _ => "",
    }
}
