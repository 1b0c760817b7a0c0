//! Templates from outside and over the life of a push: one version of its text, whatever happens on the way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pushcron::clock::{Clock, SystemClock};
use pushcron::config::{self, LoadEnvironment};
use pushcron::domain::{Body, Database, Job, Message, Outcome, PushSpec, Render, Rendering, Rule, Schedule, UtcMs};
use pushcron::engine::dispatcher::Event;
use pushcron::render::Templates;
use pushcron::senders::specs;
use pushcron::store::{self, Access, Begin, TakeBack};

use crate::common::daemon::{House, until};
use crate::common::fake_im::Answer;
use crate::common::world::{START, World, account, failed, job, text};

const ENDLESS: &str = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";

fn rendered(template: &str) -> PushSpec {
    PushSpec {
        message: Message { title: None, body: Body::Text { text: template.to_owned() } },
        render: Some(Rendering::in_zone("Asia/Shanghai").into()),
        ..text("1")
    }
}

fn once(name: &str, template: &str) -> Job {
    Job { push: vec![rendered(template)], ..job(name, Schedule::At(START + Duration::from_secs(10))) }
}

fn says(message: &Message) -> &str {
    match &message.body {
        Body::Text { text } => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_attempt_sends_what_was_rendered_for_the_first() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [failed(Outcome::Unreachable), failed(Outcome::Unreachable)]);
    world.load(&[once("digest", "{{ job }} at {{ now | date('%H:%M:%S') }} by {{ account }}")]).await;
    for (seconds, state, attempts) in [(10, "retrying", "1"), (5, "retrying", "2"), (10, "sent", "3")] {
        world.pass(Duration::from_secs(seconds)).await;
        world.expect("select state, attempts from pushes", &[&[state, attempts]]).await;
    }
    let arrived = world.platform.arrived();
    let texts: Vec<&str> = arrived.iter().map(|(_, delivery)| says(&delivery.message)).collect();
    assert_eq!(texts, ["digest at 09:00:10 by a"; 3]);
    let row = "select message ->> 'text', render is null, length(content_hash) from pushes";
    world.expect(row, &[&["digest at 09:00:10 by a", "1", "64"]]).await;
}

#[tokio::test]
async fn what_was_rendered_before_a_kill_is_sent_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::at(dir.path().join("pushcron.db"));
    let templates = || Arc::new(Templates::new(BTreeMap::new()));
    let first = store::open(&database, Access::Daemon, START).await.unwrap();
    first.render_with(templates());
    let spec = rendered("{{ now | date('%H:%M') }}");
    let ad_hoc = store::AdHoc { spec, triggered_by: pushcron::domain::Trigger::Manual, chat: None };
    let push_id = first.push_ad_hoc(ad_hoc, START).await.unwrap();
    let begin = Begin { push_id, account: Arc::from("a"), sender: "console", rule: Rule::ImDefault };
    let begun = first.begin_attempts(vec![begin.clone()], START).await.unwrap();
    assert_eq!(says(&begun[0].message), "09:00");
    // The process is gone between the row and the send: nobody closes anything.
    drop(first);
    let later = UtcMs(START.0 + 3_600_000);
    let second = store::open(&database, Access::Daemon, later).await.unwrap();
    second.render_with(templates());
    let interrupted = second.interrupted().await.unwrap();
    assert_eq!(says(&interrupted[0].delivery.as_ref().unwrap().message), "09:00");
    let back = TakeBack { push_id, number: 1, next_attempt_at: later, reason: None };
    second.take_back_attempts(vec![back], later).await.unwrap();
    let again = second.begin_attempts(vec![begin], later).await.unwrap();
    assert_eq!(says(&again[0].message), "09:00", "one version, although it is ten by now");
    second.close().await;
}

#[tokio::test]
async fn e4_a_template_that_never_ends_fails_its_own_push_and_holds_up_no_other() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[once("endless", ENDLESS), once("fine", "on time"), once("undefined", "{{ due.yaer }}")]).await;
    world.pass(Duration::from_secs(10)).await;
    let rows = "select job, state, reason, lateness_ms from push_history where state is not 'pending' order by job";
    world
        .expect(
            rows,
            &[
                &["endless", "failed", "content", "0"],
                &["fine", "sent", "", "0"],
                &["undefined", "failed", "content", "0"],
            ],
        )
        .await;
    assert_eq!(world.platform.count(), 1, "nothing was sent of those that failed");
    let explained = world.said(&["explain", "endless", "2026-01-01T01:00:10Z"]);
    assert!(explained.contains("out of fuel"), "{explained}");
}

/// Jobs as files bring them.
fn read(jobs: &str) -> Vec<Job> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("jobs.yaml");
    std::fs::write(&file, format!("accounts: [{{id: a, im: qq, sender: console}}]\n{jobs}")).unwrap();
    let environment = LoadEnvironment::of_process(START);
    config::load(&[file], &specs(), &environment).unwrap_or_else(|errors| panic!("{jobs}\n{errors}")).jobs
}

#[tokio::test]
async fn workdays_and_holidays_go_by_the_list_of_the_job_and_the_day_of_its_zone() {
    // In Shanghai the fourth of January begins, a Sunday on which people work; in UTC it is still the day off before it.
    let start: UtcMs = "2026-01-03T15:59:58Z".parse().unwrap();
    let mut world = World::within(tempfile::tempdir().unwrap(), start, vec![account("a", true)]).await;
    let text = "{{ job }}: {{ due | date('%F') }}, {{ 'work' if workday else 'off' }}{% if holiday %}, {{ holiday }}{% endif %}";
    let job = |name: &str, hour: u8, zone: &str, days: &str| {
        format!(
            "  - {{name: {name}, cron: '0 {hour} * * *', timezone: {zone}, {days}, render: true, push: {{im: qq, group: 1, text: \"{text}\"}}}}\n"
        )
    };
    let jobs = [job("east", 0, "Asia/Shanghai", "workdays: cn"), job("west", 16, "UTC", "only: [cn.holidays]")];
    world.load(&read(&format!("jobs:\n{}", jobs.concat()))).await;
    world.pass(Duration::from_secs(3)).await;
    world.arrived(2).await;
    let mut texts: Vec<String> =
        world.platform.arrived().iter().map(|(_, delivery)| says(&delivery.message).to_owned()).collect();
    texts.sort();
    assert_eq!(texts, ["east: 2026-01-04, work", "west: 2026-01-03, off, 元旦"]);
}

#[tokio::test]
async fn a_run_is_counted_by_its_own_instant_over_restarts_and_whenever_it_is_sent() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [failed(Outcome::Unreachable)]);
    let text = "{{ run }} of {{ job }} at {{ due | date('%S') }}";
    let jobs = read(&format!(
        "jobs: [{{name: often, every: 2s, retry: {{backoff: 5s, jitter: 0}}, push: {{im: qq, group: 1, render: true, text: \"{text}\"}}}}]"
    ));
    let sent = "select count(*) from pushes where state = 'sent'";
    world.load(&jobs).await;
    world.pass(Duration::from_secs(2)).await;
    world.expect("select state from pushes where attempts = 1", &[&["retrying"]]).await;
    world.pass(Duration::from_secs(6)).await;
    world.expect(sent, &[&["4"]]).await;
    let mut world = world.kill_and_restart().await;
    world.load(&jobs).await;
    world.pass(Duration::from_secs(2)).await;
    world.expect(sent, &[&["5"]]).await;
    world.store.fire_by_hand("often", world.clock.now()).await.unwrap();
    world.events.send(Event::Opened(world.store.open_pushes().await.unwrap())).ok().unwrap();
    world.expect(sent, &[&["6"]]).await;
    let told = "select p.message ->> 'text' from pushes p join fires f on f.id = p.fire_id where p.state = 'sent'
                 order by f.triggered_by, f.due_at";
    let rows: &[&[&str]] = &[
        &["1 of often at 02"],
        &["2 of often at 04"],
        &["3 of often at 06"],
        &["4 of often at 08"],
        &["5 of often at 10"],
        &["5 of often at 10"],
    ];
    world.expect(told, rows).await;
}

#[tokio::test]
async fn what_is_made_up_for_tells_its_old_instant_and_that_it_is_late() {
    let mut world = World::new(vec![account("a", true)]).await;
    let text = "{{ due | date('%H:%M') }}{% if backfill %} (made up for, {{ late // 60000 }} minutes late){% endif %}";
    world
        .load(&read(&format!(
            "jobs: [{{name: hourly, every: 1h, timezone: Asia/Shanghai, push: {{im: qq, group: 1, render: true, text: \"{text}\"}}}}]"
        )))
        .await;
    let old = START - Duration::from_secs(7200);
    world.store.backfill("hourly", vec![old], Duration::ZERO, START).await.unwrap();
    world.store.fire_by_hand("hourly", START).await.unwrap();
    world.events.send(Event::Opened(world.store.open_pushes().await.unwrap())).ok().unwrap();
    world.arrived(2).await;
    let mut texts: Vec<String> =
        world.platform.arrived().iter().map(|(_, delivery)| says(&delivery.message).to_owned()).collect();
    texts.sort();
    assert_eq!(texts, ["07:00 (made up for, 120 minutes late)", "09:00"]);
}

#[test]
fn e4_templates_that_never_end_or_grow_without_bounds_are_given_up_within_100_ms() {
    let clock = SystemClock::new();
    let templates = Templates::new(BTreeMap::new());
    for template in [ENDLESS, "{{ 'x' * 1000000000 }}", "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}"] {
        let PushSpec { message, render, target, .. } = rendered(template);
        let facts = pushcron::domain::Facts {
            due_at: START,
            now: START,
            job: None,
            run: 1,
            trigger: pushcron::domain::Trigger::Manual,
            backfill: false,
            calendar: None,
            account: "a",
            im: "qq",
            target: &target,
            content: None,
            columns: None,
        };
        let began = clock.monotonic();
        let refused = templates.render(&message, &render.unwrap(), &facts);
        let took = clock.monotonic() - began;
        assert!(refused.is_err() && took < Duration::from_millis(100), "{template}: {took:?}");
    }
}

#[tokio::test]
async fn without_render_a_text_goes_out_as_it_stands() {
    let mut world = World::new(vec![account("a", true)]).await;
    let push = vec![PushSpec { render: None, ..rendered("{{ job }}") }];
    world.load(&[Job { push, ..once("plain", "") }]).await;
    world.pass(Duration::from_secs(10)).await;
    world.arrived(1).await;
    assert_eq!(says(&world.platform.arrived()[0].1.message), "{{ job }}");
    assert_eq!(world.clock.now(), START + Duration::from_secs(10));
}

#[tokio::test]
async fn a_daemon_renders_and_sends_the_same_bytes_after_a_503() {
    let house = House::new().await;
    house.im.script("/hook", [Answer::status(503), Answer::text(200, "{}")]);
    house.write(&format!(
        "daemon: {{database: pushcron.db, timezone: Asia/Shanghai, template_env: [SITE]}}\n\
         accounts: [{{id: hook, im: hook, sender: webhook, url: \"{}\", dedupes: true}}]\n\
         defaults: {{render: true}}\n\
         jobs:\n  - name: tick\n    every: 1s\n    misfire: all\n    retry: {{backoff: 1s, jitter: 0}}\n    \
         push: {{im: hook, group: 1, text: \"{{{{ env.SITE }}}} {{{{ now | date('%T') }}}} {{{{ late }}}}\"}}\n  \
         - name: endless\n    every: 1s\n    push: {{im: hook, group: 2, text: \"{ENDLESS}\"}}\n",
        house.im.url("/hook"),
    ));
    let mut command = house.program(&["--db", house.database().to_str().unwrap(), "run"]);
    command.env("SITE", "north @all");
    let mut daemon = house.start(command).await;
    let twice = "select count(*) from push_history where job = 'tick' and state = 'sent' and attempts = 2";
    house.until_at_least(1, twice).await;
    let ended = "select count(*) from push_history where job = 'endless' and state = 'failed' and reason = 'content'";
    house.until_at_least(2, ended).await;
    until("later ticks are sent", async || {
        house.number("select count(*) from push_history where job = 'tick' and state = 'sent'").await >= 3
    })
    .await;
    daemon.stop().await;
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for request in house.im.requests_to("/hook") {
        let id = request.header("webhook-id").unwrap().to_owned();
        versions.entry(id).or_default().push(request.text());
    }
    assert!(versions.values().any(|bodies| bodies.len() == 2), "{versions:?}");
    for bodies in versions.values() {
        assert!(bodies.iter().all(|body| body == &bodies[0]), "{bodies:?}");
        assert!(bodies[0].contains(r"north @\u2060all"), "{bodies:?}");
    }
}

/// What a page shows is what comes out: each example of docs/content.md is loaded, and rendered for an hour that is told
/// there.
#[test]
fn the_examples_of_the_page_on_content_come_out_as_it_says() {
    let page = std::fs::read_to_string("docs/content.md").unwrap();
    let mut shown = 0;
    for example in page.split("```yaml\n").skip(1) {
        let (yaml, rest) = example.split_once("```").unwrap();
        let Some(expected) = rest.trim_start().strip_prefix("```text\n") else { continue };
        let expected = expected.split_once("```").unwrap().0.trim_end();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("jobs.yaml");
        let yaml = format!("accounts: [{{id: screen, sender: console}}]\n{yaml}");
        std::fs::write(&file, &yaml).unwrap();
        let environment = LoadEnvironment {
            variable: Box::new(|name| (name == "SITE").then(|| "north".to_owned())),
            ..LoadEnvironment::of_process(START)
        };
        let config = config::load(&[file], &specs(), &environment).unwrap_or_else(|errors| panic!("{yaml}\n{errors}"));
        let templates = Templates::new(config.daemon.template_env.clone());
        let mut come_out = Vec::new();
        for (job, push) in config.jobs.iter().flat_map(|job| job.push.iter().map(move |push| (job, push))) {
            // Friday, 2 October 2026, 07:30 in Shanghai.
            let due_at = UtcMs(1_790_897_400_000);
            let facts = pushcron::domain::Facts {
                due_at,
                now: due_at,
                job: Some(&job.name),
                run: 1,
                trigger: pushcron::domain::Trigger::Cron,
                backfill: false,
                calendar: None,
                account: "screen",
                im: &push.im,
                target: &push.target,
                content: None,
                columns: None,
            };
            let message = templates.render(&push.message, push.render.as_ref().expect("it is rendered"), &facts);
            come_out.push(match message.unwrap_or_else(|problem| panic!("{yaml}\n{problem}")).body {
                Body::Text { text } => text.trim_end().to_owned(),
                Body::File(media) => media.source.rsplit('/').next().unwrap().to_owned(),
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(come_out.join("\n"), expected, "{yaml}");
        shown += 1;
    }
    assert!(shown >= 3, "{shown} examples");
}
