//! What people are told in Chinese, and when. What programs read stays as it is.

use insta::assert_snapshot;
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::house::{House, Told};

const FILE: &str = "\
daemon: {database: pushcron.db, timezone: UTC}
accounts:
  - {id: screen, im: qq, sender: console}
  - {id: closed, im: off, sender: onebot11, url: \"http://127.0.0.1:9\"}
jobs:
  - {name: 早报, cron: \"0 9 * * *\", push: {im: qq, group: 1, text: hi}}
";

/// As somebody whose locale that is.
fn told(house: &House, locale: &str, line: &str) -> Told {
    house.command(line.split_whitespace()).env("LANG", locale).output().unwrap().into()
}

#[test]
fn a_push_that_is_not_sent_is_told_in_the_language_of_the_locale() {
    let house = House::with_file(FILE);
    let run = told(&house, "zh_CN.UTF-8", "push --im off --group 1 --text hi --wait 1h");
    assert_eq!((run.code, run.out.as_str()), (Some(1), "0\n"));
    let why = "closed：get_status: cannot connect: Connection refused (os error 111)；处理好之后，用 `pushcron accounts --probe` 再查一次";
    let lines: Vec<&str> = run.err.lines().collect();
    // Why is said as soon as it is known, and at the end in any case.
    assert!(lines[0].starts_with("pushcron: 等待中：没有账号可以发送"), "{lines:?}");
    let end = format!("pushcron: 推送 1 已取消：没有账号能发送，也没有守护进程接着发；{why}");
    assert_eq!(lines.last(), Some(&end.as_str()), "{lines:?}");
    // The rows are the same for everybody.
    let rows: Vec<Value> = serde_json::from_str(&told(&house, "zh_CN.UTF-8", "history --json").fine()).unwrap();
    assert_eq!(
        (&rows[0]["state"], &rows[0]["reason"]),
        (&"cancelled".into(), &"no account could send it, and no daemon goes on".into())
    );
}

#[test]
fn the_status_stands_in_columns_in_chinese_too() {
    let house = House::with_file(FILE);
    assert!(told(&house, "", "push --im off --group 1 --text hi --wait 1h").code == Some(1));
    let status = told(&house, "zh_CN.UTF-8", "status").refused_with_words(69);
    let lines: Vec<&str> = status.lines().collect();
    assert_eq!(
        lines[..7],
        [
            "守护进程   未运行；不会触发任何任务；启动：`systemctl start pushcron`，或",
            "           `pushcron run`",
            "任务       0 个启用",
            "下次触发   无",
            "未结束     0 条推送",
            "结果不明   0 条推送",
            "失败       24 小时内 0 条推送",
        ],
        "{status}"
    );
    assert!(lines[7].starts_with("账号       closed（off）已掉线：get_status: cannot connect"), "{status}");
    assert_eq!(lines.last(), Some(&"时间按 UTC"), "{status}");
    for locale in ["zh_CN.UTF-8", ""] {
        for width in [40, 60, 80, 100] {
            let mut command = house.command(["status"]);
            let status = Told::from(command.env("LANG", locale).env("COLUMNS", width.to_string()).output().unwrap());
            let status = status.refused_with_words(69);
            assert!(status.lines().all(|line| line.width() <= width), "{locale} {width}: {status}");
            // What is to be copied is in one piece.
            assert!(status.contains("`systemctl start pushcron`") || width < 60, "{locale} {width}: {status}");
        }
    }
    let json = |locale: &str| {
        let told = told(&house, locale, "status --json");
        let mut json: Value = serde_json::from_str(&told.out).unwrap();
        json.as_object_mut().unwrap().remove("at");
        json
    };
    assert_eq!(json("zh_CN.UTF-8"), json(""));
}

#[test]
fn the_locale_says_the_language_and_the_files_where_it_says_none() {
    let house = House::with_file(FILE);
    house.write("zh.yaml", &FILE.replace("timezone: UTC", "timezone: UTC, language: zh"));
    assert!(told(&house, "", "push --im qq --group 1 --text hi").code == Some(0));
    for (locale, file, is_chinese) in [
        ("", "jobs.yaml", false),
        ("", "zh.yaml", true),
        ("C.UTF-8", "zh.yaml", true),
        ("POSIX", "zh.yaml", true),
        ("en_US.UTF-8", "zh.yaml", false),
        ("zh_TW.UTF-8", "jobs.yaml", true),
        ("de_DE.UTF-8", "jobs.yaml", false),
    ] {
        let status = told(&house, locale, &format!("-c {file} status")).out;
        assert_eq!(status.starts_with("守护进程"), is_chinese, "{locale} {file}: {status}");
        assert_eq!(status.starts_with("daemon"), !is_chinese, "{locale} {file}: {status}");
    }
}

#[test]
fn files_that_are_refused_are_told_in_the_language_that_they_say() {
    let house = House::with_file("daemon: {language: zh}\njobs: 3\n");
    let told = house.run("check").refused(78);
    assert!(told.contains("jobs：应为列表，实际是 '3'") && told.ends_with("配置被拒绝：1 个问题\n"), "{told}");
}

#[test]
fn the_summary_and_the_warnings_are_told_in_chinese() {
    let house = House::with_file(&FILE.replace("text: hi", "text: '今天是 {{ due }}'"));
    let run = told(&house, "zh_CN.UTF-8", "check");
    assert_eq!((run.code, run.out.as_str()), (Some(0), "没有问题：1 个文件，1 个任务，2 个账号，1 条警告\n"));
    assert!(run.err.starts_with("警告：jobs.yaml:6:") && run.err.contains("'{{' 像是模板，会原样发出"), "{}", run.err);
    let example = house.command(["check"]).env_remove("PUSHCRON_CONFIG").env("LC_ALL", "zh_CN.UTF-8").output().unwrap();
    assert!(Told::from(example).out.starts_with("你的文件一个都没有检查："));
}

/// The tables, and what stands below them; what they hold of others stays as it is.
#[test]
fn tables_and_what_is_known_of_a_push_are_told_in_chinese() {
    let house = House::lived_in();
    let told = |line: &str| told(&house, "zh_CN.UTF-8", line);
    for (name, line) in [
        ("jobs", "jobs"),
        ("accounts", "accounts"),
        ("history", "history"),
        ("history_wide", "history --wide"),
        ("show_failed", "show 5"),
        ("show_retried", "show 4"),
        ("show_open", "show 7"),
        ("acts", "acts"),
    ] {
        assert_snapshot!(name, told(line).fine());
    }
    for line in ["jobs --json", "history --csv", "show 4 --json", "accounts --json"] {
        assert_eq!(told(line).fine(), house.run(line).fine(), "{line}");
    }
    assert_eq!(told("history --job berlin --state failed").fine(), "没有推送\n");
}

#[test]
fn coming_fires_are_told_in_chinese() {
    let jobs = "accounts: [{id: s, im: console, sender: console}]\njobs:\n  \
                - {name: 夜里, cron: \"30 2 * * *\", timezone: Europe/Berlin, push: {im: console, user: u, text: hi}}\n  \
                - {name: 报警, on_demand: true, push: {im: console, user: u, text: hi}}\n  \
                - {name: 停用, every: 1h, enabled: false, push: {im: console, user: u, text: hi}}\n";
    let house = House::with_file(jobs);
    let told = |line: &str| told(&house, "zh_CN.UTF-8", line).fine();
    // Where somebody gets it gives way to what summer time does.
    let night = told("next 夜里 --from 2026-03-28 --until 2026-03-29");
    assert_eq!(
        night.lines().map(str::trim_end).collect::<Vec<_>>(),
        [
            "应发时间          任务  时间表      备注",
            "2026-03-28 02:30  夜里  30 2 * * *",
            "2026-03-29 03:00  夜里  30 2 * * *  2026-03-29 没有 02:30，在 03:00 触发",
            "时间按 Europe/Berlin",
        ],
        "{night}"
    );
    assert_eq!(told("next 报警"), "报警 没有时间表：只按需触发（`pushcron fire 报警`）\n");
    assert!(told("next").ends_with("1 个任务已停用\n1 个任务只按需触发\n"), "{}", told("next"));
}

#[test]
fn what_was_done_is_told_in_chinese() {
    let house = House::lived_in();
    let run = |line: &str| told(&house, "zh_CN.UTF-8", line);
    assert_eq!(run("pause daily-report").fine(), "daily-report 已暂停\n");
    assert_eq!(run("pause daily-report").fine(), "daily-report 本来就是暂停的\n");
    assert_eq!(run("resume daily-report").fine(), "daily-report 已恢复\n");
    let retried = run("retry 5");
    assert_eq!((retried.code, retried.out.as_str()), (Some(0), "推送 5 会再试一次\n"));
    assert_eq!(retried.err, "pushcron: 没有守护进程在用这个数据库；启动后会发送\n");
    assert_eq!(run("cancel 5").fine(), "推送 5 已取消\n");
    assert_eq!(run("resolve 6 sent").fine(), "推送 6 已确认送达\n");
    assert_eq!(run("retry").refused(64), "pushcron: 哪些推送？请写出编号，或用 --job、--at、--since、--state 等说明\n");
}
