//! Templates at load: what is wrong with them is told with its place, and what goes out as it stands is warned of.

use super::{ACCOUNT, load_text, loaded, refused};

fn with(daemon: &str, push: &str) -> String {
    format!(
        "daemon: {{{daemon}}}\n{ACCOUNT}jobs:\n  - name: j\n    every: 1m\n    push: {{im: screen, user: u, {push}}}\n"
    )
}

fn told(text: &str) -> String {
    refused(text).errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn e7_a_variable_that_is_not_there_is_told_with_its_column_and_what_was_meant() {
    let errors = refused(&with("", "render: true, text: \"Now {{ nov }}\"")).errors;
    let [error] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!((error.line, error.column), (6, 61), "{error}");
    assert_eq!(error.message.english(), "template: there is no variable 'nov'");
    assert_eq!(error.hint.as_ref().map(|hint| hint.english()), Some("did you mean 'now'?"));
    let block = format!(
        "{ACCOUNT}jobs:\n  - name: j\n    every: 1m\n    render: true\n    push:\n      im: screen\n      user: u\n      text: |\n        \
         Good morning\n        it is {{{{ duee }}}} now\n"
    );
    let error = &refused(&block).errors[0];
    assert_eq!((error.line, error.column), (11, 18), "{error}");
    assert_eq!(error.hint.as_ref().map(|hint| hint.english()), Some("did you mean 'due'?"));
}

#[test]
fn what_is_wrong_with_a_template_is_told() {
    for (push, sign) in [
        ("text: '{{ due '", "template: syntax error"),
        ("text: '{{ due.yaer }}'", "template: 'due.yaer' is not there"),
        ("text: \"{{ due | dat('%F') }}\"", "filter dat is unknown"),
        ("text: \"{% include 'x' %}\"", "template:"),
        ("title: '{{ tilte }}', text: hi", "no variable 'tilte'"),
        ("file: {source: '/srv/{{ daay }}.pdf'}", "no variable 'daay'"),
        ("mixed: [{text: a}, {markdown: '{{ b }}'}]", "no variable 'b'"),
        ("text: '{{ job }} on %F'", "'%F' looks like a form of a date"),
        ("text: '{{ job }} $(date)'", "'$(' looks like a command of a shell"),
        ("text: '{{ env.SITE }}'", "daemon.template_env"),
        ("text: '${BRINGS} {{ job }}'", "a variable brings '{{' into a template"),
    ] {
        let told = match load_text(&with("", &format!("render: true, {push}"))) {
            Ok(_) => panic!("accepted: {push}"),
            Err(errors) => errors.errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        };
        assert!(told.contains(sign), "{push}: {told}");
    }
    let told = told(&format!(
        "{ACCOUNT}jobs: [{{name: j, every: 1m, push: {{im: screen, user: '{{{{ u }}}}', text: hi, render: true}}}}]"
    ));
    assert!(told.contains("a target is no template"), "{told}");
}

#[test]
fn workdays_and_holidays_are_known_to_jobs_that_name_a_list_of_days() {
    let job = |keys: &str| {
        format!(
            "{ACCOUNT}jobs: [{{name: j, cron: '0 9 * * *', {keys}push: {{im: screen, user: u, render: true, text: '{{{{ workday }}}}'}}}}]"
        )
    };
    let told = told(&job(""));
    assert!(told.contains("'workday' goes by the list of days of its job") && told.contains("workdays: cn"), "{told}");
    for keys in ["workdays: cn, ", "except: [cn.holidays], "] {
        let mut job = loaded(&job(keys)).jobs.remove(0);
        let digest = job.days.unwrap().calendars()[0].digest.clone();
        assert_eq!(job.push.remove(0).render.unwrap().calendar, Some(digest), "{keys}");
    }
    let plain = job("workdays: cn, ").replace("workday }}", "due }}");
    assert_eq!(loaded(&plain).jobs[0].push[0].render.as_ref().unwrap().calendar, None, "nobody asks for it");
}

#[test]
fn what_takes_too_many_steps_is_warned_of() {
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
    let warnings = loaded(&with("", &format!("render: true, text: '{endless}'"))).warnings;
    assert!(warnings[0].message.english().contains("out of fuel") && warnings[0].column > 0, "{warnings:?}");
}

#[test]
fn a_text_that_looks_like_a_template_and_is_none_is_warned_of_with_its_place() {
    for (push, sign) in [
        ("text: 'It is {{ date }}'", "'{{' looks like a template"),
        ("text: 'Report of %Y-%m-%d'", "'%Y' looks like a form of a date"),
        ("text: '$(date +%F)'", "'$(' looks like a command of a shell"),
        ("file: {source: https://example.org/report-%F.pdf, filename: a.pdf}", "'%F' looks like a form of a date"),
    ] {
        let warnings = loaded(&with("", push)).warnings;
        let [warning] = &warnings[..] else { panic!("{push}: {warnings:?}") };
        assert!(
            warning.message.english().contains(sign) && warning.message.english().contains("goes out as it stands"),
            "{warning}"
        );
        let line = warning.source.as_deref().unwrap();
        let at: String = line.chars().skip(warning.column - 1).take(2).collect();
        assert!(warning.message.english().contains(&at), "{warning}");
    }
    for fine in ["text: '100 %'", "text: 'costs 5 $ (net)'", "text: '50% done'", "text: 'a { b } c'"] {
        assert_eq!(loaded(&with("", fine)).warnings, [], "{fine}");
    }
}

#[test]
fn render_may_stand_at_the_push_the_job_and_the_defaults() {
    let rendering = |text: &str| {
        let spec = loaded(text).jobs.remove(0).push.remove(0);
        spec.render.map(|rendering| rendering.timezone)
    };
    let berlin = Some("Europe/Berlin".to_owned());
    assert_eq!(rendering(&with("", "render: true, text: '{{ job }}'")), berlin);
    assert_eq!(rendering(&with("", "render: true, text: 'no template'")), None, "nothing is there to render");
    let job = |keys: &str, push: &str| {
        format!(
            "{ACCOUNT}jobs: [{{name: j, every: 1m, {keys}push: {{im: screen, user: u, text: '{{{{ job }}}}'{push}}}}}]"
        )
    };
    assert_eq!(rendering(&job("render: true, timezone: Asia/Tokyo, ", "")), Some("Asia/Tokyo".to_owned()));
    assert_eq!(rendering(&job("render: true, ", ", render: false")), None);
    assert_eq!(rendering(&format!("defaults: {{render: true}}\n{}", job("", ""))), berlin);
    assert_eq!(rendering(&format!("defaults: {{render: true}}\n{}", job("render: false, ", ""))), None);
}

#[test]
fn variables_of_the_environment_are_named_first_and_are_no_secrets() {
    let config = loaded(&with("template_env: [GROUP, YES]", "render: true, text: '{{ env.GROUP }} {{ env.YES }}'"));
    let values: Vec<_> = config.daemon.template_env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(values, ["GROUP=778899", "YES=true"]);
    let secret = "daemon: {template_env: [TOKEN]}\naccounts: [{id: w, sender: wire, url: https://x.test, token: \"${TOKEN}\"}]\n";
    let told_of = told(secret);
    assert!(told_of.contains("TOKEN is used by an account"), "{told_of}");
    assert!(told(&with("template_env: NOT_THERE", "text: hi")).contains("NOT_THERE is not set"));
    assert!(told(&with("template_env: ['${GROUP}']", "text: hi")).contains("names of environment variables"));
}
