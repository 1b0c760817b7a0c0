//! What tables for people are headed with, and what stands below them.

use super::pages::{job_active, job_disabled, job_ended, job_paused};
use super::pushes::state;
use super::text::{Text, texts};
use crate::domain::PushState;

/// A state of a push or of a job: the word that rows and filters have, and what it is called in Chinese.
pub(crate) fn state_word(word: &str) -> Text {
    match (PushState::parse(word), word) {
        (Some(of_push), _) => state(of_push),
        (None, "active") => job_active(),
        (None, "paused") => job_paused(),
        (None, "disabled") => job_disabled(),
        (None, "ended") => job_ended(),
        (None, other) => Text::same(other.to_owned()),
    }
}

texts! {
    title_id(): "id", "编号";
    title_due(): "due", "应发时间";
    title_job(): "job", "任务";
    title_im(): "im", "im";
    title_target(): "target", "目标";
    title_state(): "state", "状态";
    title_tries(): "tries", "尝试";
    title_late(): "late", "延迟";
    title_why(): "why", "原因";
    title_to(): "to", "发往";
    title_schedule(): "schedule", "时间表";
    title_note(): "note", "备注";
    title_next(): "next", "下次";
    title_last(): "last", "上次";
    title_result(): "result", "结果";
    title_sender(): "sender", "sender";
    title_default(): "default", "默认";
    title_online(): "online", "在线";
    title_sendable(): "sendable", "可发送";
    title_checked(): "checked", "查询时间";
    title_error(): "error", "错误";
    title_at(): "at", "时间";
    title_who(): "who", "操作者";
    title_via(): "via", "途径";
    title_act(): "act", "操作";
    title_of(): "of", "对象";
    title_change(): "change", "变化";
    title_request(): "request", "请求";

    yes(): "yes", "是";
    no(): "no", "否";
    not_probed(): "not probed", "未查询";
    once(): "once", "一次";
    at_instant(at): "at {at}", "{at} 一次";

    no_rows_of_pushes(): "no pushes", "没有推送";
    no_rows_of_jobs(): "no jobs", "没有任务";
    no_rows_of_accounts(): "no accounts", "没有账号";
    nothing_by_hand(): "nothing was done by hand", "没有手动操作";
    acts(count): "{count} act" | "{count} acts", "{count} 次操作";
    instants(count): "{count} instant" | "{count} instants", "{count} 个时刻";
    below(what, more): "{what}; {more}", "{what}；{more}";
    times_each(): "times each in its job's zone", "时间按各任务的时区";

    // Of the history.
    sum_of_pushes(pushes, cut, states, late): "{pushes}{cut}: {states}{late}", "{pushes}{cut}：{states}{late}";
    the_newest(): " (the newest; more with --limit)", "（最新的；更多用 --limit）";
    so_many_are(count, state): "{count} {state}", "{state} {count}";
    sum_of_lateness(median, most):
        "; late by {median} at the median, {most} at most",
        "；延迟：中位数 {median}，最多 {most}";
    sent_by_attempt(number, time): "{time} late, attempt {number}", "晚 {time}，第 {number} 次尝试";

    // Of the jobs and the accounts.
    nothing_fires_without_a_daemon():
        "no daemon runs on this database, so that nothing fires (`pushcron status`)",
        "没有守护进程在用这个数据库，所以什么都不会触发（`pushcron status`）";
    ended_not_shown(jobs):
        "{jobs} not shown that came to an end; --all shows them",
        "另有 {jobs}已结束，没有列出；--all 会列出";
    as_they_were_asked_last():
        "no daemon runs on this database; this is how they were when they were asked last",
        "没有守护进程在用这个数据库；这是最后一次查询时的情况";
    daemon_could_not_say(waited, accounts):
        "the daemon could not say within {waited} s how these are: {accounts} (`pushcron status`)",
        "守护进程在 {waited} 秒内没能查到这些账号的情况：{accounts}（`pushcron status`）";

    // Of the coming fires.
    more_fires(count):
        "… and {count} more; name a job, or say how many with -n",
        "…… 还有 {count} 次；请指定任务，或用 -n 指定次数";
    jobs_disabled(jobs): "{jobs} disabled", "{jobs}已停用";
    jobs_on_demand(jobs): "{jobs} on demand", "{jobs}只按需触发";
    has_no_schedule(job):
        "{job} has no schedule: it fires on demand (`pushcron fire {job}`)",
        "{job} 没有时间表：只按需触发（`pushcron fire {job}`）";
    fires_no_more(job): "{job} has come to its end: it fires no more", "{job} 已结束：不会再触发";
    fires_not_then(job): "{job} does not fire in that time", "{job} 在这段时间里不会触发";
    no_job_fires(): "no job fires any more", "没有任务会再触发";
    paused_and_skipped(): "paused: will be skipped", "已暂停：会跳过";
    paused_cannot_be_told(why): "{why}; which jobs are paused cannot be told", "{why}；无法得知哪些任务已暂停";
}
