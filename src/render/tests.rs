use std::sync::Arc;

use super::{NAMES, Templates};
use crate::domain::{Body, Calendar, Facts, Item, Media, Message, Render, Rendering, Target, Trigger, UtcMs};

/// 2026-10-01T01:00:00Z, nine o'clock in Shanghai, a Thursday.
const NINE: UtcMs = UtcMs(1_790_816_400_000);

fn templates() -> Templates {
    Templates::new([("SITE".to_owned(), "north <at id=1> @all *b* [@,wxid=x] me@example.org".to_owned())].into())
}

fn shanghai() -> Rendering {
    Rendering::in_zone("Asia/Shanghai")
}

/// On which the day is off, and the day before it, as which it counts in America.
fn holidays() -> Arc<Calendar> {
    let mut list = Calendar { name: "own".to_owned(), ..Calendar::default() };
    list.rest.insert("2026-10-01".parse().unwrap(), "National *Day* @all".to_owned());
    Arc::new(list)
}

fn text(text: &str) -> Message {
    Message { title: None, body: Body::Text { text: text.to_owned() } }
}

fn facts(target: &Target) -> Facts<'_> {
    Facts {
        due_at: NINE,
        now: UtcMs(NINE.0 + 1500),
        job: Some("digest"),
        run: 7,
        trigger: Trigger::Manual,
        backfill: true,
        calendar: None,
        account: "bot",
        im: "qq",
        target,
        content: None,
        columns: None,
    }
}

fn rendered(message: &Message) -> Result<Message, String> {
    let target = Target::Group("42".to_owned());
    templates().render(message, &shanghai(), &Facts { calendar: Some(&holidays()), ..facts(&target) })
}

fn told(template: &str) -> String {
    match rendered(&text(template)) {
        Ok(Message { body: Body::Text { text }, .. }) => text,
        other => panic!("{template}: {other:?}"),
    }
}

fn refusal(template: &str) -> String {
    rendered(&text(template)).expect_err(template)
}

#[test]
fn a_template_tells_its_push_in_the_zone_of_the_job() {
    for (template, expected) in [
        ("{{ due }}", "2026-10-01 09:00"),
        ("{{ due | date('%F %T') }} {{ planned | date }}", "2026-10-01 09:00:00 2026-10-01"),
        ("{{ now | date('%S') }} {{ late }}", "01 1500"),
        ("{{ due | in('Europe/Berlin') | date('%H:%M') }}", "03:00"),
        ("{{ due.year }}-{{ due.month }}-{{ due.day }} {{ due.hour }} {{ due.weekday }}", "2026-10-1 9 4"),
        ("{{ job }} {{ run }} {{ trigger }} {{ account }} {{ im }} {{ target }}", "digest 7 manual bot qq 42"),
        ("{{ backfill }} {{ workday }} {{ holiday }}", "True False National *Day* @\u{2060}all"),
        ("{% if now > due %}late{% else %}on time{% endif %}", "late"),
        ("{{ ['a', 'b'] | join('、') }}{% for n in range(3) %}{{ n }}{% endfor %}", "a、b012"),
        ("a < b & \"c\"{# nobody reads this #}\n{{ '' }}\n", "a < b & \"c\"\n\n"),
        ("no template, 100 %", "no template, 100 %"),
    ] {
        assert_eq!(told(template), expected, "{template}");
    }
}

#[test]
fn each_name_is_something_and_days_go_by_the_zone_of_the_job() {
    for name in NAMES.iter().filter(|name| **name != "env") {
        assert_ne!(told(&format!("{{{{ {name} }}}}")), "", "{name}");
    }
    let target = Target::Group("42".to_owned());
    let facts = Facts { due_at: NINE, now: NINE, calendar: Some(&holidays()), ..facts(&target) };
    for (zone, expected) in [("Asia/Shanghai", "False, off"), ("America/New_York", "True, ")] {
        let message = text("{{ workday }}, {% if holiday %}off{% endif %}");
        let message = templates().render(&message, &Rendering::in_zone(zone), &facts).unwrap();
        assert_eq!(message.body, Body::Text { text: expected.to_owned() }, "{zone}");
    }
    let without = Facts { calendar: None, ..facts };
    let refusal = templates().render(&text("{{ workday }}"), &shanghai(), &without).unwrap_err();
    assert!(refusal.contains("'workday' is not there"), "{refusal}");
    let found = templates().check("now {{ holiday }}", &shanghai(), None, NINE);
    let [finding] = &found[..] else { panic!("{found:?}") };
    assert_eq!(finding.at, 7..14);
    assert!(finding.problem.english().contains("list of days") && !finding.is_doubt, "{finding:?}");
}

#[test]
fn everybody_is_called_by_an_item_of_its_own_alone() {
    let calls = |user: &str| {
        let items = vec![Item::At { user: user.to_owned() }, Item::Text { text: "hi".to_owned() }];
        rendered(&Message { title: None, body: Body::Mixed { items } })
    };
    assert!(calls("{{ target }}").is_ok());
    for user in ["{{ 'ALL' }}", "{{ '@all' }}", "{{ 'all ' }}", "@{{ 'room' }}"] {
        assert!(calls(user).unwrap_err().contains("which calls everybody"), "{user}");
    }
    assert!(calls("{{ '' }}").unwrap_err().contains("nobody to call"));
}

#[test]
fn every_text_of_a_message_is_rendered() {
    let media = |name: &str| Media {
        source: format!("/srv/{name}-{{{{ due | date('%F') }}}}.pdf"),
        filename: Some("{{ job }}.pdf".to_owned()),
        caption: Some("{{ '' }}".to_owned()),
        ..Media::default()
    };
    let message = Message { title: Some("{{ job }}".to_owned()), body: Body::File(media("report")) };
    let Message { title, body: Body::File(file) } = rendered(&message).unwrap() else { panic!("another kind") };
    assert_eq!(title.as_deref(), Some("digest"));
    assert_eq!((&*file.source, file.filename.as_deref()), ("/srv/report-2026-10-01.pdf", Some("digest.pdf")));
    assert_eq!(file.caption, None, "nothing was left of it");
    let items = vec![
        Item::Text { text: "{{ im }}".to_owned() },
        Item::At { user: "{{ target }}".to_owned() },
        Item::Markdown { text: "**{{ account }}**".to_owned() },
        Item::Image(media("a")),
        Item::AtAll,
    ];
    let message = Message { title: None, body: Body::Mixed { items } };
    let json = serde_json::to_string(&rendered(&message).unwrap()).unwrap();
    for there in [r#""text":"qq""#, r#""user":"42""#, "**bot**", "/srv/a-2026-10-01.pdf", "at_all"] {
        assert!(json.contains(there), "{there}: {json}");
    }
}

#[test]
fn foreign_values_call_nobody_and_are_no_markup() {
    let joined = "north <\u{2060}at id=1> @\u{2060}all *b* [\u{2060}@\u{2060},wxid=x] me@example.org";
    assert_eq!(told("{{ env.SITE }}"), joined);
    assert_eq!(told("@all {{ job }}"), "@all digest", "what the author wrote stays");
    let items = vec![Item::Markdown { text: "{{ env.SITE }}".to_owned() }];
    let message = Message { title: None, body: Body::Mixed { items } };
    let Message { body: Body::Mixed { items }, .. } = rendered(&message).unwrap() else { panic!("another kind") };
    let Item::Markdown { text } = &items[0] else { panic!("another item") };
    assert!(text.contains(r"\*b\*") && text.contains("\\<\u{2060}at") && text.contains("@\u{2060}all"), "{text}");
}

/// A template that shows this value of somebody else.
fn showing(template: &str, value: &str) -> String {
    let target = Target::Group("42".to_owned());
    let templates = Templates::new([("V".to_owned(), value.to_owned())].into());
    match templates.render(&text(template), &shanghai(), &facts(&target)) {
        Ok(Message { body: Body::Text { text }, .. }) => text,
        other => panic!("{template}: {other:?}"),
    }
}

#[test]
fn foreign_values_complete_no_call_and_no_tag() {
    let seen = |text: &str| text.replace('\u{2060}', "|");
    for (template, value, expected) in [
        ("@{{ env.V }}", "all", "@|all"),
        ("@{{ env.V }}!", "ALL", "@|ALL!"),
        ("＠{{ env.V }}", "全体成员", "＠|全体成员"),
        ("{{ env.V }}all", "me@", "me@|all"),
        ("{{ '@' ~ env.V }}", "room", "@|room"),
        ("{% set call %}@{{ env.V }}{% endset %}{{ call }}", "here", "@|here"),
        ("[CQ:at,qq={{ env.V }}]", "all", "[|CQ:at,qq=all]"),
        ("[{{ env.V }}", "CQ:at,qq=all]", "[|CQ:at,qq=all]"),
        ("{{ env.V }}CQ:at,qq=1]", "[", "[|CQ:at,qq=1]"),
        ("[C{{ env.V }}", "Q:image,file=/etc/shadow]", "[|CQ:image,file=/etc/shadow]"),
        ("<at user_id=\"{{ env.V }}\">x</at>", "all", "<|at user_id=\"all\">x</at>"),
        ("<{{ env.V }}", "at id=all></at>", "<|at id=all><|/at>"),
        ("<@{{ env.V }}>", "all", "<|@|all>"),
        // What calls somebody by the author's will, and what calls nobody.
        ("@all {{ env.V }}", "all", "@all all"),
        ("[CQ:at,qq={{ env.V }}]", "10001", "[CQ:at,qq=10001]"),
        ("<@{{ env.V }}>", "u1", "<@u1>"),
        ("[CQ:at,qq=all] {{ env.V }}", "all", "[CQ:at,qq=all] all"),
        ("@{{ env.V }}", "allison", "@allison"),
        ("{{ env.V }}", "me@here.com", "me@here.com"),
        ("a < {{ env.V }}", "b [1]", "a < b [1]"),
    ] {
        assert_eq!(seen(&showing(template, value)), expected, "{template} with {value}");
    }
}

#[test]
fn what_never_ends_or_grows_is_stopped_at_once() {
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
    for (template, sign) in [
        (endless, "out of fuel"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", ""),
        ("{{ 'x' * 1000000000 }}", ""),
        ("{{ 'x' * 70000 }}", "64 KiB"),
        ("{{ range(100000000) }}", ""),
    ] {
        let refusal = refusal(template);
        assert!(refusal.contains(sign), "{template}: {refusal}");
    }
    // Many that burn a little each are one message all the same.
    let items = (0..500).map(|_| Item::Text { text: "{% for a in range(300) %}x{% endfor %}".to_owned() }).collect();
    let message = Message { title: None, body: Body::Mixed { items } };
    let refusal = rendered(&message).unwrap_err();
    assert!(refusal.contains("out of fuel"), "{refusal}");
}

#[test]
fn what_cannot_be_rendered_says_where() {
    assert_eq!(refusal("a\n  {{ due.yaer }}"), "text: 'due.yaer' is not there (line 2, column 6)");
    assert!(refusal("{{ due | in('Mars/Base') }}").contains("there is no time zone 'Mars/Base'"));
    assert!(refusal("{{ job | date('%F') }}").contains("expected an instant"));
    assert!(refusal("{{ '' }} {{ ' ' }}").contains("nothing to see"));
    let file = Media { source: "/a".to_owned(), filename: Some("{{ '../x' }}".to_owned()), ..Media::default() };
    let refusal = rendered(&Message { title: None, body: Body::File(file) }).unwrap_err();
    assert!(refusal.contains("without a directory"), "{refusal}");
}

fn findings(template: &str) -> Vec<(String, Option<String>, String)> {
    let found = templates().check(template, &shanghai(), Some(&holidays()), NINE);
    found
        .into_iter()
        .map(|f| {
            (template[f.at].to_owned(), f.hint.map(|hint| hint.english().to_owned()), f.problem.english().to_owned())
        })
        .collect()
}

#[test]
fn a_check_finds_names_that_are_not_there_and_what_was_meant() {
    let [(piece, hint, problem)] = &findings("due: {{ nov }} now")[..] else { panic!("not one finding") };
    assert_eq!((piece.as_str(), hint.as_deref()), ("nov", Some("did you mean 'now'?")));
    assert!(problem.contains("'nov'"));
    let [(piece, hint, _)] = &findings("{{ env.SITES }}")[..] else { panic!("not one finding") };
    assert_eq!((piece.as_str(), hint.as_deref()), ("SITES", Some("did you mean 'SITE'?")));
    for (template, piece) in [
        ("{{ due.yaer }}", "due.yaer"),
        ("{{ due | dat('%F') }}", ""),
        ("{% if due %}x", ""),
        ("{{ due", ""),
        ("{% include 'x' %}", ""),
        ("{{ due | date('%!') }}", ""),
    ] {
        let found = findings(template);
        assert!(found.len() == 1 && found[0].0.contains(piece), "{template}: {found:?}");
    }
    for fine in [
        "{{ due }}",
        "{% for n in range(3) %}{{ loop.index }}{{ n }}{% endfor %}",
        "{% set x = 1 %}{{ x }}",
        "{{ env.SITE }}",
    ] {
        assert_eq!(findings(fine), [], "{fine}");
    }
}

#[test]
fn what_costs_too_much_with_the_values_of_now_is_a_doubt() {
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
    let found = templates().check(endless, &shanghai(), None, NINE);
    assert_eq!(found.iter().map(|finding| finding.is_doubt).collect::<Vec<_>>(), [true]);
}

/// As deep as one tag, and as a template, can go, which ends no thread, small as its stack may be.
#[test]
fn no_chain_is_too_deep_for_the_stack() {
    let chains = [
        ("{{ 1", "+1", " }}"),
        ("{{ 'a'", "~'b'", " }}"),
        ("{{ ", "not ", "1 }}"),
        ("{{ job", "|upper", " }}"),
        ("{{ job", ".a", " }}"),
        ("{{ job", "[0]", " }}"),
        ("{{ job", "()", " }}"),
        ("{{ 1", " if 1", " }}"),
        ("{{ 1", " is odd", " }}"),
        ("{{ 1", " in 1", " }}"),
        ("{{ ", "[", " }}"),
        ("{% if late < 0 %}a", "{%elif 1>2%}", "{% endif %}x"),
        ("", "{%if 1%}", ""),
    ];
    for (before, link, after) in chains {
        let most = if link.starts_with('{') { super::LONGEST_TEMPLATE } else { 4096 };
        let links = (most - before.len() - after.len()) / link.len();
        let template = format!("{before}{}{after}", link.repeat(links));
        let (rendered, found) = on_a_small_stack(move || {
            let found = templates().check(&template, &shanghai(), None, NINE);
            templates().asks_for(&template, &NAMES);
            (self::rendered(&text(&template)), found)
        });
        assert!(rendered.is_ok() || !found.is_empty(), "{before}{link}…: {rendered:?}, and check found nothing");
    }
}

/// The engine takes seconds for a chain that fills a template.
#[test]
fn a_tag_that_is_too_long_by_itself_is_refused_wherever_it_seems_to_end() {
    for start in ["{{ 1", "{{ '}}'~1", "{% set x = \"\\\"%}\"~1", "{# {{ #}{{ 1"] {
        let chain = format!("{start}{} }}}}", "~1".repeat(2100));
        assert!(
            refusal(&chain).ends_with("…' is longer than 4 KiB by itself (line 1, column 1)"),
            "{}",
            refusal(&chain)
        );
    }
    let list = format!("{{{{ ['{}']|length }}}}{{{{ 'a' }}}}", "x".repeat(4000));
    assert_eq!(told(&list), "1a");
}

#[test]
fn no_value_within_values_is_too_deep_for_the_stack() {
    let nested = "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}";
    for end in ["{{ ns.x }}", "{{ ns.x|tojson }}", "{{ ns.x|upper }}", "{{ nothing }}", "{{ ns.x == ns.x }}", "x"] {
        drop(on_a_small_stack(move || rendered(&text(&format!("{nested}{end}")))));
    }
}

fn on_a_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap().join().unwrap()
}
