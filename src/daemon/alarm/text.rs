//! A report as people read it.

use jiff::tz::TimeZone;

use super::report_log::{Change, Report};
use crate::domain::{PushState, UtcMs, escaped};
use crate::store::BadEnd;

/// The first line says it all; the others say it one by one, with times in `zone`.
pub(super) fn text(report: &Report, host: &str, zone: &TimeZone) -> String {
    let at = |at: UtcMs| at.to_jiff().to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let mut lines = vec![format!("pushcron on {host}: {}", summary(report).join(", "))];
    lines.extend(report.ends.first.iter().map(|end| format!("{} {}", at(end.finished_at), told(end))));
    let all: u64 = report.ends.counts.iter().map(|(_, count)| count).sum();
    let more = all - (report.ends.first.len() as u64).min(all);
    if more > 0 {
        lines.push(format!("… and {more} more; see `pushcron history`"));
    }
    for (account, change) in &report.changes {
        lines.push(match change {
            Change::Fell { down_at, up_at: None, error } => {
                format!("{} account {account} cannot send: {}", at(*down_at), error.as_deref().unwrap_or("not online"))
            }
            Change::Fell { down_at, up_at: Some(up_at), error } => {
                let error = error.as_deref().unwrap_or("not online");
                format!("{} account {account} could not send ({error}) until {}", at(*down_at), at(*up_at))
            }
            Change::Rose { up_at } => format!("{} account {account} can send again", at(*up_at)),
        });
    }
    lines.extend(report.lists.iter().map(|(calendar, until)| {
        format!("the calendar {calendar} ends on {until}; put a new list in its place with `pushcron calendar import`")
    }));
    lines.iter().map(|line| escaped(line).to_string()).collect::<Vec<_>>().join("\n")
}

fn summary(report: &Report) -> Vec<String> {
    let count = |state| report.ends.counts.iter().find(|(of, _)| *of == state).map_or(0, |(_, count)| *count);
    let ends = [PushState::Failed, PushState::Unknown, PushState::Expired].map(|state| (count(state), state.as_str()));
    let ends = ends.into_iter().filter(|(count, _)| *count > 0).map(|(count, state)| format!("{count} {state}"));
    let changes = report.changes.iter().map(|(account, change)| match change {
        Change::Fell { up_at: None, .. } => format!("{account} is down"),
        Change::Fell { up_at: Some(_), .. } => format!("{account} was down"),
        Change::Rose { .. } => format!("{account} is up again"),
    });
    let lists = report.lists.keys().map(|calendar| format!("the calendar {calendar} ends"));
    ends.chain(changes).chain(lists).collect()
}

fn told(end: &BadEnd) -> String {
    let job = end.job.as_deref().map_or_else(|| "a push".to_owned(), |job| format!("job {job}"));
    let account = end.account.as_deref().map_or_else(String::new, |account| format!(" through {account}"));
    let why = end.error.as_deref().unwrap_or(&end.reason);
    format!("{job} to {} {} {}{account}: {why} (push {})", end.im, end.target, end.state.as_str(), end.id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::store::BadEnds;

    #[test]
    fn a_report_reads_by_itself() {
        let at = |text: &str| text.parse::<UtcMs>().unwrap();
        let end = BadEnd {
            id: 12,
            job: Some("daily-report".to_owned()),
            im: "qq".to_owned(),
            target: "group:123".to_owned(),
            state: PushState::Failed,
            reason: "rejected".to_owned(),
            error: Some("the group\nis muted".to_owned()),
            account: Some("bot_qq".to_owned()),
            finished_at: at("2026-01-01T01:00:03.000Z"),
        };
        let ad_hoc = BadEnd {
            id: 13,
            job: None,
            state: PushState::Expired,
            reason: "no_sender".to_owned(),
            error: None,
            account: None,
            ..end.clone()
        };
        let (down_at, error) = (at("2026-01-01T01:00:00.000Z"), Some("token refused".to_owned()));
        let up_at = at("2026-01-01T01:05:00.000Z");
        let report = Report {
            ends: BadEnds {
                counts: vec![(PushState::Expired, 1), (PushState::Failed, 8)],
                last: 2,
                first: vec![end, ad_hoc],
            },
            changes: BTreeMap::from([
                ("bot_qq".to_owned(), Change::Fell { down_at, up_at: None, error: error.clone() }),
                ("bot_tg".to_owned(), Change::Fell { down_at, up_at: Some(up_at), error }),
                ("bot_wx".to_owned(), Change::Rose { up_at }),
            ]),
            lists: BTreeMap::from([("cn".to_owned(), "2026-12-31".parse().unwrap())]),
            today: None,
        };
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        assert_eq!(
            text(&report, "tower", &zone),
            "pushcron on tower: 8 failed, 1 expired, bot_qq is down, bot_tg was down, bot_wx is up again, the calendar cn ends\n\
             2026-01-01 09:00:03 job daily-report to qq group:123 failed through bot_qq: the group\\nis muted (push 12)\n\
             2026-01-01 09:00:03 a push to qq group:123 expired: no_sender (push 13)\n\
             … and 7 more; see `pushcron history`\n\
             2026-01-01 09:00:00 account bot_qq cannot send: token refused\n\
             2026-01-01 09:00:00 account bot_tg could not send (token refused) until 2026-01-01 09:05:00\n\
             2026-01-01 09:05:00 account bot_wx can send again\n\
             the calendar cn ends on 2026-12-31; put a new list in its place with `pushcron calendar import`"
        );
    }
}
