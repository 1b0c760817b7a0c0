//! Drafts to definitions, once every file is read: defaults filled in, references looked up, schedules tried.

use std::collections::HashMap;
use std::path::PathBuf;

use super::Surroundings;
use super::accounts::AccountDraft;
use super::daemon::{DaemonDraft, Defaults};
use super::jobs::{JobDraft, ScheduleDraft};
use super::load::Loading;
use super::policies::Retry;
use super::problem::{Findings, Place, Source, quoted};
use super::push::PushDraft;
use super::settings::DaemonSettings;
use super::yaml::At;
use crate::domain::{Account, Job, PushSpec, RetryPolicy, Schedule, SenderSpec, Support};
use crate::policy::schedule::{ScheduleCache, instant_of};

/// What the drafts came to.
pub(super) struct Settled {
    pub daemon: DaemonSettings,
    pub accounts: Vec<Account>,
    pub jobs: Vec<Job>,
}

/// Takes the drafts out of `loading` and leaves what is wrong with them in its findings.
pub(super) fn settle(loading: &mut Loading, around: &Surroundings, specs: &[&'static SenderSpec]) -> Settled {
    let accounts = std::mem::take(&mut loading.accounts);
    let jobs = std::mem::take(&mut loading.jobs);
    let mut daemon = std::mem::take(&mut loading.daemon);
    refuse_twin_accounts(&mut loading.findings, &accounts);
    refuse_twin_jobs(&mut loading.findings, &jobs);
    let timezone = default_zone(&mut loading.findings, &daemon, around);
    let mut settling = Settling {
        known: Known::new(&accounts, specs, loading.incomplete),
        findings: &mut loading.findings,
        sources: &loading.sources,
        around,
        defaults: &loading.defaults,
        timezone: &timezone,
        schedules: ScheduleCache::default(),
    };
    let jobs = jobs.into_iter().filter_map(|draft| settling.job(draft)).collect();
    let report = daemon.on_failure.as_mut().and_then(|draft| Some((draft.file, draft.push.take()?)));
    let report =
        report.map(|(file, push)| settling.push(file, push, &Retry::default().filled(&loading.defaults.retry)));
    let directories: Vec<PathBuf> = loading.directories.clone();
    Settled {
        daemon: daemon.finish(around, directories, timezone, report),
        accounts: accounts.into_iter().map(|draft| draft.account).collect(),
        jobs,
    }
}

fn refuse_twin_accounts(findings: &mut Findings, accounts: &[AccountDraft]) {
    let (mut ids, mut defaults) = (HashMap::new(), HashMap::new());
    for draft in accounts {
        let account = &draft.account;
        if let Some(before) = ids.insert(account.id.as_str(), draft.id_at) {
            let message = format!("there are two accounts with the id {}", quoted(&account.id));
            findings.error(draft.id_at, message).other("first at", before);
        }
        if !account.is_default {
            continue;
        }
        if let Some(before) = defaults.insert(account.im.as_str(), draft.default_at) {
            let message = format!("there are two default accounts for the im {}", quoted(&account.im));
            findings.error(draft.default_at, message).other("first at", before);
        }
    }
}

fn refuse_twin_jobs(findings: &mut Findings, jobs: &[JobDraft]) {
    let mut names: HashMap<&str, Place> = HashMap::with_capacity(jobs.len());
    for draft in jobs {
        if let Some(before) = names.get(draft.name.as_str()) {
            let message = format!("there are two jobs with the name {}", quoted(&draft.name));
            findings.error(draft.name_at, message).other("first at", *before);
        } else {
            names.insert(&draft.name, draft.name_at);
        }
    }
}

fn default_zone(findings: &mut Findings, daemon: &DaemonDraft, around: &Surroundings) -> String {
    if let Some(zone) = daemon.timezone.as_ref().or(around.timezone.as_ref()) {
        return zone.clone();
    }
    findings
        .warning(None, "the system's time zone has no name, so schedules without a timezone are read in UTC")
        .hint("set daemon.timezone");
    "UTC".to_owned()
}

/// The accounts by what pushes call them.
struct Known<'a> {
    by_id: HashMap<&'a str, (&'a Account, &'static SenderSpec)>,
    by_im: HashMap<&'a str, Vec<&'static SenderSpec>>,
    /// Some accounts could not be read: a push that names an unknown one is then not to blame.
    incomplete: bool,
}

impl<'a> Known<'a> {
    fn new(accounts: &'a [AccountDraft], specs: &[&'static SenderSpec], incomplete: bool) -> Known<'a> {
        let mut known = Known { by_id: HashMap::new(), by_im: HashMap::new(), incomplete };
        for AccountDraft { account, .. } in accounts {
            let Some(spec) = specs.iter().find(|spec| spec.name == account.sender) else { continue };
            known.by_id.insert(&account.id, (account, spec));
            known.by_im.entry(&account.im).or_default().push(spec);
        }
        known
    }
}

struct Settling<'a> {
    known: Known<'a>,
    findings: &'a mut Findings,
    sources: &'a [Source],
    around: &'a Surroundings,
    defaults: &'a Defaults,
    timezone: &'a str,
    schedules: ScheduleCache,
}

impl Settling<'_> {
    fn job(&mut self, draft: JobDraft) -> Option<Job> {
        let file = draft.name_at.file;
        let timezone = draft.timezone.unwrap_or_else(|| self.timezone.to_owned());
        let dst_gap = draft.dst_gap.or(self.defaults.dst_gap).unwrap_or_default();
        let schedule = match draft.schedule {
            ScheduleDraft::Cron(text) => Schedule::Cron(text),
            ScheduleDraft::Every(ms) => Schedule::Every(ms),
            ScheduleDraft::At(at) => Schedule::At(at),
            // A zone that does not exist was reported where it stands.
            ScheduleDraft::LocalAt(local) => Schedule::At(instant_of(local, &timezone).ok()?),
        };
        let schedule_at = Place { file, at: draft.schedule_at.at, len: draft.schedule_at.len };
        if let Err(error) = self.schedules.get_or_compile(&schedule, &timezone, dst_gap) {
            let place = self.place_in_schedule(schedule_at, &schedule, error.column());
            self.findings.error(place, error.to_string());
        }
        if let Schedule::At(at) = schedule
            && at <= self.around.now
            && draft.enabled
        {
            self.findings.warning(schedule_at, format!("at: {at} is past, so this job will not fire"));
        }
        let retry = draft.retry.as_deref().unwrap_or(&self.defaults.retry).filled(&self.defaults.retry);
        let misfire = draft.misfire.as_deref().unwrap_or(&self.defaults.misfire).filled(&self.defaults.misfire);
        let push = draft.push.into_iter().map(|push| self.push(file, push, &retry)).collect();
        Some(Job {
            name: draft.name,
            schedule,
            timezone,
            enabled: draft.enabled,
            push,
            misfire,
            overlap: draft.overlap.or(self.defaults.overlap).unwrap_or_default(),
            dst_gap,
        })
    }

    /// Fills in a push. What is wrong with its account goes to the findings.
    fn push(&mut self, file: u16, draft: PushDraft, retry: &RetryPolicy) -> PushSpec {
        self.check_account(file, &draft);
        let mut spec = draft.spec;
        if let Some(timeout) = self.defaults.timeout.filter(|_| !draft.has_timeout) {
            spec.timeout = timeout;
        }
        spec.retry = retry.clone();
        spec
    }

    /// Refuses accounts and ims that do not exist, and contents that none of the accounts could carry.
    fn check_account(&mut self, file: u16, draft: &PushDraft) {
        let place = |at: At| Place { file, at: at.at, len: at.len };
        let PushDraft { spec: push, im_at, account_at, content_at, .. } = draft;
        let kind = push.message.body.kind();
        let support = |spec: &&'static SenderSpec| (spec.support)(kind, push.target.is_group());
        let refused = match &push.account {
            Some(id) => {
                let Some((account, spec)) = self.known.by_id.get(id.as_str()) else {
                    if !self.known.incomplete {
                        let message = format!("there is no account {}", quoted(id));
                        self.findings.error(place(*account_at), message).near(id, self.known.by_id.keys().copied());
                    }
                    return;
                };
                if account.im != push.im {
                    let message = format!(
                        "the account {} is of the im {}, and the push goes to {}",
                        quoted(id),
                        quoted(&account.im),
                        quoted(&push.im)
                    );
                    self.findings.error(place(*account_at), message);
                    return;
                }
                match support(spec) {
                    Support::Refused(reason) => Some((spec.name, reason)),
                    _ => None,
                }
            }
            None => {
                let Some(specs) = self.known.by_im.get(push.im.as_str()) else {
                    if !self.known.incomplete {
                        let message = format!("there is no account for the im {}", quoted(&push.im));
                        self.findings.error(place(*im_at), message).near(&push.im, self.known.by_im.keys().copied());
                    }
                    return;
                };
                let refusal = |spec: &&'static SenderSpec| match support(spec) {
                    Support::Refused(reason) => Some((spec.name, reason)),
                    _ => None,
                };
                let refusals: Vec<_> = specs.iter().filter_map(refusal).collect();
                if refusals.len() == specs.len() { refusals.first().copied() } else { None }
            }
        };
        if let Some((sender, reason)) = refused {
            let target = if push.target.is_group() { "a group" } else { "a user" };
            let message = format!("{sender} cannot send {kind} to {target}: {reason}");
            self.findings.error(place(*content_at), message);
        }
    }

    /// The column of a cron text inside the file, where the text stands there as it is.
    fn place_in_schedule(&self, place: Place, schedule: &Schedule, column: Option<usize>) -> Place {
        let (Schedule::Cron(text), Some(column)) = (schedule, column) else { return place };
        let source = &self.sources[usize::from(place.file)].text;
        let written = source.get(place.at as usize..(place.at + place.len) as usize).unwrap_or_default();
        let Some(start) = written.find(text.as_str()) else { return place };
        let before: usize = text.chars().take(column - 1).map(char::len_utf8).sum();
        let len = text[before..].find(' ').unwrap_or(text.len() - before);
        let offset = |bytes: usize| u32::try_from(bytes).unwrap_or(0);
        Place { at: place.at + offset(start + before), len: offset(len).max(1), ..place }
    }
}
