//! What people write and do not mean: each is refused or warned of in words that say what to write.

use pushcron::domain::{Body, Item, Target};

use super::{ACCOUNT, CANARY, ConfigErrors, first_error, job, load, load_text, loaded, private_file, push, refused};

fn warnings(text: &str) -> Vec<String> {
    loaded(text)
        .warnings
        .iter()
        .map(|warning| format!("{}; {}", warning.message.english(), warning.hint.as_ref().unwrap().english()))
        .collect()
}

/// Everything that is told of the first problem, the hint included.
fn told(text: &str) -> String {
    refused(text).errors[0].to_string()
}

fn plain(key_and_value: &str) -> String {
    let (schedule, text) =
        if key_and_value.starts_with("cron") { (key_and_value, "text: hi") } else { ("every: 1m", key_and_value) };
    format!("{ACCOUNT}jobs:\n  - name: j\n    {schedule}\n    push:\n      im: screen\n      user: u\n      {text}\n")
}

#[test]
fn plain_texts_that_mean_something_to_yaml_are_told_to_want_quotes() {
    for (line, sign) in [
        ("cron: */5 * * * *", "'*' begins an alias in YAML"),
        ("cron: * * * * *", "'*' begins an alias in YAML"),
        ("cron: @daily", "'@' begins nothing in YAML"),
        ("text: *bold* x", "'*' begins an alias in YAML"),
        ("text: [日报] 今日", "'[' begins a list in YAML"),
        ("text: {日报} 今日", "'{' begins a mapping in YAML"),
        ("text: {{ job }} at noon", "'{' begins a mapping in YAML"),
        ("text: {% if due %}x{% endif %}", "'{' begins a mapping in YAML: put a template in quotes"),
        ("text: @all", "'@' begins nothing in YAML"),
        ("text: `code`", "'`' begins nothing in YAML"),
        ("text: %d", "'%' begins a directive in YAML"),
        ("text: !important x", "'!' begins a tag in YAML"),
        ("text: - 条目", "'- ' begins a list in YAML"),
        ("text: 提醒: 今天", "': ' makes a key of what stands before it"),
        ("text: \"日报\" 今日", "a text ends with its closing quote"),
    ] {
        let told = told(&plain(line));
        assert!(told.contains(sign) && told.contains("in quotes"), "{line}: {told}");
    }
    let errors = refused(&plain("text: {{ job }}")).errors;
    assert!(errors[1].to_string().contains("'{{' begins two mappings in YAML: put a template in quotes"), "{errors:?}");
}

#[test]
fn a_comment_that_looks_like_text_is_told() {
    let cut = "text: '#' begins a comment in YAML, so the text ends before it; put the text in quotes";
    assert_eq!(warnings(&plain("text: 今日打卡 #健康")), [cut]);
    assert_eq!(warnings(&push("{im: screen, user: u, mixed: [{text: a #b\n}]}")).len(), 1);
    for fine in ["text: 今日打卡 # 健康", "text: '今日打卡 #健康'", "text: a#b", "text: hi ## x"] {
        assert_eq!(warnings(&plain(fine)), [""; 0], "{fine}");
    }
    let nothing = told(&plain("text: #早安"));
    assert!(nothing.contains("a push needs content") && nothing.contains("'#' begins a comment"), "{nothing}");
    let nowhere = told(&plain("text: hi").replace("user: u", "user: #ops"));
    assert!(nowhere.contains("a push needs a target") && nowhere.contains("'#' begins a comment"), "{nowhere}");
}

#[test]
fn schedules_that_are_hardly_meant_are_warned_of_at_their_field() {
    let config = loaded(&job("cron: '* 0 9 * * *'"));
    let shown = config.warnings[0].to_string();
    assert!(shown.contains("every second") && shown.contains("write 0 for the seconds"), "{shown}");
    assert_eq!(config.warnings[0].column, job("").lines().nth(2).unwrap().find(", }").unwrap() + 10, "{shown}");
    assert_eq!(warnings(&job("cron: '0 9 ? * 2-6'")).len(), 1);
    assert_eq!(warnings(&job("cron: '*/45 * * * *'")).len(), 1);
    assert_eq!(warnings(&job("cron: '0 9 * * 1-5'")), [""; 0]);
    assert!(first_error(&job("cron: '0 9 * * 5-1'")).contains("runs backwards: write '5-7,0-1'"));
}

#[test]
fn zones_that_people_write_are_answered() {
    for (zone, hint) in [
        ("Asia/Beijing", Some("Asia/Shanghai")),
        ("China Standard Time", Some("Asia/Shanghai")),
        ("GMT+8", None),
        ("CST", None),
        ("UTC+8", None),
    ] {
        let errors = refused(&job(&format!("every: 1m, timezone: {zone}")));
        let expected = hint.map(|zone| format!("did you mean '{zone}'?"));
        assert_eq!(errors.errors[0].hint.as_ref().map(|hint| hint.english().to_owned()), expected, "{zone}");
    }
    for zone in ["Etc/GMT+8", "Factory"] {
        assert_eq!(warnings(&job(&format!("every: 1m, timezone: {zone}"))).len(), 1, "{zone}");
    }
    assert!(warnings(&job("every: 1m, timezone: Etc/GMT+8"))[0].contains("8 hours west of Greenwich"));
}

#[test]
fn names_are_joined_as_their_scripts_join_them() {
    for name in ["گزارش\u{200c}ها", "👨\u{200d}💻值班", "❤\u{fe0f}\u{200d}🔥"] {
        let text = format!(
            "accounts: [{{id: {name}, im: {name}, sender: screen}}]\njobs: [{{name: {name}, every: 1m, push: {{im: {name}, user: u, text: hi}}}}]\n"
        );
        let config = loaded(&text);
        assert_eq!([&config.jobs[0].name, &config.accounts[0].id, &config.accounts[0].im], [name; 3]);
    }
    for name in [
        "\\u200c",
        "\\u200da",
        "a\\u200d",
        "a\\u200d\\u200db",
        "a \\u200cb",
        "a\\u200bb",
        "a\\u202eb",
        "a\\u2066b",
        "a\\ufeffb",
    ] {
        let text = job("every: 1m").replace("name: j", &format!("name: \"{name}\""));
        assert!(first_error(&text).starts_with("name: expected a name"), "{name}");
    }
}

#[test]
fn an_empty_document_is_none() {
    let text = job("every: 1m");
    for around in
        [format!("{text}---\n"), format!("{text}---\n# the end\n"), format!("---\n---\n{text}"), format!("{text}...\n")]
    {
        assert_eq!(loaded(&around).jobs.len(), 1, "{around}");
    }
    assert!(first_error(&format!("{text}---\njobs: []\n")).contains("got a second one"));
    assert!(first_error(&format!("{text}---\nhello\n")).contains("got a second one"));
}

#[test]
fn texts_without_anything_to_see_are_no_content() {
    for text in [
        "title: ' '",
        "text: '   '",
        "text: \"\\u3000\"",
        // A space of no width, a filler, a blank of Braille, and marks of direction.
        "text: \"\\u200b\\u200d\\ufeff\"",
        "text: \"\\u3164 \\u2800\"",
        "text: \"\\u202e\\u200f\\ufe0f\"",
        "mixed: [{text: \"\\u2060\"}]",
        "mixed: [{text: ' '}, {markdown: ''}]",
        "mixed: [{text: ' '}]",
    ] {
        let said = first_error(&push(&format!("{{im: screen, user: u, {text}}}")));
        assert!(
            said.contains("needs content") || said.contains("blank texts") || said.contains("expected a text"),
            "{said}"
        );
    }
    let config = loaded(&push("{im: screen, user: u, title: T, text: ' '}"));
    assert_eq!(config.jobs[0].push[0].message.body, Body::Text { text: "T".to_owned() });
    for text in [
        "text: \"a\\0b\"",
        "title: \"a\\0b\"",
        "mixed: [{text: \"a\\0b\"}]",
        "image: {source: /a.png, caption: \"a\\0b\"}",
    ] {
        let said = first_error(&push(&format!("{{im: screen, user: u, {text}}}")));
        assert!(said.ends_with("a text cannot hold a NUL character"), "{said}");
    }
    // Between two calls a blank is what it should be.
    loaded(&push("{im: screen, user: u, mixed: [{at: 1}, {text: ' '}, {at: 2}]}"));
}

#[test]
fn local_media_are_looked_for() {
    let directory = tempfile::tempdir().unwrap();
    private_file(directory.path(), "there.png", "x");
    let warned = |keys: &str, source: &str| {
        let text = push(&format!("{{im: screen, user: u, image: '{source}'}}")) + keys;
        let config =
            load(&[&private_file(directory.path(), "a.yaml", text)]).unwrap_or_else(|errors| panic!("{errors}"));
        config.warnings.iter().map(|warning| warning.message.english().to_owned()).collect::<Vec<_>>()
    };
    let outside = "a local file outside of daemon.media_roots will not be sent";
    for (source, message) in [
        ("nope.png", "this local file is not there now"),
        ("/nope.png", outside),
        ("file:///nope.png", outside),
        ("~/a.png", "'~' is not expanded"),
        ("~me/a.png", "'~' is not expanded"),
        (r"C:\Users\x\a.png", "this is a path of Windows"),
        ("C:/Users/x/a.png", "this is a path of Windows"),
        (r"\\host\share\a.png", "this is a path of Windows"),
    ] {
        assert_eq!(warned("", source), [message], "{source}");
    }
    let here = directory.path().canonicalize().unwrap();
    for source in [
        "there.png",
        "./there.png",
        &format!("{}/there.png", here.display()),
        &format!("file://{}/there.png", here.display()),
    ] {
        assert_eq!(warned("", source), [""; 0], "{source}");
    }
    assert_eq!(warned("    enabled: false\n", "nope.png"), [""; 0], "a job that does not fire may wait for its file");
}

/// As in Kubernetes: names that stay, and one link that moves.
#[test]
fn media_beside_a_link_are_named_by_the_link() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let text = push("{im: screen, user: u, image: logo.png}");
    for version in ["..v1", "..v2"] {
        private_file(&root, &format!("{version}/jobs.yaml"), &text);
        private_file(&root, &format!("{version}/logo.png"), "a picture");
    }
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, root.join(name)).unwrap();
    link("..v1", "..data");
    link("..data/jobs.yaml", "jobs.yaml");
    let source = |path: &std::path::Path| {
        let config = load(&[path]).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(config.warnings, []);
        config.jobs[0].push[0].message.body.media()[0].source.clone()
    };
    let file = root.join("jobs.yaml");
    // A link to one file only: its media lie where it leads.
    assert_eq!(source(&file), root.join("..v1/logo.png").to_str().unwrap());
    link("..data/logo.png", "logo.png");
    for path in [&file, &root] {
        assert_eq!(source(path), root.join("logo.png").to_str().unwrap());
    }
    std::fs::remove_file(root.join("..data")).unwrap();
    link("..v2", "..data");
    std::fs::remove_dir_all(root.join("..v1")).unwrap();
    assert_eq!(source(&file), root.join("logo.png").to_str().unwrap());
    // A link that leads away is told.
    std::fs::remove_file(root.join("logo.png")).unwrap();
    link("/etc/passwd", "logo.png");
    let warnings = load(&[&file]).unwrap().warnings;
    assert!(warnings[0].message.english().contains("leads out of daemon.media_roots"), "{warnings:?}");
}

#[test]
fn utf_16_is_called_by_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let text = job("every: 1m");
    let units = || text.encode_utf16();
    let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
    let marked = |mark: [u8; 2], bytes: &[u8]| [&mark, bytes].concat();
    for bytes in [little.clone(), big.clone(), marked([0xff, 0xfe], &little), marked([0xfe, 0xff], &big)] {
        let errors: ConfigErrors = load(&[&private_file(directory.path(), "a.yaml", bytes)]).unwrap_err();
        assert_eq!(errors.errors[0].message.english(), "is UTF-16: save it as UTF-8");
    }
}

#[test]
fn items_know_the_names_that_the_sdk_has_for_a_source() {
    let items = |items: &str| match loaded(&push(&format!("{{im: screen, user: u, mixed: [{items}]}}"))).jobs[0].push[0]
        .message
        .body
        .clone()
    {
        Body::Mixed { items } => items,
        other => panic!("{other:?}"),
    };
    let expected = items("{image: 'http://h/a'}");
    for key in ["source", "url", "path", "file", "imageUrl", "image"] {
        assert_eq!(items(&format!("{{type: image, {key}: 'http://h/a'}}")), expected, "{key}");
    }
    assert!(
        matches!(&items("{type: file, file: 'http://h/a', filename: b}")[..], [Item::File(media)] if media.filename.is_some())
    );
    let twice = first_error(&push("{im: screen, user: u, mixed: [{type: image, url: 'http://h/a', path: /b}]}"));
    assert_eq!(twice, "mixed[0]: the source is given twice");
}

#[test]
fn secrets_come_without_marks_and_quotes() {
    let directory = tempfile::tempdir().unwrap();
    let token = |form: &str| {
        let text = format!("accounts: [{{id: a, sender: wire, url: http://127.0.0.1, {form}}}]\n");
        load(&[&private_file(directory.path(), "a.yaml", text)])
    };
    private_file(directory.path(), "marked", "\u{feff}123:abc\r\n");
    private_file(directory.path(), "quoted", "\"123:abc\"\n");
    private_file(directory.path(), "nothing", "\u{feff}\n");
    for form in ["token_file: marked", "token: \"\\ufeff123:abc\""] {
        let config = token(form).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(config.accounts[0].settings.secret("token").unwrap().expose(), "123:abc", "{form}");
    }
    for (form, key) in
        [("token_file: quoted", "token_file"), ("token: '\"123:abc\"'", "token"), ("token: \"'123'\"", "token")]
    {
        let errors = token(form).unwrap_err();
        assert_eq!(errors.errors[0].message.english(), format!("{key}: the quotes are part of it"));
        assert!(!errors.to_string().contains("123"), "{errors}");
    }
    assert!(token("token_file: nothing").unwrap_err().errors[0].message.english().ends_with("it is empty"));
    private_file(directory.path(), "spaced", "123:abc \n");
    let spaced = token("token_file: spaced").unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(spaced.warnings[0].message.english(), "token_file: it begins or ends with a space");
    let address = refused("accounts: [{id: a, sender: wire, url: '\"http://h\"'}]\n");
    assert_eq!(address.errors[0].message.english(), "url: the quotes are part of it");
    let unset = refused("accounts: [{id: a, sender: wire, url: http://h, token: \"${NOT_THERE}\"}]\n");
    assert_eq!(
        unset.errors[0].hint.as_ref().map(|hint| hint.english()),
        Some("export it, or have the unit set it: EnvironmentFile=PATH")
    );
}

/// Whatever place a secret was put into by mistake, message and line both keep it.
#[test]
fn a_secret_in_the_wrong_place_is_shown_nowhere() {
    let account =
        |keys: &str| format!("accounts:\n  - id: a\n    sender: wire\n    url: http://127.0.0.1\n    {keys}\n");
    let secrets = [CANARY, "123456:AAF-abc", "hunter2", "sk_live_4242424242"];
    for secret in ["123456:AAF-abc", "sk_live_4242424242"] {
        for key in ["token_file", "token_credential", "url_file"] {
            let text = account(&format!("{key}: {secret}"))
                .replace(if key == "url_file" { "url: http://127.0.0.1\n    " } else { "@" }, "");
            let shown = refused(&text).to_string();
            assert!(!shown.contains(secret), "{shown}");
        }
        let shown = refused(&format!("daemon:\n  heartbeat:\n    url: https://h\n    every: {secret}\n")).to_string();
        assert!(!shown.contains(secret), "{shown}");
        let shown = refused(&format!("daemon: {secret}\n")).to_string();
        assert!(!shown.contains(secret), "{shown}");
    }
    for secret in secrets {
        let mut files =
            vec![format!("accounts: {secret}\n"), format!("accounts: [{secret}]\n"), format!("{secret}: x\n")];
        for key in
            ["default", "concurrency", "min_interval", "quiet", "port", "window", "flavour", "rooms: {}\n    port"]
        {
            files.push(account(&format!("{key}: {secret}")));
        }
        files.push(account(&format!("{secret}: x")));
        files.push(account(&format!("token: !{secret} x")));
        files.push(account("").replace("sender: wire", &format!("sender: {secret}")));
        for file in files {
            let Err(errors) = load_text(&file) else { panic!("accepted:\n{file}") };
            let (shown, json) = (errors.to_string(), serde_json::to_string(&errors).unwrap());
            assert!(!shown.contains(secret) && !json.contains(secret), "{shown}\n{file}");
        }
    }
    // What is no secret is still told, so that it can be found.
    assert!(first_error(&account("default: maybe")).ends_with("got 'maybe'"));
    assert!(first_error(&account("port: high")).ends_with("got 'high'"));
    assert!(told(&account("tokne: x")).contains("unknown key 'tokne'"));
}

#[test]
fn hints_name_the_key_that_was_meant() {
    for (keys, hint) in
        [("message: hi", "did you mean 'text'?"), ("source: /a.png", "write it at the kind of media: 'image: SOURCE'")]
    {
        let errors = refused(&push(&format!("{{im: screen, user: u, text: hi, {keys}}}")));
        assert_eq!(errors.errors[0].hint.as_ref().map(|hint| hint.english()), Some(hint));
    }
    let both = told(&push("{im: screen, user: u, text: a, image: /b.png}"));
    assert!(both.contains("'image: {source: …, caption: …}'"), "{both}");
    assert_eq!(
        loaded(&push("{im: screen, group: '#ops:x', text: a}")).jobs[0].push[0].target,
        Target::Group("#ops:x".to_owned())
    );
}

#[test]
fn a_call_that_was_pasted_is_told_what_its_arguments_are_called() {
    let told = |push: &str| {
        let errors = refused(&format!(
            "accounts: [{{id: a, sender: screen}}]\njobs: [{{name: a, cron: '0 9 * * *', push: {push}}}]\n"
        ));
        assert_eq!(errors.errors.len(), 1, "one mistake is told once: {errors}");
        errors.to_string()
    };
    for pasted in
        ["[qq, '123456', '', 标题, 内容, 15000]", "['qq']", "'push(\"qq\", \"123456\", \"\", \"标题\", \"内容\")'"]
    {
        let told = told(pasted);
        assert!(told.contains("push: expected a mapping"), "{told}");
        assert!(told.contains("= give each argument of a call its key: push: {im: qq, group: '123456'"), "{told}");
    }
}

#[test]
fn a_call_that_was_pasted_as_it_stood_is_told_the_same() {
    for pasted in [
        "    push: push(\"qq\", \"123456\", \"\", \"标题\", \"内容\", {account_id: \"bot\"}, 8000)\n",
        "    push:\n      - push(\"qq\", \"123456\", \"\", \"标题\", \"内容\")\n",
        "    push:\n      - pushImage(\"qq\", \"123456\", \"\", \"https://a.test/b.png\", {account_id: \"bot\"})\n",
        "    push(\"qq\", \"123456\", \"\", \"标题\", \"内容\"):\n    push: {im: screen, user: u, text: a}\n",
    ] {
        let told = told(&format!(
            "accounts: [{{id: a, sender: screen}}]\njobs:\n  - name: a\n    cron: '0 9 * * *'\n{pasted}"
        ));
        assert!(
            told.contains("= give each argument of a call its key: push: {im: qq, group: '123456'"),
            "{pasted}{told}"
        );
    }
}

#[test]
fn first_guesses_of_keys_are_answered_with_what_there_is() {
    let job = |keys: &str| told(&format!("accounts: [{{id: a, sender: screen}}]\njobs: [{{name: a, {keys}}}]\n"));
    let push = "push: {im: screen, user: u, text: a}";
    for (keys, hint) in [
        ("holidays: cn", "'workdays: cn' leaves out its holidays"),
        ("exclude: [2027-01-01]", "did you mean 'except'?"),
    ] {
        let told = job(&format!("cron: '0 9 * * *', {keys}, {push}"));
        assert!(told.contains(hint), "{told}");
    }
    for at in ["14:30", "+20m", "2:30pm"] {
        let told = job(&format!("at: '{at}', {push}"));
        assert!(told.contains("expected a date and time") && told.contains("pushcron add NAME --at 14:30"), "{told}");
    }
    let told = job("cron: '0 9 * * *', push: {im: screen, user: u, text: a, account: [a, b]}");
    assert!(told.contains("expected a text, got a list") && told.contains("'fallback: {account: …}'"), "{told}");
}

#[test]
fn an_im_that_no_account_has_is_answered_with_those_that_have_one() {
    let told = |im: &str| {
        let accounts = "accounts: [{id: a, sender: screen}, {id: b, im: qq, sender: screen}]";
        refused(&format!(
            "{accounts}\njobs: [{{name: a, cron: '0 9 * * *', push: {{imType: {im}, userID: u, content: hi}}}}]\n"
        ))
        .to_string()
    };
    assert!(told("wx").contains("there is no account for the im 'wx'"), "{}", told("wx"));
    assert!(told("wx").contains("= accounts are of: qq, screen"), "{}", told("wx"));
    assert!(told("QQ").contains("= did you mean 'qq'?"), "{}", told("QQ"));
}
