//! What is said of `daemon.web`, and of pushes that come over HTTP.

use super::text::texts;

texts! {
    an_octal_mode(): "an octal mode such as \"0660\"", "八进制权限，如 \"0660\"";
    a_public_url(): "https://HOST, perhaps with a path", " https://主机名，可以带路径";
    most_body(): "max_body: expected at most 64MiB", "max_body：最大 64MiB";
    web_needs_listen(): "web: expected listen", "web：缺少 listen";
    ways_to_listen(): "'listen: 127.0.0.1:8600', or 'listen: unix:/PATH'", "写成 'listen: 127.0.0.1:8600' 或 'listen: unix:/PATH'";
    nobody_is_answered():
        "without tokens and users the API answers nobody, and the page only whom `pushcron web open` lets in",
        "没有 token 也没有用户：API 谁也不答，网页只有 `pushcron web open` 放行的人能进";
    make_a_web_token():
        "make one: 'pushcron web token NAME', or 'pushcron web password NAME'",
        "生成一个：'pushcron web token NAME'，或 'pushcron web password NAME'";
    twin_users(): "users: two of them have the same name", "users：有两个的 name 相同";
    a_password_hash():
        "$argon2id$v=19$m=…,t=…,p=…$…$…: `pushcron web password` tells it",
        " $argon2id$v=19$m=…,t=…,p=…$…$…，由 `pushcron web password` 给出";
    incomplete_user(): "users: expected name, password and scope", "users：要有 name、password 和 scope";
    a_socket_path(): "unix: and an absolute path of at most 100 bytes", " unix: 加绝对路径，至多 100 字节";
    an_address_or_socket():
        "an address and a port such as 127.0.0.1:8600, or unix:/PATH", "地址和端口，如 127.0.0.1:8600，或 unix:/PATH";
    open_without_tls():
        "the API listens where other machines reach it without TLS", "其他机器可以不经 TLS 访问这个 API";
    reach_it_here():
        "let the proxy reach it on a loopback address or a unix socket", "请让代理通过回环地址或 unix socket 访问它";
    listen_here_only():
        "listen: expected a loopback address or a unix socket, since there is no TLS here",
        "listen：这里没有 TLS，应为回环地址或 unix socket";
    publish_by_proxy():
        "let a proxy on this host publish it, and say 'public_url: https://HOST'",
        "请由本机的代理对外提供，并写上 'public_url: https://HOST'";
    expected_addresses(key): "{key}: expected addresses such as 127.0.0.1", "{key}：应为地址，如 127.0.0.1";
    twin_tokens():
        "tokens: two of them have the same name or the same sha256", "tokens：有两个的 name 或 sha256 相同";
    a_sha256(): "64 hex digits: `pushcron web token` tells them", " 64 位十六进制数，由 `pushcron web token` 给出";
    incomplete_token(): "tokens: expected name, sha256 and scope", "tokens：要有 name、sha256 和 scope";
    im_and_target(key):
        "{key}: expected an im and a target such as 'qq group:123456'", "{key}：应为 im 和目标，如 'qq group:123456'";
    no_local_media():
        "a file of this machine is sent by jobs and `pushcron push` alone",
        "本机的文件只能由任务或 `pushcron push` 发送";
    no_content_over_http():
        "a job over HTTP says what it says: content_from runs commands and reads files of the daemon's machine",
        "经 HTTP 添加的任务只能写固定内容：content_from 会在 daemon 的机器上运行命令、读取文件";
    no_templates_over_http():
        "a job over HTTP says what it says: render knows variables of the daemon's machine",
        "经 HTTP 添加的任务只能写固定内容：render 能读到 daemon 机器上的变量";
    write_it_in_the_files():
        "write such a job in the files, or make it with `pushcron add -f`", "请把这样的任务写进配置文件，或用 `pushcron add -f` 添加";
    lies_beside(key, what):
        "{key}: {what} lies beside the text, and is not looked at here", "{key}：这里只看粘贴的文本，不看{what}";
    too_many_templates():
        "the templates from here on are too many to be tried here", "模板太多，从这里起的不再试";
    the_program(): "the program", "这个程序";
    the_directory(): "the directory", "这个目录";
    the_include(): "what it includes", "它引入的文件";
    check_it_there():
        "leave it out to try the rest, or run `pushcron check` on the machine of the daemon",
        "去掉它可以先试其余部分；完整检查请在守护进程所在的机器上运行 `pushcron check`";
    give_an_address():
        "give an http(s) address, base64://… or data:…;base64,…", "请给出 http(s) 地址、base64://… 或 data:…;base64,…";
}
