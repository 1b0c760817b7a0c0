//! What the pages say.

use super::text::{Text, texts};
use crate::domain::Decision;

/// What was decided about an instant.
pub(crate) fn decision(decision: Decision) -> Text {
    match decision {
        Decision::Fired => decision_fired(),
        Decision::Skipped => decision_skipped(),
        Decision::Missed => decision_missed(),
    }
}

/// The title of a page that says what is wrong.
pub(crate) fn problem_page(status: u16) -> Text {
    match status {
        401 => session_is_over(),
        403 => not_allowed(),
        404 => page_nothing_here(),
        409 => not_any_more(),
        415 | 400 | 405 | 422 => not_understood(),
        421 => another_host(),
        429 => too_fast(),
        503 => database_busy(),
        _ => something_broke(),
    }
}

texts! {
    nav_now(): "Now", "现况";
    nav_jobs(): "Jobs", "任务";
    nav_pushes(): "Pushes", "推送";
    nav_accounts(): "Accounts", "账号";
    nav_try(): "Try", "试一试";
    nav_figures(): "Figures", "图表";
    nav_acts(): "Acts", "操作记录";
    skip_to_content(): "Skip to the content", "跳到正文";
    main_navigation(): "Pages", "页面";

    sign_in(): "Sign in", "登录";
    sign_out(): "Sign out", "退出";
    signed_in_as(name): "Signed in as {name}", "已登录：{name}";
    user_name(): "Name", "用户名";
    password(): "Password", "密码";
    or_open_a_link():
        "Or run `pushcron web open` on the machine of the daemon, and open the link that it prints.",
        "或者在守护进程所在的机器上运行 `pushcron web open`，打开它给出的链接。";
    no_users_yet():
        "No user is in the configuration. Run `pushcron web open` on the machine of the daemon, and open the link that it prints; or add a user with `pushcron web password NAME`.",
        "配置里还没有用户。请在守护进程所在的机器上运行 `pushcron web open`，打开它给出的链接；或用 `pushcron web password NAME` 添加用户。";
    wrong_password(): "This name and this password do not belong together.", "用户名或密码不对。";
    link_is_over():
        "This link was used before, or is older than 2 minutes: make a new one with `pushcron web open`.",
        "这个链接已经用过，或已超过 2 分钟：请用 `pushcron web open` 再生成一个。";
    going_on(): "Going on …", "正在跳转…";
    go_on(): "Go on", "继续";

    language_is(): "Language", "语言";
    zone_is(): "Times", "时间";
    zone_of_job(): "each job's zone", "各任务的时区";
    zone_mine(): "mine", "我的时区";
    other_zone(): "Another zone", "其他时区";
    use_zone(): "Use", "使用";
    theme_is(): "Theme", "外观";
    theme_auto(): "auto", "自动";
    theme_light(): "light", "浅色";
    theme_dark(): "dark", "深色";

    live_on(): "Live · pause", "实时 · 暂停";
    live_paused(): "Paused · go on", "已暂停 · 继续";
    live_off(): "Not live: too many pages listen", "非实时：同时打开的页面太多";

    daemon_runs(): "running", "运行中";
    daemon_stuck(): "not well: its timer stands still, or the database cannot be written", "异常：定时器停住，或数据库写不进去";
    files_not_taken(): "running, but not by the newest files", "运行中，但用的不是最新的配置";
    beat_ago(age): "seen at work {age} ago", "{age} 前在工作";
    next_is(): "next", "下次";
    open_are(): "open", "未结束";
    unknown_are(): "unknown", "结果不明";
    failed_are(): "failed in 24 h", "24 小时内失败";
    down_are(): "accounts down", "掉线账号";

    done_fired(): "The job was fired.", "任务已触发。";
    done_paused(): "The job is paused: its fires are skipped until it is resumed.", "任务已暂停：恢复之前的触发都会跳过。";
    done_resumed(): "The job fires again.", "任务已恢复。";
    done_retried(): "The push is tried again.", "推送会再试一次。";
    done_cancelled(): "The push is cancelled.", "推送已取消。";
    done_resolved_sent(): "The push is resolved: it was sent.", "已确认：推送已送达。";
    done_resolved_failed(): "The push is resolved: it failed.", "已确认：推送失败。";
    done_asked(): "The accounts are being asked; look again in a moment.", "正在询问各账号，请稍后再看。";

    needs_you(): "Needs you", "需要处理";
    nothing_needs_you(): "Nothing waits for a person.", "没有需要人处理的事。";
    unknown_means():
        "May have arrived, and nobody can say. Look at the chat, then say what became of it.",
        "可能已经送达，无法得知。请到聊天里看一眼，再确认结果。";
    failed_lately(): "Failed in the last 24 hours", "最近 24 小时失败";
    no_failures(): "Nothing failed in the last 24 hours.", "最近 24 小时没有失败。";
    page_open_pushes(): "Open pushes, oldest first", "未结束的推送（旧的在前）";
    nothing_open(): "Nothing waits to be sent.", "没有等待发送的推送。";
    next_fires(): "Next fires", "接下来的触发";
    no_next_fires(): "No job has a fire to come.", "没有任务会再触发。";
    no_accounts(): "There is no account yet.", "还没有账号。";
    no_jobs(): "There is no job yet.", "还没有任务。";
    page_no_pushes(): "No push fits.", "没有符合的推送。";
    no_acts(): "Nobody did anything by hand.", "还没有人手动操作过。";
    not_tried_yet(): "Not tried yet.", "还没有尝试。";
    it_was_sent(): "It was sent", "已送达";
    it_failed(): "It failed", "没送达";
    try_again(): "Retry…", "重试…";
    end_it(): "Cancel…", "取消…";

    col_push(): "Push", "推送";
    col_job(): "Job", "任务";
    col_due(): "Due", "应发时间";
    col_target(): "Target", "目标";
    col_account(): "Account", "账号";
    col_state(): "State", "状态";
    col_why(): "Why", "原因";
    col_late(): "Late by", "延迟";
    col_attempts(): "Attempts", "尝试";
    col_schedule(): "Schedule", "时间表";
    col_next(): "Next fire", "下次触发";
    col_last(): "Last fire", "上次触发";
    col_result(): "Result", "结果";
    col_open(): "Open", "未结束";
    col_sender(): "Sender", "发送方式";
    col_checked(): "Asked", "查询时间";
    col_last_attempt(): "Last attempt", "最近一次尝试";
    col_when(): "When", "时间";
    col_who(): "Who", "操作者";
    col_did(): "Did", "操作";
    col_to(): "To", "对象";
    col_before(): "Before", "之前";
    col_after(): "After", "之后";
    col_started(): "Begun", "开始";
    col_outcome(): "Outcome", "结果";
    col_took(): "Took", "耗时";
    col_answer(): "Answer", "平台的回答";
    by_hand(): "by hand", "手动";
    outside_jobs(): "outside any job", "不属于任何任务";

    filter_pushes(): "Filter", "筛选";
    apply_filter(): "Show", "查看";
    clear_filter(): "Show all", "查看全部";
    any_state(): "any", "不限";
    since(): "Since", "从";
    until(): "Until", "到";
    time_hint(): "2h, yesterday, 2026-11-28 09:00", "2h、yesterday、2026-11-28 09:00";
    target_hint(): "group:123456", "group:123456";
    only_three_days():
        "Only the last three days are looked through; say since when to look further.",
        "只查了最近三天；要查更早的，请填写起始时间。";
    older(): "Older", "更早";
    more_jobs(): "More", "更多";
    all_its_pushes(): "All its pushes", "它的全部推送";

    account_online(): "online", "在线";
    account_offline(): "offline", "掉线";
    account_may(): "may send", "可发送";
    account_may_not(): "may not send", "不能发送";
    account_rests(): "rests", "冷却中";
    account_untold(): "not known", "未知";
    default_of_im(): "default", "默认";
    rests_until(): "rests until", "冷却到";
    page_ask_accounts(): "Ask all now", "立即查询";

    job_active(): "active", "启用";
    job_paused(): "paused", "已暂停";
    job_disabled(): "disabled", "停用";
    job_ended(): "ended", "已结束";
    made_by_verb(): "made by a verb", "由命令创建";
    revision_since(): "revision", "版本";
    since_when(): "since", "自";
    ended_at(): "ended", "结束于";
    do_pause(): "Pause", "暂停";
    do_resume(): "Resume", "恢复";
    ask_to_fire(): "Fire now…", "立即触发…";
    last_pushes(): "Last pushes", "最近的推送";
    did_not_fire(): "Instants that did not fire", "没有触发的时刻";
    all_fired(): "Every instant that is kept has fired.", "保留记录的每个时刻都触发了。";
    why_did_it(): "Why did it fire, or not?", "为什么触发了，或没有触发？";
    asked_time(): "Time, by the clock of the job", "时刻（按任务的时区）";
    do_explain(): "Explain", "解释";
    what_happened(): "What happened", "经过";
    definition(): "Definition", "定义";
    is_cut(): "… cut here; `pushcron export` tells all of it", "……此处截断；完整内容见 `pushcron export`";
    decision_fired(): "fired", "已触发";
    decision_skipped(): "skipped", "已跳过";
    decision_missed(): "missed", "已错过";
    acts_on_it(): "Done by hand", "手动操作";

    push_number(id): "Push {id}", "推送 {id}";
    last_answer(reason, error): "{reason}; the last answer: {error}", "{reason}；最后一次回答：{error}";
    what_it_says(): "Message", "内容";
    in_parts(): "Parts", "分段";
    attempts_of(made, most): "Attempts: {made} of at most {most}", "尝试：{made} 次，至多 {most} 次";
    looked_at_again(): "looked at again", "下次检查";
    given_up(): "given up", "放弃于";
    ended(): "ended", "结束于";
    proved(): "the platform proved it", "平台确认送达";
    only_account(account): "through {account} alone: the push names it", "只经 {account} 发送：推送指定了它";
    in_place_of(): "in the place of", "替代";
    went_in_its_place(): "in its place", "替代它的";
    advice_look_first():
        "It may have arrived: look at the chat first. Retry only if it did not.",
        "可能已经送达：请先看聊天。确实没到再重试。";
    advice_retry(): "Retry sends it again, once what stood in its way is mended.", "排除原因之后，可以重试。";
    advice_fire_again():
        "It cannot be tried again itself: fire its job, once what stood in its way is mended.",
        "它本身无法重试：排除原因之后，请重新触发任务。";
    advice_wait(): "It is tried by itself.", "会自动尝试。";

    ask_fire(job): "Fire {job} now?", "立即触发 {job}？";
    fire_sends_now(count):
        "{count} push is made now and sent, beside what the schedule calls for:" | "{count} pushes are made now and sent, beside what the schedule calls for:",
        "现在生成 {count} 条推送并发送，时间表不受影响：";
    do_fire(): "Fire now", "立即触发";
    all_of_a_list(): "everybody on its list", "名单上的所有人";
    and_more(count): "and {count} more", "还有 {count} 个";
    ask_retry(id): "Retry push {id}?", "重试推送 {id}？";
    retry_may_double():
        "An attempt may have arrived already: then the message arrives a second time. Look at the chat first.",
        "之前的尝试可能已经送达：再发就会重复。请先看聊天。";
    retry_sends_again(): "It is sent again at once.", "会立即再发一次。";
    do_retry(): "Retry", "重试";
    ask_cancel(id): "Cancel push {id}?", "取消推送 {id}？";
    cancel_ends_it(): "It is not tried any more.", "不会再尝试发送。";
    do_cancel(): "Cancel the push", "取消推送";
    back(): "Back", "返回";

    try_explained():
        "Paste YAML as in the files, and see what is wrong with it, when its jobs fire next, and which account would carry each push now. Nothing is written, and nothing beside the text is read: no file, no variable, no credential. What the text does not say of targets, lists of days and defaults, and of accounts where it says nothing of any, is that of the running configuration.",
        "粘贴配置文件里的 YAML，看看哪里不对、任务接下来何时触发、每条推送现在会由哪个账号发送。不会写入任何东西，也只看文本本身：不读文件、变量和凭据。文本没有写的目标、日历、默认值，以及（没写账号时的）账号，按正在运行的配置来。";
    try_label(): "YAML, at most 256 KiB", "YAML，最多 256 KiB";
    try_it(): "Try it", "试一试";
    try_report(): "What is wrong with it", "检查结果";
    try_is_fine(): "nothing", "没有问题";
    try_warnings(): "Allowed, but hardly meant", "允许，但多半不是本意";
    try_carriers(): "Who would carry it now", "现在由谁发送";
    try_nobody(): "nobody", "没有账号";
    try_unprobed(rule): "{rule}; nobody has asked yet whether it can send", "{rule}；还没有询问过它能否发送";
    try_refused(account, reason): "{account}: {reason}", "{account}：{reason}";
    try_accounts_of_text():
        "Pushes go by the accounts of the text. Nobody has asked these whether they can send.",
        "推送按文本里的账号判断，还没有询问过它们能否发送。";
    try_accounts_in_force():
        "Pushes go by the running accounts, as the daemon last saw them.",
        "推送按正在运行的账号判断，以守护进程最近所见为准。";
    try_too_long(): "The text is longer than 256 KiB: try a part of it.", "文本超过 256 KiB：请试其中一部分。";
    try_one_at_a_time():
        "Another text is being tried, one at a time: try again in a moment.", "正在试另一段文本，一次只能试一段：请稍后再试。";
    try_takes_too_long():
        "The text takes longer than 2 s: try a part of it.", "这段文本处理超过 2 秒：请试其中一部分。";
    try_six_a_minute():
        "Six texts a minute are tried for one person: try this one again in a moment.",
        "每人每分钟最多试六段文本：请稍后再试。";
    try_left_out(count):
        "{count} job was not looked at, since that would take too long: try a part of the text" |
        "{count} jobs were not looked at, since that would take too long: try a part of the text",
        "有 {count} 个任务没来得及检查：请试其中一部分";
    try_untold(count):
        "the fires and accounts of {count} job were not worked out, since that would take too long: try a part of the text" |
        "the fires and accounts of {count} jobs were not worked out, since that would take too long: try a part of the text",
        "有 {count} 个任务的触发时间和账号没来得及计算：请试其中一部分";
    figures_none(): "Nothing in this time.", "这段时间没有数据。";
    figures_missing():
        "An older history is still being counted; what is missing begins at",
        "较早的历史还在统计，缺少的数据始于";
    figures_as_table(): "As a table", "以表格查看";
    figures_lateness(): "Lateness by hour of the day, last 7 days", "一天各时段的延迟（最近 7 天）";
    figures_lateness_note():
        "From the instant that was due to the first attempt. Half and 99 % are known by steps: no later than this.",
        "从应发时间到第一次尝试。一半和 99 % 按档计：不晚于该值。";
    figures_of_hour(at, half, most, latest, count):
        "{at}: half {half}, 99 % {most}, the latest {latest}, of {count}",
        "{at}：一半 {half}，99 % {most}，最晚 {latest}，共 {count} 条";
    figures_outcomes(): "What became of pushes, by day, last 30 days", "每天的推送结果（最近 30 天）";
    figures_load(): "Pushes by account and hour of the day, last 7 days", "各账号一天各时段的推送数（最近 7 天）";
    figures_load_note():
        "The 20 accounts to which most came; the stronger the colour, the more was due.", "推送最多的 20 个账号；颜色越深，推送越多。";
    figures_no_account(): "no attempt", "没有尝试";
    figures_by_hour(): "By hour", "各时段";
    figures_unfired(): "Instants that did not fire, by day, last 30 days", "每天没有触发的时刻（最近 30 天）";
    figures_unfired_note(): "Each job by the days of its own zone.", "各任务按自己时区的日期计。";
    strip_13_weeks(): "The last 13 weeks", "最近 13 周";
    strip_note():
        "A square for each day of the job's own zone: its worst is what it shows, and where it leads.",
        "每格一天，按任务自己的时区；格子显示当天最差的结果，点击可看当天。";
    strip_bad(): "failed, given up or missed", "失败、放弃或错过";
    strip_gone(): "skipped or cancelled", "跳过或取消";
    strip_nothing(date): "{date}: nothing was due", "{date}：没有要触发的";
    days_of_week(): "Mo Tu We Th Fr Sa Su", "一 二 三 四 五 六 日";
    pushes_of_this_time(): "All pushes of this time", "这段时间的全部推送";
    timeline(): "The last 12 hours, and the next 24", "过去 12 小时与接下来 24 小时";
    timeline_tick(): "will fire", "将触发";
    timeline_often():
        "Of a job that fires more than five times in the coming day, the first five fires are drawn.",
        "一天内触发超过五次的任务，只画出前五次。";
    col_day(): "Day", "日期";
    col_hour(): "Hour", "时段";
    col_half(): "half", "一半";
    col_latest(): "latest", "最晚";
    col_count(): "Pushes", "推送数";

    session_is_over(): "Nobody is signed in", "没有登录";
    not_allowed(): "This is not allowed", "不允许";
    page_nothing_here(): "There is nothing here", "这里什么都没有";
    not_any_more(): "Its state does not allow this any more", "状态已变，不能这样做";
    not_understood(): "This makes no sense", "无法理解";
    another_host(): "The request is addressed to somebody else", "请求的主机名不对";
    too_fast(): "This comes too fast", "太频繁了";
    database_busy(): "The database cannot be asked now", "数据库暂时无法查询";
    something_broke(): "Something broke", "出错了";
    its_state_is_now(): "Its state is now", "现在的状态";
    to_first_page(): "To the first page", "回到首页";
}
