//! The clock goes on after a task has worked out how long to sleep by it, and before the sleep begins.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use pushcron::clock::{Clock, ManualClock};
use pushcron::domain::{Account, Job, Moment, Reading, Schedule, UtcMs};
use pushcron::engine::dispatcher::Event;
use pushcron::engine::scheduler::Scheduler;
use tokio::sync::mpsc;

use crate::common::world::{START, World, account, job, text};

const PACE: Duration = Duration::from_secs(7);
const SECOND: Duration = Duration::from_secs(1);

/// A manual clock that goes on by [`PACE`] once, as soon as it is told to: when a sleep of at most that length is about to
/// begin.
struct Unsteady {
    clock: Arc<ManualClock>,
    is_to_go_on: Mutex<bool>,
}

impl Unsteady {
    fn over(clock: &Arc<ManualClock>) -> Arc<Unsteady> {
        Arc::new(Unsteady { clock: clock.clone(), is_to_go_on: Mutex::default() })
    }

    fn goes_on(&self) {
        *self.is_to_go_on.lock().unwrap() = true;
    }

    fn about_to_sleep(&self, wait: Duration) {
        if wait <= PACE && std::mem::take(&mut *self.is_to_go_on.lock().unwrap()) {
            self.clock.advance(PACE);
        }
    }
}

#[async_trait]
impl Clock for Unsteady {
    fn now(&self) -> UtcMs {
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn boottime(&self) -> Moment {
        self.clock.boottime()
    }

    fn reading(&self) -> Reading {
        self.clock.reading()
    }

    async fn sleep_until(&self, until: Moment) {
        self.about_to_sleep(until.since(self.boottime()));
        self.clock.sleep_until(until).await;
    }

    fn sleep(&self, wait: Duration) -> BoxFuture<'_, ()> {
        self.about_to_sleep(wait);
        self.clock.sleep(wait)
    }
}

#[tokio::test]
async fn a_paced_push_goes_out_when_its_pace_is_over() {
    let clock = ManualClock::new(START);
    let paced = Account { min_interval: Some(PACE), ..account("a", true) };
    let seen = Unsteady::over(&clock);
    let mut world = World::that_sees(seen.clone(), clock, vec![paced]).await;
    let two = vec![text("1"), text("2")];
    world.load(&[Job { push: two, ..job("two", Schedule::At(START + SECOND)) }]).await;
    world.pass(SECOND).await;
    world.expect("select count(*) from pushes where state = 'sent'", &[&["1"]]).await;
    world.turn().await;
    seen.goes_on();
    // News of nothing: it looks around and is about to sleep again.
    world.events.send(Event::Opened(Vec::new())).ok().unwrap();
    world.arrived(2).await;
    assert_eq!(world.clock.now(), START + SECOND + PACE);
}

#[tokio::test]
async fn a_job_fires_at_its_instant() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[job("once", Schedule::At(START + PACE))]).await;
    let (seen, zone) = (Unsteady::over(&world.clock), "2026a".to_owned());
    seen.goes_on();
    let timer = Scheduler::new(world.store.clone(), seen, zone, world.events.clone()).await.unwrap();
    let (_commands, heard) = mpsc::channel(1);
    let running = tokio::spawn(timer.run(heard));
    world.expect("select count(*) from fires", &[&["1"]]).await;
    running.abort();
}
