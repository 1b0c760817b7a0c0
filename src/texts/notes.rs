//! What the clock and the lists of days say of an instant; what rows keep of a schedule, a source and a day in English words.

use super::text::{Text, texts};

texts! {
    clock_twice(time, date): "the clock shows {time} twice on {date}", "{date} 这天时钟两次走到 {time}";
    clock_skips(time, date): "{time} does not exist on {date}: the clock skips it", "{date} 没有 {time}：时钟跳过了它";
    dst_moved(time, date, fires): "{time} does not exist on {date}, fires at {fires}", "{date} 没有 {time}，在 {fires} 触发";
    dst_left(time, date): "{time} does not exist on {date}", "{date} 没有 {time}";
    dst_first_of_two(time): "first of two {time}s", "两次 {time} 中的第一次";
    dst_second_of_two(time): "second of two {time}s", "两次 {time} 中的第二次";

    note_skipped_in_gap():
        "skipped: its time does not exist on that day (dst_gap: skip)",
        "跳过：当天没有这个时刻（dst_gap: skip）";
    note_more(more): "{more} more by then", "到那时还有 {more} 次";

    day_of_list(list, said): "{list}: {said}", "{list}：{said}";
    day_is_off(): "day off", "休息日";
    day_not_wanted(): "not a day for this job", "不是这个任务要的日子";
    day_made_up(): "make-up workday", "调休上班";
    day_without_list(year, then): "no list for {year}: {then}", "没有 {year} 年的日历：{then}";
    day_weekdays_assumed(): "weekdays assumed", "按星期处理";
    day_skipped(): "skipped", "跳过";
    day_held(): "held", "等待";

    schedule_every(period): "every {period}", "每 {period}";
    schedule_at(at): "at {at}", "在 {at}";
    schedule_on_demand(): "on demand", "按需";
    source_command(program): "command {program}", "命令 {program}";
    source_address(at): "address at {at}", "地址 {at}";
    source_file(path): "file {path}", "文件 {path}";
    source_file_of_age(path, seconds): "file {path}, at most {seconds} s old", "文件 {path}（至多 {seconds} 秒前）";
}

/// A schedule as rows keep it in words. A text of cron is the same in every language.
pub(crate) fn schedule_words(stored: &str) -> Text {
    let of = |before: &str| stored.strip_prefix(before).map(str::to_owned);
    let one = of("every ").map(schedule_every).or_else(|| of("at ").map(schedule_at));
    let one = one.or_else(|| (stored == "on demand").then(schedule_on_demand));
    one.unwrap_or_else(|| Text::same(stored.to_owned()))
}

/// Where content and recipients come from, as rows keep it in words.
pub(crate) fn source_words(stored: &str) -> Text {
    let of = |before: &str| stored.strip_prefix(before);
    if let Some(program) = of("command ") {
        return source_command(program);
    }
    if let Some(at) = of("address at ") {
        return source_address(at);
    }
    let Some(file) = of("file ") else { return Text::same(stored.to_owned()) };
    let aged = file.strip_suffix(" s old").and_then(|file| file.rsplit_once(", at most "));
    match aged.filter(|(_, seconds)| seconds.bytes().all(|digit| digit.is_ascii_digit())) {
        Some((path, seconds)) => source_file_of_age(path, seconds),
        None => source_file(file),
    }
}

/// What a list of days had to say, as rows keep it in words: the name of a day off is the list's own.
pub(crate) fn day_words(stored: &str) -> Text {
    let Some((list, said)) = stored.split_once(": ") else { return Text::same(stored.to_owned()) };
    day_of_list(list, said_of_day(said))
}

fn said_of_day(said: &str) -> Text {
    let known = [day_is_off(), day_not_wanted(), day_made_up()];
    if let Some(known) = known.into_iter().find(|known| known.english() == said) {
        return known;
    }
    let without = said.strip_prefix("no list for ").and_then(|rest| rest.split_once(": "));
    let then = [day_weekdays_assumed(), day_skipped(), day_held()];
    let found = without.and_then(|(year, word)| {
        let then = then.into_iter().find(|then| then.english() == word)?;
        Some(day_without_list(year, then))
    });
    found.unwrap_or_else(|| Text::same(said.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rows_keep_in_words_stays_so_in_english_and_is_told_in_chinese() {
        let told: [(fn(&str) -> Text, &str, &str); 15] = [
            (schedule_words, "every 5m", "每 5m"),
            (schedule_words, "at 2026-12-24T10:00:00.000Z", "在 2026-12-24T10:00:00.000Z"),
            (schedule_words, "on demand", "按需"),
            (schedule_words, "0 9 * * MON-FRI", "0 9 * * MON-FRI"),
            (source_words, "command /opt/say", "命令 /opt/say"),
            (source_words, "address at https://example.org", "地址 https://example.org"),
            (source_words, "file /tmp/a, at most b", "文件 /tmp/a, at most b"),
            (source_words, "file /tmp/a, at most 60 s old", "文件 /tmp/a（至多 60 秒前）"),
            (source_words, "of old", "of old"),
            (day_words, "cn: 国庆节", "cn：国庆节"),
            (day_words, "cn: day off", "cn：休息日"),
            (day_words, "own: make-up workday", "own：调休上班"),
            (day_words, "own: not a day for this job", "own：不是这个任务要的日子"),
            (day_words, "cn: no list for 2031: held", "cn：没有 2031 年的日历：等待"),
            (day_words, "cn: no list for 2031: weekdays assumed", "cn：没有 2031 年的日历：按星期处理"),
        ];
        for (words, stored, chinese) in told {
            assert_eq!((words(stored).english(), words(stored).chinese()), (stored, chinese));
        }
    }
}
