//! The timer's side of a walk: its jobs, what it asks and is told, and what of it the core hears.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use fastrand::Rng;
use pushcron::domain::job::{DstGap, Life};
use pushcron::domain::{Job, Misfire, MisfirePolicy, Overlap, Reading, Schedule};
use pushcron::engine::core::timer::{self, Timer};
use pushcron::engine::core::{Event, Input};
use pushcron::store::StoreError;

use super::Walk;
use super::ledger::ZONE_VERSION;

/// Jobs by their names, with their periods in milliseconds.
const JOBS: [(&str, u64, Overlap); 4] = [
    ("every few seconds", 5_000, Overlap::Allow),
    ("a quarter minute", 15_000, Overlap::Allow),
    ("skips", 7_000, Overlap::Skip),
    ("replaces", 11_000, Overlap::Replace),
];

fn job(name: &str, every_ms: u64, overlap: Overlap, rng: &mut Rng) -> Job {
    let max_fires = (rng.u8(0..3) == 0).then(|| rng.u64(1..6));
    let policy = [MisfirePolicy::Skip, MisfirePolicy::Latest, MisfirePolicy::All][rng.usize(0..3)];
    Job {
        name: name.to_owned(),
        schedule: Schedule::Every(every_ms),
        timezone: "UTC".into(),
        enabled: rng.u8(0..8) > 0,
        push: Vec::new(),
        content_from: None,
        misfire: Misfire { policy, grace: Duration::from_secs(rng.u64(1..30)), ..Misfire::default() },
        overlap,
        dst_gap: DstGap::Fire,
        days: None,
        life: max_fires.map(|max| Box::new(Life { max_fires: Some(max), ..Life::default() })),
    }
}

pub(super) fn hashed(jobs: &[Job]) -> Vec<(Job, i64)> {
    let hash = |job: &Job| {
        let mut hasher = DefaultHasher::new();
        format!("{job:?}").hash(&mut hasher);
        hasher.finish() as i64
    };
    jobs.iter().map(|job| (job.clone(), hash(job))).collect()
}

pub(super) fn timer(now: Reading) -> Timer {
    Timer::new(now, now.moment.0, ZONE_VERSION.to_owned())
}

impl Walk {
    /// Has the timer do one thing from beginning to end. False: it was killed in the middle of it.
    pub(super) fn command(&mut self, command: timer::Input) -> bool {
        self.timer_input(command);
        while let Some(ask) = self.asked.take() {
            if self.rng.u8(0..40) == 0 {
                return false;
            }
            let answer = self.ledger.answer(ask, &mut self.rows);
            if self.rng.u8(0..40) == 0 {
                return false;
            }
            self.timer_input(timer::Input::Answer(Ok(answer)));
        }
        true
    }

    pub(super) fn timer_input(&mut self, input: timer::Input) {
        let mut actions = Vec::new();
        self.timer.step(self.now, input, &mut actions);
        for action in actions {
            match action {
                timer::Action::Ask(ask) => assert!(self.asked.replace(ask).is_none(), "two questions at once"),
                timer::Action::Tell(event) => self.told.push_back(event),
                timer::Action::Fires { .. } | timer::Action::Prepare | timer::Action::Done(_) => {}
            }
        }
    }

    /// Whatever the timer can do next: its question is asked, its answer handed in, or it is told something new.
    pub(super) fn timer_step(&mut self) {
        if let Some(answer) = self.answer.take() {
            self.timer_input(timer::Input::Answer(answer));
        } else if let Some(ask) = self.asked.take() {
            let fails = !self.store_ok;
            self.answer = Some(match fails {
                true => Err(StoreError::Unavailable("disk full".to_owned())),
                false => Ok(self.ledger.answer(ask, &mut self.rows)),
            });
        } else {
            self.tick_timer();
        }
    }

    pub(super) fn tick_timer(&mut self) {
        self.timer_input(timer::Input::Tick { awake: self.now.moment.0 });
    }

    /// A person edits the files.
    pub(super) fn change_jobs(&mut self) {
        if self.jobs.is_empty() || self.rng.bool() {
            self.jobs.clear();
            for (name, every, overlap) in JOBS {
                if self.rng.u8(0..5) > 0 {
                    let job = job(name, every + self.rng.u64(0..2) * 1000, overlap, &mut self.rng);
                    self.jobs.push(job);
                }
            }
        }
    }

    pub(super) fn reload(&mut self) {
        self.change_jobs();
        self.note(|| "reload".to_owned());
        self.tick_timer();
        self.timer_input(timer::Input::Apply(hashed(&self.jobs), None));
    }

    /// Another process pauses or resumes a job, which the daemon notices later.
    pub(super) fn pause(&mut self) {
        let (name, paused) = (JOBS[self.rng.usize(0..JOBS.len())].0, self.rng.bool());
        self.note(|| format!("job {name} paused: {paused}"));
        self.ledger.pause(name, paused, self.now.wall, &mut self.rows);
    }

    pub(super) fn tell_one(&mut self) {
        let Some(event) = self.told.pop_front() else { return };
        if let Event::Dropped(ids) = &event {
            let is_open = |id: &&i64| self.rows.0.get(id).is_some_and(|row| !row.state.is_final());
            let open: Vec<&i64> = ids.iter().filter(is_open).collect();
            assert!(open.is_empty(), "the core is to forget pushes that are open: {open:?}");
        }
        self.input(Input::Event(event));
    }
}
