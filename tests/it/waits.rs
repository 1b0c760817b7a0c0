//! What waiting takes of the system, since every send under way waits for its deadline.

use std::time::Duration;

use futures_util::FutureExt;
use pushcron::clock::{Clock, SystemClock};

use crate::common::alone::alone;

/// The kernel's timers that this process has open.
fn timers() -> usize {
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap();
    descriptors.filter(|entry| std::fs::read_link(entry.as_ref().unwrap().path()).is_ok_and(is_timer)).count()
}

fn is_timer(target: std::path::PathBuf) -> bool {
    target.to_string_lossy().contains("timerfd")
}

#[tokio::test]
async fn a_long_wait_that_something_else_ends_soon_opens_no_timer_of_the_kernel() {
    if !alone("waits::a_long_wait_that_something_else_ends_soon_opens_no_timer_of_the_kernel") {
        return;
    }
    let clock = SystemClock::new();
    let mut waits: Vec<_> = (0..100).map(|_| clock.sleep(Duration::from_secs(600))).collect();
    assert!(waits.iter_mut().all(|wait| wait.now_or_never().is_none()), "none of them is over");
    assert_eq!(timers(), 0, "timers of the kernel for 100 waits that have just begun");
    let mut short = clock.sleep(Duration::from_millis(2));
    assert!((&mut short).now_or_never().is_none());
    assert_eq!(timers(), 1, "what is left of a wait at its end is waited for with one");
}
