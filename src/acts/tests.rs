use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use super::*;
use crate::answers::refusal::{Kind, Refusal};
use crate::clock::{Clock, ManualClock, SharedClock, SystemClock};
use crate::config::{self, ForeignList, LoadEnvironment};
use crate::domain::{Database, PushState, Trigger, UtcMs};
use crate::senders::http::Http;
use crate::senders::login::{LoginDialog, LoginEvent};
use crate::senders::{self, Environment, Memory, MemoryError};
use crate::store::{self, Access, Definition, SharedStore, StoreError};

async fn store(dir: &tempfile::TempDir) -> SharedStore {
    let database = Database::at(dir.path().join("pushcron.db"));
    store::open(&database, Access::Write, UtcMs(0)).await.unwrap()
}

fn acts(store: &SharedStore) -> Acts {
    Acts::new(&**store, SystemClock::shared(), Actor::CommandLine { uid: 7 })
}

/// A picture of so many bytes to a group.
fn push(bytes: usize) -> AdHoc {
    use base64::Engine;
    let source = format!("base64://{}", base64::engine::general_purpose::STANDARD.encode(vec![7; bytes]));
    let message = json!({ "kind": "image", "source": source });
    let spec = json!({ "im": "qq", "target": "group:1", "message": message });
    AdHoc { spec: serde_json::from_value(spec).unwrap(), triggered_by: Trigger::Manual, chat: None }
}

#[tokio::test]
async fn a_push_is_recorded_and_followed_until_somebody_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir).await;
    let push_id = acts(&store).push(vec![push(10)]).await.unwrap()[0];
    assert_eq!(store.push_state(push_id).await.unwrap(), Some(PushState::Pending));
    let rest = async || {
        acts(&store).cancel(push_id).await.unwrap();
        Ok::<_, StoreError>(true)
    };
    follow(&*store, push_id, rest).await.unwrap();
    assert_eq!(store.push_state(push_id).await.unwrap(), Some(PushState::Cancelled));
}

#[tokio::test]
async fn whoever_has_waited_enough_follows_no_longer_and_a_push_that_is_gone_is_no_wait() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir).await;
    let push_id = acts(&store).push(vec![push(10)]).await.unwrap()[0];
    follow(&*store, push_id, async || Ok::<_, StoreError>(false)).await.unwrap();
    assert_eq!(store.push_state(push_id).await.unwrap(), Some(PushState::Pending));
    follow(&*store, push_id + 1, async || -> Result<bool, StoreError> { panic!("there is nothing to wait for") })
        .await
        .unwrap();
}

#[tokio::test]
async fn nobody_is_waited_for_without_a_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir).await;
    let acts = acts(&store);
    let push_id = acts.push(vec![push(10)]).await.unwrap()[0];
    let refusal = acts.follow(&[push_id], None, || Ok::<_, Refusal>(false)).await.unwrap_err();
    assert_eq!(refusal.kind, Kind::OutOfReach);
    // A wait that is over ends with how things stand.
    let until = acts.wait_until(Some(Duration::ZERO));
    let table = acts.follow(&[push_id], until, || Ok::<_, Refusal>(true)).await.unwrap();
    assert_eq!(table.rows.len(), 1);
    acts.cancel(push_id).await.unwrap();
    let table = acts.follow(&[push_id], None, || Ok::<_, Refusal>(false)).await.unwrap();
    assert_eq!(table.rows.len(), 1);
}

#[test]
fn what_was_done_is_told_to_programs_by_the_word_of_the_act_and_the_ids_of_its_pushes() {
    let fired = Done::Fired { job: "daily".into(), push_ids: vec![7, 8] };
    assert_eq!(json!(fired), json!({ "act": "fired", "job": "daily", "push_ids": [7, 8] }));
    assert_eq!(fired.push_ids(), [7, 8]);
    let resolved = Done::Resolved { push_id: 7, sent: true };
    assert_eq!(json!(resolved), json!({ "act": "resolved", "push_id": 7, "sent": true }));
    assert_eq!(resolved.push_ids(), [7]);
    let paused = Done::Paused { job: "daily".into(), changed: false };
    assert_eq!(json!(paused), json!({ "act": "paused", "job": "daily", "changed": false }));
    assert!(paused.push_ids().is_empty());
    assert_eq!(Actor::CommandLine { uid: 7 }.to_string(), "cli uid 7");
}

/// A configuration, and a person who acts by it.
struct Person {
    dir: tempfile::TempDir,
    store: SharedStore,
}

impl Person {
    async fn new() -> Person {
        let dir = tempfile::tempdir().unwrap();
        let yaml = "accounts:\n  - {id: c, im: qq, sender: console, default: true}\njobs:\n  - {name: own, every: 1h, push: {im: qq, group: '1', text: a}}\n";
        std::fs::write(dir.path().join("jobs.yaml"), yaml).unwrap();
        let store = store(&dir).await;
        Person { dir, store }
    }

    fn files(&self) -> Files {
        Files { paths: vec![self.dir.path().join("jobs.yaml")], now: SystemClock::new().now() }
    }

    /// A job of that name that says `keys` as well.
    fn proposed(&self, name: &str, keys: serde_json::Value) -> Result<Proposal, Refusal> {
        let mut job = self.files().new_job(name)?;
        job.insert("push".to_owned(), json!({ "im": "qq", "group": "1", "text": "hi" }));
        job.extend(keys.as_object().unwrap().clone());
        self.files().propose(job)
    }

    async fn add(&self, name: &str, keys: serde_json::Value) -> Result<Done, Refusal> {
        acts(&self.store).define(self.proposed(name, keys)?).await
    }

    async fn text(&self, name: &str) -> serde_json::Value {
        json!(self.store.definition(name).await.unwrap().job)["push"][0]["message"].clone()
    }
}

#[tokio::test]
async fn a_job_is_made_changed_and_removed_by_typed_facts() {
    let person = Person::new().await;
    let Done::Defined { jobs } = person.add("tea", json!({ "every": "1h" })).await.unwrap() else { panic!() };
    assert!(jobs[0].job == "tea" && jobs[0].next_due_at > Some(UtcMs(0)), "{jobs:?}");
    let found = async || person.store.definition("tea").await.unwrap();
    let proposal = acts(&person.store)
        .edited(found().await, &person.files(), false, |job| {
            job.insert("push".to_owned(), json!({ "im": "qq", "group": "1", "text": literal("${PRICE} for all") }));
            Ok::<_, Refusal>(())
        })
        .await
        .unwrap();
    acts(&person.store).define(proposal).await.unwrap();
    assert_eq!(person.text("tea").await, json!({ "kind": "text", "text": "${PRICE} for all" }));
    let removed = acts(&person.store).remove(vec![found().await]).await.unwrap();
    assert_eq!(removed, Done::Removed { jobs: vec![Removed { job: "tea".to_owned(), cancelled: 0 }] });
    assert!(person.store.verb_jobs().await.unwrap().is_empty());
}

/// What waits for the database (a lock on it, a slow disk) for longer than until the instant it is about.
#[tokio::test]
async fn an_instant_that_passes_while_the_database_is_waited_for_is_still_to_be_made_up_for() {
    let person = Person::new().await;
    let said_at = person.files().now;
    let files = Files { now: said_at, ..person.files() };
    let acts = Acts::new(
        &*person.store,
        ManualClock::new(said_at + Duration::from_secs(4)) as SharedClock,
        Actor::CommandLine { uid: 7 },
    );
    let next_of = async |name: &str| {
        let jobs = person.store.jobs().await.unwrap();
        jobs.iter().find(|job| &*job.name == name).unwrap().next_due_at
    };
    let job = |name: &str, when: (&str, String)| {
        let mut job = files.new_job(name).unwrap();
        job.insert("push".to_owned(), json!({ "im": "qq", "group": "1", "text": "hi" }));
        job.insert(when.0.to_owned(), json!(when.1));
        job
    };
    for ms in [1, 50, 1000, 3999] {
        let (name, at) = (format!("in{ms}"), said_at + Duration::from_millis(ms));
        let proposal = files.propose(job(&name, ("at", at.to_string()))).unwrap();
        let Done::Defined { jobs } = acts.define(proposal).await.unwrap() else { panic!() };
        assert_eq!((next_of(&name).await, jobs[0].next_due_at, jobs[0].is_due), (Some(at), Some(at), true), "{name}");
    }
    // A schedule that goes on begins where it would have.
    acts.define(files.propose(job("goes", ("every", "1s".to_owned()))).unwrap()).await.unwrap();
    assert!(next_of("goes").await.unwrap() <= said_at + Duration::from_secs(1));
    // The same of a file, and of a job that is there already and fires at another time from now on.
    let at = said_at + Duration::from_secs(2);
    let path = person.dir.path().join("more.yaml");
    let more = format!("jobs:\n- {{name: filed, at: '{at}', push: {{im: qq, group: 1, text: hi}}}}\n");
    std::fs::write(&path, more).unwrap();
    acts.define(files.propose_file(&path).unwrap()).await.unwrap();
    assert_eq!(next_of("filed").await, Some(at));
    let change = |says: bool| {
        let (acts, files) = (&acts, &files);
        async move |found: Definition| {
            let at = at.to_string();
            let proposal = acts.edited(found, files, says, |job| {
                if says {
                    job.shift_remove("every");
                    job.insert("at".to_owned(), json!(at));
                } else {
                    job.insert("push".to_owned(), json!({ "im": "qq", "group": "2", "text": "hi" }));
                }
                Ok::<_, Refusal>(())
            });
            acts.define(proposal.await.unwrap()).await.unwrap()
        }
    };
    person.add("changed", json!({ "every": "1h" })).await.unwrap();
    let found = async |name: &str| person.store.definition(name).await.unwrap();
    change(true)(found("changed").await).await;
    assert_eq!(next_of("changed").await, Some(at));
    // Who says nothing of its time leaves it as it is.
    person.add("told", json!({ "every": "1h" })).await.unwrap();
    let before = next_of("told").await;
    change(false)(found("told").await).await;
    assert_eq!(next_of("told").await, before);
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_whose_fault_it_is_and_changes_nothing() {
    let person = Person::new().await;
    let kind = |refused: Result<Done, Refusal>| refused.unwrap_err().kind;
    assert_eq!(kind(person.add("own", json!({ "every": "1h" })).await), Kind::NotAllowed);
    assert_eq!(kind(person.add("tea", json!({ "every": "soon" })).await), Kind::Senseless);
    assert_eq!(kind(person.add("tea", json!({ "at": "2020-01-01T00:00" })).await), Kind::Senseless);
    let earlier = person.proposed("tea", json!({ "every": "1h" })).unwrap();
    person.add("tea", json!({ "every": "2h" })).await.unwrap();
    assert_eq!(kind(acts(&person.store).define(earlier).await), Kind::NotAllowed);
    let file = person.dir.path().join("jobs.yaml");
    std::fs::write(&file, "jobs: [{name: 7\n").unwrap();
    let refused = person.add("cup", json!({ "every": "1h" })).await.unwrap_err();
    assert!(refused.kind == Kind::BadConfig && refused.problems[0].file.ends_with("jobs.yaml"), "{refused:?}");
    assert_eq!(person.store.verb_jobs().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_list_of_days_is_taken_whole_or_refused_with_what_is_wrong_and_nothing_is_written() {
    let person = Person::new().await;
    let path = person.dir.path().join("feed.yaml");
    let list = ForeignList { path: &path, name: "own", year: None, work_if: None };
    let import = |text: &str| {
        std::fs::write(&path, text).unwrap();
        person.files().import(&list, false, &Actor::CommandLine { uid: 7 })
    };
    let file = person.dir.path().join("calendars/own.yaml");
    let refused = import("covers: 2098\nyears: {2098: {rest: [13-01]}}\n").unwrap_err();
    assert!(!refused.problems.is_empty() && refused.to_string() == "the list was not taken", "{refused:?}");
    assert!(!file.exists());
    let done = import("covers: 2098\nyears: {2098: {rest: [01-01]}}\n").unwrap();
    assert_eq!(done, Done::Imported { calendar: "own".to_owned(), file: file.clone(), told: None });
    let before = std::fs::read(&file).unwrap();
    assert_eq!(import("covers: 2100\nyears: {2100: {rest: [01-01]}}\n").unwrap_err().kind, Kind::NotAllowed);
    assert_eq!(std::fs::read(&file).unwrap(), before, "a year between has no list");
}

#[tokio::test]
async fn a_copy_is_made_where_nothing_is() {
    let person = Person::new().await;
    let file = person.dir.path().join("copy.db");
    let done = acts(&person.store).back_up(&file).await.unwrap();
    assert_eq!(done, Done::BackedUp { file: file.clone() });
    let before = std::fs::read(&file).unwrap();
    assert_eq!(acts(&person.store).back_up(&file).await.unwrap_err().kind, Kind::OutOfReach);
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn only_accounts_of_the_files_whose_platform_wants_it_are_logged_in() {
    struct Nobody;
    #[async_trait]
    impl LoginDialog for Nobody {
        fn tell(&mut self, _: LoginEvent) {}

        async fn number_on_phone(&mut self, _: bool) -> Option<String> {
            None
        }
    }
    #[async_trait]
    impl Memory for Nobody {
        async fn load(&self, _: &str) -> Result<Vec<(String, String)>, MemoryError> {
            Ok(Vec::new())
        }

        async fn save(&self, _: &str, _: &str, _: &str) -> Result<(), MemoryError> {
            Ok(())
        }
    }
    let person = Person::new().await;
    let config =
        config::load(&person.files().paths, &senders::specs(), &LoadEnvironment::of_process(UtcMs(0))).unwrap();
    let (clock, http, state_dir) = (SystemClock::shared(), Http::new().unwrap(), person.dir.path().to_owned());
    let environment = Environment { clock, http, memory: Arc::new(Nobody), state_dir };
    for (id, kind, told) in
        [("c", Kind::NotAllowed, "need no login"), ("d", Kind::NotFound, "there is no account 'd'; known are: c")]
    {
        let refused =
            log_in(&config.accounts, id, &environment, &mut Nobody, &Actor::CommandLine { uid: 7 }).await.unwrap_err();
        assert!(refused.kind == kind && refused.to_string().contains(told), "{refused:?}");
    }
}
