//! What was done, in a sentence.

use crate::acts::{Defined, Done, Removed};
use crate::answers::when;
use crate::domain::{Schedule, escaped};
use crate::texts::{self, Text};

/// `push 7 is due again`.
pub(super) fn in_words(done: &Done) -> Text {
    match done {
        Done::Fired { job, push_ids } if push_ids.is_empty() => texts::fired_without_pushes_yet(job),
        Done::Fired { job, push_ids } => texts::fired_with(job, pushes(push_ids)),
        Done::Backfilled { job, fires: 0, .. } => texts::nothing_to_make_up_for(job),
        Done::Backfilled { job, fires, push_ids } if push_ids.is_empty() => {
            texts::to_be_made_up_for(job, texts::instants(*fires))
        }
        Done::Backfilled { job, fires, push_ids } => texts::made_up_for(job, texts::instants(*fires), pushes(push_ids)),
        Done::Pushed { push_ids } => texts::pushes_recorded(pushes(push_ids)),
        Done::Retried { push_id } => texts::push_is_due_again(push_id),
        Done::Cancelled { push_id } => texts::push_is_cancelled(push_id),
        Done::FireCancelled { job, due_at, timezone } => {
            let zone = when::zone(timezone.as_deref().unwrap_or("UTC"));
            texts::fire_is_cancelled(job, when::shown(*due_at, &zone, true, timezone.is_none()))
        }
        Done::Resolved { push_id, sent: true } => texts::push_is_resolved_sent(push_id),
        Done::Resolved { push_id, sent: false } => texts::push_is_resolved_failed(push_id),
        Done::Paused { job, changed: true } => texts::job_is_paused(job),
        Done::Paused { job, changed: false } => texts::job_was_paused(job),
        Done::Resumed { job, changed: true } => texts::job_goes_on(job),
        Done::Resumed { job, changed: false } => texts::job_was_not_paused(job),
        Done::Defined { jobs } => lines(jobs.iter().map(defined)),
        Done::Removed { jobs } => lines(jobs.iter().map(removed)),
        Done::BackedUp { file } => texts::copied_to(escaped(&file.to_string_lossy())),
        Done::Imported { calendar, file, told } => {
            let mind = told.as_ref().map(|told| Text::same("\n").and(&texts::mind_that(told)));
            texts::calendar_imported(file.display(), calendar).and(&mind.unwrap_or_else(Text::none))
        }
        Done::LoggedIn { account, platform_id, contact, kept_in } => {
            let writes = contact.as_ref().map_or_else(Text::none, |contact| texts::and_can_write_to(escaped(contact)));
            let kept_in = kept_in.display().to_string();
            texts::account_logged_in(escaped(account), escaped(platform_id), writes, escaped(&kept_in))
        }
    }
}

fn lines(lines: impl Iterator<Item = Text>) -> Text {
    Text::joined(lines, &Text::same("\n"))
}

/// A job and its first instant.
fn defined(Defined { job, schedule, timezone, next_due_at, is_due }: &Defined) -> Text {
    match next_due_at {
        Some(at) => {
            let at = when::shown(*at, &when::zone(timezone), true, true);
            if *is_due { texts::job_due_since(job, at, timezone) } else { texts::job_next(job, at, timezone) }
        }
        None if *schedule == Schedule::OnDemand => texts::job_on_demand(job),
        None => texts::job_never_again(job),
    }
}

fn removed(Removed { job, cancelled }: &Removed) -> Text {
    match cancelled {
        0 => texts::job_is_removed(job),
        pushes => texts::job_is_removed_with(job, texts::waiting_pushes(*pushes)),
    }
}

/// `pushes 7, 8`.
fn pushes(ids: &[i64]) -> Text {
    let told = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if ids.len() == 1 { texts::one_push(told) } else { texts::several_pushes(told) }
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
            assert_eq!(in_words(&done).english(), told);
        }
    }
}
