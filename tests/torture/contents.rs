//! Kills between a content, its row, its rendering and its sends.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::checker::{Rules, number, open};
use super::receiver::Temper;
use super::stage::{Moment, Stage, strace_works, within};

const RETRY: &str = "retry: {max_attempts: 50, backoff: 200ms, max_backoff: 1s, give_up_after: 12h}";
const JOBS: [&str; 4] = ["plain", "rendered", "released", "listed"];

/// A source that says another thing each time, and notes that it was asked.
fn source(stage: &Stage) -> String {
    let (path, new) = (stage.path("clock"), stage.path("new"));
    let script = format!("#!/bin/sh\necho run >> {}\ndate +%s.%N\n", stage.path("runs").display());
    // Written beside and moved, so that nobody runs it while it is open for writing.
    std::fs::write(&new, script).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(new, &path).unwrap();
    format!("command: [{}], as_root: true, backoff: 200ms", path.display())
}

fn runs(stage: &Stage) -> usize {
    std::fs::read_to_string(stage.path("runs")).unwrap_or_default().lines().count()
}

fn contents(stage: &Stage) -> i64 {
    number(&open(&stage.database()), "SELECT count(*) FROM contents")
}

/// Each fire, with what everybody got of it: its version is the first word.
fn versions(stage: &Stage) -> BTreeMap<String, BTreeSet<String>> {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for seen in stage.receiver.seen() {
        let instant = seen.instant.expect("all of them are by schedule");
        let (fire, _) = instant.rsplit_once(' ').unwrap();
        let version = seen.text.split(' ').next().unwrap_or_default().trim().to_owned();
        versions.entry(fire.to_owned()).or_default().insert(version);
    }
    versions
}

/// Pushes of which two requests said different things.
fn reworded(stage: &Stage) -> usize {
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for seen in stage.receiver.seen() {
        texts.entry(seen.id).or_default().insert(seen.text);
    }
    texts.values().filter(|texts| texts.len() > 1).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fire_has_one_version_of_its_content_however_often_the_daemon_is_killed() {
    let mut stage = Stage::new("contents", 20).await;
    let strace = strace_works();
    let source = source(&stage);
    let job = |name: &str, push: &str, more: &str| {
        format!(
            "  - {{name: {name}, every: 2s, misfire: {{policy: all, within: 12h, max: 10000}}, push: {{{push}}}, \
             content_from: {{{source}{more}}}, {RETRY}}}\n"
        )
    };
    let said = "text: \"{{ output | trim }} {{ now | date('%H:%M:%S') }} {{ late }} {{ target }}\"";
    std::fs::write(stage.path("team.csv"), "id,name\n7,Ann\n8,Bo\n9,Cy\n").unwrap();
    let jobs = [
        job("plain", "im: hook, group: [1, 2], timeout: 2s", ", lead: 1s"),
        job("rendered", &format!("im: hook, group: [3, 4], timeout: 2s, render: true, {said}"), ", lead: 1s"),
        job("released", &format!("im: hook, group: [5, 6], timeout: 2s, render: true, {said}"), ", at: release"),
        job("listed", &format!("to: team, timeout: 2s, render: true, {said}"), ""),
        "targets:\n  team: {im: hook, from: {csv: team.csv, group: id}}\n".to_owned(),
    ];
    stage.configure(&stage.account("hook", ""), &jobs.concat());
    stage.receiver.set("/hook", Temper::Dice);
    while stage.killed < stage.kills {
        match stage.dice.u8(0..6) {
            // As the source is asked.
            0 if stage.killed > 0 => {
                let (asked, mut daemon) = (runs(&stage), stage.daemon());
                within(Duration::from_secs(3), || runs(&stage) > asked).await;
                stage.kill(&mut daemon);
            }
            // As its row has been written, before its pushes are begun or while they are.
            1 if stage.killed > 0 => {
                let (made, mut daemon) = (contents(&stage), stage.daemon());
                within(Duration::from_secs(3), || contents(&stage) > made).await;
                stage.kill(&mut daemon);
            }
            _ => {
                let moment = Moment::of(&mut stage.dice, strace);
                stage.one_life(moment).await;
            }
        }
    }
    let periods = JOBS.map(|job| (job, 2));
    let mut findings = stage.verdict(&Rules { jobs: &periods, ..Rules::default() }).await;
    let versions = versions(&stage);
    println!("contents: {} fires were heard of, the source was asked {} times", versions.len(), runs(&stage));
    let twice = versions.iter().filter(|(_, versions)| versions.len() > 1);
    findings.wrong.extend(twice.map(|(fire, versions)| format!("{fire} was sent as {versions:?}")));
    if reworded(&stage) > 0 {
        findings.wrong.push(format!("{} pushes said another thing in another attempt", reworded(&stage)));
    }
    // What stands in the rows is what was sent.
    let connection = open(&stage.database());
    for (fire, versions) in &versions {
        let (job, due_at) = fire.split_once(' ').unwrap();
        let kept: String = connection
            .query_row(
                "SELECT c.content FROM contents c JOIN fires f ON f.id = c.fire_id WHERE f.job = ?1 AND f.due_at = ?2",
                [job, due_at],
                |row| row.get(0),
            )
            .unwrap_or_else(|error| panic!("the content of {fire}: {error}"));
        if !versions.contains(kept.trim()) {
            findings.wrong.push(format!("{fire} was sent as {versions:?}, its row says {kept}"));
        }
    }
    stage.assert_clean(&findings);
}
