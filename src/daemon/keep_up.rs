//! Background work that goes on for as long as the daemon: where it breaks down it is told, and begun again.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt;
use tracing::error;

use crate::clock::SharedClock;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// What went well for so long broke down for another reason than the last time.
const WELL: Duration = Duration::from_secs(600);

/// What the end of such work means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// There is nothing more to do, and whoever has to know was told.
    Done,
    /// It was to go on.
    TooEarly,
}

/// Does `work`, which is called `what` in the log, and begins it again after a pause that grows where it panics or ends
/// too early. Work that is over before it has waited for anything had nothing to do.
pub(super) async fn keep_up<F: Future<Output = Ended>>(what: &str, clock: SharedClock, work: impl Fn() -> F) {
    let mut pause = FIRST_PAUSE;
    let mut is_first = true;
    loop {
        let begun_at = clock.monotonic();
        let mut working = pin!(AssertUnwindSafe(async { work().await }).catch_unwind());
        let at_once = working.as_mut().now_or_never();
        if is_first && matches!(at_once, Some(Ok(_))) {
            return;
        }
        is_first = false;
        let ended = match at_once {
            Some(ended) => ended,
            None => working.await,
        };
        if clock.monotonic() - begun_at >= WELL {
            pause = FIRST_PAUSE;
        }
        let again_in_s = pause.as_secs();
        match ended {
            Ok(Ended::Done) => return,
            Ok(Ended::TooEarly) => {
                error!(what, again_in_s, "background work ended (a bug of pushcron): beginning again")
            }
            Err(_) => error!(what, again_in_s, "background work broke down (a bug of pushcron): beginning again"),
        }
        clock.sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::clock::ManualClock;
    use crate::domain::UtcMs;

    /// Counts how often work is begun that ends as told, and moves the clock only by the pauses that are asked for.
    async fn begun(ends: impl Fn(usize) -> Ended + Clone + Send + Sync + 'static, pauses: &[u64]) -> usize {
        let clock = ManualClock::new(UtcMs(1_767_229_200_000));
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let work = move || {
            let (count, ends) = (counted.clone(), ends.clone());
            async move {
                let n = count.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                ends(n)
            }
        };
        let task = tokio::spawn(keep_up("a test", clock.clone(), work));
        let settle = async || {
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
        };
        settle().await;
        for pause in pauses {
            let before = count.load(Ordering::Relaxed);
            clock.advance(Duration::from_secs(*pause) - Duration::from_millis(1));
            settle().await;
            assert_eq!(count.load(Ordering::Relaxed), before, "not before its pause of {pause} s");
            clock.advance(Duration::from_millis(1));
            settle().await;
        }
        task.abort();
        count.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn what_breaks_down_begins_again_after_pauses_that_grow() {
        assert_eq!(begun(|_| panic!("a bug"), &[1, 2, 4, 8]).await, 5);
    }

    #[tokio::test]
    async fn what_ends_too_early_begins_again() {
        assert_eq!(begun(|_| Ended::TooEarly, &[1, 2]).await, 3);
    }

    #[tokio::test]
    async fn what_is_done_stays_done_also_after_a_breakdown() {
        let ends = |n| if n == 0 { panic!("a bug") } else { Ended::Done };
        assert_eq!(begun(ends, &[1]).await, 2);
    }

    #[tokio::test]
    async fn a_sender_that_has_nothing_to_listen_to_is_not_asked_again() {
        let clock = ManualClock::new(UtcMs(0));
        keep_up("a test", clock, || std::future::ready(Ended::TooEarly)).await;
    }
}
