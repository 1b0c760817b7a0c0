//! What is wrong with accounts and with the daemon's own settings.

use super::text::texts;

texts! {
    account_told_to_wait(account, until):
        "{account} rests until {until}: its platform told it to wait",
        "{account} 停发到 {until}：平台要求等待";
    account_told_to_wait_with(account, until, error):
        "{account} rests until {until}: its platform told it to wait: {error}",
        "{account} 停发到 {until}：平台要求等待：{error}";
    account_failing(account, until):
        "{account} rests until {until}: its attempts failed one after the other",
        "{account} 停发到 {until}：连续多次发送失败";
    account_failing_with(account, until, error):
        "{account} rests until {until}: its attempts failed one after the other: {error}",
        "{account} 停发到 {until}：连续多次发送失败：{error}";
    account_paced(account, until, interval):
        "{account} sends nothing before {until}: it sends one message in {interval}, and has just sent one",
        "{account} 在 {until} 之前不发送：它每 {interval} 只发一条，刚刚发过";

    an_account(): "an account", "账号";
    an_account_of(sender): "an account of sender {sender}", "sender 为 {sender} 的账号";
    not_encrypted(key): "{key}: tokens and messages travel without encryption", "{key}：token 和消息未经加密传输";
    use_https(): "use https", "请用 https";
    no_such_account(id): "there is no account {id}", "没有账号 {id}";
    account_of_another(id, own, im):
        "the account {id} is of the im {own}, and the push goes to {im}",
        "账号 {id} 的 im 是 {own}，而推送发往 {im}";
    down_and_used(accounts): "down, and jobs go by it: {accounts}", "已掉线，而有任务要用它：{accounts}";
    no_account_for(im): "there is no account for the im {im}", "im {im} 没有账号";
    accounts_are_of(ims): "accounts are of: {ims}", "有账号的 im：{ims}";
    twin_accounts(id): "there are two accounts with the id {id}", "有两个账号的 id 都是 {id}";
    twin_defaults(im): "there are two default accounts for the im {im}", "im {im} 有两个默认账号";
    cannot_send_kind(sender, kind, target, reason):
        "{sender} cannot send {kind} to {target}: {reason}",
        "{sender} 不能向{target}发送 {kind}：{reason}";
    a_group(): "a group", "群";
    a_user(): "a user", "用户";
    the_target(): "the target", "目标";
    with_its_variables(): ", with its variables replaced,", "（变量替换后）";
    wrong_target(shown, problem, expected, advice):
        "{shown} {problem}: expected {expected}{advice}",
        "{shown} {problem}：应为{expected}{advice}";
    and_write(meant): "; write {meant}", "；请写 {meant}";

    of_account(account, problem): "account {account}: {problem}", "账号 {account}：{problem}";
    no_sender_of_that_name(sender): "there is no sender '{sender}'", "没有名为 '{sender}' 的 sender";
    no_address(key, error): "{key}: not an address: {error}", "{key}：不是地址：{error}";
    not_for_a_header(key): "{key}: holds characters that no header can carry", "{key}：含有 HTTP 头不能携带的字符";
    required(key): "{key}: required", "{key}：必填";
    expected_number_from_one(key): "{key}: expected a number from 1", "{key}：应为不小于 1 的数";
    belong_together(one, other): "{one} and {other} belong together", "{one} 和 {other} 要一起给出";
    both_or_neither(one, other): "{one} and {other}: give both or neither", "{one} 和 {other}：要么都给，要么都不给";
    token_of_telegram():
        "token: expected one like 123456:ABC-DEF, without blanks or slashes",
        "token：应形如 123456:ABC-DEF，不含空格和斜杠";
    webhook_of_dingtalk():
        "url: expected the whole webhook address, with ?access_token=…",
        "url：应为完整的 webhook 地址，带 ?access_token=…";
    webhook_of_wecom():
        "url: expected the robot's webhook address, which ends in /webhook/send?key=…",
        "url：应为机器人的 webhook 地址，以 /webhook/send?key=… 结尾";
    a_number_of_bytes(key): "{key}: expected a number of bytes, 0 or more", "{key}：应为字节数，0 或更大";
    whsec(key): "{key}: expected whsec_ and base64", "{key}：应为 whsec_ 加 base64";
    form_of_a_header(): "header: expected 'Name: value'", "header：应为 'Name: value'";
    ip_and_port(key): "{key}: expected IP:PORT, such as 0.0.0.0:9898", "{key}：应为 IP:PORT，如 0.0.0.0:9898";

    no_directory_now(key, path): "{key}: {path} is no directory that can be read now", "{key}：{path} 不是目录，或现在无法读取";
    nobody_serves_numbers():
        "nobody serves the numbers that this is about", "没有设置在哪里提供指标，这个键不起作用";
    add_metrics_listen(): "add metrics_listen", "请加上 metrics_listen";
    numbers_open_to_others(address):
        "metrics_listen: {address} is reached by others, and nothing says who may read",
        "metrics_listen：其他机器可以访问 {address}，却没有写明谁可以读取";
    say_who_reads_numbers():
        "name networks with metrics_allow or a password with metrics_token_file, or listen on 127.0.0.1",
        "用 metrics_allow 写明网段，或用 metrics_token_file 设置口令，或只监听 127.0.0.1";
    metrics_token_twice(): "metrics_token: the token is set twice", "metrics_token：token 设置了两次";
    at_least_characters(key, least): "{key}: expected at least {least} characters", "{key}：至少要有 {least} 个字符";
    make_a_token(): "make one with 'openssl rand -hex 32'", "可以用 'openssl rand -hex 32' 生成";
    expected_networks(key):
        "{key}: expected networks such as 10.0.0.0/8, fd00::/8 or 192.168.1.7",
        "{key}：应为网段，如 10.0.0.0/8、fd00::/8 或 192.168.1.7";
    expected_one_network(key): "{key}: expected at least one network", "{key}：至少要有一个网段";
    heartbeat_url_twice(): "heartbeat: the url is set twice", "heartbeat：url 设置了两次";
    heartbeat_needs_url(): "heartbeat: expected a url", "heartbeat：缺少 url";
    on_failure_needs_one(): "on_failure: expected a push or a command", "on_failure：要有 push 或 command";
    program_and_arguments(): "a list: the program and its arguments", "列表：程序及其参数";
    expected_absolute_program(key): "{key}: expected the absolute path of a program first", "{key}：第一项应为程序的绝对路径";
    expected_program(key): "{key}: expected a program, got an empty list", "{key}：应为程序，实际是空列表";
    system_zone_unnamed():
        "the system's time zone has no name, so schedules without a timezone are read in UTC",
        "系统时区没有名字，没写 timezone 的任务按 UTC 计算";
    set_the_zone(): "set daemon.timezone", "请设置 daemon.timezone";
    max_backoff_below(): "max_backoff: expected at least as much as backoff", "max_backoff：不能小于 backoff";
}
