//! The one clock. Nobody else reads the time or sleeps on it (`.clippy.toml` refuses it), so that every decision can
//! be replayed on a manual clock.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

use crate::domain::UtcMs;

/// Wall time and waiting.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The wall clock: the truth for due times.
    fn now(&self) -> UtcMs;

    /// Time since some fixed start that no clock step touches. Comparing its progress with that of [`Clock::now`]
    /// is how a jump is noticed.
    fn monotonic(&self) -> Duration;

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

    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the time")]
    fn until(&self, at: UtcMs) -> Duration {
        let wait = at.to_jiff().duration_since(jiff::Timestamp::now());
        Duration::try_from(wait).unwrap_or(Duration::ZERO)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that sleeps")]
    async fn sleep(&self, wait: Duration) {
        let until = self.monotonic() + wait;
        if wait > COARSE {
            tokio::time::sleep(wait - COARSE).await;
        }
        let rest = until.saturating_sub(self.monotonic());
        // Without a timer of its own, as without free file descriptors, a sleep is a millisecond longer.
        if fine_sleep(rest).await.is_err() {
            tokio::time::sleep(rest).await;
        }
    }
}

/// The runtime's timers go by whole milliseconds and end up to two of them late; what is left of a sleep after them is
/// waited for with a timer of the kernel, which ends within a tenth of one.
const COARSE: Duration = Duration::from_millis(3);

async fn fine_sleep(wait: Duration) -> io::Result<()> {
    if wait.is_zero() {
        return Ok(());
    }
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
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

struct Manual {
    wall: UtcMs,
    monotonic: Duration,
}

impl ManualClock {
    pub fn new(start: UtcMs) -> Arc<ManualClock> {
        Arc::new(ManualClock {
            time: Mutex::new(Manual { wall: start, monotonic: Duration::ZERO }),
            moved: watch::Sender::new(Duration::ZERO),
        })
    }

    /// Lets `by` pass on both clocks: time goes on as usual.
    pub fn advance(&self, by: Duration) {
        let mut time = self.time.lock().unwrap_or_else(PoisonError::into_inner);
        time.wall = time.wall + by;
        time.monotonic += by;
        self.moved.send_replace(time.monotonic);
    }

    /// Sets the wall clock alone, as `date -s` or a suspend does.
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
        for micros in [0, 1, 300, 2_999, 3_000, 3_001, 7_500] {
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
}
