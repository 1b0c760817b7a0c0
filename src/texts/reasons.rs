//! What the reasons say that rows keep by their words.

use super::text::Text;
use crate::domain::Reason;

macro_rules! reasons {
    ($($reason:ident: $english:literal, $chinese:literal;)*) => {
        /// What a reason says, as a clause that may stand after a colon or in parentheses.
        pub(crate) const fn reason(reason: Reason) -> Text {
            match reason {
                $(Reason::$reason => Text::fixed($english, $chinese),)*
            }
        }

        #[cfg(test)]
        pub(super) const ALL: &[(&str, &[&str], &str)] = &[$((stringify!($reason), &[$english], $chinese),)*];
    };
}

/// What a row's reason says. What is no word of ours is told as it is.
pub(crate) fn reason_in_words(stored: &str) -> Text {
    Reason::parse(stored).map_or_else(|| Text::same(stored.to_owned()), reason)
}

/// A row's reason where its word has to do: the word in English, what it says in Chinese.
pub(crate) fn reason_word(stored: &str) -> Text {
    let said = Reason::parse(stored).map(reason);
    said.map_or_else(|| Text::same(stored.to_owned()), |said| Text::of(stored.to_owned(), said.chinese().to_owned()))
}

reasons! {
    // Why an instant did not fire.
    Paused: "the job was paused", "任务已暂停";
    Disabled: "the job was disabled", "任务已停用";
    Overlap: "a push of an older fire was still open (overlap: skip)", "上一次触发的推送还没结束（overlap: skip）";
    DstGap: "that time does not exist on that day (dst_gap: skip)", "当天没有这个时刻（dst_gap: skip）";
    Holiday: "it falls on a day off", "当天放假";
    NotInCalendar:
        "it falls on a day that the job does not want (workdays, only, except)",
        "当天不在任务要求的日子里（workdays、only、except）";
    NoCalendar: "no list covers that day (on_missing_calendar)", "没有日历覆盖当天（on_missing_calendar）";
    DefinitionChanged: "the definition changed before it was decided", "还没判定，任务定义就改了";
    MisfireSkip: "it was noticed too late (misfire policy: skip)", "发现得太晚（misfire 策略：skip）";
    MisfireWindow:
        "it was noticed too late, outside of the misfire window (misfire: within)",
        "发现得太晚，已超出补发窗口（misfire: within）";
    MisfireLatest:
        "it was noticed too late, and only the latest of the missed ones fires (misfire policy: latest)",
        "发现得太晚，错过的几次里只补最近一次（misfire 策略：latest）";
    MisfireCap:
        "it was noticed too late, and more were missed than may be caught up (misfire: max)",
        "发现得太晚，错过的次数超过允许补发的次数（misfire: max）";
    MaxFires: "the job had fired as often as it may (max_fires)", "任务已达到触发次数上限（max_fires）";
    DefinitionUnreadable: "what the job pushes could not be read in the database", "数据库里该任务的推送内容无法读取";
    Restored:
        "the database was restored from a backup, and it may have been sent in between",
        "数据库是从备份恢复的，其间可能已经发出";
    // Why one fired that was noticed late.
    CaughtUp: "it was noticed late and caught up on (misfire policy)", "发现得晚，已补发（misfire 策略）";
    OwnMessage: "with a message of its own in place of the job's", "用单独给出的消息代替了任务的消息";
    Backfill: "it was made up for by hand (`pushcron backfill`)", "手动补发（`pushcron backfill`）";
    // Why a push waits, or why nobody could send it.
    NoSender: "no account could send", "没有账号可以发送";
    Probing: "its account is being asked whether it can send", "正在询问账号能否发送";
    AccountOffline: "the account is offline", "账号离线";
    AccountNotSendable: "the account may not send now", "账号目前不能发送";
    AccountCoolingDown: "the account is cooling down", "账号冷却中";
    AccountUnknown: "the account is not in the files", "配置文件里没有这个账号";
    AccountRemoved: "the account left the files before the send", "发送前账号已从配置文件中删除";
    KindNotSupported: "no account's sender can carry this kind", "没有账号的 sender 支持这种消息";
    WindowClosed:
        "the platform lets the account write only after the contact has written",
        "平台要求对方先发消息，账号才能发给对方";
    RateLimit:
        "the account has used up the sends that its platform grants in this time",
        "账号已用完平台在这段时间内允许的发送次数";
    SenderBroken: "the sender broke down, which is a bug of pushcron", "sender 出错退出，这是 pushcron 的 bug";
    NotNoted: "the send could not be noted beforehand, so that it was put off", "无法事先记录这次发送，因此推迟";
    NotBegun: "pushcron ended before the send was begun", "还没开始发送，pushcron 就结束了";
    Stopped: "the daemon stopped", "守护进程停止了";
    // What the last attempt came to.
    Sent: "the platform took it", "平台已接收";
    Rejected: "the platform refuses this message", "平台拒绝了这条消息";
    TargetGone: "the group or the person is not there, or not for this account", "群或用户不存在，或这个账号看不到";
    AccountDown: "the account could not send", "账号无法发送";
    Throttled: "the platform asked to wait", "平台要求稍后再发";
    Unreachable: "the platform was not reached", "连不上平台";
    Unknown: "no answer came that says whether it arrived", "没有收到明确的答复，不知道是否送达";
    // Why it came to its end.
    AttemptsExhausted:
        "every attempt that its policy allows was made (retry: max_attempts)",
        "策略允许的次数都试过了（retry: max_attempts）";
    Content:
        "what it was to say could not be made: its template failed, or its source (content_from)",
        "消息内容没能生成：模板出错，或内容来源出错（content_from）";
    TooLate:
        "its time was over before it could be sent (retry: give_up_after)",
        "还没能发出就已过时（retry: give_up_after）";
    Unreadable: "its row in the database cannot be read", "数据库里的这一行无法读取";
    Recipients:
        "the list of its recipients could not be read, or something on it is wrong",
        "收件人名单无法读取，或名单里有错误";
    NoRecipients: "the list of its recipients had nobody on it", "收件人名单是空的";
    ContentEmpty: "its source had nothing to say (content_from: empty)", "内容来源没有内容（content_from: empty）";
    ContentUnchanged:
        "its target was sent the same content the last time, or is about to be (content_from: unchanged)",
        "与上次发给该目标的内容相同，或相同内容正要发出（content_from: unchanged）";
    JobRemoved: "the job left the files", "任务已从配置文件中删除";
    Replaced: "a newer fire took its place (overlap: replace)", "已被更新的一次触发取代（overlap: replace）";
    // What people did.
    CancelledByHand: "cancelled by hand", "手动取消";
    RetriedByHand: "retried by hand", "手动重试";
    ResolvedByHand: "resolved by hand", "手动判定";
    // A push by hand that no daemon goes on with.
    NotSentInTime: "not sent in time, and no daemon goes on", "没有按时发出，也没有守护进程接着发";
    NothingWillCome: "no account could send it, and no daemon goes on", "没有账号能发送，也没有守护进程接着发";
    EndedBySigint: "ended by SIGINT before it was sent, and no daemon goes on", "发出前被 SIGINT 中断，也没有守护进程接着发";
    EndedBySigterm:
        "ended by SIGTERM before it was sent, and no daemon goes on",
        "发出前被 SIGTERM 中断，也没有守护进程接着发";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::texts::Language;

    #[test]
    fn every_reason_has_a_sentence_of_its_own() {
        for language in [Language::English, Language::Chinese] {
            let mut sentences = BTreeSet::new();
            for word in Reason::ALL.iter().map(|reason| reason.as_str()) {
                let sentence = reason_in_words(word).in_language(language).to_owned();
                assert!(sentence.trim() == sentence && !sentence.ends_with(['.', '。']), "{word}");
                assert!(sentences.insert(sentence), "{word} says what another one says");
            }
        }
        assert_eq!(reason_in_words("holiday").english(), "it falls on a day off");
        assert_eq!((reason_word("holiday").english(), reason_word("holiday").chinese()), ("holiday", "当天放假"));
    }

    #[test]
    fn a_word_that_nobody_gives_any_more_is_told_as_it_is() {
        for word in ["", "moved_house", "Paused", "the daemon was off"] {
            for language in [Language::English, Language::Chinese] {
                assert_eq!(reason_in_words(word).in_language(language), word);
                assert_eq!(reason_word(word).in_language(language), word);
            }
        }
    }
}
