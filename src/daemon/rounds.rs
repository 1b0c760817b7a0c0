//! Whether timer and dispatcher both make their rounds: only then the watchdog is fed.
//!
//! The timer asks at each of its rounds. A dispatcher that hangs would otherwise be a daemon that decides and records,
//! is called well by everyone who looks, and sends nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

use crate::engine::dispatcher::{EngineGauges, Event};

pub(super) struct Rounds {
    engine_gauges: Arc<EngineGauges>,
    dispatcher: mpsc::UnboundedSender<Event>,
    /// The dispatcher's rounds when it was last asked for one.
    seen: AtomicUsize,
}

impl Rounds {
    pub(super) fn new(engine_gauges: Arc<EngineGauges>, dispatcher: mpsc::UnboundedSender<Event>) -> Rounds {
        Rounds { engine_gauges, dispatcher, seen: AtomicUsize::new(usize::MAX) }
    }

    /// Called at each round of the timer: whether the dispatcher has made one since the last call. Idle, it makes none
    /// by itself for half a minute, so it is asked for the next.
    pub(super) fn go_on(&self) -> bool {
        let rounds = self.engine_gauges.rounds.load(Ordering::Relaxed);
        let go_on = self.seen.swap(rounds, Ordering::Relaxed) != rounds;
        if go_on {
            // While it hangs, the question before waits in its inbox.
            let _ = self.dispatcher.send(Event::Tick);
        }
        go_on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dispatcher_that_makes_no_round_is_asked_once_and_does_not_count_as_alive() {
        let engine_gauges = Arc::new(EngineGauges::default());
        let (events, mut inbox) = mpsc::unbounded_channel();
        let rounds = Rounds::new(engine_gauges.clone(), events);
        assert!(rounds.go_on(), "at first nothing is known, and the start is not held against it");
        for _ in 0..3 {
            assert!(!rounds.go_on());
        }
        assert!(matches!(inbox.try_recv(), Ok(Event::Tick)));
        assert!(inbox.try_recv().is_err(), "its inbox does not grow while it hangs");
        engine_gauges.rounds.fetch_add(1, Ordering::Relaxed);
        assert!(rounds.go_on());
        assert!(matches!(inbox.try_recv(), Ok(Event::Tick)));
    }
}
