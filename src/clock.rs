//! The one clock. Nobody else reads the time or sleeps on it (`.clippy.toml` refuses it), so that every decision can
//! be replayed on a manual clock.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

use crate::domain::{Moment, Reading, UtcMs};

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

    /// The time from now to a wall instant, zero when it has passed; finer than the milliseconds of [`Clock::now`].
    fn until(&self, at: UtcMs) -> Duration {
        at.since(self.now())
    }

    /// Returns once `wait` has passed by the monotonic clock, and soon after. Callers that wait for a wall instant wait
    /// in slices, since a stepped clock does not shorten this.
    async fn sleep(&self, wait: Duration);
}

/// A shared clock.
pub type SharedClock = Arc<dyn Clock>;

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
    fn until(&self, at: UtcMs) -> Duration {
        let wait = at.to_jiff().duration_since(jiff::Timestamp::now());
        Duration::try_from(wait).unwrap_or(Duration::ZERO)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that sleeps")]
    async fn sleep(&self, wait: Duration) {
        if wait.is_zero() {
            // The runtime keeps the task that was spawned last for the thread that spawned it: whoever goes on without a
            // pause would keep it from ever being run.
            return tokio::task::yield_now().await;
        }
        if wait > LONG && kernel_sleep(wait, TimerfdClockId::Boottime).await.is_ok() {
            return;
        }
        let until = self.monotonic() + wait;
        if wait > COARSE {
            tokio::time::sleep(wait - COARSE).await;
        }
        let rest = until.saturating_sub(self.monotonic());
        // Without a timer of its own, as without free file descriptors, a sleep is a millisecond longer.
        if kernel_sleep(rest, TimerfdClockId::Monotonic).await.is_err() {
            tokio::time::sleep(rest).await;
        }
    }
}

/// A sleep of this length may span one of the machine, which the runtime's timers do not count: after it they would go on
/// waiting for what is overdue.
const LONG: Duration = Duration::from_secs(1);

/// The runtime's timers go by whole milliseconds and end up to two of them late; what is left of a sleep after them is
/// waited for with a timer of the kernel, which ends within a tenth of one.
const COARSE: Duration = Duration::from_millis(3);

async fn kernel_sleep(wait: Duration, clock: TimerfdClockId) -> io::Result<()> {
    if wait.is_zero() {
        return Ok(());
    }
    let timer = timerfd_create(clock, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    let once = Itimerspec { it_interval: Timespec::default(), it_value: wait.try_into().map_err(io::Error::other)? };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &once)?;
    // SAFETY: an `OwnedFd` names one open file for as long as it lives, and the `AsyncFd` owns it until it is dropped.
    let timer = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE)? };
    timer.readable().await.map(drop)
}

/// A clock that stands still until it is told otherwise, for tests and `simulate`.
pub struct ManualClock {
    time: Mutex<Manual>,
    moved: watch::Sender<Duration>,
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
            moved: watch::Sender::new(Duration::ZERO),
        })
    }

    /// Lets `by` pass on both clocks: time goes on as usual.
    pub fn advance(&self, by: Duration) {
        let mut time = self.time.lock().unwrap_or_else(PoisonError::into_inner);
        time.wall = time.wall + by;
        time.monotonic += by;
        time.boottime += by;
        self.moved.send_replace(time.monotonic);
    }

    /// The machine sleeps: timers stand still, and afterwards the wall clock and the time since the boot have gone on.
    pub fn suspend(&self, by: Duration) {
        let mut time = self.time.lock().unwrap_or_else(PoisonError::into_inner);
        time.wall = time.wall + by;
        time.boottime += by;
    }

    /// Sets the wall clock alone, as `date -s` does.
    pub fn step_wall_to(&self, wall: UtcMs) {
        self.time.lock().unwrap_or_else(PoisonError::into_inner).wall = wall;
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> UtcMs {
        self.time.lock().unwrap_or_else(PoisonError::into_inner).wall
    }

    fn monotonic(&self) -> Duration {
        self.time.lock().unwrap_or_else(PoisonError::into_inner).monotonic
    }

    fn boottime(&self) -> Moment {
        Moment(self.time.lock().unwrap_or_else(PoisonError::into_inner).boottime)
    }

    async fn sleep(&self, wait: Duration) {
        let mut moved = self.moved.subscribe();
        let until = self.monotonic() + wait;
        // The sender lives as long as the clock that we borrow, so waiting cannot fail.
        let _ = moved.wait_for(|now| *now >= until).await;
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

    #[test]
    fn the_wait_for_an_instant_ends_when_the_clock_shows_it() {
        let clock = SystemClock::new();
        let now = clock.now();
        assert_eq!(clock.until(now), Duration::ZERO);
        let wait = clock.until(now + Duration::from_secs(60));
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
