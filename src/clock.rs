//! The one clock. Nobody else reads the time or sleeps on it (`.clippy.toml` refuses it), so that every decision can
//! be replayed on a manual clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
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

    /// Returns once `wait` has passed by the monotonic clock. Callers that wait for a wall instant wait in slices,
    /// since a stepped clock does not shorten this.
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

    #[expect(clippy::disallowed_methods, reason = "this is the one place that sleeps")]
    async fn sleep(&self, wait: Duration) {
        tokio::time::sleep(wait).await;
    }
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
