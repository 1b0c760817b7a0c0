//! What was done, in a sentence.

use crate::acts::Done;
use crate::answers::words::counted;

/// `push 7 is due again`.
pub fn in_words(done: &Done) -> String {
    match done {
        Done::Fired { job, push_ids } => format!("{job} fired: {}", pushes(push_ids)),
        Done::Backfilled { job, push_ids, .. } if push_ids.is_empty() => format!("{job}: nothing to make up for"),
        Done::Backfilled { job, fires, push_ids } => {
            format!("{job}: made up for {}: {}", counted(*fires, "instant"), pushes(push_ids))
        }
        Done::Pushed { push_id } => format!("push {push_id} is recorded"),
        Done::Retried { push_id } => format!("push {push_id} is due again"),
        Done::Cancelled { push_id } => format!("push {push_id} is cancelled"),
        Done::Resolved { push_id, sent } => format!("push {push_id} is {}", if *sent { "sent" } else { "failed" }),
        Done::Paused { job, changed: true } => format!("{job} is paused"),
        Done::Paused { job, changed: false } => format!("{job} was paused already"),
        Done::Resumed { job, changed: true } => format!("{job} goes on"),
        Done::Resumed { job, changed: false } => format!("{job} was not paused"),
    }
}

/// `pushes 7, 8`.
fn pushes(ids: &[i64]) -> String {
    let noun = if ids.len() == 1 { "push" } else { "pushes" };
    format!("{noun} {}", ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_act_says_what_it_did_and_whether_that_was_news() {
        let job = || "daily".to_owned();
        for (done, told) in [
            (Done::Fired { job: job(), push_ids: vec![7] }, "daily fired: push 7"),
            (Done::Fired { job: job(), push_ids: vec![7, 8] }, "daily fired: pushes 7, 8"),
            (
                Done::Backfilled { job: job(), fires: 2, push_ids: vec![7, 8] },
                "daily: made up for 2 instants: pushes 7, 8",
            ),
            (Done::Backfilled { job: job(), fires: 0, push_ids: vec![] }, "daily: nothing to make up for"),
            (Done::Retried { push_id: 7 }, "push 7 is due again"),
            (Done::Cancelled { push_id: 7 }, "push 7 is cancelled"),
            (Done::Resolved { push_id: 7, sent: true }, "push 7 is sent"),
            (Done::Resolved { push_id: 7, sent: false }, "push 7 is failed"),
            (Done::Paused { job: job(), changed: true }, "daily is paused"),
            (Done::Paused { job: job(), changed: false }, "daily was paused already"),
            (Done::Resumed { job: job(), changed: true }, "daily goes on"),
            (Done::Resumed { job: job(), changed: false }, "daily was not paused"),
        ] {
            assert_eq!(in_words(&done), told);
        }
    }
}
