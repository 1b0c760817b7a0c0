//! Has the figures made behind the charts, hour by hour.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tracing::debug;

use crate::clock::SharedClock;
use crate::store::Upkeep;

/// Room between two hours of a long history for the pushes that are due meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) struct Figures {
    store: Arc<dyn Upkeep>,
    clock: SharedClock,
    /// A long history takes longer than it is to the next time.
    turn: Mutex<()>,
}

impl Figures {
    pub(super) fn new(store: Arc<dyn Upkeep>, clock: SharedClock) -> Figures {
        Figures { store, clock, turn: Mutex::default() }
    }

    /// Makes every hour whose time has come.
    pub(super) async fn make(&self) {
        let Ok(_turn) = self.turn.try_lock() else { return };
        loop {
            match self.store.fold_hours(self.clock.now()).await {
                Ok(true) => self.clock.sleep(PAUSE).await,
                Ok(false) => return,
                Err(error) => {
                    debug!(%error, "figures cannot be made now; the next try comes in a minute");
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::clock::{Clock, Hasty, ManualClock};
    use crate::domain::{Body, Database, Message, PushSpec, RetryPolicy, Target, Trigger, UtcMs};
    use crate::store::{self, Access, AdHoc, SharedStore};

    const NINE: UtcMs = UtcMs(1_767_258_000_000);

    async fn push(store: &SharedStore, now: UtcMs) {
        let spec = PushSpec {
            im: "qq".to_owned(),
            target: Target::Group("1".to_owned()),
            account: None,
            message: Message { title: None, body: Body::Text { text: "x".to_owned() } },
            timeout: Duration::from_secs(15),
            retry: RetryPolicy::default().into(),
            render: None,
            list: None,
            fallback: Vec::new(),
        };
        store.push_ad_hoc(AdHoc { spec, triggered_by: Trigger::Manual, chat: None }, now).await.unwrap();
    }

    #[tokio::test]
    async fn a_long_history_is_made_hour_by_hour_with_room_between_and_the_last_hour_five_minutes_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(NINE);
        let database = Database::at(dir.path().join("pushcron.db"));
        let store = store::open(&database, Access::Daemon, NINE).await.unwrap();
        for hour in 0..5 {
            push(&store, NINE + Duration::from_secs(3600 * hour)).await;
        }
        clock.step_wall_to(NINE + Duration::from_secs(3600 * 5));
        let walked = Hasty::of(&clock);
        let figures = Figures::new(store.clone(), walked.clone());
        let made = async || {
            let hours = store.hours(NINE, clock.now(), clock.now()).await.unwrap();
            (hours.rows.len(), hours.missing_from)
        };
        assert_eq!(made().await, (1, Some(NINE)), "only the last hour is counted on request");
        let turn = figures.turn.lock().await;
        figures.make().await;
        assert_eq!(made().await.0, 1, "whoever comes meanwhile leaves it to the first");
        drop(turn);
        figures.make().await;
        assert_eq!(walked.slept.load(Ordering::Relaxed), 4);
        assert_eq!(made().await, (5, None));
        assert!(!store.fold_hours(clock.now()).await.unwrap(), "the last hour is over, and its time has not come");
        clock.step_wall_to(NINE + Duration::from_secs(3600 * 5 + 300));
        assert!(store.fold_hours(clock.now()).await.unwrap());
    }
}
