//! The one clock. Nobody else reads the time or sleeps on it (`.clippy.toml` refuses it), so that every decision can
//! be replayed on a manual clock.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

use crate::domain::{Locked, Moment, Reading, UtcMs};

/// Wall time and waiting.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The wall clock: the truth for due times.
    fn now(&self) -> UtcMs;

    /// Time since some fixed start that no clock step touches. Comparing its progress with that of [`Clock::now`]
    /// is how a jump is noticed.
    fn monotonic(&self) -> Duration;

    /// Time since the machine was booted, time asleep included. Nobody sets this clock: whatever waits for a *length*
    /// (a pace, a rest, the wait before a retry) waits by it. By the wall clock it would stand still for as long as
    /// that is put back, or be forgotten when it is put forward.
    fn boottime(&self) -> Moment;

    /// Both at once.
    fn reading(&self) -> Reading {
        Reading { wall: self.now(), moment: self.boottime() }
    }

    /// The moment at which the wall clock will show `at` unless it is set, now when that has passed; finer than the
    /// milliseconds of [`Clock::now`].
    fn moment_at(&self, at: UtcMs) -> Moment {
        self.reading().moment_at(at)
    }

    /// Returns at this moment, and soon after; where it has passed, once others had a turn. Who waits for the end of a
    /// length that began earlier waits by this: the time that passes between working out what is left of it and the
    /// beginning of a sleep is not added to it. Callers that wait for a wall instant wait in slices, since a stepped clock
    /// does not shorten this.
    async fn sleep_until(&self, until: Moment);

    /// Returns once `wait` has passed since this call, whenever it is first polled.
    fn sleep(&self, wait: Duration) -> BoxFuture<'_, ()> {
        self.sleep_until(self.boottime() + wait)
    }
}

/// A shared clock.
pub type SharedClock = Arc<dyn Clock>;

/// Sleeps of one length, for whoever waits now and then and knows no clock.
pub fn pauses(clock: &SharedClock, wait: Duration) -> Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync> {
    let clock = clock.clone();
    Arc::new(move || {
        let clock = clock.clone();
        Box::pin(async move { clock.sleep(wait).await })
    })
}

/// The machine's own clocks.
pub struct SystemClock {
    started: std::time::Instant,
}

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the time")]
    pub fn new() -> SystemClock {
        SystemClock { started: std::time::Instant::now() }
    }

    pub fn shared() -> SharedClock {
        Arc::new(SystemClock::new())
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock::new()
    }
}

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the time")]
    fn now(&self) -> UtcMs {
        UtcMs::from(jiff::Timestamp::now())
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn boottime(&self) -> Moment {
        // The kernel counts up from zero, in valid nanoseconds.
        Moment(Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default())
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the time")]
    fn moment_at(&self, at: UtcMs) -> Moment {
        // The wall clock first: where the process stands still between the two, the moment is late and never early.
        let wait = at.to_jiff().duration_since(jiff::Timestamp::now());
        self.boottime() + Duration::try_from(wait).unwrap_or(Duration::ZERO)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that sleeps")]
    async fn sleep_until(&self, until: Moment) {
        let wait = until.since(self.boottime());
        if wait.is_zero() {
            // The runtime keeps the task that was spawned last for the thread that spawned it: whoever goes on without a
            // pause would keep it from ever being run.
            return tokio::task::yield_now().await;
        }
        // Most waits of this length are ended by what they guard, such as a send by its answer: those that still go on after
        // a second are few, and only they take a timer of the kernel for the rest.
        let coarse = wait.min(LONG).saturating_sub(COARSE);
        if !coarse.is_zero() {
            tokio::time::sleep(coarse).await;
        }
        // Without a timer of its own, as without free file descriptors, a sleep is a millisecond longer.
        if self.kernel_sleep(until).await.is_err() {
            tokio::time::sleep(until.since(self.boottime())).await;
        }
    }
}

/// The runtime's timers do not count the time in which the machine sleeps, and go on waiting for what is overdue by it:
/// so long at most.
const LONG: Duration = Duration::from_secs(1);

/// The runtime's timers go by whole milliseconds and end up to two of them late; what is left of a sleep after them is
/// waited for with a timer of the kernel, which ends within a tenth of one.
const COARSE: Duration = Duration::from_millis(3);

impl SystemClock {
    async fn kernel_sleep(&self, until: Moment) -> io::Result<()> {
        if until <= self.boottime() {
            return Ok(());
        }
        let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        let it_value = until.0.try_into().map_err(io::Error::other)?;
        let once = Itimerspec { it_interval: Timespec::default(), it_value };
        timerfd_settime(&timer, TimerfdTimerFlags::ABSTIME, &once)?;
        // SAFETY: an `OwnedFd` names one open file for as long as it lives, and the `AsyncFd` owns it until it is dropped.
        let timer = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE)? };
        timer.readable().await.map(drop)
    }
}

/// A clock that stands still until it is told otherwise, for tests and `simulate`.
pub struct ManualClock {
    time: Mutex<Manual>,
    moved: watch::Sender<Moment>,
}

/// How long the machine of a manual clock has been up.
const BOOTED: Duration = Duration::from_secs(1000);

struct Manual {
    wall: UtcMs,
    monotonic: Duration,
    boottime: Duration,
}

impl ManualClock {
    pub fn new(start: UtcMs) -> Arc<ManualClock> {
        Arc::new(ManualClock {
            time: Mutex::new(Manual { wall: start, monotonic: Duration::ZERO, boottime: BOOTED }),
            moved: watch::Sender::new(Moment(BOOTED)),
        })
    }

    /// Lets `by` pass on both clocks: time goes on as usual.
    pub fn advance(&self, by: Duration) {
        let mut time = self.time.locked();
        time.wall = time.wall + by;
        time.monotonic += by;
        time.boottime += by;
        self.moved.send_replace(Moment(time.boottime));
    }

    /// The machine sleeps: afterwards the wall clock and the time since the boot have gone on, and what is overdue by
    /// that ends.
    pub fn suspend(&self, by: Duration) {
        let mut time = self.time.locked();
        time.wall = time.wall + by;
        time.boottime += by;
        self.moved.send_replace(Moment(time.boottime));
    }

    /// Sets the wall clock alone, as `date -s` does.
    pub fn step_wall_to(&self, wall: UtcMs) {
        self.time.locked().wall = wall;
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> UtcMs {
        self.time.locked().wall
    }

    fn monotonic(&self) -> Duration {
        self.time.locked().monotonic
    }

    fn boottime(&self) -> Moment {
        Moment(self.time.locked().boottime)
    }

    /// No move of the clock comes between the two.
    fn reading(&self) -> Reading {
        let time = self.time.locked();
        Reading { wall: time.wall, moment: Moment(time.boottime) }
    }

    async fn sleep_until(&self, until: Moment) {
        let mut moved = self.moved.subscribe();
        if *moved.borrow() >= until {
            return tokio::task::yield_now().await;
        }
        // The sender lives as long as the clock that we borrow, so waiting cannot fail.
        let _ = moved.wait_for(|now| *now >= until).await;
    }
}

/// A clock on which whoever sleeps has slept, so that no time passes but what is waited for; it counts how often.
#[cfg(test)]
pub(crate) struct Hasty {
    clock: Arc<ManualClock>,
    pub slept: std::sync::atomic::AtomicUsize,
}

#[cfg(test)]
impl Hasty {
    pub(crate) fn of(clock: &Arc<ManualClock>) -> Arc<Hasty> {
        Arc::new(Hasty { clock: clock.clone(), slept: Default::default() })
    }
}

#[cfg(test)]
#[async_trait]
impl Clock for Hasty {
    fn now(&self) -> UtcMs {
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn boottime(&self) -> Moment {
        self.clock.boottime()
    }

    async fn sleep_until(&self, until: Moment) {
        self.slept.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.clock.advance(until.since(self.boottime()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleep_is_never_shorter_than_asked() {
        let clock = SystemClock::new();
        for micros in [0, 1, 300, 2_999, 3_000, 3_001, 7_500, 1_000_001] {
            let wait = Duration::from_micros(micros);
            let before = clock.monotonic();
            clock.sleep(wait).await;
            assert!(clock.monotonic() - before >= wait, "{micros} µs");
        }
    }

    /// The runtime keeps the task that was spawned last for the thread that spawned it: where that one never pauses,
    /// nobody ever runs it.
    #[tokio::test]
    async fn whoever_sleeps_until_a_moment_that_has_passed_lets_others_go_on() {
        let clocks: [SharedClock; 2] = [SystemClock::shared(), ManualClock::new(UtcMs(0))];
        for clock in clocks {
            let other = tokio::spawn(async {});
            for _ in 0..100 {
                clock.sleep_until(clock.boottime()).await;
            }
            assert!(other.is_finished());
        }
    }

    #[test]
    fn the_wait_for_an_instant_ends_when_the_clock_shows_it() {
        let clock = SystemClock::new();
        let now = clock.now();
        let wait = |at| clock.moment_at(at).since(clock.boottime());
        assert_eq!(wait(now), Duration::ZERO);
        let wait = wait(now + Duration::from_secs(60));
        assert!(
            wait > Duration::from_secs(59) && wait < Duration::from_secs(60) + Duration::from_millis(1),
            "{wait:?}"
        );
    }

    #[test]
    fn lengths_pass_by_a_clock_that_nobody_sets_and_that_counts_a_sleep_of_the_machine() {
        let clock = ManualClock::new(UtcMs(0));
        let before = clock.reading();
        clock.step_wall_to(UtcMs(-7_200_000));
        assert_eq!(clock.boottime(), before.moment, "a clock that is set moves no length");
        clock.suspend(Duration::from_secs(8));
        clock.advance(Duration::from_secs(2));
        assert_eq!(clock.boottime().since(before.moment), Duration::from_secs(10));
        assert_eq!(clock.monotonic(), Duration::from_secs(2));
        let system = SystemClock::new();
        assert!(system.boottime().0 >= system.monotonic() && system.boottime() <= system.boottime());
    }
}
