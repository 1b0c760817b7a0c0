//! What is wrong with the script of a simulation, and with a list of days that somebody imports.

use super::text::texts;

texts! {
    a_script(): "a script", "剧本";
    an_event(): "an event", "事件";
    names_of_senders(): "latency (names of senders)", "latency（sender 名）";
    at_most_ten_minutes(): "at most 10m", "至多 10m";
    event_is_one_of():
        "an event is one of: account with is, answers, inbound, daemon, clock",
        "事件是以下之一：account 加 is、answers、inbound、daemon、clock";
    event_with_its_time():
        "each with its time: from and until (or for), or at where it happens at once; see docs/simulate.md",
        "都要写时间：from 和 until（或 for），一下子发生的写 at；见 docs/simulate.md";
    event_ends_early(from):
        "an event ends after it begins: expected until later than {from}",
        "事件要先开始再结束：until 应晚于 {from}";
    no_account_of(key, id): "{key}: there is no account {id}", "{key}：没有账号 {id}";
    no_account_of_im(im): "im: there is no account of the im {im}", "im：没有 im 为 {im} 的账号";
    answers_form():
        "answers: expected an outcome, or a mapping such as {throttled: 30s}",
        "answers：应为一种结果，或映射，如 {throttled: 30s}";
    a_step(): "a step such as -2h or +30m", "时间差，如 -2h 或 +30m";

    name_of_the_import():
        "a calendar's name has letters, digits, '_' and '-' only: say another with --name",
        "日历名只能有字母、数字、'_' 和 '-'：请用 --name 换一个";
    day_is_both(day): "it has {day} both as a day off and as a workday", "它把 {day} 既算休息日又算工作日";
    ics_covers_what(): "an iCalendar file does not say what it covers", "iCalendar 文件没有说明它包含哪些年份";
    say_its_year(): "say its year with --year, such as --year 2027", "请用 --year 说明年份，例如 --year 2027";
    json_of_holiday_cn(problem):
        "expected the JSON of holiday-cn (year, days with name, date, isOffDay): {problem}",
        "应为 holiday-cn 的 JSON（year、days，各有 name、date、isOffDay）：{problem}";
    names_no_day(year): "it names no day of {year}", "它没有 {year} 年的任何日子";
}
