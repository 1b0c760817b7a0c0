//! What is wrong with files as such: YAML, includes, rights, secrets.

use super::text::texts;

texts! {
    // YAML.
    comment_cuts(key):
        "{key}: '#' begins a comment in YAML, so the text ends before it",
        "{key}：'#' 在 YAML 里是注释的开头，文本到它前面就结束了";
    put_it_in_quotes(): "put the text in quotes", "请给文本加引号";
    begins_a_comment():
        "'#' begins a comment in YAML: put a text that begins with it in quotes",
        "'#' 在 YAML 里是注释的开头：以它开头的文本请加引号";
    expected_a_value(): "expected a value", "这里应有一个值";
    expected_a_key(got): "expected a key, got {got}", "这里应是键，实际是{got}";
    braces_begin_two_mappings():
        "'{{' begins two mappings in YAML: put a template in quotes",
        "'{{' 在 YAML 里是两个映射的开头：模板请加引号";
    quote_a_brace(): "put the value in quotes if it begins with '{'", "以 '{' 开头的值请加引号";
    merge_wants_a_mapping(got): "'<<' merges a mapping, got {got}", "'<<' 合并的应是映射，实际是{got}";
    alias_inside_itself():
        "an alias cannot stand inside the value that its anchor names",
        "别名不能出现在它的锚点所指的值里";
    too_many_aliases(most):
        "the aliases of this configuration stand for more than {most} values",
        "配置里的别名展开后超过 {most} 个值";
    the_tag(tag): "the tag {tag}", "标签 {tag} ";
    this_tag(): "this tag", "这个标签";
    tag_means_nothing(tag): "{tag} has no meaning here", "{tag}在这里没有意义";
    begins_a_tag(): "'!' begins a tag in YAML: put a text in quotes", "'!' 在 YAML 里是标签的开头：文本请加引号";
    nested_too_deep(most): "values are nested deeper than {most} levels", "嵌套超过 {most} 层";
    no_such_anchor(): "this alias names an anchor that was not defined before", "这个别名所指的锚点前面没有定义";
    a_tab(): "a tab where YAML wants spaces", "YAML 要求用空格的地方用了制表符";
    indent_with_spaces(): "indent with spaces: YAML allows no tabs", "请用空格缩进：YAML 不允许制表符";
    quote_a_variable(): "inside {…} and […] a variable needs quotes: \"${NAME}\"", "在 {…} 和 […] 里，变量要加引号：\"${NAME}\"";
    colon_makes_a_key():
        "': ' makes a key of what stands before it: put a text in quotes that has it inside",
        "': ' 会把它前面的内容变成键：含有它的文本请加引号";
    dash_begins_a_list(): "'- ' begins a list in YAML: put a text in quotes", "'- ' 在 YAML 里是列表的开头：文本请加引号";
    quote_ends_the_text():
        "a text ends with its closing quote: put the whole of it in quotes of the other kind",
        "文本到右引号就结束了：请把整个文本放进另一种引号里";
    no_closing_quote(): "the closing quote is missing", "缺少右引号";
    look_at_the_indentation():
        "look at the indentation of this line and the one before: keys of one mapping begin in one column",
        "请看这一行和上一行的缩进：同一个映射的键要从同一列开始";
    not_yaml(message): "not YAML: {message}", "不是 YAML：{message}";
    begins_yaml(sign, what): "'{sign}' begins {what} in YAML: put a text in quotes", "'{sign}' 在 YAML 里是{what}的开头：文本请加引号";
    an_alias(): "an alias", "别名";
    an_anchor(): "an anchor", "锚点";
    a_directive(): "a directive", "指令";
    kept_for_later(sign):
        "'{sign}' begins nothing in YAML, and is kept for later: put a text in quotes",
        "'{sign}' 是 YAML 的保留字符，不能作开头：文本请加引号";
    begins_several_lines(sign):
        "'{sign}' begins a text of several lines in YAML: put a text of one line in quotes",
        "'{sign}' 在 YAML 里是多行文本的开头：单行文本请加引号";
    brace_begins_a_mapping():
        "'{' begins a mapping in YAML: put a template in quotes",
        "'{' 在 YAML 里是映射的开头：模板请加引号";
    too_many_keys(most): "a mapping with more than {most} keys", "映射里的键超过 {most} 个";

    // The document.
    nothing_in_this_file(): "there is nothing in this file", "这个文件是空的";
    nothing_here(key): "{key}: there is nothing here", "{key}：这里是空的";
    write_empty(key): "write '{key}: []' where that is meant", "如果就是要空着，请写 '{key}: []'";
    second_document(): "expected one YAML document in a file, got a second one", "一个文件只能有一个 YAML 文档，这里出现了第二个";
    remove_the_dashes(): "remove the '---'", "请删掉 '---'";
    expected_top(keys, got): "expected a mapping with some of {keys}, got {got}", "应为映射，含 {keys} 中的若干项，实际是{got}";
    rest_is_not_read(): "so many problems that the rest of this file is not read", "问题太多，文件的其余部分不再读取";
    expected_jobs_alone():
        "expected jobs alone: accounts, targets, calendars, defaults, daemon and include belong to the files of the daemon",
        "这里只能写任务：accounts、targets、calendars、defaults、daemon 和 include 应写在守护进程的配置文件里";
    expected_a_job(): "expected at least one job under 'jobs:'", "'jobs:' 下至少要有一个任务";

    // Reading.
    cannot_be_read(error): "cannot be read: {error}", "无法读取：{error}";
    not_a_regular_file(): "not a regular file", "不是普通文件";
    is_being_written(): "is being written: it changed each time while it was read", "正在被写入：每次读取时它都在变";
    not_utf8_from_here(): "the text is not UTF-8 from here on", "从这里开始不是 UTF-8";
    save_as_utf8(): "save the file as UTF-8", "请把文件存为 UTF-8";
    is_utf16(): "is UTF-16: save it as UTF-8", "是 UTF-16：请存为 UTF-8";
    file_too_large(most): "is larger than {most} MiB: split it with include", "超过 {most} MiB：请用 include 拆分";
    no_yaml_file(): "has no *.yaml or *.yml file", "里面没有 *.yaml 或 *.yml 文件";
    include_too_deep(most): "include: files include each other more than {most} deep", "include：文件互相包含超过 {most} 层";
    include_no_pattern(pattern, error): "include: {pattern} is no pattern: {error}", "include：{pattern} 不是通配模式：{error}";
    include_itself(path): "include: {path} includes itself in the end", "include：{path} 最终包含了它自己";
    include_others_only(): "let the pattern name other files only", "请让模式只匹配别的文件";
    include_a_directory(path): "include: {path} is a directory", "include：{path} 是目录";
    include_its_files(): "name its files: 'jobs.d/*.yaml'", "请写它里面的文件：'jobs.d/*.yaml'";
    must_be_there_to_read():
        "it must be there when the files are read; relative paths begin at the directory of the YAML file",
        "读取配置文件时它必须存在；相对路径从 YAML 文件所在目录算起";
    let_the_user_read_it():
        "let the user as whom pushcron runs read it, and look into its directories",
        "请让运行 pushcron 的用户能读它，并能进入它所在的各级目录";
    include_unreadable(path, error): "include: {path} cannot be read: {error}", "include：{path} 无法读取：{error}";
    include_no_file(pattern): "include: there is no file {pattern}", "include：没有文件 {pattern}";
    include_lost(name, count, key):
        "include: '{name}' leads to no file any more, and {count} {key} in force came from there",
        "include：'{name}' 已经匹配不到任何文件，而正在生效的 {count} 个 {key} 来自那里";
    take_the_include_out(key):
        "take the include out, or leave a file with '{key}: []' there, if these {key} are to go",
        "如果这些 {key} 就是不要了，请去掉这条 include，或在那里留一个写着 '{key}: []' 的文件";
    file_lost(key, count):
        "there are no {key} in this file any more, and {count} in force came from it",
        "这个文件里已经没有 {key}，而正在生效的有 {count} 个来自它";
    write_empty_if_meant(key): "write '{key}: []' if they are to go", "如果就是不要了，请写 '{key}: []'";
    all_lost(key, count): "the files define no {key} at all, and {count} are in force", "配置文件里一个 {key} 都没有，而正在生效的有 {count} 个";
    write_empty_or_look(key):
        "write '{key}: []' if they are to go; else look whether a file is empty or was cut",
        "如果就是不要了，请写 '{key}: []'；否则请看是不是有文件空了或被截断了";

    // Rights.
    all_can_read_secrets(): "every user of this machine can read the secrets in this file", "本机所有用户都能读到这个文件里的密钥";
    chmod(mode, path): "chmod {mode} {path}", "chmod {mode} {path}";
    chown_root(path): "chown root {path}", "chown root {path}";
    every_user_can(deed): "every user of this machine can {deed}", "本机所有用户都能{deed}";
    owner_can(user, deed): "user {user} of this machine can {deed}, being its owner", "本机用户 {user} 是所有者，能{deed}";
    change_this_file(): "change what is in this file", "改动这个文件的内容";
    replace_files_here(): "put other files in the place of those in this directory", "替换这个目录里的文件";

    // Secrets.
    secret_in_one_line(key): "{key}: expected one line, got several or control characters", "{key}：应为一行，实际有多行或控制字符";
    quotes_are_part(key): "{key}: the quotes are part of it", "{key}：引号成了内容的一部分";
    without_quotes(): "write it without quotes where it comes from", "请在它的来源处去掉引号";
    outer_space(key): "{key}: it begins or ends with a space", "{key}：首尾有空格";
    without_space(): "take the space away where it comes from", "请在它的来源处去掉空格";
    plain_secret(key): "{key}: a secret in plain text", "{key}：密钥是明文";
    hide_the_secret(key, variable):
        "write {key}: {variable}, or name a file with {key}_file or {key}_credential",
        "请写 {key}: {variable}，或用 {key}_file、{key}_credential 指定文件";
    a_credential(): "the name of a credential", "凭据名";
    not_looked_at(key, what):
        "{key}: not looked at, since only the running service sees {what}",
        "{key}：没有检查，因为只有运行中的服务才看得到{what}";
    its_credentials(): "its credentials", "它的凭据";
    the_variable(name): "the variable {name}", "变量 {name}";
    the_file(): "the file", "这个文件";
    no_credentials(key):
        "{key}: there are no credentials: CREDENTIALS_DIRECTORY is not set",
        "{key}：没有凭据：CREDENTIALS_DIRECTORY 没有设置";
    load_credential(name):
        "credentials come from systemd: 'LoadCredential={name}:PATH' in the unit",
        "凭据由 systemd 提供：在单元里写 'LoadCredential={name}:PATH'";
    it_is_being_written(): "it is being written", "正在被写入";
    what_is_named_there(): "what is named there", "那里所指的文件";
    others_may_read(mode):
        "other users may read or write it (mode {mode}): make it 0600, or 0640 with a group",
        "其他用户可以读写它（权限 {mode}）：请改为 0600，或带用户组的 0640";
    it_is_empty(): "it is empty", "是空的";
    it_is_longer(most): "it is longer than {most} bytes", "超过 {most} 字节";
}
