//! What is wrong with schedules, zones and calendars.

use super::text::texts;

texts! {
    // Cron.
    cron_empty():
        "the schedule is empty; expected five fields (minute hour day month weekday) or a macro such as @daily",
        "时间表是空的；应为五个字段（分 时 日 月 周），或 @daily 之类的宏";
    cron_field_count(found, year):
        "expected 5 fields (minute hour day month weekday), or 6 with seconds first, found {found}{year}",
        "应为 5 个字段（分 时 日 月 周），或秒在最前的 6 个字段，实际有 {found} 个{year}";
    cron_no_year(): "; a year is not supported", "；不支持年";
    cron_field(field, expected, found): "{field}: expected {expected}, found '{found}'", "{field}：应为 {expected}，实际是 '{found}'";
    cron_meant(field, problem, meant, found):
        "{field}: {problem}: write '{meant}', found '{found}'",
        "{field}：{problem}：请写 '{meant}'，实际是 '{found}'";
    cron_zone_inside(zone):
        "a zone does not stand in the cron text; write 'timezone: {zone}' beside it",
        "时区不写在 cron 文本里；请在旁边写 'timezone: {zone}'";
    cron_every_inside(period):
        "@every does not stand in a cron text; write 'every: {period}' instead of cron",
        "@every 不写在 cron 文本里；请用 'every: {period}' 代替 cron";
    cron_comment_inside(): "a comment belongs outside of the quotes", "注释要写在引号外面";
    cron_unknown_macro(found, near): "unknown macro '{found}'{near}", "没有宏 '{found}'{near}";
    and_did_you_mean(near): "; did you mean '{near}'?", "；是不是想写 '{near}'？";
    cron_reboot():
        "@reboot is not a time: a restart of the daemon must not send messages; use a cron text, `every` or `at`",
        "@reboot 不是时间：守护进程重启不应发消息；请用 cron 文本、`every` 或 `at`";
    never_fires(text):
        "'{text}' never fires: no such day exists, or the clock always skips that time",
        "'{text}' 永远不会触发：没有这样的日子，或那个时刻总被跳过";
    period_too_short(ms): "the period must be at least 1s, found {ms}ms", "周期至少 1s，实际是 {ms}ms";
    calendar_of_another_load(name):
        "the calendar '{name}' is not there in the version that this job was loaded with",
        "日历 '{name}' 没有加载这个任务时的那个版本";
    days_beside_workdays(found, calendar):
        "workdays take the place of the day fields: expected '*' or 1-5 in them, found '{found}'; to keep the days and leave out those off, write 'only: {calendar}.workdays' instead",
        "workdays 会取代日期字段：它们应为 '*' 或 1-5，实际是 '{found}'；要保留这些日子并去掉休息日，请改写 'only: {calendar}.workdays'";
    unknown_zone(name, near): "unknown time zone '{name}'{near}", "没有时区 '{name}'{near}";
    and_expected_a_zone(): "; expected the name of a place such as Asia/Shanghai, or UTC", "；应为地名，如 Asia/Shanghai，或 UTC";
    cron_of_variables():
        "cron: with its variables replaced this is no schedule that ever fires",
        "cron：变量替换后，它永远不会触发";
    every_second(): "this fires every second of each minute that it names", "这会在所指的每一分钟里每秒都触发";
    zero_for_the_seconds(): "write 0 for the seconds, or 'every: 1s' if it is meant", "秒字段请写 0；如果就是要这样，请写 'every: 1s'";
    uneven_step(name, field, values, rest, step):
        "{name}: '{field}' begins anew each {values}, so that every last wait is {rest} and not {step}",
        "{name}：'{field}' 每 {values} 个一轮重新开始，每轮最后一次只隔 {rest}，而不是 {step}";
    even_step(values, every): "take a step that divides {values}{every}", "请用能整除 {values} 的步长{every}";
    or_every(step, unit): ", or write 'every: {step}{unit}'", "，或写 'every: {step}{unit}'";
    weekday_of_quartz():
        "a weekday in numbers beside '?', as in Quartz, where 1 is Sunday: here 1 is Monday",
        "'?' 旁边用数字写星期，像 Quartz 那样 1 是星期日：这里 1 是星期一";
    write_names(named): "this is {named}: write names, which are the same everywhere", "这是 {named}：请写名称，它们在哪里都一样";

    // Zones.
    zone_of_the_factory(): "Factory stands for a machine whose zone was never set", "Factory 表示机器的时区从未设置";
    name_a_place(): "name a place, such as Asia/Shanghai", "请写地名，如 Asia/Shanghai";
    name_a_clear_place():
        "name a place, such as Asia/Shanghai, which nobody reads the other way round",
        "请写地名，如 Asia/Shanghai，不会有人看反";
    reversed_zone(name, hours, side, sign):
        "{name} is {hours} hours {side} of Greenwich, UTC{sign}{hours}",
        "{name} 是{side} {hours} 区，即 UTC{sign}{hours}";
    west(): "west", "西";
    east(): "east", "东";

    // When a job fires.
    at_is_past(key, at): "{key}: {at} is past, so this job will not fire", "{key}：{at} 已经过去，这个任务不会触发";
    until_before_from(until):
        "until: {until} is before 'from', so that this job would never fire",
        "until：{until} 早于 'from'，这个任务永远不会触发";
    life_with_at():
        "a job with 'at' has one instant: from, until and max_fires go with cron and every",
        "用 'at' 的任务只有一个时刻：from、until 和 max_fires 只能与 cron、every 同用";
    life_on_demand():
        "a job with 'on_demand' has no instants: from, until and max_fires go with cron and every",
        "用 'on_demand' 的任务没有时刻：from、until 和 max_fires 只能与 cron、every 同用";
    no_days_with_at():
        "a job with 'at' has one instant: calendars go with cron and every",
        "用 'at' 的任务只有一个时刻：日历只能与 cron、every 同用";
    no_days_on_demand():
        "a job with 'on_demand' has no days: calendars go with cron and every",
        "用 'on_demand' 的任务没有日期：日历只能与 cron、every 同用";
    no_days_with_every():
        "a job with 'every' has no days to choose: only 'only' and 'except' go with it",
        "用 'every' 的任务不能挑日子：只能与 'only' 和 'except' 同用";
    needs_workdays(name):
        "{name} says nothing by itself: expected 'workdays: NAME' beside it",
        "{name} 单独没有意义：旁边要有 'workdays: NAME'";
    such_as_workdays(): "such as workdays: cn", "例如 workdays: cn";
    nth_form():
        "a number such as 1 for the first workday of each month, or -1 for the last",
        "数字，如 1 表示每月第一个工作日，-1 表示最后一个";
    some_days():
        "days such as 2026-12-24 or 2026-12-28..2026-12-31, or those of a calendar: cn.workdays, cn.holidays, cn.rest, cn.makeup",
        "日期，如 2026-12-24 或 2026-12-28..2026-12-31，或日历里的日子：cn.workdays、cn.holidays、cn.rest、cn.makeup";

    // Calendars.
    a_calendar(): "a calendar", "日历";
    a_year(): "a year", "年份";
    a_day(): "a day such as 2026-12-24", "日期，如 2026-12-24";
    a_day_or_days():
        "a day such as 2026-12-24 or days such as 2026-12-28..2026-12-31",
        "日期，如 2026-12-24，或一段日期，如 2026-12-28..2026-12-31";
    a_day_of_the_year(): "a day such as 10-01 or days such as 10-01..10-07", "日期，如 10-01，或一段日期，如 10-01..10-07";
    calendar_name():
        "calendars: expected a name of letters, digits, '_' and '-'",
        "calendars：名字只能有字母、数字、'_' 和 '-'";
    twin_calendars(name): "there are two calendars with the name {name}", "有两个日历都叫 {name}";
    as_the_file_is_called(name): "{name}, as the file is called", " {name}，与文件同名";
    belongs_to_a_url(key):
        "{key} belongs to a calendar with a url, and there is none",
        "{key} 属于有 url 的日历，而这里没有 url";
    ics_or_url():
        "a calendar comes from a file or from an address: expected ics or url",
        "日历要么来自文件，要么来自地址：ics 和 url 只写一个";
    not_fetched_yet(name): "url: the calendar {name} was not fetched yet", "url：日历 {name} 还没有获取过";
    a_daemon_fetches_it():
        "a running daemon fetches it; until then on_missing_calendar holds (weekdays unless you say otherwise)",
        "运行中的守护进程会去获取；在此之前按 on_missing_calendar 处理（默认 weekdays，即按星期）";
    not_fetched_since(name, at):
        "url: the calendar {name} could not be fetched since {at}, and is used as it was then",
        "url：日历 {name} 自 {at} 起没能获取，仍用当时的内容";
    the_last_try(error): "the last try: {error}", "最近一次尝试：{error}";
    not_tried_since(name, at):
        "url: the calendar {name} was fetched last at {at}, and nobody tried since; it is used as it was then",
        "url：日历 {name} 最近一次获取是在 {at}，此后没有人再试过；仍用当时的内容";
    a_daemon_tries_again(): "a running daemon fetches it once it is due (every)", "运行中的守护进程会在到期时（every）去获取";
    expected_year(): "years: expected a year such as 2026", "years：应为年份，如 2026";
    covers_form(): "a year such as 2026, or {from: …, until: …}", "年份，如 2026，或 {from: …, until: …}";
    covers_needs_both():
        "covers: expected from and until, the first and the last day of the list",
        "covers：要有 from 和 until，即日历的第一天和最后一天";
    weekend_of(known): "weekend: expected some of {known}", "weekend：应为以下若干项：{known}";
    weekend_of_seven():
        "weekend: expected at most six days: with all seven nobody ever works",
        "weekend：至多六天：七天都算就没人上班了";
    based_on_itself(name): "based_on: the calendar {name} is based on itself in the end", "based_on：日历 {name} 最终以它自己为基础";
    no_such_calendar(name): "there is no calendar {name}", "没有日历 {name}";
    name_the_calendar(name):
        "name it under 'calendars:', or put its list into calendars/{name}.yaml beside this file",
        "请在 'calendars:' 下定义它，或把它放进这个文件旁边的 calendars/{name}.yaml";
    calendar_ends_so(name, until): "the calendar {name} ends on {until}: no list says yet what comes then", "日历 {name} 只到 {until}：之后的安排还没有公布";
    take_a_new_list():
        "`pushcron calendar import` takes a new list; until then on_missing_calendar holds (weekdays unless you say otherwise)",
        "有了新日历，用 `pushcron calendar import` 导入；在此之前按 on_missing_calendar 处理（默认 weekdays，即按星期）";
    calendar_day_is_both(name, day):
        "the calendar {name} has {day} both as a day off and as a workday",
        "日历 {name} 把 {day} 既算休息日又算工作日";
    covers_gap(gap): "covers: {gap}, this one and the one that it is based on", "covers：{gap}（它与它的基础日历）";
    other_count_of_workdays(name, found, year, count):
        "workdays: {name} has {found} workdays in {year}, and says {count}",
        "workdays：{name} 在 {year} 年有 {found} 个工作日，而写的是 {count}";
    odd_count_of_workdays(found, year, least, most):
        "the calendar cn has {found} workdays in {year}: expected {least} to {most}",
        "日历 cn 在 {year} 年有 {found} 个工作日：应为 {least} 到 {most} 个";
    list_is_older(version):
        "this list is older than the one that pushcron brings along ({version}), which is used",
        "这份日历比 pushcron 自带的（{version}）旧，用的是自带的";
    remove_the_list(): "remove it, or give it the version of its day", "请删掉它，或写上它的日期作为 version";
    ics_needs_covers():
        "ics: expected 'covers' beside it: the years of which the list knows",
        "ics：旁边要有 'covers'：日历包含哪些年份";
    such_as_covers(): "such as covers: 2026", "例如 covers: 2026";
    ics_unusable(name, problem): "ics: {name} {problem}", "ics：{name} {problem}";
    ics_problem(name, line, problem): "ics: {name}:{line}: {problem}", "ics：{name}:{line}：{problem}";
    ics_day_is_both(name, day):
        "ics: {name} has {day} both as a day off and as a workday",
        "ics：{name} 把 {day} 既算休息日又算工作日";
    ics_names_no_day(name, from, until): "ics: {name} names no day from {from} to {until}", "ics：{name} 里没有 {from} 到 {until} 的日子";

    // Days with two names.
    of_calendar(name, problem): "the calendar {name}: {problem}", "日历 {name}：{problem}";
    days_with_two_names(count, first):
        "{count} day off stands there under two names, and has both: {first}"
            | "{count} days off stand there under two names, and have both: the first is {first}",
        "有 {count} 个休息日写了两个名字，两个都保留：第一个是 {first}";
}
