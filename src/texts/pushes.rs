//! What `push` answers, and the words that it shares with others: states, outcomes, why somebody was chosen.

use super::text::{Text, texts};
use crate::domain::{PushState, Rule};

/// A state of a push: the word that rows have, and what it is called in Chinese.
pub(crate) fn state(state: PushState) -> Text {
    let chinese = match state {
        PushState::Pending => "待发送",
        PushState::Sending => "发送中",
        PushState::Retrying => "等待重试",
        PushState::Sent => "已发送",
        PushState::Failed => "失败",
        PushState::Unknown => "结果不明",
        PushState::Expired => "已过期",
        PushState::Cancelled => "已取消",
    };
    Text::fixed(state.as_str(), chinese)
}

/// What an attempt came to: the word that rows have, and what it is called in Chinese.
pub(crate) fn outcome(word: &str) -> Text {
    let chinese = match word {
        "sent" => "已发送",
        "rejected" => "被拒绝",
        "target_gone" => "目标不存在",
        "account_down" => "账号不可用",
        "throttled" => "被限流",
        "unreachable" => "连不上",
        "unknown" => "结果不明",
        _ => return Text::same(word.to_owned()),
    };
    Text::of(word.to_owned(), chinese.to_owned())
}

/// Why an account was chosen.
pub(crate) const fn rule(rule: Rule) -> Text {
    match rule {
        Rule::Explicit => Text::fixed("the push names it", "推送指定了它"),
        Rule::MessageAccount => Text::fixed("it received the chat's message", "是它收到了聊天消息"),
        Rule::ImDefault => Text::fixed("the default of its im", "该平台的默认账号"),
        Rule::FirstOnline => Text::fixed("the first one online", "第一个在线的账号"),
    }
}

texts! {
    after_colon(said): ": {said}", "：{said}";
    pushes(count): "{count} push" | "{count} pushes", "{count} 条推送";

    // What became of a push that somebody waited for.
    push_is(id, state, why, fallbacks, advice):
        "push {id} is {state}{why}{fallbacks}{advice}",
        "推送 {id} {state}{why}{fallbacks}{advice}";
    and_its_fallback(id, state):
        "; its fallback, push {id}, is {state}",
        "；备用推送 {id} {state}";
    last_try(reason, error): "{reason}; the last try: {error}", "{reason}；最后一次尝试：{error}";
    ended_by(signal): "ended by {signal}", "被 {signal} 中断";
    wait_is_over(wait): "{wait} are over", "已等满 {wait}";
    may_have_arrived(id):
        "; it may have arrived: look at the chat, then `pushcron resolve {id} sent|failed`",
        "；可能已经送达：先到聊天里看一眼，再执行 `pushcron resolve {id} sent|failed`";
    daemon_goes_on(ended, id):
        "; {ended}; the daemon goes on trying, so do not push it again (`pushcron cancel {id}` ends it)",
        "；{ended}；守护进程会继续尝试，请不要再推一次（`pushcron cancel {id}` 可以取消）";
    no_daemon_runs(ended, id):
        "; {ended}; no daemon runs, and one that starts goes on with it, so do not push it again (`pushcron cancel {id}` ends it)",
        "；{ended}；没有守护进程在运行，启动后会接着发，请不要再推一次（`pushcron cancel {id}` 可以取消）";
    named_twice(im, target):
        "{im} {target} is named more than once, and sent to once",
        "{im} {target} 写了不止一次，只发一次";

    // What goes wrong meanwhile.
    of_push(id): "push {id}: ", "推送 {id}：";
    attempt_failed(number, account, error, outcome, next, advice):
        "attempt {number} through {account}: {error} ({outcome}){next}{advice}",
        "第 {number} 次尝试（账号 {account}）：{error}（{outcome}）{next}{advice}";
    next_one_in(wait): "; the next one in {wait}", "；{wait} 后再试";
    and_do(advice): "; {advice}", "；{advice}";
    does_the_client_run():
        "does the client of the platform run, and is the account's address right?",
        "请检查平台的客户端是否在运行，账号的地址是否正确";
    is_it_logged_in():
        "is the account logged in, and its token right? `pushcron accounts --probe` asks it",
        "请检查账号是否已登录，token 是否正确；`pushcron accounts --probe` 可以查询";
    look_at_the_chat(): "it may have arrived: look at the chat", "可能已经送达：请到聊天里看一眼";
    it_waits(reason, down): "it waits: {reason}{down}", "等待中：{reason}{down}";
    and_account_says(account, error): "; {account}: {error}", "；{account}：{error}";
    mend_and_ask_again():
        "; mend that, and ask again with `pushcron accounts --probe`",
        "；处理好之后，用 `pushcron accounts --probe` 再查一次";
    it_is_offline(): "it is offline", "已掉线";
    it_may_not_send_now(): "it may not send now", "目前不能发送";

    // Why nothing is known of a push.
    no_turn(holder, database, wait):
        "another pushcron ({holder}) held {database} for all of the {wait}; nothing was recorded or sent, so push again, or wait for longer with --wait",
        "另一个 pushcron（{holder}）在这 {wait} 内一直占用 {database}；什么都没有记录，也没有发送，可以再推一次，或用 --wait 等久一点";
    nothing_recorded(error): "{error}; nothing was recorded or sent", "{error}；什么都没有记录，也没有发送";
    ended_in_the_queue(signal):
        "ended by {signal} while it waited for its turn; nothing was recorded or sent",
        "排队时被 {signal} 中断；什么都没有记录，也没有发送";
    daemon_just_ended():
        "the daemon that was to send it has just ended; nothing was recorded or sent: start it again (`systemctl start pushcron`), and push again",
        "本该发送它的守护进程刚刚退出；什么都没有记录，也没有发送：请重新启动（`systemctl start pushcron`），再推一次";
    not_loaded_yet(account):
        "the running daemon has no account {account}, since the files were changed after it read them; nothing was recorded or sent: have it read them (`systemctl reload pushcron`), and push again",
        "正在运行的守护进程还没有账号 {account}：文件是在它读取之后改的；什么都没有记录，也没有发送：请让它重读（`systemctl reload pushcron`），再推一次";
    account_named(id): "{id}", "{id}";
    account_of_im(im): "of the im {im}", "（im 为 {im}）";
    secrets_unseen(accounts):
        "no daemon runs, and what these accounts are given cannot be seen from here: {accounts}; start the daemon, which sees it and then sends for every verb (`systemctl start pushcron`)",
        "没有守护进程在运行，而这些账号的密钥在这里看不到：{accounts}；请启动守护进程（`systemctl start pushcron`），它看得到，会替各条命令发送";
    pushes_are(ids): "pushes {ids} are", "推送 {ids} ";
    one_push_is(id): "push {id} is", "推送 {id} ";
    lost(pushes, error):
        "{pushes} recorded, and what became of it cannot be told: {error}; see `pushcron history` before you push again, since a daemon that runs or starts may send it",
        "{pushes}已记录，但结果无法得知：{error}；再推之前请先看 `pushcron history`，因为正在运行或之后启动的守护进程可能会把它发出去";
}
