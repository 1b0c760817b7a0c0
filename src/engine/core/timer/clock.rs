//! What a clock that was set means, and what one that cannot be believed.

use std::time::Duration;

use tracing::{error, warn};

use super::ask::Ask;
use super::state::{Mark, Step, Task, Timer};
use crate::domain::UtcMs;
use crate::policy::clock_doubt::doubt;

/// A difference between the progress of the wall clock and the waking time that is called a jump.
const JUMP: Duration = Duration::from_secs(2);

/// How long after an instant that was recorded ahead it is noted that it was watched: not in the moment of the sends.
const NOTED_AFTER: Duration = Duration::from_secs(1);

impl Timer {
    /// Compares the progress of the two clocks since the last look.
    pub(super) fn notice_jump(&mut self, awake: Duration, step: &Step<'_>) {
        let wall = step.now.wall;
        let (wall_before, awake_before) = std::mem::replace(&mut self.compared, (wall, awake));
        let passed = i64::try_from(awake.saturating_sub(awake_before).as_millis()).unwrap_or(i64::MAX);
        let jump_ms = wall.ms_since(wall_before) - passed;
        if jump_ms.unsigned_abs() < JUMP.as_millis() as u64 {
            return;
        }
        warn!(jump_ms, now = %wall, "the clock jumped (set by hand, corrected, or the machine slept)");
        // While the clock was not believed nothing was decided, so the last instant that was believed counts: after 1970
        // the whole ledger would be still to come.
        let was_doubted = self.must_wait(wall_before);
        let watched_until = self.last_known.filter(|_| was_doubted).unwrap_or(wall_before);
        let awake_at = wall.min(watched_until);
        self.tasks.extend([Task::Until(Mark::JumpFollowed), Task::Reread { awake_at }]);
    }

    /// Nothing is decided while the clock shows a time that cannot be: instants of such a time would fill the ledger with
    /// rows that never were.
    pub(super) fn believe(&mut self, step: &Step<'_>) {
        let now = step.now.wall;
        let doubt = doubt(now, self.last_known).filter(|doubt| doubt.must_wait());
        match doubt {
            Some(doubt) if !self.doubted => error!("{doubt}"),
            None if self.doubted => warn!(%now, "the clock can be believed again"),
            _ => {}
        }
        self.doubted = doubt.is_some();
        if self.doubted {
            let of_the_round = self.tasks.iter().rposition(|task| matches!(task, Task::Until(Mark::Round)));
            self.tasks.truncate(of_the_round.map_or(0, |at| at + 1));
        } else {
            self.last_known = Some(now);
        }
    }

    /// An instant has passed that was recorded ahead, and nothing was recorded since: only this tells that somebody was
    /// there, and that its pushes merely wait for their turn.
    pub(super) fn note_watch(&mut self, step: &mut Step<'_>) {
        let now = step.now.wall;
        if !self.done.more && self.note_watch_at().is_some_and(|at| at <= now) {
            self.ask(Ask::NoteWatch { now }, Task::WatchNoted, step);
        }
    }

    pub(super) fn note_watch_at(&self) -> Option<UtcMs> {
        self.ahead_until.map(|at| at + NOTED_AFTER)
    }
}
