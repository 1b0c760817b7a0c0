//! What was done, in a sentence.

use crate::acts::{Defined, Done, Removed};
use crate::answers::when;
use crate::answers::words::counted;
use crate::domain::{Schedule, escaped};

/// `push 7 is due again`.
pub(super) fn in_words(done: &Done) -> String {
    match done {
        Done::Fired { job, push_ids } if push_ids.is_empty() => {
            format!("{job} fired: a daemon makes its pushes, once it has their content and recipients")
        }
        Done::Fired { job, push_ids } => format!("{job} fired: {}", pushes(push_ids)),
        Done::Backfilled { job, fires: 0, .. } => format!("{job}: nothing to make up for"),
        Done::Backfilled { job, fires, push_ids } if push_ids.is_empty() => {
            let instants = counted(*fires, "instant");
            format!(
                "{job}: {instants} to be made up for: a daemon makes the pushes, once it has their content and recipients"
            )
        }
        Done::Backfilled { job, fires, push_ids } => {
            format!("{job}: made up for {}: {}", counted(*fires, "instant"), pushes(push_ids))
        }
        Done::Pushed { push_ids } => format!("recorded: {}", pushes(push_ids)),
        Done::Retried { push_id } => format!("push {push_id} is due again"),
        Done::Cancelled { push_id } => format!("push {push_id} is cancelled"),
        Done::FireCancelled { job, due_at, timezone } => {
            let zone = when::zone(timezone.as_deref().unwrap_or("UTC"));
            let at = when::shown(*due_at, &zone, true, timezone.is_none());
            format!("the fire of {job} due {at} is cancelled, before its pushes were made")
        }
        Done::Resolved { push_id, sent } => format!("push {push_id} is {}", if *sent { "sent" } else { "failed" }),
        Done::Paused { job, changed: true } => format!("{job} is paused"),
        Done::Paused { job, changed: false } => format!("{job} was paused already"),
        Done::Resumed { job, changed: true } => format!("{job} goes on"),
        Done::Resumed { job, changed: false } => format!("{job} was not paused"),
        Done::Defined { jobs } => lines(jobs.iter().map(defined)),
        Done::Removed { jobs } => lines(jobs.iter().map(removed)),
        Done::BackedUp { file } => format!("copied to {}", escaped(&file.to_string_lossy())),
        Done::Imported { calendar, file, told } => {
            let told = told.as_ref().map(|told| format!("\nmind that {}", told.english())).unwrap_or_default();
            format!("{} holds {calendar} now; a running daemon takes it at its next reload{told}", file.display())
        }
        Done::LoggedIn { account, platform_id, contact, kept_in } => {
            let writes =
                contact.as_ref().map(|contact| format!("; it can write to user {contact}")).unwrap_or_default();
            let text = format!("{account} is logged in as {platform_id}{writes}; kept in {}", kept_in.display());
            escaped(&text).into_owned()
        }
    }
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

/// A job and its first instant.
fn defined(Defined { job, schedule, timezone, next_due_at, is_due }: &Defined) -> String {
    match next_due_at {
        Some(at) => {
            let is = if *is_due { "due since" } else { "next" };
            format!("{job}: {is} {} ({timezone})", when::shown(*at, &when::zone(timezone), true, true))
        }
        None if *schedule == Schedule::OnDemand => format!("{job}: fires on demand (`pushcron fire {job}`)"),
        None => format!("{job}: never fires any more"),
    }
}

fn removed(Removed { job, cancelled }: &Removed) -> String {
    match cancelled {
        0 => format!("{job} is removed"),
        pushes => format!("{job} is removed, and {} of it cancelled", counted(*pushes, "waiting push")),
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
    use crate::domain::UtcMs;

    #[test]
    fn every_act_says_what_it_did_and_whether_that_was_news() {
        let job = || "daily".to_owned();
        let defined = |next_due_at| Defined {
            job: job(),
            schedule: Schedule::Every(60),
            timezone: "Asia/Shanghai".to_owned(),
            next_due_at,
            is_due: false,
        };
        for (done, told) in [
            (Done::Fired { job: job(), push_ids: vec![7] }, "daily fired: push 7"),
            (Done::Fired { job: job(), push_ids: vec![7, 8] }, "daily fired: pushes 7, 8"),
            (
                Done::Backfilled { job: job(), fires: 2, push_ids: vec![7, 8] },
                "daily: made up for 2 instants: pushes 7, 8",
            ),
            (Done::Backfilled { job: job(), fires: 0, push_ids: vec![] }, "daily: nothing to make up for"),
            (
                Done::Backfilled { job: job(), fires: 1, push_ids: vec![] },
                "daily: 1 instant to be made up for: a daemon makes the pushes, once it has their content and recipients",
            ),
            (
                Done::Fired { job: job(), push_ids: vec![] },
                "daily fired: a daemon makes its pushes, once it has their content and recipients",
            ),
            (Done::Retried { push_id: 7 }, "push 7 is due again"),
            (Done::Cancelled { push_id: 7 }, "push 7 is cancelled"),
            (Done::Resolved { push_id: 7, sent: true }, "push 7 is sent"),
            (Done::Resolved { push_id: 7, sent: false }, "push 7 is failed"),
            (Done::Paused { job: job(), changed: true }, "daily is paused"),
            (Done::Paused { job: job(), changed: false }, "daily was paused already"),
            (Done::Resumed { job: job(), changed: true }, "daily goes on"),
            (Done::Resumed { job: job(), changed: false }, "daily was not paused"),
            (
                Done::Defined { jobs: vec![defined(Some(UtcMs(0))), defined(None)] },
                "daily: next 1970-01-01 08:00:00 +08 (Asia/Shanghai)\ndaily: never fires any more",
            ),
            (
                Done::Defined { jobs: vec![Defined { is_due: true, ..defined(Some(UtcMs(0))) }] },
                "daily: due since 1970-01-01 08:00:00 +08 (Asia/Shanghai)",
            ),
            (
                Done::Removed {
                    jobs: vec![Removed { job: job(), cancelled: 0 }, Removed { job: job(), cancelled: 1 }],
                },
                "daily is removed\ndaily is removed, and 1 waiting push of it cancelled",
            ),
            (Done::BackedUp { file: "a\nb".into() }, "copied to a\\nb"),
            (
                Done::LoggedIn {
                    account: "wx".into(),
                    platform_id: "b@im".into(),
                    contact: Some("u@im".into()),
                    kept_in: "/s/wx.json".into(),
                },
                "wx is logged in as b@im; it can write to user u@im; kept in /s/wx.json",
            ),
        ] {
            assert_eq!(in_words(&done), told);
        }
    }
}
