//! What is wrong with jobs, pushes, contents, lists, targets and templates.

use super::text::texts;

texts! {
    a_job(): "a job", "任务";
    a_push(): "a push", "推送";
    a_fallback(): "a fallback", "备用推送";
    a_target(): "a target", "目标";
    a_source(): "a source", "来源";

    // Jobs.
    job_needs_a_name(): "a job needs a name", "任务缺少 name";
    job_needs_a_schedule(): "a job needs one of cron, every, at and on_demand", "任务要有 cron、every、at、on_demand 之一";
    job_needs_a_push(): "a job needs a push", "任务缺少 push";
    job_has_one_schedule():
        "a job has one schedule: expected one of cron, every, at and on_demand",
        "任务只有一个时间表：cron、every、at、on_demand 只能写一个";
    in_is_not_kept():
        "in: each reload would start it anew: expected 'at' with the instant itself",
        "in：每次重新加载都会重新计时：请用 'at' 写出时刻";
    add_with_in():
        "`pushcron add NAME --in 20m …` makes such a job while the daemon runs",
        "守护进程运行时，`pushcron add NAME --in 20m …` 可以建这样的任务";
    add_with_at():
        "`pushcron add NAME --at 14:30 …` or `--in 20m` makes such a job while the daemon runs",
        "守护进程运行时，`pushcron add NAME --at 14:30 …` 或 `--in 20m` 可以建这样的任务";
    workdays_or_except():
        "'workdays: cn' leaves out its holidays and knows its make-up days; 'except: [2027-01-01]' leaves out single days",
        "'workdays: cn' 会避开节假日、认得调休上班日；'except: [2027-01-01]' 去掉个别日子";
    one_account():
        "one account, or none: the target IM's default then, or the first one online; 'fallback: {account: …}' names one for when it fails",
        "只写一个账号，或不写：不写时用该 IM 的默认账号，否则第一个在线的；失败后换账号请写 'fallback: {account: …}'";
    true_or_a_schedule(): "true, or another schedule instead of it", " true，或改用别的时间表";
    twin_jobs(name): "there are two jobs with the name {name}", "有两个任务都叫 {name}";

    // Pushes.
    no_list_of_pushes():
        "push: expected a mapping or a list of mappings, got a list of something else",
        "push：应为映射或映射的列表，实际是其他内容的列表";
    name_the_arguments():
        "give each argument of a call its key: push: {im: qq, group: '123456', title: …, text: …}",
        "请给调用的每个参数写上键：push: {im: qq, group: '123456', title: …, text: …}";
    no_pushes(): "push: expected at least one push, got an empty list", "push：至少要有一条推送，实际是空列表";
    push_needs_an_im(): "a push needs an im", "推送缺少 im";
    write_the_im(): "write the im of an account, such as 'im: qq'", "请写账号的 im，例如 'im: qq'";
    mean_the_same(one, other): "{one} and {other} mean the same: expected one of them", "{one} 和 {other} 是一个意思：只写一个";
    key_of_the_job(key): "{key} is a key of the job: write it beside 'push'", "{key} 是任务的键：请与 'push' 并列";
    write_it_at_the_kind(): "write it at the kind of media: 'image: SOURCE'", "请写在媒体种类上：'image: SOURCE'";
    belongs_to_media(key): "{key} belongs to a media: 'image: {{source: …, {key}: …}}'", "{key} 属于媒体：'image: {{source: …, {key}: …}}'";
    account_named_twice(): "the account is named twice, and differently", "账号写了两次，而且不一样";
    push_has_both():
        "a push has one target: expected a group or a user, got both",
        "推送只有一个目标：group 和 user 只能写一个";
    push_needs_a_target(): "a push needs a target: expected a group or a user", "推送缺少目标：要有 group 或 user";
    two_kinds(one, other): "a push has one kind of content: got {one} and {other}", "推送只有一种内容：这里有 {one} 和 {other}";
    send_both(media):
        "send both with 'mixed' or 'caption' ('{media}: {{source: …, caption: …}}'), or make it a list of pushes",
        "要一起发，请用 'mixed' 或 'caption'（'{media}: {{source: …, caption: …}}'），或写成推送列表";
    send_several(): "send several with 'mixed', or make it a list of pushes", "要发多种，请用 'mixed'，或写成推送列表";
    push_needs_content(kinds): "a push needs content: expected one of {kinds}", "推送缺少内容：应为 {kinds} 之一";
    blank_texts(key): "{key}: expected something to send, got blank texts", "{key}：没有可发的内容，文本都是空白";
    option_without_effect(): "this option is for a single media and has no effect here", "这个选项只用于单个媒体，在这里不起作用";
    list_for_a_push():
        "a list of recipients is read for the fires of jobs that say what their files say",
        "只有内容照文件所写的任务，触发时才会读取收件人名单";
    fire_its_job(): "fire its job without a message, or name groups and users", "请触发它的任务而不另给消息，或直接写群和用户";

    // Reports on failures.
    report_is_text(key): "a report is sent as text: expected text, got {key}", "报告以文本发送：应为 text，实际是 {key}";
    report_not_rendered(): "a report is not rendered: expected no render", "报告不渲染：不要写 render";
    report_to_one():
        "a report goes to one target: expected im and one group or one user",
        "报告只发往一个目标：写 im 和一个 group 或一个 user";
    report_has_no_fallback():
        "a report has no fallback: where no account can carry it, it waits",
        "报告没有备用推送：没有账号能发时，它会等着";

    // Items and media.
    a_list_of_items(): "a list of items", "条目列表";
    no_items(key): "{key}: expected at least one item, got an empty list", "{key}：至少要有一个条目，实际是空列表";
    item_needs_a_type(owner, types): "{owner}: expected a type, or one of {types}", "{owner}：要有 type，或以下之一：{types}";
    item_is_two_things(owner, one, other):
        "{owner}: an item is one thing, got {one} and {other}",
        "{owner}：一个条目只能是一样东西，这里有 {one} 和 {other}";
    at_all_true(owner): "{owner}: expected 'at_all: true'", "{owner}：应为 'at_all: true'";
    source_twice(owner): "{owner}: the source is given twice", "{owner}：来源写了两次";
    write_the_source(): "write the address or path as 'source: …'", "请用 'source: …' 写出地址或路径";
    forms_of_a_source():
        "a source is http(s)://…, a path, base64://… or data:…;base64,…",
        "来源可以是 http(s)://…、路径、base64://… 或 data:…;base64,…";
    empty_source(): "expected a source, got an empty text", "应为来源，实际是空文本";
    form_of_data(): "expected 'data:TYPE;base64,CONTENT'", "应为 'data:TYPE;base64,CONTENT'";
    path_with_nul(): "a path cannot hold a NUL character", "路径里不能有 NUL 字符";
    other_scheme():
        "expected an http, https or file address, got another scheme",
        "应为 http、https 或 file 地址，实际是别的协议";
    address_unreadable(): "the address cannot be read", "地址无法识别";
    inline_is_empty(): "the inline content is empty", "内嵌内容是空的";
    inline_not_base64(): "the inline content is not base64", "内嵌内容不是 base64";
    path_of_windows(): "this is a path of Windows", "这是 Windows 的路径";
    path_of_this_machine(): "write the path as this machine has it, with '/'", "请写本机上的路径，用 '/'";
    home_not_expanded(): "'~' is not expanded", "'~' 不会展开";
    the_directory_itself():
        "write the directory itself: the service may have another home",
        "请写出目录本身：服务的家目录可能不同";
    sent(): "sent", "发送";
    read(): "read", "读取";
    file_outside(done): "a local file outside of daemon.media_roots will not be {done}", "daemon.media_roots 之外的本地文件不会{done}";
    name_its_directory(): "name its directory in daemon.media_roots", "请把它的目录写进 daemon.media_roots";
    file_behind_a_link(done):
        "a local file behind a link that leads out of daemon.media_roots will not be {done}",
        "链接指到 daemon.media_roots 之外的本地文件不会{done}";
    name_its_real_directory():
        "name the directory where it really lies in daemon.media_roots",
        "请把它真正所在的目录写进 daemon.media_roots";
    pattern_not_expanded():
        "a pattern of file names is not expanded, and there is no file of this very name",
        "文件名里的通配符不会展开，而且没有叫这个名字的文件";
    name_one_file():
        "name one file; with 'render: true' its name can hold the date (docs/content.md)",
        "请写一个文件；用 'render: true' 可以在名字里写日期（docs/content.md）";
    file_not_there(): "this local file is not there now", "这个本地文件现在不存在";
    must_be_there():
        "it must be there when the job fires; relative paths begin at the directory of the YAML file",
        "任务触发时它必须存在；相对路径从 YAML 文件所在目录算起";

    // Fallbacks.
    fallback_empty(): "fallback: expected at least one mapping, got an empty list", "fallback：至少要有一个映射，实际是空列表";
    fallback_has_both(): "a fallback is a group or a user: got both", "备用推送只能是群或用户：这里两个都有";
    fallback_of_a_fallback():
        "a fallback has no fallback of its own: list both in the fallback of the push",
        "备用推送没有自己的备用：请都列在推送的 fallback 里";
    fallback_needs_a_target(): "a fallback with an im needs a group or a user", "写了 im 的备用推送要有 group 或 user";
    fallback_needs_something():
        "a fallback needs one of to, group, user and account",
        "备用推送要有 to、group、user、account 之一";
    some_bad_states(): "at least one of failed, expired and unknown", " failed、expired、unknown 中至少一个";
    fallback_to_itself():
        "a fallback goes to somebody else, or by another account: this is the push itself",
        "备用推送要发给别人，或经由别的账号：这就是推送本身";
    too_many_fallbacks(most, copies):
        "expected at most {most} fallbacks of one push, and {copies} recipients in all",
        "一条推送至多 {most} 个备用，合计至多 {copies} 个收件人";
    fallback_to_a_list():
        "a fallback goes to somebody who is known now: expected no list of recipients",
        "备用推送要发给现在就知道的人：不能是收件人名单";
    too_many_copies(most): "the recipients of all pushes together are more than {most}", "所有推送的收件人合计超过 {most} 个";
    copies_too_large(most):
        "the contents of all pushes, one for each recipient, are larger than {most} bytes",
        "所有推送按收件人各算一份，内容合计超过 {most} 字节";
    media_into_files(): "put media into files of their own instead of base64", "媒体请放进单独的文件，不要用 base64";

    // Contents.
    content_has_one_source():
        "content_from has one source: expected one of command, http and file",
        "content_from 只有一个来源：command、http、file 只能写一个";
    content_needs_a_source():
        "content_from needs a source: expected one of command, http and file",
        "content_from 缺少来源：要有 command、http、file 之一";
    of_another_source(key, of):
        "{key} belongs to the source '{of}' of content_from, and there is another",
        "{key} 属于 content_from 的 '{of}' 来源，而这里用的是另一种";
    cannot_be_run(path, error): "{path} cannot be run: {error}", "{path} 无法运行：{error}";
    is_a_directory_no_program(path): "{path} is a directory, and no program", "{path} 是目录，不是程序";
    is_not_executable(path): "{path} is not executable", "{path} 没有可执行权限";
    is_not_run(path, why): "command: {path} is not run: {why}", "command：不会运行 {path}：{why}";
    lead_needs_overlap():
        "content_from: lead needs overlap: allow, since whether the job fires is decided at its instant otherwise",
        "content_from：lead 需要 overlap: allow，否则是否触发要到那一刻才判定";
    empty_send_needs_content():
        "content_from: with empty: send, every push needs a content of its own: there is nothing else to send",
        "content_from：用 empty: send 时，每条推送都要有自己的内容：否则没有东西可发";
    give_a_text_or_skip(): "give each push a text, or write empty: skip", "请给每条推送写 text，或写 empty: skip";
    json_needs_content():
        "content_from: with format: json, every push needs a content of its own: JSON is not for people",
        "content_from：用 format: json 时，每条推送都要有自己的内容：JSON 不是给人看的";
    give_a_rendered_text(example):
        "give each push a text with 'render: true', such as '{example}'",
        "请给每条推送写 text 并加 'render: true'，例如 '{example}'";
    needs_a_url(key): "{key} needs a url", "{key} 缺少 url";
    a_status(): "a status such as 200, and none that leads elsewhere", "状态码，如 200，且不能是重定向";
    some_statuses(key):
        "{key}: expected a status such as 200, or some, got an empty list",
        "{key}：应为状态码，如 200，可以多个，实际是空列表";
    release_or_lead():
        "content_from: with at: release the content is made when a push can go out, and with a lead before the instant: expected one of the two",
        "content_from：at: release 是在推送能发出时才生成内容，lead 是在触发前生成：两者只写一个";
    stale_at_most_alone():
        "stale_at_most says how old the last good one may be, and none is taken",
        "stale_at_most 说的是上一次的好内容最多多旧，而这里不会用它";
    write_stale(): "write 'stale: last_good' beside it", "请在旁边写 'stale: last_good'";
    allow_private_here(written):
        "'{written}' allows http:// and private addresses here, and daemon.media_allow_private wherever something is fetched",
        "'{written}' 只在这里允许 http:// 和内网地址，daemon.media_allow_private 则在所有获取处都允许";
    allow_private():
        "daemon.media_allow_private allows http:// and private addresses",
        "daemon.media_allow_private 可以允许 http:// 和内网地址";

    // Lists of recipients.
    mend_the_list():
        "mend the list: until then its fires send nothing, and end as failed (recipients)",
        "请修好名单：在此之前触发时什么都不发，以 failed（recipients）结束";
    from_has_one_source():
        "from has one source: expected one of csv, lines, json and command",
        "from 只有一个来源：csv、lines、json、command 只能写一个";
    from_needs_a_source():
        "from needs a source: expected one of csv, lines, json and command",
        "from 缺少来源：要有 csv、lines、json、command 之一";
    list_has_both(): "a list is one of groups or of users: got both", "名单要么是群，要么是用户：这里两个都有";
    from_needs_a_column(): "from needs a user or a group", "from 要有 user 或 group";
    name_the_column():
        "write 'user: COLUMN' or 'group: COLUMN', the column with the ids; of lines any word will do",
        "请写 'user: COLUMN' 或 'group: COLUMN'，即 id 所在的列；lines 随便写一个词即可";
    expected_a_column(): "expected the name of the column with the ids", "应为 id 所在列的名字";
    lines_have_no_fields(): "lines have no fields: expected csv or json", "lines 没有字段：应为 csv 或 json";
    of_a_command_of_from(key):
        "{key} belongs to the source 'command' of from, and there is another",
        "{key} 属于 from 的 'command' 来源，而这里用的是另一种";
    field_not_for_templates(field): "fields: {field} cannot stand in a template", "fields：{field} 不能用在模板里";
    name_it_plainly(): "name the column with letters, digits and '_'", "列名请用字母、数字和 '_'";
    field_is_taken(field): "fields: {field} means something else in templates", "fields：{field} 在模板里另有含义";
    name_it_otherwise(): "give the column another name", "请给这一列换个名字";
    field_twice(field): "fields: {field} stands here twice", "fields：{field} 写了两次";
    list_is_no_file(): "from: expected a file, got something else", "from：应为文件，实际不是";
    list_unreadable(problem): "from: the list cannot be read now: {problem}", "from：名单现在无法读取：{problem}";
    list_too_large(most): "from: the list has more than {most} MiB", "from：名单超过 {most} MiB";
    list_unusable(problem): "from: the list cannot be used: {problem}", "from：名单不能用：{problem}";
    list_is_empty(): "from: nobody is on the list now", "from：名单现在是空的";
    a_double():
        "from: one recipient stands there more than once, and gets one message",
        "from：有一个收件人重复出现，只发一次";
    doubles(count):
        "from: {count} recipients stand there more than once, and gets one message",
        "from：有 {count} 个收件人重复出现，只发一次";

    // Targets.
    a_target_name(): "a name under 'targets'", " 'targets' 下的名字";
    targets_form(): "a mapping from names to whom they mean", "映射：名字到它所指的人";
    target_form(): "a mapping with im and group or user, or a list of names", "含 im 和 group 或 user 的映射，或名字列表";
    twin_targets(name): "there are two targets with the name {name}", "有两个目标都叫 {name}";
    no_such_target(name): "there is no target {name}", "没有目标 {name}";
    target_to_itself(name, way): "targets: {name} leads back to itself: {way}", "targets：{name} 绕回了它自己：{way}";
    targets_too_deep(most): "targets: names that name names nest more than {most} deep here", "targets：名字套名字在这里超过 {most} 层";
    target_is_empty(name): "targets: {name} has nobody in it", "targets：{name} 里没有人";
    list_among_others(): "a list of recipients has no place among others", "收件人名单不能与别的并列";
    name_the_list():
        "give the list a name of its own under 'targets', and write that name here",
        "请在 'targets' 下给名单单独起个名字，在这里写那个名字";
    at_most_without_from():
        "at_most says how many a list may have: expected a 'from' beside it",
        "at_most 说的是名单至多多少人：旁边要有 'from'";
    from_stands_alone():
        "from says whom it means, so group and user have no place beside it",
        "from 已经说明了发给谁，旁边不能再写 group 和 user";
    column_in_from(key): "in 'from', {key} names the column with the ids", "在 'from' 里，{key} 指 id 所在的列";
    target_needs_an_im(): "a target needs an im", "目标缺少 im";
    target_has_both(): "a target is a group or a user: got both", "目标只能是群或用户：这里两个都有";
    target_needs_one(): "a target needs a group or a user", "目标要有 group 或 user";
    target_variable_empty():
        "a target needs a group or a user: its variable holds nothing",
        "目标要有 group 或 user：它的变量是空的";
    wrong_count_of_ids(key, most, got): "{key}: expected 1 to {most} ids, got {got}", "{key}：应有 1 到 {most} 个 id，实际有 {got} 个";
    name_the_target():
        "give it a name under 'targets', or write im and group or user in the push itself",
        "请在 'targets' 下给它起个名字，或直接在推送里写 im 和 group 或 user";
    to_stands_alone(key): "to says whom the push goes to, so {key} has no place beside it", "to 已经说明了发给谁，旁边不能再写 {key}";
    too_many_recipients(most, got): "expected at most {most} recipients of one push, got {got}", "一条推送至多 {most} 个收件人，实际有 {got} 个";
    group(id): "group {id}", "群 {id}";
    user(id): "user {id}", "用户 {id}";
    named_more_than_once(who): "named more than once, and sent to once: {who}", "写了不止一次，只发一次：{who}";
    take_doubles_out(): "take the doubles out of the list", "请去掉重复的";

    // Templates.
    write_render():
        "write 'render: true' beside it where it is a template (docs/content.md)",
        "如果它是模板，请在旁边写 'render: true'（docs/content.md）";
    write_render_at_the_job():
        "write 'render: true' at the job where it is a template (docs/content.md)",
        "如果它是模板，请在任务上写 'render: true'（docs/content.md）";
    perhaps_secret(name):
        "template_env: {name} is used by an account, the heartbeat or the metrics, and may be a secret",
        "template_env：{name} 被账号、heartbeat 或 metrics 使用，可能是密钥";
    take_another_variable(): "a template would send it to people: take another variable", "模板会把它发给别人：请换一个变量";
    variable_brings_braces(braces):
        "a variable brings '{braces}' into a template: expected a value without it",
        "变量给模板带进了 '{braces}'：它的值里不能有";
    name_it_in_template_env(written): "name it in daemon.template_env and write {written}", "请写进 daemon.template_env，再写 {written}";
    looks_like(sign, what): "{sign} looks like {what}, and goes out as it stands", "{sign} 像是{what}，会原样发出";
    argument_looks_like(sign):
        "command: {sign} looks like a template, and is handed over as it stands",
        "command：{sign} 像是模板，会原样传给程序";
    a_template(): "a template", "模板";
    a_command_of_a_shell(): "a command of a shell", " shell 命令";
    a_form_of_a_date(): "a form of a date", "日期格式";
    nothing_is_run(): "nothing is run: a text is sent as it is written", "什么都不会运行：文本照写的发送";
    nothing_is_run_literally(written): "nothing is run; for a literal '$(' write {written}", "什么都不会运行；要原样写 '$('，请写 {written}";
    write_a_date(date, sign, written): "write {date}; for a literal '{sign}' write {written}", "请写 {date}；要原样写 '{sign}'，请写 {written}";
    write_a_date_and_render(date):
        "write {date} and 'render: true' beside it (docs/content.md)",
        "请写 {date}，并在旁边写 'render: true'（docs/content.md）";
    cannot_be_rendered(): "with its variables replaced it cannot be rendered", "变量替换后无法渲染";
    template_will_fail(problem): "template: {problem}, and its push will fail", "template：{problem}，它的推送会失败";
    target_is_no_template(): "a target is no template: expected the id of a group or a user", "目标不能是模板：应为群或用户的 id";
    no_such_variable(name): "there is no variable '{name}'", "没有变量 '{name}'";
    no_days_for(name): "'{name}' goes by the list of days of its job, and there is none", "'{name}' 取决于任务的日历，而任务没有日历";
    name_days_in_the_job():
        "name one in the job: workdays: cn (docs/configuration.md)",
        "请在任务里指定：workdays: cn（docs/configuration.md）";
    no_template_variable(name):
        "'env.{name}' is no variable that daemon.template_env names",
        "'env.{name}' 不是 daemon.template_env 里的变量";
    data_with_json(name):
        "'{name}' is there with 'format: json' in content_from; 'output' is its text",
        "content_from 里写 'format: json' 才有 '{name}'；'output' 是它的文本";
    there_with_content(name): "'{name}' is there where the job has a content_from", "任务有 content_from 才有 '{name}'";
    there_are(names): "there are {names}", "可用的有 {names}";
    out_of_fuel(): "the template takes more steps than it may (out of fuel)", "模板的步数超过限制（out of fuel）";
    piece_not_there(piece): "'{piece}' is not there", "'{piece}' 不存在";
    syntax_error(detail): "syntax error: {detail}", "语法错误：{detail}";
}
