//! What `status` tells.

use super::text::texts;

texts! {
    title_daemon(): "daemon", "守护进程";
    title_files(): "files", "配置文件";
    title_jobs(): "jobs", "任务";
    title_next_fire(): "next fire", "下次触发";
    title_open(): "open", "未结束";
    title_unknown(): "unknown", "结果不明";
    title_failed(): "failed", "失败";
    title_accounts(): "accounts", "账号";
    title_account(): "account", "账号";

    ago(at, age): "{at} ({age} ago)", "{at}（{age} 前）";
    times_in(zone): "times in {zone}", "时间按 {zone}";

    running_since(since, holder): "running since {since} ({holder})", "运行中，启动于 {since}（{holder}）";
    running_since_now(holder): "running since just now ({holder})", "运行中，刚刚启动（{holder}）";
    a_daemon(pid): "daemon, pid {pid}", "守护进程，pid {pid}";
    not_well(holder, last):
        "NOT WELL: {holder} holds the database, and was last seen at work at {last}: its timer stands still, or the database cannot be written (see its log, and restart it)",
        "异常：{holder} 占用着数据库，最后一次见它工作是 {last}：定时器停住了，或数据库写不进去（请看它的日志，然后重启它）";
    start_it():
        "start it: `systemctl start pushcron`, or `pushcron run`",
        "启动：`systemctl start pushcron`，或 `pushcron run`";
    stopped_at(at, start):
        "NOT RUNNING: stopped at {at}; nothing fires until one starts; {start}",
        "未运行：停止于 {at}；启动之前不会触发任何任务；{start}";
    gone_since(last, start):
        "NOT RUNNING: last seen at {last}, and gone without a word (killed?); nothing fires; {start}",
        "未运行：最后一次见到是 {last}，之后不告而别（被 kill 了？）；不会触发任何任务；{start}";
    never_ran(start): "NOT RUNNING; nothing fires; {start}", "未运行；不会触发任何任务；{start}";

    files_loaded(at): "loaded at {at}", "加载于 {at}";
    files_unread(problem): "CANNOT BE READ NOW: {problem}", "现在无法读取：{problem}";
    files_refused_and_read_at_start(at):
        "REFUSED at {at}; a start reads them anew (`pushcron check` says whether they are mended):",
        "有误，拒绝于 {at}；启动时会重新读取（是否已改好，见 `pushcron check`）：";
    files_refused(at):
        "REFUSED at {at}; what was loaded before goes on running (`pushcron check`, then reload):",
        "有误，拒绝于 {at}；仍按之前加载的内容运行（先 `pushcron check`，再重新加载）：";
    files_in_part(at): "loaded only in part at {at}; reload again:", "只加载了一部分（{at}）；请再重新加载一次：";

    active_jobs(count, paused): "{count} active{paused}", "{count} 个启用{paused}";
    and_paused(count): " ({count} more paused)", "（另有 {count} 个暂停）";
    no_fire(): "none", "无";
    and_fires_to_be_made(count):
        ", and {count} fire whose pushes are still to be made" | ", and {count} fires whose pushes are still to be made",
        "，另有 {count} 次触发的推送还没生成";
    look_then_resolve():
        ": look at the chats, then `pushcron resolve PUSH sent|failed` (history --state unknown)",
        "：先到聊天里看一眼，再执行 `pushcron resolve PUSH sent|failed`（history --state unknown）";
    in_24_hours(pushes, look): "{pushes} in 24 hours{look}", "24 小时内 {pushes}{look}";
    see_failed():
        " (history --state failed,expired --since 24h)",
        "（history --state failed,expired --since 24h）";
    no_account_down(): "none is known to be down", "没有发现账号掉线";
    account_is_down(account, im, error, asked): "{account} ({im}) is down{error}{asked}", "{account}（{im}）已掉线{error}{asked}";
    account_may_not_send(account, im, error, asked):
        "{account} ({im}) may not send{error}{asked}",
        "{account}（{im}）不能发送{error}{asked}";
    and_asked(ago): ", asked {ago}", "，查询于 {ago}";
}
