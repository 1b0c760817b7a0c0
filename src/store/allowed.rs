//! What a person may ask of a push or a job as it stands, and what is said where not.

use super::error::{StoreError, StoreResult, no_job};
use super::model::OwnMessage;
use super::stored::source;
use crate::domain::{PushState, RetryPolicy};

/// A push that a person named.
pub(super) struct PushRow {
    pub state: PushState,
    pub attempts: u32,
    pub max_attempts: u32,
    pub retry: RetryPolicy,
    /// It waited for a content that was never made.
    pub is_empty: bool,
    /// It stands for recipients who were never read.
    pub is_nobodys: bool,
}

const BEING_SENT: &str = "is being sent at this moment; wait for its outcome";

fn not_allowed<T>(problem: String) -> StoreResult<T> {
    Err(StoreError::NotAllowed(problem))
}

pub(super) fn no_push(id: i64) -> StoreError {
    StoreError::NotFound(format!("there is no push {id}; `pushcron history` lists them"))
}

pub(super) fn cancel(id: i64, state: PushState) -> StoreResult<()> {
    match state {
        PushState::Pending | PushState::Retrying => Ok(()),
        PushState::Sending => not_allowed(format!("push {id} {BEING_SENT}")),
        over => {
            let over = over.as_str();
            not_allowed(format!("push {id} is already {over}; there is nothing left to cancel"))
        }
    }
}

pub(super) fn retry(id: i64, push: &PushRow) -> StoreResult<()> {
    if push.is_nobodys {
        return not_allowed(format!(
            "push {id} goes to nobody, since the list of its recipients was never read; fire its job again"
        ));
    }
    if push.is_empty {
        return not_allowed(format!(
            "push {id} has nothing to send, since its content was never made (content_from); fire its job again"
        ));
    }
    match push.state {
        PushState::Failed | PushState::Unknown | PushState::Expired | PushState::Cancelled => Ok(()),
        PushState::Sent => not_allowed(format!(
            "push {id} is sent, and a retry never sends what was sent; to say it once more to this target alone, use \
             `pushcron push` (`pushcron show {id}` has the text)"
        )),
        PushState::Sending => not_allowed(format!("push {id} {BEING_SENT}")),
        open @ (PushState::Pending | PushState::Retrying) => {
            let open = open.as_str();
            not_allowed(format!("push {id} is {open} and will be tried by itself"))
        }
    }
}

pub(super) fn resolve(id: i64, state: PushState) -> StoreResult<()> {
    match state {
        PushState::Unknown => Ok(()),
        PushState::Sending => not_allowed(format!("push {id} {BEING_SENT}")),
        other => {
            let other = other.as_str();
            not_allowed(format!("push {id} is {other}; only an unknown push needs to be resolved"))
        }
    }
}

/// A fire whose pushes are to be cancelled before they are made.
pub(super) fn no_waiting_fire() -> StoreError {
    StoreError::NotAllowed("the fire has got its pushes meanwhile; see `pushcron history`".to_owned())
}

/// Two verbs may be at the same job: one of them finds it as it was. `found` has its revision, and where it is from.
pub(super) fn change(job: &str, expected: Option<u32>, found: Option<(u32, &str)>) -> StoreResult<()> {
    let is_verb = |from: &str| source(from).is_verb();
    let problem = match (expected, found) {
        (None, None) => return Ok(()),
        (Some(revision), Some((found, from))) if revision == found && is_verb(from) => return Ok(()),
        (None, Some((_, from))) if is_verb(from) => {
            format!("there is a job '{job}' already (`pushcron edit {job}` changes it, `pushcron rm {job}` ends it)")
        }
        (None, Some(_)) => format!("there is a job '{job}' already: the files brought it"),
        (Some(_), None) => return Err(no_job(job)),
        (Some(_), Some((_, from))) if is_verb(from) => {
            format!("somebody else has changed job '{job}' meanwhile; look at it, and say it again")
        }
        (Some(_), Some(_)) => format!("the files have taken over job '{job}' meanwhile: change it there"),
    };
    not_allowed(problem)
}

/// What a verb did to a job whose revision was the first of these and is the second.
pub(super) fn verb_of(before: Option<u32>, after: Option<u32>) -> &'static str {
    match (before, after) {
        (None, _) => "add",
        (Some(_), Some(_)) => "edit",
        (Some(_), None) => "rm",
    }
}

/// A job that is to say this once.
pub(super) fn saying(job: &str, own: &OwnMessage, revision: u32, has_lists: bool) -> StoreResult<()> {
    if has_lists {
        return not_allowed(format!(
            "job '{job}' goes to recipients that are read when it fires; it cannot say anything else"
        ));
    }
    if own.revision != revision {
        return not_allowed(format!("job '{job}' was changed meanwhile; nothing was recorded, so fire it again"));
    }
    Ok(())
}

/// A job that is to fire, whose definition cannot be read.
pub(super) fn unreadable(job: &str, problem: &str) -> StoreError {
    StoreError::NotAllowed(format!(
        "what job '{job}' pushes cannot be read ({problem}); load the files again: `systemctl reload pushcron`, or start it"
    ))
}
