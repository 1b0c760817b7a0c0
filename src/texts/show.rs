//! What `show` tells of a push.

use super::text::texts;

texts! {
    show_push(id, im, target, state): "push {id} to {im} {target} is {state}", "推送 {id}，发往 {im} {target}：{state}";

    show_why(): "why", "原因";
    show_made_by(): "made by", "来自";
    show_rendered(): "rendered", "模板";
    show_account(): "account", "账号";
    show_attempts(): "attempts", "尝试";
    show_parts(): "parts", "分段";
    show_next(): "next", "下次";
    show_instead(): "instead", "代替";
    show_fallback(): "fallback", "备用";
    show_ended(): "ended", "结束于";
    show_arrived(): "arrived", "已送达";
    show_to_do(): "to do", "怎么办";

    show_reason(words, word): "{words} ({word})", "{words}（{word}）";
    show_accounts_then(detail): "the accounts then: {detail}", "当时的账号：{detail}";
    show_account_now(account, state, error, asked):
        "account {account} now: {state}{error}{asked}",
        "账号 {account} 现在：{state}{error}{asked}";
    show_asked_at(at): ", asked at {at}", "，查询于 {at}";
    show_rendered_with(render): "with its first attempt, as {render}", "第一次尝试时按 {render} 生成";
    show_named_account(account): "{account}, and no other: the push names it", "只用 {account}：推送指定了它";
    show_attempts_of(made, most): "{made} of at most {most}", "{made} 次，至多 {most} 次";
    show_attempt(at, told): "{at}: {told}", "{at}：{told}";
    show_looked_at(at): "looked at again at {at}", "{at} 再处理";
    show_and_given_up(at): ", and given up at {at}", "，到 {at} 放弃";
    show_instead_of(id): "of push {id}, which ended badly", "推送 {id} 没有发成，由它代替";
    show_fallbacks(ids): "went out in its place: {ids}", "代替它发出的：{ids}";
    show_proved_at(at): "the platform proved it at {at}", "平台于 {at} 证实";

    show_outside(at): "a push by hand, outside any job, at {at}", "{at} 手动推送，不属于任何任务";
    show_outside_for_chat(at, chat): "a push outside any job at {at}{chat}", "{at} 的推送，不属于任何任务{chat}";
    show_for_chat(im, account): ", for a chat of {im} through {account}", "，回应 {im} 的聊天（账号 {account}）";
    show_due(at): "due {at}", "应在 {at} 触发";
    show_made_up(at): "made up for by hand, for {at}", "手动补发 {at} 的";
    show_by_hand(at): "fired by hand at {at}", "{at} 手动触发";
    show_by_chat(at): "fired for a chat at {at}", "{at} 由聊天触发";
    show_revision(number): ", by its revision {number}", "，按第 {number} 版";
    show_of_job(job, how, revision, nth, chat):
        "{job}, {how}{revision}; no. {nth} of its pushes{chat}",
        "{job}，{how}{revision}；它的第 {nth} 条推送{chat}";

    may_have_arrived_of_attempt(id):
        "an attempt may have arrived: look at the chat, and `pushcron retry {id}` only if it did not",
        "有一次尝试可能已经送达：先到聊天里看一眼，没有收到再执行 `pushcron retry {id}`";
    look_then_resolve_or_retry(id):
        "it may have arrived: look at the chat, then `pushcron resolve {id} sent|failed`; `pushcron retry {id}` only if it did not",
        "可能已经送达：先到聊天里看一眼，再执行 `pushcron resolve {id} sent|failed`；没有收到才执行 `pushcron retry {id}`";
    show_retry_sends_again(id):
        "`pushcron retry {id}` sends it again, once what stood in its way is mended",
        "处理好原因之后，`pushcron retry {id}` 会再发一次";
    fire_makes_anew(job):
        "`pushcron fire {job}` makes it anew, once what stood in its way is mended; it cannot be tried again itself",
        "它本身不能重试；处理好原因之后，`pushcron fire {job}` 会重新生成";
    is_tried_by_itself(id):
        "nothing: it is tried by itself (`pushcron cancel {id}` ends it)",
        "不用管：会自动重试（`pushcron cancel {id}` 可以取消）";
    so_many_characters(count): "… ({count} characters)", "…（{count} 个字符）";
}
