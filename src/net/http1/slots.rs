//! Who is connected, what each waits for, and who makes room when all slots are taken.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use super::limits::Limits;
use crate::clock::SharedClock;
use crate::domain::{Locked, Moment};

/// A client that kept us waiting for less need not make room: its request may be on its way.
const GRACE: Duration = Duration::from_millis(250);

/// For telling a client that its body took too long.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Longer than any connection lives.
const FOR_EVER: Duration = Duration::from_secs(365 * 86_400);

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing of a request has come.
    Idle,
    /// A part of a head has.
    Head,
    /// The head has, and the body comes.
    Body,
    /// The handler is at work.
    Working,
    /// The answer goes out.
    Answering,
    /// An answer without an end does, bit by bit.
    Streaming,
}

/// The connections of one server.
pub(super) struct Slots {
    taken: Mutex<Vec<Arc<Slot>>>,
    most: usize,
    times: Times,
    clock: SharedClock,
    /// There may be room now.
    changed: Arc<Notify>,
}

#[derive(Clone, Copy)]
struct Times {
    idle: Duration,
    head: Duration,
    request: Duration,
    work: Option<Duration>,
}

/// One connection.
pub(super) struct Slot {
    state: Mutex<State>,
    times: Times,
    clock: SharedClock,
    /// Its time became shorter.
    hurried: Notify,
    freed: Arc<Notify>,
}

struct State {
    phase: Phase,
    since: Moment,
    until: Moment,
    /// It is over, or has to make room.
    ended: bool,
}

impl State {
    /// Whether it is for the handler to end it.
    fn is_busy(&self) -> bool {
        matches!(self.phase, Phase::Working | Phase::Streaming)
    }
}

/// A slot for as long as its connection lives.
pub(super) struct Taken(Arc<Slot>);

impl Slots {
    pub(super) fn new(limits: &Limits, clock: SharedClock) -> Slots {
        let times = Times { idle: limits.idle, head: limits.head, request: limits.request, work: limits.work };
        let (most, changed) = (limits.connections.max(1), Arc::new(Notify::new()));
        Slots { taken: Mutex::default(), most, times, clock, changed }
    }

    /// A slot for one more connection, as soon as there is one.
    pub(super) async fn take(&self) -> Taken {
        loop {
            let until = match self.try_take() {
                Ok(slot) => return Taken(slot),
                Err(until) => until,
            };
            let old_enough = async {
                match until {
                    Some(until) => self.clock.sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.changed.notified() => {}
                () = old_enough => {}
            }
        }
    }

    /// Or when somebody will have kept us waiting for long enough; None while all handlers are at work.
    fn try_take(&self) -> Result<Arc<Slot>, Option<Moment>> {
        let now = self.clock.boottime();
        let mut taken = self.taken.locked();
        taken.retain(|slot| !slot.state().ended);
        if taken.len() >= self.most {
            let waiting = || taken.iter().filter(|slot| !slot.state().is_busy());
            let age = |slot: &Slot| now.since(slot.state().since);
            // Idle connections are closed before those that have begun a request.
            let longest = waiting().filter(|slot| age(slot) >= GRACE).min_by_key(|slot| {
                let state = slot.state();
                (state.phase != Phase::Idle, state.since)
            });
            let Some(longest) = longest.cloned() else {
                return Err(waiting().map(|slot| slot.state().since + GRACE).min());
            };
            longest.end();
            taken.retain(|slot| !Arc::ptr_eq(slot, &longest));
        }
        let state = State { phase: Phase::Idle, since: now, until: now + self.times.idle, ended: false };
        let slot = Arc::new(Slot {
            state: Mutex::new(state),
            times: self.times,
            clock: self.clock.clone(),
            hurried: Notify::new(),
            freed: self.changed.clone(),
        });
        taken.push(slot.clone());
        Ok(slot)
    }
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.locked()
    }

    pub(super) fn phase(&self) -> Phase {
        self.state().phase
    }

    /// Bytes came.
    pub(super) fn heard(&self) {
        self.step(Phase::Idle, Phase::Head);
    }

    /// All that there was to write is written.
    pub(super) fn written(&self) {
        self.step(Phase::Answering, Phase::Idle);
    }

    fn step(&self, from: Phase, to: Phase) {
        if self.phase() == from {
            self.enter(to);
        }
    }

    pub(super) fn enter(&self, phase: Phase) {
        let now = self.clock.boottime();
        let mut state = self.state();
        let until = match phase {
            Phase::Idle => now + self.times.idle,
            Phase::Head => now + self.times.head,
            Phase::Body => now + self.times.request + LAST_WORD,
            // The handler ends it, where nobody reads any more.
            Phase::Streaming => now + FOR_EVER,
            // From here on the handler has its own time.
            Phase::Working => self.times.work.map_or(state.since + self.times.request, |work| now + work),
            Phase::Answering => self.times.work.map_or(state.until, |work| now + work),
        };
        let is_sooner = until < state.until;
        (state.phase, state.since, state.until) = (phase, now, until);
        drop(state);
        if is_sooner {
            self.hurried.notify_one();
        }
        if matches!(phase, Phase::Answering | Phase::Streaming) {
            self.freed.notify_one();
        }
    }

    /// When a body that is not there by then is given up.
    pub(super) fn body_until(&self) -> Moment {
        self.state().since + self.times.request
    }

    /// No more than `left` from now.
    pub(super) fn hurry(&self, left: Duration) {
        let until = self.clock.boottime() + left;
        let mut state = self.state();
        state.until = state.until.min(until);
        self.hurried.notify_one();
    }

    fn end(&self) {
        self.state().ended = true;
        self.hurried.notify_one();
        self.freed.notify_one();
    }

    /// Returns when the connection has used up its time or has to make room.
    pub(super) async fn given_up(&self) {
        loop {
            let (until, ended) = {
                let state = self.state();
                (state.until, state.ended)
            };
            if ended || until <= self.clock.boottime() {
                return;
            }
            tokio::select! {
                () = self.hurried.notified() => {}
                () = self.clock.sleep_until(until) => {}
            }
        }
    }
}

impl std::ops::Deref for Taken {
    type Target = Arc<Slot>;

    fn deref(&self) -> &Arc<Slot> {
        &self.0
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.end();
    }
}
