//! `heartbeat`: a dead-man URL that is called while all is well, and not when it is not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::{info, warn};

use crate::clock::SharedClock;
use crate::config::Heartbeat;
use crate::domain::{Locked, UtcMs};
use crate::engine::scheduler::Tick;
use crate::senders::http::Http;
use crate::store::AccountState;

/// The timer looks at least every 30 s; one that has not for so long is stuck.
const TICKS_WITHIN: Duration = Duration::from_secs(90);
const DEADLINE: Duration = Duration::from_secs(10);
/// What is written to see that the database can be written.
const MEMORY: &str = "heartbeat_at";

/// The last sign of life of timer and dispatcher.
#[derive(Default)]
pub(super) struct LastTick(Mutex<Option<TickAt>>);

#[derive(Clone, Copy)]
pub(super) struct TickAt {
    pub tick: Tick,
    pub at: UtcMs,
    monotonic: Duration,
}

impl LastTick {
    pub(super) fn note(&self, tick: Tick, clock: &SharedClock) {
        let last = TickAt { tick, at: clock.now(), monotonic: clock.monotonic() };
        *self.0.locked() = Some(last);
    }

    pub(super) fn last(&self) -> Option<TickAt> {
        *self.0.locked()
    }

    fn is_fresh(&self, clock: &SharedClock) -> bool {
        self.last().is_some_and(|last| clock.monotonic().saturating_sub(last.monotonic) < TICKS_WITHIN)
    }
}

/// Who calls, and what it looks at before.
#[derive(Clone)]
pub(super) struct Caller {
    pub heartbeat: Heartbeat,
    pub last_tick: Arc<LastTick>,
    pub store: Arc<dyn AccountState>,
    pub clock: SharedClock,
    pub http: Http,
}

impl Caller {
    /// Calls until dropped. A failure is told once, and so is its end.
    pub(super) async fn run(self) {
        let Caller { heartbeat, last_tick, store, clock, http } = self;
        let mut failed = false;
        loop {
            let called = match trouble(&last_tick, &*store, &clock).await {
                Some(trouble) => Err(format!("not called: {trouble}")),
                None => call(&heartbeat, &http).await,
            };
            match &called {
                Ok(()) if failed => info!("the heartbeat goes out again"),
                Err(error) if !failed => warn!(error, "the heartbeat did not go out"),
                _ => {}
            }
            failed = called.is_err();
            clock.sleep(heartbeat.every).await;
        }
    }
}

/// What keeps pushes from going out, if anything.
async fn trouble(last_tick: &LastTick, store: &dyn AccountState, clock: &SharedClock) -> Option<String> {
    if !last_tick.is_fresh(clock) {
        return Some("the timer or the dispatcher stands still".to_owned());
    }
    let now = clock.now();
    store.save_state("", MEMORY, &now.to_string(), now).await.err().map(|error| error.to_string())
}

async fn call(heartbeat: &Heartbeat, http: &Http) -> Result<(), String> {
    let reply = http.call(http.get(heartbeat.url.expose()), DEADLINE).await;
    match reply {
        Ok(reply) if reply.is_success() => Ok(()),
        // Its text might quote the address, which is a secret from end to end.
        Ok(reply) => Err(format!("HTTP {}", reply.status)),
        Err(error) => Err(error.message().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualClock};
    use crate::domain::Database;
    use crate::store::{self, Access};

    #[tokio::test]
    async fn it_is_withheld_while_the_timer_or_the_database_stands_still() {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(UtcMs(1_767_229_200_000));
        let shared: SharedClock = clock.clone();
        let store =
            store::open(&Database::at(dir.path().join("pushcron.db")), Access::Daemon, clock.now()).await.unwrap();
        let last_tick = LastTick::default();
        let stands_still = Some("the timer or the dispatcher stands still".to_owned());
        assert_eq!(trouble(&last_tick, &*store, &shared).await, stands_still);
        last_tick.note(Tick { jobs: 1, next_look_at: None }, &shared);
        assert_eq!(trouble(&last_tick, &*store, &shared).await, None);
        clock.advance(TICKS_WITHIN);
        assert_eq!(trouble(&last_tick, &*store, &shared).await, stands_still);
        last_tick.note(Tick { jobs: 1, next_look_at: None }, &shared);
        store.close().await;
        assert!(trouble(&last_tick, &*store, &shared).await.unwrap().contains("closed"));
    }
}
