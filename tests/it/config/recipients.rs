//! Pushes to several: lists of ids, names under `targets`, and names of names.

use pushcron::config::Config;
use pushcron::domain::Target;

use super::{about_the_text, first_error, load, loaded, private_file, refused};

const ACCOUNTS: &str = "accounts:
- {id: a, sender: screen, im: chat}
- {id: b, sender: screen, im: chat}
- {id: w, sender: wire, im: strict, url: http://localhost}
";

/// `targets:` with these lines, and one job with this push.
fn with(targets: &str, push: &str) -> String {
    let targets = if targets.is_empty() { String::new() } else { format!("targets:\n{targets}\n") };
    format!("{ACCOUNTS}{targets}jobs:\n- {{name: j, every: 1m, push: {push}}}\n")
}

/// `im target account` of each push of the only job.
fn pushes(config: &Config) -> Vec<String> {
    let words = |push: &pushcron::domain::PushSpec| {
        format!("{} {} {}", push.im, push.target, push.account.as_deref().unwrap_or("-"))
    };
    config.jobs[0].push.iter().map(words).collect()
}

fn to(targets: &str, push: &str) -> Vec<String> {
    let config = loaded(&with(targets, push));
    assert_eq!(about_the_text(config.warnings.clone()), [], "{push}");
    pushes(&config)
}

#[test]
fn a_list_of_ids_is_a_push_for_each_in_its_order() {
    assert_eq!(
        to("", "{im: chat, group: [b, 007, a], text: hi}"),
        ["chat group:b -", "chat group:007 -", "chat group:a -"]
    );
    assert_eq!(
        to("", "{imType: chat, userID: [u, '${GROUP}'], content: hi, account: b}"),
        ["chat user:u b", "chat user:778899 b"]
    );
    assert_eq!(to("", "{im: chat, group: [one], user: '', text: hi}"), ["chat group:one -"]);
    let config = loaded(&with("", "[{im: chat, user: [u, v], text: a, timeout: 3s}, {im: chat, user: u, text: b}]"));
    let texts: Vec<String> = config.jobs[0]
        .push
        .iter()
        .map(|push| format!("{} {:?} {:?}", push.target, push.message.body, push.timeout))
        .collect();
    assert_eq!(
        texts,
        ["user:u Text { text: \"a\" } 3s", "user:v Text { text: \"a\" } 3s", "user:u Text { text: \"b\" } 15s"]
    );
}

#[test]
fn names_stand_for_targets_and_for_other_names() {
    let targets = "  ops: {im: chat, group: '123456'}
  pair: {im: strict, user: [x, y], account: w}
  oncall: [ops, {im: chat, user: '42'}]
  all: [oncall, pair]";
    assert_eq!(to(targets, "{to: ops, text: hi}"), ["chat group:123456 -"]);
    assert_eq!(
        to(targets, "{to: [pair, ops], text: hi}"),
        ["strict user:x w", "strict user:y w", "chat group:123456 -"]
    );
    assert_eq!(
        to(targets, "{to: all, text: hi}"),
        ["chat group:123456 -", "chat user:42 -", "strict user:x w", "strict user:y w"]
    );
    // The push's own account counts for all whom it names.
    assert_eq!(to(targets, "{to: oncall, account: b, text: hi}"), ["chat group:123456 b", "chat user:42 b"]);
}

#[test]
fn names_may_stand_in_another_file_and_there_may_be_thousands() {
    let directory = tempfile::tempdir().unwrap();
    let many: String = (0..3000).map(|n| format!("  t{n}: {{im: chat, user: u{n}}}\n")).collect();
    let names: Vec<String> = (0..3000).map(|n| format!("t{n}")).collect();
    let jobs = private_file(directory.path(), "a.yaml", with("", "{to: everybody, text: hi}"));
    let targets = format!("targets:\n{many}  everybody: [{}]\n", names.join(", "));
    let targets = private_file(directory.path(), "b.yaml", targets);
    let config = load(&[&jobs, &targets]).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.jobs[0].push.len(), 3000);
    assert_eq!(config.jobs[0].push[2999].target, Target::User("u2999".to_owned()));
}

#[test]
fn who_is_named_twice_is_sent_to_once_and_a_warning_says_who() {
    let targets = "  ops: {im: chat, group: g}\n  night: [ops, {im: chat, user: u}]";
    for (push, sent, said) in [
        ("{im: chat, group: [a, b, a], text: hi}", 2, "group 'a'"),
        ("{to: [ops, night], text: hi}", 2, "'ops'"),
        ("{to: [night, ops, ops], text: hi}", 2, "'ops', 'ops'"),
        ("{im: chat, user: ['${GROUP}', '${GROUP}'], text: hi}", 1, "user '${GROUP}'"),
        (
            "{im: chat, user: [a, a, a, a, a, a, a, a], text: hi}",
            1,
            "user 'a', user 'a', user 'a', user 'a', user 'a', 2 more",
        ),
    ] {
        let config = loaded(&with(targets, push));
        assert_eq!(config.jobs[0].push.len(), sent, "{push}");
        let warnings = about_the_text(config.warnings);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert_eq!(warnings[0].message.english(), format!("named more than once, and sent to once: {said}"));
    }
    // With another account the same id may be somebody else.
    let targets = "  one: {im: chat, user: me, account: a}\n  two: {im: chat, user: me, account: b}";
    assert_eq!(to(targets, "{to: [one, two], text: hi}"), ["chat user:me a", "chat user:me b"]);
}

#[test]
fn what_is_wrong_with_recipients_is_told_where_it_stands() {
    let ops = "  ops: {im: chat, group: g}";
    let mut differ = Vec::new();
    for (targets, push, said) in [
        (ops, "{to: osp, text: hi}", "there is no target 'osp'"),
        ("", "{to: ops, text: hi}", "there is no target 'ops'"),
        ("  a: [b]", "{im: chat, user: u, text: hi}", "there is no target 'b'"),
        ("  a: [a]", "{im: chat, user: u, text: hi}", "targets: 'a' leads back to itself: a → a"),
        ("  a: [b]\n  b: [c]\n  c: [a]", "{to: b, text: hi}", "targets: 'a' leads back to itself: a → b → c → a"),
        ("  a: []", "{to: a, text: hi}", "targets: 'a' has nobody in it"),
        ("  a: 5", "{to: a, text: hi}", "a: expected a mapping with im and group or user, or a list of names, got '5'"),
        ("  a: {im: chat}", "{to: a, text: hi}", "a target needs a group or a user"),
        ("  a: {user: u}", "{to: a, text: hi}", "a target needs an im"),
        ("  a: {im: chat, user: u, group: g}", "{to: a, text: hi}", "a target is a group or a user: got both"),
        ("  a: {im: chat, user: u, usr: v}", "{to: a, text: hi}", "unknown key 'usr' in a target"),
        ("  a: {im: chatt, user: u}", "{to: a, text: hi}", "there is no account for the im 'chatt'"),
        (
            "  a: {im: chat, user: u, account: w}",
            "{to: a, text: hi}",
            "the account 'w' is of the im 'strict', and the push goes to 'chat'",
        ),
        (
            "  a: {im: strict, user: '@nobody'}",
            "{to: a, text: hi}",
            "'@nobody' is nobody's name: expected a name such as @somebody; write @somebody",
        ),
        (
            "  a: {im: strict, group: g}",
            "{to: a, voice: 'https://h/a.amr'}",
            "wire cannot send voice to a group: groups have no voice",
        ),
        (
            "  a/b: {im: chat, user: u}",
            "{im: chat, user: u, text: hi}",
            "targets: expected a name of 1 to 128 printable characters without '/' and outer spaces, other than '.' and '..', got 'a/b'",
        ),
        (
            "  a: {im: chat, user: u}\n  a: {im: chat, user: v}",
            "{to: a, text: hi}",
            "there are two targets with the name 'a'",
        ),
        (ops, "{to: ops, im: chat, text: hi}", "to says whom the push goes to, so im has no place beside it"),
        (ops, "{to: ops, user: u, text: hi}", "to says whom the push goes to, so user has no place beside it"),
        (ops, "{to: [], text: hi}", "to: expected a name under 'targets', got an empty list"),
        (ops, "{to: {im: chat}, text: hi}", "to: expected a name under 'targets', got a mapping"),
        (ops, "{to: ops, account: w, text: hi}", "the account 'w' is of the im 'strict', and the push goes to 'chat'"),
        ("", "{im: chat, group: [], text: hi}", "group: expected 1 to 10000 ids, got 0"),
        ("", "{im: chat, group: [a, ''], text: hi}", "group: expected an id, got nothing"),
        ("", "{im: chat, group: [a, [b]], text: hi}", "group: expected a text, got a list"),
        (
            "",
            "{im: chat, group: [a], user: [b], text: hi}",
            "a push has one target: expected a group or a user, got both",
        ),
        (
            "",
            "{im: strict, group: [a, '@nobody'], text: hi}",
            "'@nobody' is nobody's name: expected a name such as @somebody; write @somebody",
        ),
        (
            "",
            "{im: strict, group: [a, b], voice: 'https://h/a.amr'}",
            "wire cannot send voice to a group: groups have no voice",
        ),
        ("", "{im: chatt, group: [a, b, c], text: hi}", "there is no account for the im 'chatt'"),
    ] {
        let errors = refused(&with(targets, push));
        // Without the second place, which names the file.
        let messages: Vec<&str> =
            errors.errors.iter().map(|error| error.message.english().split(" (").next().unwrap_or_default()).collect();
        if messages != [said] {
            differ.push(format!("{targets}\n{push}\nexpected {said}\ngot {messages:?}"));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n\n"));
    let errors = refused(&with(ops, "{to: osp, text: hi}"));
    assert!(errors.to_string().contains("did you mean 'ops'?"), "{errors}");
    let text = with(ops, "{to: osp, text: hi}");
    let line = text.lines().position(|line| line.contains("osp")).unwrap() + 1;
    let column = text.lines().nth(line - 1).unwrap().find("osp").unwrap() + 1;
    assert_eq!((errors.errors[0].line, errors.errors[0].column), (line, column));
    // A push that is wrong otherwise has its names looked up all the same.
    let errors = refused(&with(ops, "{to: osp, timeout: soon, text: hi}"));
    assert!(errors.errors.iter().any(|error| error.message.english() == "there is no target 'osp'"), "{errors}");
}

#[test]
fn too_many_recipients_are_refused_and_not_made() {
    let ids = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let push = |count: usize| with("", &format!("{{im: chat, user: [{}], text: hi}}", ids(count)));
    assert_eq!(loaded(&push(10_000)).jobs[0].push.len(), 10_000);
    assert_eq!(first_error(&push(10_001)), "user: expected 1 to 10000 ids, got 10001");

    let half = ids(6000);
    let targets = format!("  a: {{im: chat, user: [{half}]}}\n  b: {{im: chat, group: [{half}]}}");
    let text = with(&targets, "{to: [a, b], text: hi}");
    assert_eq!(first_error(&text), "expected at most 10000 recipients of one push, got 12000");

    let heavy = format!("{{to: a, file: 'base64://{}'}}", "QUJD".repeat(16 << 10));
    assert!(
        first_error(&with(&targets, &heavy)).starts_with("the contents of all pushes, one for each recipient, are")
    );
    let many = vec!["{to: b, text: hi}"; 200].join(", ");
    let text = with(&targets, &format!("[{many}]"));
    assert_eq!(first_error(&text), "the recipients of all pushes together are more than 250000");

    // Names of names are laid out once, and not so often as there are ways to them.
    let doubling: String = (0..16).map(|n| format!("  n{n}: [n{0}, n{0}]\n", n + 1)).collect();
    let config = loaded(&with(&format!("{doubling}  n16: {{im: chat, user: u}}"), "{to: n0, text: hi}"));
    assert_eq!(config.jobs[0].push.len(), 1);
    let deep: String = (0..100_000).map(|n| format!("  n{n}: [n{}]\n", n + 1)).collect();
    let errors = refused(&with(&format!("{deep}  n100000: {{im: chat, user: u}}"), "{to: n0, text: hi}"));
    assert!(
        errors.errors[0].message.english().starts_with("targets: names that name names nest more than 16"),
        "{errors}"
    );
}

#[test]
fn a_report_goes_to_one_target() {
    let report = |push: &str| {
        format!(
            "daemon: {{on_failure: {{push: {push}}}}}\n{ACCOUNTS}targets: {{ops: {{im: chat, user: u}}}}\njobs: []\n"
        )
    };
    for push in ["{im: chat, user: [u, v]}", "{to: ops}"] {
        assert_eq!(first_error(&report(push)), "a report goes to one target: expected im and one group or one user");
    }
}

#[test]
fn a_file_that_cannot_be_read_may_have_the_names_that_are_missed() {
    let directory = tempfile::tempdir().unwrap();
    let jobs = private_file(directory.path(), "a.yaml", with("", "{to: ops, text: hi}"));
    let broken = private_file(directory.path(), "b.yaml", "targets: {ops: {im: chat, user: u}\n");
    let errors = load(&[&jobs, &broken]).unwrap_err();
    assert!(errors.errors.iter().all(|error| !error.message.english().contains("there is no target")), "{errors}");
}

#[test]
fn a_fallback_names_whom_the_message_goes_to_and_never_the_push_itself() {
    let targets = "  ops: {im: chat, group: g, account: a}\n  lead: {im: strict, user: l}\n  both: [ops, lead]";
    let of = |push: &str| -> Vec<Vec<String>> {
        let config = loaded(&with(targets, push));
        assert_eq!(about_the_text(config.warnings.clone()), [], "{push}");
        let words = |fallback: &pushcron::domain::FallbackSpec| {
            let after: Vec<&str> = fallback.after.iter().map(|state| state.as_str()).collect();
            let account = fallback.account.as_deref().unwrap_or("-");
            format!("{} {} {account} {}", fallback.im, fallback.target, after.join("+"))
        };
        config.jobs[0].push.iter().map(|push| push.fallback.iter().map(words).collect()).collect()
    };
    assert_eq!(
        of("{im: chat, user: u, text: hi, fallback: {to: both}}"),
        [["chat group:g a failed+expired", "strict user:l - failed+expired"]]
    );
    assert_eq!(
        of("{im: chat, user: [u, v], text: hi, fallback: [{account: b, after: unknown}]}"),
        [["chat user:u b unknown"], ["chat user:v b unknown"]]
    );
    assert_eq!(
        of("{to: ops, text: hi, fallback: [{group: h, after: [failed]}, {im: chat, group: h, after: expired}]}"),
        [["chat group:h - failed+expired"]]
    );
    for (fallback, said) in [
        ("{user: u}", "a fallback goes to somebody else, or by another account: this is the push itself"),
        ("{to: nobody}", "there is no target 'nobody'"),
        ("{after: failed, account: ''}", "a fallback needs one of to, group, user and account"),
        ("{im: chat}", "a fallback with an im needs a group or a user"),
        ("{to: ops, im: chat}", "to says whom the push goes to, so im has no place beside it"),
        ("{group: g, user: v}", "a fallback is a group or a user: got both"),
        ("{to: ops, after: sent}", "after: expected failed, expired, unknown, got 'sent'"),
        ("{to: ops, after: []}", "after: expected at least one of failed, expired and unknown, got a list"),
        ("{to: ops, retry: {}}", "unknown key 'retry' in a fallback"),
        ("{to: ops, fallback: {to: lead}}", "a fallback has no fallback of its own"),
        ("[]", "fallback: expected at least one mapping, got an empty list"),
        ("ops", "fallback: expected a mapping, got a text"),
        ("{account: nobody}", "there is no account 'nobody'"),
        ("{account: w}", "the account 'w' is of the im 'strict', and the push goes to 'chat'"),
    ] {
        let errors = refused(&with(targets, &format!("{{im: chat, user: u, text: hi, fallback: {fallback}}}")));
        assert!(errors.errors.iter().any(|error| error.message.english().starts_with(said)), "{fallback}: {errors}");
    }
    let voice = "{im: chat, user: u, voice: 'https://h/a.amr', fallback: {im: strict, group: g}}";
    assert_eq!(first_error(&with(targets, voice)), "wire cannot send voice to a group: groups have no voice");
}
