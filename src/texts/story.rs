//! What `explain` tells of a job at a time: its sentences, and the clauses that they are made of.

use super::text::texts;

texts! {
    // Sentences, and how they follow each other.
    told_times(zone): "Times are in {zone}.", "时间按 {zone}。";
    told_then(one, next): "{one} {next}", "{one}{next}";
    told_semicolon(): "; ", "；";
    told_aside(said): " ({said})", "（{said}）";
    told_quoted_aside(said): " (\"{said}\")", "（\"{said}\"）";
    told_mind(note): "Mind that {note}.", "注意：{note}。";
    told_more_fires(count):
        "And {count} more fires of that time are in the table fires.",
        "那段时间另有 {count} 次触发，见表 fires。";
    told_contact(account, contact, words):
        "What account {account} knows of {contact}: {words}.",
        "账号 {account} 所知的 {contact}：{words}。";
    told_all_of_it(job): "… `pushcron explain {job}` tells all of it", "…… 全部见 `pushcron explain {job}`";

    // Nothing happened.
    told_removed(job, at):
        "{job} was not there: it left the files at {at}.",
        "{job} 当时不在：它已于 {at} 从配置文件中删除。";
    told_before_all_kept(job, at, from, revision):
        "Nothing is known of {job} at {at}: what is kept of it begins at {from}, when its revision {revision} was loaded.",
        "{job} 在 {at} 的情况无从得知：现存的记录始于 {from}，即第 {revision} 版加载的时候。";
    told_not_in_files(job, at): "{job} was not in the files at {at}.", "{job} 在 {at} 时不在配置文件里。";
    told_not_evaluable(job, schedule, timezone):
        "{job} had no row in fires, and its schedule '{schedule}' in {timezone} cannot be evaluated any more.",
        "{job} 在表 fires 里没有记录，它的时间表 '{schedule}'（时区 {timezone}）也无法再计算。";
    told_was_not_due(): "was not due", "不该触发";
    told_is_not_due(): "is not due", "不该触发";
    told_will_not_be_due(): "will not be due", "不会触发";
    told_ended(job, verb, at, by, ended_at, why):
        "{job} {verb} at {at} by {by}: it came to its end at {ended_at}, since {why}.",
        "按{by}，{job} 在 {at} {verb}：它已于 {ended_at} 结束，因为{why}。";
    told_had_fired(count):
        "it had fired {count} time (max_fires)" | "it had fired {count} times (max_fires)",
        "它已触发 {count} 次（max_fires）";
    told_until_over(until): "until: {until}", "已过 until（{until}）";
    told_called(job, at, by): "{job} is due at {at} by {by}", "按{by}，{job} 应在 {at} 触发";
    told_to_come(called, state): "{called}: that is still to come{state}.", "{called}：还没到时候{state}。";
    told_will_be_disabled(): "; it is disabled, so that it will be skipped", "；任务已停用，到时会跳过";
    told_will_be_skipped_day(day): "; it will be skipped ({day})", "；到时会跳过（{day}）";
    told_will_be_skipped_gap():
        "; it will be skipped, since that time does not exist on that day",
        "；到时会跳过，因为当天没有这个时刻";
    told_will_be_paused():
        "; it is paused, so that it will be skipped unless it is resumed before",
        "；任务已暂停，如果在此之前没有恢复，到时会跳过";
    told_no_row(called, why):
        "{called}, but there is no row for it: {why}.",
        "{called}，但没有它的记录：{why}。";
    told_about_to_be_decided():
        "nothing is decided yet; the daemon is about to",
        "还没判定，守护进程马上就会判定";
    told_no_daemon_since():
        "nothing is decided yet, because no daemon has run since; the next one to start decides by the job's misfire policy",
        "还没判定，因为此后没有守护进程运行过；下次启动时会按任务的 misfire 策略判定";
    told_loaded_then():
        "a revision holds for what comes after it was loaded",
        "一个版本只管它加载之后的时刻";
    told_unexplained():
        "that should not be, and `pushcron ledger` says whether it is so for others too",
        "不该如此，别的时刻是否也这样，见 `pushcron ledger`";
    told_not_kept(): "its row is not kept any more (keep_history)", "它的记录已不再保留（keep_history）";
    told_not_called(job, verb, time, by, nearest):
        "{job} {verb} {time} by {by}: {nearest}.",
        "按{by}，{job} {time}{verb}：{nearest}。";
    told_time_at(at): "at {at}", "在 {at} ";
    told_time_between(from, until): "from {from} until {until}", "在 {from} 到 {until} 之间";
    told_fires_on_demand(job): "it fires on demand (`pushcron fire {job}`)", "它只按需触发（`pushcron fire {job}`）";
    told_near_before(at, notes): "{at} before{notes}", "之前是 {at}{notes}";
    told_near_after(at, notes): "{at} after{notes}", "之后是 {at}{notes}";
    told_no_instant(): "the schedule calls for no instant at all", "时间表上没有任何时刻";
    told_nearest(one): "the nearest instant is {one}", "最近的时刻{one}";
    told_nearest_two(before, after): "the nearest instants are {before} and {after}", "最近的时刻{before}，{after}";
    told_by(revision, schedule, timezone, at):
        "revision {revision} ('{schedule}' in {timezone}, loaded at {at})",
        "第 {revision} 版（'{schedule}'，{timezone}，加载于 {at}）";
    told_by_it(by): " by {by}", "按{by}，";

    // A fire.
    told_due_ahead(job, at, by):
        "{job} is due at {at}{by}, which is recorded ahead",
        "{by}{job} 应在 {at} 触发，已提前记录";
    told_was_due(job, at, by): "{job} was due at {at}{by}", "{by}{job} 应在 {at} 触发";
    told_by_message(job, at): "A chat made {job} fire at {at}", "聊天消息在 {at} 触发了 {job}";
    told_by_hand(job, at): "Somebody fired {job} by hand at {at}", "有人在 {at} 手动触发了 {job}";
    told_waits_for_days(due, list):
        "{due}, and fired; its pushes wait for a list of days ({list}), 12h at most.",
        "{due}，已触发；推送在等日历（{list}），最多等 12h。";
    told_waits_for_content(due):
        "{due}, and fired; its content or its recipients are still to be had, and its pushes with them.",
        "{due}，已触发；内容或收件人还没取到，推送也就还没生成。";
    told_pushes_not_kept(due):
        "{due}, and fired; its pushes are not kept any more.",
        "{due}，已触发；它的推送已不再保留。";
    told_fired(due, fired, own, list): "{due}{fired}{own}{list}.", "{due}{fired}{own}{list}。";
    told_and_fired(): " and fired", "，已触发";
    told_content_later(): "Its content is made once the first push can go out.", "等第一条推送可以发出时才生成内容。";
    told_not_fired(due, span, decision, after, reason, list):
        "{due}{span}, and was {decision}, which was decided {after} later: {reason}{list}.",
        "{due}{span}，但{decision}（{after} 后判定）：{reason}{list}。";
    told_span(count, until): ", with {count} instants until {until}", "，到 {until} 共 {count} 个时刻";
    told_content(source, asked, exit, came, said, last):
        "Its content, by {source}{asked}{exit}, {came}{said}{last}.",
        "它的内容来自{source}{asked}{exit}，{came}{said}{last}。";
    told_asked_times(times): ", asked {times} times", "，问了 {times} 次";
    told_exit(code): ", exit {code}", "，退出码 {code}";
    told_made(took, size, sha256):
        "was made in {took}: {size} bytes, sha256 {sha256}…",
        "用 {took} 生成：{size} 字节，sha256 {sha256}…";
    told_made_empty(took): "is empty, as was known after {took}", "{took} 后得知是空的";
    told_not_made(took): "could not be made in {took}", "用了 {took}，没能生成";
    told_last_said(from, why):
        "; that is the last good one, said at {from}, since it failed this time (\"{why}\")",
        "；这是上次成功的，取于 {from}，因为这次失败了（\"{why}\"）";
    told_last_read(from, why):
        "; that is the last good one, read at {from}, since it failed this time (\"{why}\")",
        "；这是上次成功的，读于 {from}，因为这次失败了（\"{why}\"）";
    told_list(name, source, asked, came, doubles, last):
        "The list '{name}', by {source}{asked}, {came}{doubles}{last}.",
        "名单 '{name}' 来自{source}{asked}，{came}{doubles}{last}。";
    told_named(count): "named {count} recipient" | "named {count} recipients", "有 {count} 个收件人";
    told_list_unread(error): "could not be read (\"{error}\")", "没能读取（\"{error}\"）";
    told_doubles(count):
        ", after {count} double had been dropped" | ", after {count} doubles had been dropped",
        "，已去掉 {count} 个重复的";

    // Its pushes.
    told_many_pushes(told, count, what, states):
        "{told} {count} pushes{what}: {states}.",
        "{told}共 {count} 条推送{what}：{states}。";
    told_all_are(kind, im): " ({kind} to {im})", "（{kind}，发往 {im}）";
    told_so_many(count, state): "{count} {state}", "{state} {count} 条";
    told_push(id, kind, im, target, instead, state, attempts):
        "Push {id} ({kind} to {im} {target}){instead} is {state}: {attempts}.",
        "推送 {id}（{kind}，发往 {im} {target}）{instead}{state}：{attempts}。";
    told_fallback_of(id): ", the fallback of push {id},", "，是推送 {id} 的备用，";
    told_push_line(id, what, target, instead, state, attempts):
        "Push {id} {what}{target}{instead} {state}{attempts}",
        "推送 {id} {what}{target}{instead} {state}{attempts}";
    told_what(kind, im): "{kind} to {im} ", "{kind}，发往 {im} ";
    told_for_push(id): ", the fallback of push {id},", "（代替推送 {id}）";
    told_no_attempt(): "no attempt was made", "没有尝试发送";
    told_no_attempt_yet(): "no attempt yet", "还没尝试发送";
    told_before_it(last, count, id):
        "{last}; {count} before it (`pushcron show {id}` has them all)",
        "{last}；此前还有 {count} 次（全部见 `pushcron show {id}`）";
    told_state(state, reason, next, end): "{state}{reason}{next}{end}", "{state}{reason}{next}{end}";
    told_why_so(reason, detail): " ({reason}{detail})", "（{reason}{detail}）";
    told_next_look(at): ", next looked at {at}", "，下次处理在 {at}";
    told_given_up(at): ", given up at {at}", "，到 {at} 放弃";
    told_proved(at): "sent, and its arrival was proved at {at}", "已发送，并于 {at} 证实送达";
    told_may_have_arrived(): ": it may have arrived, and nobody can tell", "（可能已送达，无法确定）";

    // Their attempts.
    told_attempt(number, late, account, rule, sender):
        "attempt {number}, {late} after the instant, went through account {account} ({rule}, sender {sender})",
        "第 {number} 次尝试，在该时刻 {late} 后，经由账号 {account}（{rule}，sender {sender}）";
    told_under_way(through): "{through} and is under way", "{through}，正在进行";
    told_came_to(through, outcome, took, details):
        "{through} and came to '{outcome}' after {took}{details}",
        "{through}，{took} 后结果为'{outcome}'{details}";
    told_error(error): "\"{error}\"", "\"{error}\"";
    told_message_id(id): "message id {id}", "消息 id {id}";
    told_denied(): "a person said that it did not arrive", "有人说没有送达";
    told_through(number, account, lateness): "({number}{account}, {lateness})", "（{number}{account}，{lateness}）";
    told_nth(number): "attempt {number}, ", "第 {number} 次，";
    told_early(time): "{time} early", "早 {time}";
    told_late(time): "{time} late", "晚 {time}";
    told_short_under_way(through): ": under way {through}", "：正在进行{through}";
    told_short_well(through): " {through}", "{through}";
    told_before(details): "; before it: {details}", "；此前：{details}";
    told_short(details, through): ": {details} {through}", "：{details}{through}";

    // Instants that came to nothing, a line each.
    all_was_sent(): "all of it was sent", "全部已发送";
    there_were_no_pushes(): "there were no pushes", "没有推送";
    unfired_and_until(count, until): " and {count} instants until {until}", "起到 {until} 的另外 {count} 个时刻";
    unfired_waits(job, at, wait): "{job}: {at} is not sent yet: {wait}", "{job}：{at} 还没发出：{wait}";
    unfired_for_content(): "its content or its recipients are still to be had", "内容或收件人还没取到";
    unfired_for_days(list):
        "its pushes wait for a list of days ({list}), 12h at most",
        "推送在等日历（{list}），最多等 12h";
    unfired_one(job, at, decision, why): "{job}: {at} was {decision}: {why}", "{job}：{at} {decision}：{why}";
    unfired_many(job, at, span, decision, why):
        "{job}: {at}{span} were {decision}: {why}",
        "{job}：{at} {span}{decision}：{why}";
    undecided(job, at, more, why): "{job}: {at}{more}: {why}", "{job}：{at} {more}：{why}";
    undecided_alone(): " has no row", "没有记录";
    undecided_more_than(count):
        " and more than {count} instants after it have no row",
        "及其后 {count} 个以上的时刻没有记录";
    undecided_and(at): " and {at} have no row", "和 {at} 没有记录";
    undecided_until(count, at): " and {count} instants until {at} have no row", "起到 {at} 的另外 {count} 个时刻没有记录";
    undecided_by_daemon():
        "the daemon that runs has not decided about it yet (`pushcron status`)",
        "正在运行的守护进程还没有判定（`pushcron status`）";
    undecided_no_daemon(): "no daemon has run since", "此后没有守护进程运行过";
}

#[cfg(test)]
mod tests {
    /// Commands, keys and names of tables, which are typed and looked up as they are in every language.
    const OURS: &[&str] = &[
        "pushcron",
        "explain",
        "ledger",
        "fire",
        "show",
        "status",
        "fires",
        "max_fires",
        "keep_history",
        "misfire",
        "until",
        "sender",
        "id",
        "sha256",
        "h",
    ];

    #[test]
    fn no_sentence_of_the_chinese_story_has_an_english_word_but_what_is_typed_so() {
        for (name, _, chinese) in super::ALL.iter().chain(crate::texts::notes::ALL) {
            // What is put in has its own language.
            let told: String = chinese
                .split('{')
                .enumerate()
                .map(|(nth, part)| if nth == 0 { part } else { part.split_once('}').unwrap().1 })
                .collect();
            let words = told.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            for word in words.filter(|word| word.contains(|c: char| c.is_ascii_alphabetic())) {
                assert!(OURS.contains(&word) || word == "12h" || ["dst_gap", "skip"].contains(&word), "{name}: {word}");
            }
        }
    }
}
