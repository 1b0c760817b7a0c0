//! What was expected of a value, and what came.

use super::text::texts;

texts! {
    expected_got(key, expected, got): "{key}: expected {expected}, got {got}", "{key}：应为{expected}，实际是{got}";
    expected(key, expected): "{key}: expected {expected}", "{key}：应为{expected}";
    of_key(key, problem): "{key}: {problem}", "{key}：{problem}";
    of_file_of_key(key, path, problem): "{key}: {path}: {problem}", "{key}：{path}：{problem}";
    got_value(value): "{value}", " {value}";
    nothing(): "nothing", "空值";
    between(): ", ", "，";
    more(count): "{count} more", "另有 {count} 个";
    unknown_key(key, owner): "unknown key {key} in {owner}", "{owner}里没有键 {key}";
    unknown_top_key(key): "unknown key {key} at the top", "顶层没有键 {key}";
    key_twice(key): "the key {key} is there twice", "键 {key} 出现了两次";
    set_twice(key): "{key} is set twice", "{key} 设置了两次";
    set_twice_in(owner, key): "{owner}: {key} is set twice", "{owner}：{key} 设置了两次";
    needs_the_key(owner, key): "{owner} needs the key {key}", "{owner}缺少键 {key}";

    a_text(): "a text", "文本";
    a_list(): "a list", "列表";
    a_mapping(): "a mapping", "映射";
    a_bool(): "a bool", "布尔值";
    a_number(): "a number", "数字";
    an_empty_list(): "an empty list", "空列表";
    true_or_false(): "true or false", " true 或 false";
    a_whole_number(): "a whole number", "整数";
    whole_number_from(from): "a whole number from {from}", "不小于 {from} 的整数";
    whole_number(from, to): "a whole number from {from} to {to}", " {from} 到 {to} 的整数";
    number(from, to): "a number from {from} to {to}", " {from} 到 {to} 的数";
    a_duration(): "a duration such as 30s, 10m or 1h30m", "时长，如 30s、10m 或 1h30m";
    a_duration_from(least): "a duration of at least {least}", "至少 {least} 的时长";
    at_most_an_hour(): "a duration of at most 1h", "至多 1h 的时长";
    a_timeout(): "a duration such as 8s, or milliseconds", "时长，如 8s，或毫秒数";
    timeout_range(): "between 100ms and 1h", " 100ms 到 1h 之间";
    whole_seconds(): "whole seconds, at least 1s", "整秒，至少 1s";
    a_size(): "a size such as 20MB or 512MiB", "大小，如 20MB 或 512MiB";
    content_size(): "a size from 1 to 1MiB", " 1 到 1MiB 的大小";
    one_of(words): "{words}", "以下之一：{words}";
    one_of_a_few(): "one of a few words", "几个固定词之一";
    a_path(): "a path", "路径";
    a_name():
        "a name of 1 to 128 printable characters without '/' and outer spaces, other than '.' and '..'",
        " 1 到 128 个可见字符的名字，不含 '/'，首尾没有空格，也不是 '.' 或 '..'";
    outside_the_years(key, text):
        "{key}: {text} lies outside the years that can be told: expected a time from 0001-01-02 to 9999-12-29",
        "{key}：{text} 超出了能表示的年份：应在 0001-01-02 到 9999-12-29 之间";
    an_id(): "an id of at most 256 printable characters without outer spaces", "至多 256 个可见字符的 id，首尾没有空格";
    an_id_of_any(): "an id", " id";
    a_zone(): "the name of a zone such as Asia/Shanghai", "时区名，如 Asia/Shanghai";
    a_date_and_time(): "a date and time such as 2026-12-24T18:00", "日期和时间，如 2026-12-24T18:00";
    an_http_address(): "an http or https address", " http 或 https 地址";
    expected_http(key): "{key}: expected an http or https address", "{key}：应为 http 或 https 地址";
    expected_https(): "expected an address that begins with https://", "应为以 https:// 开头的地址";
    address_not_public(host, kind):
        "{host}: nothing is fetched from {kind} addresses", "{host}：不从{kind}获取任何内容";
    expected_host(key): "{key}: expected an address with a host", "{key}：地址里缺少主机名";
    expected_address(key): "{key}: expected an address such as http://127.0.0.1:3000", "{key}：应为地址，如 http://127.0.0.1:3000";
    address_with_http(): "an address that begins with http:// or https://", "以 http:// 或 https:// 开头的地址";
    an_address_and_port(): "an address and a port such as 127.0.0.1:9464", "地址和端口，如 127.0.0.1:9464";
    texts_or_list(): "a text or a list of texts", "文本或文本列表";
    a_bare_file_name(): "a file name without a directory", "不带目录的文件名";
    a_media_type(): "a media type such as image/png", "媒体类型，如 image/png";
    no_regular_expression(key, error): "{key}: this is no regular expression: {error}", "{key}：这不是正则表达式：{error}";

    literal_dollar(): "for a literal '${' write '$${'", "要原样写 '${'，请写 '$${'";
    no_nul(key): "{key}: a text cannot hold a NUL character", "{key}：文本里不能有 NUL 字符";
    variable_not_set(key, name): "{key}: the environment variable {name} is not set", "{key}：环境变量 {name} 没有设置";
    expected_variable(key):
        "{key}: expected ${{NAME}} with the name of an environment variable",
        "{key}：应为 ${{NAME}}，NAME 是环境变量名";
    expected_variable_names(key):
        "{key}: expected names of environment variables, without '$' and braces",
        "{key}：应为环境变量名，不带 '$' 和花括号";
    no_variable_name(name): "env: {name} is no name of an environment variable", "env：{name} 不是环境变量名";
    export_it(): "export it, or have the unit set it: EnvironmentFile=PATH", "请 export 它，或让 systemd 单元设置：EnvironmentFile=PATH";
}
