//! What `check` says beside the problems: how many there are, what was accepted, and what the database asks for.

use super::text::texts;

texts! {
    warning(problem): "warning: {problem}", "警告：{problem}";
    problems(count): "{count} problem" | "{count} problems", "{count} 个问题";
    problems_and_more(count): "{count} problems, and more: the rest was not looked at", "{count} 个问题，而且不止：其余部分没有检查";
    between_problems(): "; ", "；";
    configuration_refused(count): "the configuration is refused: {count}", "配置被拒绝：{count}";
    did_you_mean(near): "did you mean '{near}'?", "是不是想写 '{near}'？";
    with_other_place(message, words, name, line, column):
        "{message} ({words} {name}:{line}:{column})",
        "{message}（{words} {name}:{line}:{column}）";
    first_at(): "first at", "第一处在";
    other_one_at(): "the other one is at", "另一个在";
    group_is_at(): "the group is at", "group 在";
    to_is_at(): "to is at", "to 在";

    none_of_your_files():
        "NONE OF YOUR FILES WAS CHECKED: no -c, no $PUSHCRON_CONFIG and no /etc/pushcron names any, so that this is the built-in example",
        "你的文件一个都没有检查：没有 -c、$PUSHCRON_CONFIG 和 /etc/pushcron 指出任何文件，检查的是内置示例";
    by_the_example():
        "no -c, no $PUSHCRON_CONFIG and no /etc/pushcron names any file: this is told by the built-in example",
        "没有 -c、$PUSHCRON_CONFIG，也没有 /etc/pushcron：以下是按内置示例得出的";
    embedded_example(): "the embedded example", "内置示例";
    files(count): "{count} file" | "{count} files", "{count} 个文件";
    jobs(count): "{count} job" | "{count} jobs", "{count} 个任务";
    accounts(count): "{count} account" | "{count} accounts", "{count} 个账号";
    and_disabled(count): " ({count} disabled)", "（{count} 个停用）";
    and_warnings(count): ", {count} warning" | ", {count} warnings", "，{count} 条警告";
    fine(files, jobs, disabled, accounts, warnings):
        "fine: {files}, {jobs}{disabled}, {accounts}{warnings}",
        "没有问题：{files}，{jobs}{disabled}，{accounts}{warnings}";

    job_has_ended(name, fired, max):
        "job '{name}' has come to its end: it has fired {fired} times, and its max_fires is {max}",
        "任务 '{name}' 已经结束：触发了 {fired} 次，而 max_fires 是 {max}";
    accounts_not_looked_at(why):
        "which accounts the database asks for was not looked at: {why}",
        "没有检查数据库要用到哪些账号：{why}";
    job_of_a_verb(name, what, then): "job '{name}', which a verb made: {what}, so {then}", "用命令建的任务 '{name}'：{what}，因此{then}";
    fallback_of_it_waits(): "a fallback of it would wait in vain", "它的备用推送会白等";
    pushes_wait(): "its pushes wait in vain", "它的推送会白等";
    change_or_end_it(name):
        "change it (`pushcron edit {name} --account …`), or end it (`pushcron rm {name}`)",
        "请修改它（`pushcron edit {name} --account …`），或结束它（`pushcron rm {name}`）";
    open_pushes(count, of, what, then):
        "{count} open push{of}: {what}, so {then}" | "{count} open pushes{of}: {what}, so {then}",
        "{count} 条未结束的推送{of}：{what}，因此{then}";
    of_the_job(job): " of job '{job}'", "（任务 '{job}'）";
    fallback_waits(): "the fallback would wait in vain", "备用推送会白等";
    nothing_is_sent(): "nothing is sent", "什么都不会发出";
    bring_it_back():
        "bring the account back, or end them (`pushcron history --state pending`, `pushcron cancel`)",
        "请把账号加回来，或取消这些推送（`pushcron history --state pending`，`pushcron cancel`）";
    account_of_another_im(id, own, im): "the account '{id}' is of the im '{own}', not of '{im}'", "账号 '{id}' 的 im 是 '{own}'，不是 '{im}'";
    no_account_any_more(id): "there is no account '{id}' any more", "账号 '{id}' 已经不在了";
    no_account_for_im_any_more(im): "there is no account for the im '{im}' any more", "im '{im}' 已经没有账号了";

    // What `run` asks for beside the files.
    alarm_command_as_root():
        "daemon.on_failure.command is not run as root: run pushcron as a user of its own, or write `as_root: true` beside the command",
        "daemon.on_failure.command 不以 root 运行：请让 pushcron 以自己的用户运行，或在命令旁写 `as_root: true`";
    content_as_root(job):
        "job {job}: the command of its content or its recipients is not run as root: run pushcron as a user of its own, or write `as_root: true` beside the command",
        "任务 {job}：生成内容或名单的命令不以 root 运行：请让 pushcron 以自己的用户运行，或在命令旁写 `as_root: true`";
    check_as_that_user():
        "a daemon that runs as another user takes it: check as that user then",
        "以其他用户运行的守护进程会接受它：请以那个用户检查";
    no_files(known):
        "no configuration was named or found, and the database knows {known} jobs that the built-in example has not: name their files with -c or $PUSHCRON_CONFIG, or another database with --db",
        "没有指定也没有找到配置，而数据库里有 {known} 个内置示例没有的任务：请用 -c 或 $PUSHCRON_CONFIG 指定它们的文件，或用 --db 指定另一个数据库";
    no_directory_for_database(directory):
        "daemon.database: the directory {directory} is not there, and `pushcron run` makes none",
        "daemon.database：目录 {directory} 不存在，`pushcron run` 也不会创建它";
}
