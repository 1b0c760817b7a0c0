//! What reports on failures say.

use super::text::texts;

texts! {
    report_head(host, summary): "pushcron on {host}: {summary}", "pushcron（{host}）：{summary}";
    between_news(): ", ", "，";
    ended_so(count, state): "{count} {state}", "{count} 条推送{state}";
    is_down(account): "{account} is down", "账号 {account} 掉线";
    was_down(account): "{account} was down", "账号 {account} 曾掉线";
    is_up_again(account): "{account} is up again", "账号 {account} 已恢复";
    files_are_refused(): "the files are refused", "配置文件被拒绝";
    files_were_refused(): "the files were refused", "配置文件曾被拒绝";
    files_are_in_force(): "the files are in force again", "配置文件已重新生效";
    calendar_ends(calendar): "the calendar {calendar} ends", "日历 {calendar} 快要到期";

    bad_end(at, push, im, target, state, account, why, id):
        "{at} {push} to {im} {target} {state}{account}: {why} (push {id})",
        "{at} {push}发往 {im} {target} {state}{account}：{why}（推送 {id}）";
    push_of_job(job): "job {job}", "任务 {job} ";
    push_of_no_job(): "a push", "推送";
    through_account(account): " through {account}", "（账号 {account}）";
    and_more_ends(count):
        "… and {count} more; see `pushcron history --not-sent`", "……还有 {count} 条，见 `pushcron history --not-sent`";
    retry_these(ids):
        "once what stood in the way is mended: `pushcron retry {ids}`", "先解决原因，再重发：`pushcron retry {ids}`";
    resolve_these(ids):
        "may have arrived: look at the chat, then `pushcron resolve {ids} sent` or `… failed`",
        "可能已经送达：先看聊天记录，再执行 `pushcron resolve {ids} sent` 或 `… failed`";
    look_before_retry(ids):
        "may have arrived: look at the chat, and `pushcron retry {ids}` only if it did not",
        "可能已经送达：先看聊天记录，确认没有收到才执行 `pushcron retry {ids}`";
    fire_again(job):
        "could not be made: mend that, and `pushcron fire {job}` makes all of its pushes anew, also those that were sent",
        "内容未能生成：解决原因后执行 `pushcron fire {job}`，会重新推送该任务的全部消息，包括已经送达的";

    cannot_send(at, account, error): "{at} account {account} cannot send: {error}", "{at} 账号 {account} 无法发送：{error}";
    could_not_send(at, account, error, until):
        "{at} account {account} could not send ({error}) until {until}",
        "{at} 账号 {account} 曾无法发送（{error}），恢复于 {until}";
    can_send_again(at, account): "{at} account {account} can send again", "{at} 账号 {account} 恢复发送";
    ask_accounts(): "`pushcron accounts --probe` asks the accounts anew", "重新检测账号：`pushcron accounts --probe`";
    not_online(): "not online", "不在线";
    files_refused_at(at, problem):
        "{at} the files of the configuration were refused, and what was loaded before goes on running: {problem}; mend them, look at `pushcron check`, and reload",
        "{at} 配置文件被拒绝，继续按之前的配置运行：{problem}；请改好，用 `pushcron check` 查过再 reload";
    files_were_refused_until(at, problem, until):
        "{at} the files of the configuration were refused ({problem}) until {until}",
        "{at} 配置文件曾被拒绝（{problem}），恢复于 {until}";
    files_in_force_at(at): "{at} the files of the configuration are in force again", "{at} 配置文件已重新生效";
    calendar_not_fetched(calendar):
        "the calendar {calendar} could not be fetched yet: the log says why",
        "日历 {calendar} 还没有成功下载过，原因见日志";
    calendar_ends_on(calendar, until):
        "the calendar {calendar} ends on {until}; put a new list in its place with `pushcron calendar import`",
        "日历 {calendar} 只到 {until}；请用 `pushcron calendar import` 换上新的";
}
