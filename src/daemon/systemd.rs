//! What systemd is told. Without systemd (no `$NOTIFY_SOCKET`) all of this does nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sd_notify::NotifyState;
use tracing::debug;

use crate::engine::dispatcher::EngineGauges;
use crate::engine::scheduler::Tick;

fn tell(states: &[NotifyState]) {
    // A manager that does not listen is no reason to stop pushing.
    if let Err(error) = sd_notify::notify(states) {
        debug!(%error, "systemd cannot be told");
    }
}

pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Asks for so much more time to start in.
pub(super) fn starting_takes(more: Duration) {
    tell(&[NotifyState::ExtendTimeoutUsec(u32::try_from(more.as_micros()).unwrap_or(u32::MAX))]);
}

/// For `Type=notify-reload` (systemd 253 and newer), which waits until READY comes again.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => debug!(%error, "systemd cannot be told of the reload"),
    }
}

pub(super) fn reloaded(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// How often the timer must tick at least, if there is a watchdog: thrice within its limit, since a tick that finds the
/// dispatcher in the middle of a long round does not feed it.
pub(super) fn watchdog_period() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 3)
}

/// Feeds the watchdog and writes the status line at every round of the timer, `alive`: while the dispatcher makes its
/// rounds too. Sends never hold this up: a target that answers slowly must not get a healthy daemon killed.
pub(super) fn on_tick(engine_gauges: Arc<EngineGauges>) -> impl Fn(Tick, bool) + Send + Sync {
    move |tick, alive| {
        let open = engine_gauges.open_pushes.load(Ordering::Relaxed);
        let offline = engine_gauges.accounts_offline.load(Ordering::Relaxed);
        let next = tick.next_look_at.map_or("none".to_owned(), |at| at.to_string());
        let status = format!("{} jobs, next fire {next}, {open} open pushes, {offline} accounts offline", tick.jobs);
        match alive {
            true => tell(&[NotifyState::Watchdog, NotifyState::Status(&status)]),
            false => tell(&[NotifyState::Status(&status)]),
        }
    }
}
