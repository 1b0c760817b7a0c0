//! What people are told in Chinese, and when. What programs read stays as it is.

use serde_json::Value;

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
        lines[..6],
        [
            "守护进程   未运行；不会触发任何任务；启动：`systemctl start pushcron`，或 `pushcron run`",
            "任务       0 个启用",
            "下次触发   无",
            "未结束     0 条推送",
            "结果不明   0 条推送",
            "失败       24 小时内 0 条推送",
        ],
        "{status}"
    );
    assert!(lines[6].starts_with("账号       closed（off）已掉线：get_status: cannot connect"), "{status}");
    assert_eq!(lines.last(), Some(&"时间按 UTC"), "{status}");
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
