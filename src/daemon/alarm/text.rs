//! A report as people read it.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::report_log::{Change, Report};
use crate::domain::calendar::Coverage;
use crate::domain::{PushState, UtcMs, escaped};
use crate::policy::advice::{Advice, advice};
use crate::store::BadEnd;
use crate::texts::{self, Language, Text};

/// The first line says it all; the others say it one by one, with times in `zone`.
pub(super) fn text(report: &Report, host: &str, zone: &TimeZone, language: Language) -> String {
    let at = |at: UtcMs| at.to_jiff().to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let mut lines = vec![texts::report_head(host, summary(report))];
    lines.extend(report.ends.first.iter().map(|end| told(end, &at(end.finished_at))));
    let all: u64 = report.ends.counts.iter().map(|(_, count)| count).sum();
    let more = all - (report.ends.first.len() as u64).min(all);
    if more > 0 {
        lines.push(texts::and_more_ends(more));
    }
    lines.extend(what_to_do(&report.ends.first));
    for (account, change) in &report.changes {
        let said = |error: &Option<String>| error.clone().map_or_else(texts::not_online, Text::same);
        lines.push(match change {
            Change::Fell { down_at, up_at: None, error } => texts::cannot_send(at(*down_at), account, said(error)),
            Change::Fell { down_at, up_at: Some(up_at), error } => {
                texts::could_not_send(at(*down_at), account, said(error), at(*up_at))
            }
            Change::Rose { up_at } => texts::can_send_again(at(*up_at), account),
        });
    }
    if report.changes.values().any(|change| matches!(change, Change::Fell { up_at: None, .. })) {
        lines.push(texts::ask_accounts());
    }
    lines.extend(report.files.iter().map(|change| {
        let error = |error: &Option<String>| error.clone().unwrap_or_default();
        match change {
            Change::Fell { down_at, up_at: None, error: why } => texts::files_refused_at(at(*down_at), error(why)),
            Change::Fell { down_at, up_at: Some(up_at), error: why } => {
                texts::files_were_refused_until(at(*down_at), error(why), at(*up_at))
            }
            Change::Rose { up_at } => texts::files_in_force_at(at(*up_at)),
        }
    }));
    lines.extend(report.lists.iter().map(|(calendar, until)| match *until == Coverage::NOTHING.until {
        true => texts::calendar_not_fetched(calendar),
        false => texts::calendar_ends_on(calendar, until),
    }));
    lines.iter().map(|line| escaped(line.in_language(language)).to_string()).collect::<Vec<_>>().join("\n")
}

/// The next step for each of these ends. None of them lets anything arrive twice unseen.
fn what_to_do(ends: &[BadEnd]) -> Vec<Text> {
    let of = |end: &BadEnd| (advice(end.state, end.perhaps_sent, end.is_unmade), end.state);
    let ids = |is_meant: &dyn Fn(Advice, PushState) -> bool| {
        let ids = ends.iter().filter(|end| is_meant(of(end).0, of(end).1)).map(|end| end.id.to_string());
        Some(ids.collect::<Vec<_>>().join(" ")).filter(|ids| !ids.is_empty())
    };
    let mut told = Vec::new();
    told.extend(ids(&|advice, _| advice == Advice::Retry).map(texts::retry_these));
    let unknown = ids(&|advice, state| advice == Advice::LookFirst && state == PushState::Unknown);
    told.extend(unknown.map(texts::resolve_these));
    let ended = ids(&|advice, state| advice == Advice::LookFirst && state != PushState::Unknown);
    told.extend(ended.map(texts::look_before_retry));
    let jobs = ends.iter().filter(|end| of(end).0 == Advice::FireAgain).filter_map(|end| end.job.as_deref());
    told.extend(jobs.collect::<BTreeSet<_>>().into_iter().map(texts::fire_again));
    told
}

fn summary(report: &Report) -> Text {
    let count = |state| report.ends.counts.iter().find(|(of, _)| *of == state).map_or(0, |(_, count)| *count);
    let ends = [PushState::Failed, PushState::Unknown, PushState::Expired].map(|state| (count(state), state));
    let ends = ends.into_iter().filter(|(count, _)| *count > 0);
    let ends = ends.map(|(count, state)| texts::ended_so(count, texts::state(state)));
    let changes = report.changes.iter().map(|(account, change)| match change {
        Change::Fell { up_at: None, .. } => texts::is_down(account),
        Change::Fell { up_at: Some(_), .. } => texts::was_down(account),
        Change::Rose { .. } => texts::is_up_again(account),
    });
    let files = report.files.iter().map(|change| match change {
        Change::Fell { up_at: None, .. } => texts::files_are_refused(),
        Change::Fell { up_at: Some(_), .. } => texts::files_were_refused(),
        Change::Rose { .. } => texts::files_are_in_force(),
    });
    let lists = report.lists.keys().map(texts::calendar_ends);
    Text::joined(ends.chain(changes).chain(files).chain(lists), &texts::between_news())
}

fn told(end: &BadEnd, at: &str) -> Text {
    let push = end.job.as_deref().map_or_else(texts::push_of_no_job, texts::push_of_job);
    let account = end.account.as_deref().map_or_else(Text::none, texts::through_account);
    let why = end.error.clone().map_or_else(|| texts::reason_word(&end.reason), Text::same);
    texts::bad_end(at, push, &end.im, &end.target, texts::state(end.state), account, why, end.id)
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
            perhaps_sent: false,
            is_unmade: false,
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
            files: Some(Change::Fell { down_at: up_at, up_at: None, error: Some("jobs.yaml:3:1: no".to_owned()) }),
            lists: BTreeMap::from([("cn".to_owned(), "2026-12-31".parse().unwrap())]),
            today: None,
        };
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        assert_eq!(
            text(&report, "tower", &zone, Language::English),
            "pushcron on tower: 8 failed, 1 expired, bot_qq is down, bot_tg was down, bot_wx is up again, the files are refused, the calendar cn ends\n\
             2026-01-01 09:00:03 job daily-report to qq group:123 failed through bot_qq: the group\\nis muted (push 12)\n\
             2026-01-01 09:00:03 a push to qq group:123 expired: no_sender (push 13)\n\
             … and 7 more; see `pushcron history --not-sent`\n\
             once what stood in the way is mended: `pushcron retry 12 13`\n\
             2026-01-01 09:00:00 account bot_qq cannot send: token refused\n\
             2026-01-01 09:00:00 account bot_tg could not send (token refused) until 2026-01-01 09:05:00\n\
             2026-01-01 09:05:00 account bot_wx can send again\n\
             `pushcron accounts --probe` asks the accounts anew\n\
             2026-01-01 09:05:00 the files of the configuration were refused, and what was loaded before goes on running: \
             jobs.yaml:3:1: no; mend them, look at `pushcron check`, and reload\n\
             the calendar cn ends on 2026-12-31; put a new list in its place with `pushcron calendar import`"
        );
        assert_eq!(
            text(&report, "tower", &zone, Language::Chinese),
            "pushcron（tower）：8 条推送失败，1 条推送已过期，账号 bot_qq 掉线，账号 bot_tg 曾掉线，账号 bot_wx 已恢复，配置文件被拒绝，日历 cn 快要到期\n\
             2026-01-01 09:00:03 任务 daily-report 发往 qq group:123 失败（账号 bot_qq）：the group\\nis muted（推送 12）\n\
             2026-01-01 09:00:03 推送发往 qq group:123 已过期：没有账号可以发送（推送 13）\n\
             ……还有 7 条，见 `pushcron history --not-sent`\n\
             先解决原因，再重发：`pushcron retry 12 13`\n\
             2026-01-01 09:00:00 账号 bot_qq 无法发送：token refused\n\
             2026-01-01 09:00:00 账号 bot_tg 曾无法发送（token refused），恢复于 2026-01-01 09:05:00\n\
             2026-01-01 09:05:00 账号 bot_wx 恢复发送\n\
             重新检测账号：`pushcron accounts --probe`\n\
             2026-01-01 09:05:00 配置文件被拒绝，继续按之前的配置运行：jobs.yaml:3:1: no；请改好，用 `pushcron check` 查过再 reload\n\
             日历 cn 只到 2026-12-31；请用 `pushcron calendar import` 换上新的"
        );
    }

    #[test]
    fn no_step_is_advised_by_which_something_could_arrive_twice_unseen() {
        let end = |id, state, perhaps_sent, is_unmade| BadEnd {
            id,
            job: Some("早报".to_owned()),
            im: "qq".to_owned(),
            target: "group:1".to_owned(),
            state,
            reason: "rejected".to_owned(),
            error: None,
            account: None,
            finished_at: UtcMs(0),
            perhaps_sent,
            is_unmade,
        };
        let steps = |ends: &[BadEnd]| {
            what_to_do(ends).iter().map(|step| step.in_language(Language::English).to_owned()).collect::<Vec<_>>()
        };
        assert!(steps(&[]).is_empty());
        assert_eq!(
            steps(&[
                end(15, PushState::Failed, false, false),
                end(18, PushState::Unknown, true, false),
                end(19, PushState::Expired, false, false),
                end(20, PushState::Unknown, true, false),
                end(21, PushState::Failed, true, false),
                end(22, PushState::Failed, false, true),
                end(23, PushState::Failed, false, true),
            ]),
            [
                "once what stood in the way is mended: `pushcron retry 15 19`",
                "may have arrived: look at the chat, then `pushcron resolve 18 20 sent` or `… failed`",
                "may have arrived: look at the chat, and `pushcron retry 21` only if it did not",
                "could not be made: mend that, and `pushcron fire 早报` makes all of its pushes anew, also those that were sent",
            ]
        );
    }
}
