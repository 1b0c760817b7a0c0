//! What was done by hand, and what was not.

use super::text::texts;

texts! {
    one_push(id): "push {id}", "推送 {id}";
    several_pushes(ids): "pushes {ids}", "推送 {ids}";
    waiting_pushes(count): "{count} waiting push" | "{count} waiting pushes", "{count} 条等待中的推送";

    fired_without_pushes_yet(job):
        "{job} fired: a daemon makes its pushes, once it has their content and recipients",
        "{job} 已触发：守护进程取到内容和收件人之后会生成推送";
    fired_with(job, pushes): "{job} fired: {pushes}", "{job} 已触发：{pushes}";
    nothing_to_make_up_for(job): "{job}: nothing to make up for", "{job}：没有要补发的";
    to_be_made_up_for(job, instants):
        "{job}: {instants} to be made up for: a daemon makes the pushes, once it has their content and recipients",
        "{job}：要补发 {instants}：守护进程取到内容和收件人之后会生成推送";
    made_up_for(job, instants, pushes): "{job}: made up for {instants}: {pushes}", "{job}：已补发 {instants}：{pushes}";
    instants_to_make_up_for(instants, job): "{instants} of {job} to make up for", "{job} 有 {instants}要补发";
    so_many_instants(instants, job):
        "{instants} of {job} to make up for; --dry-run shows them, and --yes makes up for all of them",
        "{job} 有 {instants}要补发；用 --dry-run 查看，确定全部补发请加 --yes";
    pushes_recorded(pushes): "recorded: {pushes}", "已记录：{pushes}";
    push_is_due_again(id): "push {id} is due again", "推送 {id} 会再试一次";
    push_is_cancelled(id): "push {id} is cancelled", "推送 {id} 已取消";
    fire_is_cancelled(job, at):
        "the fire of {job} due {at} is cancelled, before its pushes were made",
        "{job} 在 {at} 的触发已取消，推送还没有生成";
    push_is_resolved_sent(id): "push {id} is sent", "推送 {id} 已确认送达";
    push_is_resolved_failed(id): "push {id} is failed", "推送 {id} 已确认没有送达";
    job_is_paused(job): "{job} is paused", "{job} 已暂停";
    job_was_paused(job): "{job} was paused already", "{job} 本来就是暂停的";
    job_goes_on(job): "{job} goes on", "{job} 已恢复";
    job_was_not_paused(job): "{job} was not paused", "{job} 没有暂停";
    job_next(job, at, zone): "{job}: next {at} ({zone})", "{job}：下次 {at}（{zone}）";
    job_due_since(job, at, zone): "{job}: due since {at} ({zone})", "{job}：{at} 起已到点（{zone}）";
    job_on_demand(job): "{job}: fires on demand (`pushcron fire {job}`)", "{job}：只按需触发（`pushcron fire {job}`）";
    job_never_again(job): "{job}: never fires any more", "{job}：不会再触发";
    job_is_removed(job): "{job} is removed", "{job} 已删除";
    job_is_removed_with(job, pushes): "{job} is removed, and {pushes} of it cancelled", "{job} 已删除，同时取消了它的 {pushes}";
    copied_to(file): "copied to {file}", "已复制到 {file}";
    calendar_imported(file, calendar):
        "{file} holds {calendar} now; a running daemon takes it at its next reload",
        "{file} 现在是 {calendar}；正在运行的守护进程下次重新加载时采用";
    mind_that(note): "mind that {note}", "注意：{note}";
    and_can_write_to(contact): "; it can write to user {contact}", "；可以给用户 {contact} 发消息";
    account_logged_in(account, id, writes, file):
        "{account} is logged in as {id}{writes}; kept in {file}",
        "{account} 已登录为 {id}{writes}；保存在 {file}";

    // Of many.
    none_is_meant(): "no push is meant: none is in such a state", "没有符合的推送：没有一条处于这样的状态";
    and_fires(count): " and {count} fire" | " and {count} fires", "和 {count} 次触发";
    so_many_are_meant(pushes, fires):
        "{pushes} pushes{fires} are meant; --dry-run shows them, and --yes says that it is so",
        "这会涉及 {pushes} 条推送{fires}；用 --dry-run 查看，确定如此请加 --yes";
    which_pushes():
        "which pushes? name them, or say which with --job, --at, --since, --state and the others",
        "哪些推送？请写出编号，或用 --job、--at、--since、--state 等说明";
    not_both_ways():
        "name pushes by their ids, or say which with --job, --at and the others, not both",
        "要么写推送的编号，要么用 --job、--at 等说明，不能两样都用";
    fire_waits(job, at):
        "the fire of {job} due {at}, whose pushes are still to be made",
        "{job} 在 {at} 的触发，推送还没有生成";
    fire_left_alone(fire):
        "{fire}: left alone, since who gets it is not known yet (say --job and --at alone)",
        "{fire}：没有动，因为还不知道发给谁（请只用 --job 和 --at）";
    push_left_alone(id):
        "push {id} is left alone: an attempt may have arrived; look at the chat, then `pushcron retry {id}`",
        "推送 {id} 没有动：有一次尝试可能已经送达；先到聊天里看一眼，再执行 `pushcron retry {id}`";
    not_tried(ids): "not tried: {ids}", "没有处理：{ids}";
    done_and_refused(done, all, refused): "{done} of {all} done, {refused} refused", "共 {all} 条：完成 {done}，拒绝 {refused}";
    wait_over_daemon_goes_on(wait): "{wait} are over; the daemon goes on", "已等满 {wait}；守护进程会继续";
    no_daemon_will_send():
        "no daemon runs on this database; one that starts will send",
        "没有守护进程在用这个数据库；启动后会发送";
    no_daemon_will_fire():
        "no daemon runs on this database; one that starts will fire",
        "没有守护进程在用这个数据库；启动后会触发";
    sends_nothing(job): "{job} sends nothing; `pushcron explain {job}` tells why", "{job} 什么都不发；原因见 `pushcron explain {job}`";
    no_push_to_say_it(job): "job '{job}' has no push to say it", "任务 '{job}' 没有推送，无从发送";
}
