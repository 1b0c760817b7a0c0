//! Drafts to definitions, once every file is read: defaults filled in, references looked up, schedules tried.

mod made;
mod media;
mod rendering;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::calendars::{Beside, CalendarSet};
use super::carriers::{Asked, Carriers};
use super::diagnostics::{Diagnostics, Place, SourceText, as_written};
use super::draft::{
    AccountDraft, DaemonDraft, DefaultsDraft, Incomplete, IncompleteJob, IncompletePush, JobDraft, LifeDraft,
    PushDraft, RetryKeys, ScheduleDraft,
};
use super::environment::{LoadEnvironment, Sight};
use super::expand::{Expansion, Several};
use super::loader::Loader;
use super::recipients::Book;
use super::settings::DaemonSettings;
use super::templates::TemplateCheck;
use super::yaml::At;
use crate::domain::calendar::MissingList;
use crate::domain::job::{DstGap, Life, Timing};
use crate::domain::{Account, DayRule, Job, KnownContent, PushSpec, RetryPolicy, Schedule, UtcMs};
use crate::policy::schedule::{ScheduleCache, doubts, instant_of};
use crate::texts;

/// What the drafts came to.
pub(super) struct Definitions {
    pub daemon: DaemonSettings,
    pub accounts: Vec<Account>,
    pub account_names: Vec<(String, String)>,
    pub jobs: Vec<Job>,
    /// Jobs at which nobody looked, since that would have taken too long.
    pub left_out: usize,
    /// The pushes outside any job, one for each recipient.
    pub pushes: Vec<PushSpec>,
}

/// Takes the drafts out of `loader` and leaves what is wrong with them in its diagnostics.
pub(super) fn validate(loader: &mut Loader, environment: &LoadEnvironment) -> Definitions {
    let accounts = std::mem::take(&mut loader.accounts);
    let targets = std::mem::take(&mut loader.targets);
    let jobs = std::mem::take(&mut loader.jobs);
    let incomplete = std::mem::take(&mut loader.incomplete);
    let mut daemon = std::mem::take(&mut loader.daemon);
    let pushes = loader.pushes.take();
    refuse_twin_accounts(&mut loader.diagnostics, &loader.sources, &accounts);
    refuse_twin_jobs(&mut loader.diagnostics, &loader.sources, &jobs, &incomplete.jobs);
    daemon.metrics.check(&mut loader.diagnostics);
    let timezone = default_zone(&mut loader.diagnostics, &daemon, environment);
    let (templates, values) =
        TemplateCheck::new(&daemon.template_env, &loader.secret_names, environment, &mut loader.diagnostics);
    daemon.template_values = values;
    let roots = daemon.media_roots.as_ref().unwrap_or(&loader.directories);
    let is_looked_at = environment.sight != Sight::Text;
    let real = roots.iter().filter(|_| is_looked_at).filter_map(|root| root.canonicalize().ok());
    let roots = roots.iter().cloned().chain(real).collect();
    let book = Book::new(&targets, loader.has_unread, &mut loader.diagnostics, &loader.sources);
    let retry = Arc::new(RetryKeys::default().filled(&loader.defaults.retry));
    let zone: Arc<str> = timezone.as_str().into();
    let enough = loader.enough;
    let mut validator = Validator {
        expansion: Expansion::new(Carriers::new(&accounts, loader.has_unread, environment.sight), book, enough),
        diagnostics: &mut loader.diagnostics,
        sources: &loader.sources,
        environment,
        defaults: &loader.defaults,
        retry: &retry,
        timezone: &zone,
        allow_private: daemon.media_allow_private.unwrap_or(false),
        roots,
        schedules: ScheduleCache::default(),
        there: HashMap::new(),
        calendars: CalendarSet::new(std::mem::take(&mut loader.calendars), environment.today()),
        on_missing: daemon.on_missing_calendar.unwrap_or_default(),
        templates,
    };
    validator.expansion.check_targets(&targets, validator.diagnostics, validator.sources);
    validator.check_lists(&targets);
    validator.check_incomplete(incomplete);
    let mut left_out = 0;
    let mut finished = |draft| {
        let job = if enough() { None } else { validator.job(draft) };
        // Of one in whose midst the time was over, not all pushes may be there.
        let is_over = enough();
        left_out += usize::from(is_over);
        job.filter(|_| !is_over)
    };
    let jobs = jobs.into_iter().filter_map(&mut finished).collect();
    validator.calendars.judge_all(validator.allow_private, validator.diagnostics);
    let report = daemon.on_failure.as_mut().and_then(|draft| Some((draft.file, draft.push.take()?)));
    let report = report.map(|(file, push)| validator.push(file, push, &retry));
    let pushes = pushes.map(|(file, mut drafts)| {
        for push in &mut drafts {
            // A text from a command line is a template only where it says so itself.
            push.spec.render = validator.rendering(file, push, false, About::nothing(&timezone));
            validator.check_media(file, push, true);
        }
        let at = drafts.first().map(|push| push.places.target);
        let pushes = validator.pushes(file, drafts, &retry);
        if let Some(at) = at.filter(|_| pushes.iter().any(|push| push.list.is_some())) {
            let at = Place { file, at: at.at, len: at.len };
            let problem = texts::list_for_a_push();
            let problem = validator.diagnostics.error(at, problem);
            problem.hint(texts::fire_its_job());
        }
        pushes
    });
    let pushes = pushes.unwrap_or_default();
    let directories = std::mem::take(&mut loader.directories);
    Definitions {
        daemon: daemon.finish(environment, directories, timezone, report),
        account_names: accounts.iter().filter_map(|draft| draft.im.clone().zip(draft.id.clone())).collect(),
        accounts: accounts.into_iter().filter_map(|draft| draft.account).collect(),
        jobs,
        left_out,
        pushes,
    }
}

fn refuse_twin_accounts(diagnostics: &mut Diagnostics, sources: &[SourceText], accounts: &[AccountDraft]) {
    let (mut ids, mut defaults) = (HashMap::new(), HashMap::new());
    for draft in accounts {
        if let Some(id) = &draft.id
            && let Some(before) = ids.insert(id, draft.id_at)
        {
            let message = texts::twin_accounts(as_written(sources, draft.id_at, id));
            diagnostics.error(draft.id_at, message).other(texts::first_at(), before);
        }
        if let Some(im) = draft.im.as_ref().filter(|_| draft.is_default)
            && let Some(before) = defaults.insert(im, draft.default_at)
        {
            let im = as_written(sources, draft.im_at, im);
            let message = texts::twin_defaults(im);
            diagnostics.error(draft.default_at, message).other(texts::first_at(), before);
        }
    }
}

fn refuse_twin_jobs(
    diagnostics: &mut Diagnostics,
    sources: &[SourceText],
    jobs: &[JobDraft],
    incomplete: &[IncompleteJob],
) {
    let mut names: HashMap<&str, Place> = HashMap::with_capacity(jobs.len());
    let incomplete = incomplete.iter().filter_map(|job| job.name.as_ref().map(|(name, at)| (name, *at)));
    for (name, at) in jobs.iter().map(|draft| (&draft.name, draft.name_at)).chain(incomplete) {
        let Some(before) = names.insert(name, at) else { continue };
        let (before, at) = (before.min(at), before.max(at));
        let message = texts::twin_jobs(as_written(sources, at, name));
        diagnostics.error(at, message).other(texts::first_at(), before);
    }
}

fn default_zone(diagnostics: &mut Diagnostics, daemon: &DaemonDraft, environment: &LoadEnvironment) -> String {
    if let Some(zone) = daemon.timezone.as_ref().or(environment.timezone.as_ref()) {
        return zone.clone();
    }
    diagnostics.warning(None, texts::system_zone_unnamed()).hint(texts::set_the_zone());
    "UTC".to_owned()
}

struct Validator<'a> {
    expansion: Expansion<'a>,
    diagnostics: &'a mut Diagnostics,
    sources: &'a [SourceText],
    environment: &'a LoadEnvironment,
    defaults: &'a DefaultsDraft,
    /// Of pushes and jobs that say nothing of it.
    retry: &'a Arc<RetryPolicy>,
    timezone: &'a Arc<str>,
    /// Whether private addresses may be fetched from, and plain http with them.
    allow_private: bool,
    /// Where local media may lie, as written and as they really are.
    roots: Vec<PathBuf>,
    schedules: ScheduleCache,
    /// Local media that were looked for: whether what is there really lies below a root.
    there: HashMap<PathBuf, Option<bool>>,
    calendars: CalendarSet,
    on_missing: MissingList,
    templates: TemplateCheck,
}

/// What templates know of the job of their push.
#[derive(Clone, Copy)]
struct About<'j> {
    timezone: &'j str,
    days: Option<&'j DayRule>,
    content: Option<&'j KnownContent>,
}

impl About<'_> {
    /// Of a push that has no job.
    fn nothing(timezone: &str) -> About<'_> {
        About { timezone, days: None, content: None }
    }
}

impl Validator<'_> {
    fn job(&mut self, mut draft: JobDraft) -> Option<Job> {
        let file = draft.name_at.file;
        let timezone = draft.timezone.map_or_else(|| self.timezone.clone(), Arc::from);
        let dst_gap = draft.dst_gap.or(self.defaults.dst_gap).unwrap_or_default();
        let schedule_at = Place { file, at: draft.schedule_at.at, len: draft.schedule_at.len };
        let beside = match draft.schedule {
            ScheduleDraft::Cron(_) => Beside::Cron,
            ScheduleDraft::Every(_) => Beside::Every,
            ScheduleDraft::At(_) | ScheduleDraft::LocalAt(_) => Beside::At,
            ScheduleDraft::OnDemand => Beside::OnDemand,
        };
        let days = draft
            .days
            .and_then(|days| days.finish(beside, schedule_at, self.on_missing, &mut self.calendars, self.diagnostics));
        let life = match draft.life {
            Some(life) => Some(Box::new(self.life(*life, beside, schedule_at, &timezone)?)),
            None => None,
        };
        let about = (days.as_deref(), life.as_deref());
        let schedule = self.schedule(draft.schedule, schedule_at, &timezone, dst_gap, about);
        if let Some(Schedule::At(at)) = schedule
            && at <= self.environment.now
            && draft.enabled
        {
            self.diagnostics.warning(schedule_at, texts::at_is_past("at", by_clock(at, &timezone)));
        }
        let retry = match draft.retry.as_deref() {
            Some(keys) => Arc::new(keys.filled(&self.defaults.retry)),
            None => self.retry.clone(),
        };
        let misfire = draft.misfire.as_deref().unwrap_or(&self.defaults.misfire).filled(&self.defaults.misfire);
        if let Some(Schedule::Cron(text)) = &schedule {
            self.doubt_cron(text, schedule_at);
        }
        let render = draft.render.or(self.defaults.render).unwrap_or(false);
        let known = draft.content_from.as_ref().map(|draft| draft.known());
        for push in &mut draft.push {
            let about = About { timezone: &timezone, days: days.as_deref(), content: known.as_ref() };
            push.spec.render = self.rendering(file, push, render, about);
            self.check_media(file, push, draft.enabled);
        }
        let overlap = draft.overlap.or(self.defaults.overlap).unwrap_or_default();
        let renders = render || draft.push.iter().any(|push| push.render == Some(true));
        let content_from = draft.content_from.map(|content| {
            let place = Place { file, at: content.at.at, len: content.at.len };
            self.check_content(&content.content, &draft.push, overlap, place);
            self.arguments(file, *content, renders, &timezone)
        });
        let push = self.pushes(file, draft.push, &retry);
        Some(Job {
            name: draft.name,
            schedule: schedule?,
            timezone,
            enabled: draft.enabled,
            push,
            content_from,
            misfire,
            overlap,
            dst_gap,
            days,
            life,
        })
    }

    /// From when until when a job fires. None after an error.
    fn life(&mut self, draft: LifeDraft, beside: Beside, schedule_at: Place, timezone: &str) -> Option<Life> {
        let place = |at: At| Place { file: schedule_at.file, at: at.at, len: at.len };
        let instant = |draft: &Option<(ScheduleDraft, At)>| match draft {
            Some((ScheduleDraft::At(at), _)) => Some(*at),
            Some((ScheduleDraft::LocalAt(local), _)) => instant_of(*local, timezone).ok(),
            _ => None,
        };
        let (from, until) = (instant(&draft.from), instant(&draft.until));
        let at = draft.until.as_ref().or(draft.from.as_ref()).map_or(schedule_at, |(_, at)| place(*at));
        let has = match beside {
            Beside::At => Some(texts::life_with_at()),
            Beside::OnDemand => Some(texts::life_on_demand()),
            Beside::Cron | Beside::Every => None,
        };
        if let Some(has) = has {
            self.diagnostics.error(at, has);
            return None;
        }
        if let (Some(from), Some(until)) = (from, until)
            && until < from
        {
            self.diagnostics.error(at, texts::until_before_from(until));
            return None;
        }
        if let Some(until) = until.filter(|until| *until <= self.environment.now) {
            self.diagnostics.warning(at, texts::at_is_past("until", until));
        }
        Some(Life { from, until, max_fires: draft.max_fires })
    }

    /// A schedule that was tried in its zone.
    fn schedule(
        &mut self,
        draft: ScheduleDraft,
        at: Place,
        timezone: &str,
        dst_gap: DstGap,
        (days, life): (Option<&DayRule>, Option<&Life>),
    ) -> Option<Schedule> {
        let schedule = match draft {
            ScheduleDraft::Cron(text) => Schedule::Cron(text),
            ScheduleDraft::Every(ms) => Schedule::Every(ms),
            ScheduleDraft::At(at) => Schedule::At(at),
            ScheduleDraft::OnDemand => Schedule::OnDemand,
            // Unknown zones were told where they stand.
            ScheduleDraft::LocalAt(local) => Schedule::At(instant_of(local, timezone).ok()?),
        };
        let timing = Timing { schedule: &schedule, timezone, dst_gap, days, life };
        if let Err(error) = self.schedules.get_or_compile(timing) {
            let source = &self.sources[usize::from(at.file)].text;
            let written = source.get(at.at as usize..(at.at + at.len) as usize).unwrap_or_default();
            if written.contains("${") {
                self.diagnostics.error(at, texts::cron_of_variables());
            } else {
                self.diagnostics.error(place_in_schedule(at, written, &schedule, error.column()), error.text());
            }
        }
        Some(schedule)
    }

    /// What can still be said of jobs and pushes that are wrong already.
    fn check_incomplete(&mut self, incomplete: Incomplete) {
        for job in incomplete.jobs {
            let Some((schedule, at)) = job.schedule else { continue };
            let place = Place { file: job.file, at: at.at, len: at.len };
            let timezone = job.timezone.as_deref().unwrap_or(self.timezone);
            self.schedule(schedule, place, timezone, DstGap::default(), (None, None));
        }
        for (name, at) in incomplete.names {
            self.expansion.look_up(&name, at, self.diagnostics, self.sources);
        }
        for IncompletePush { file, im, account, target, kind, places } in incomplete.pushes {
            let (account, target) = (account.as_deref(), target.as_ref());
            self.check_account(&Asked { file, im: &im, account, target, kind, places });
        }
    }

    /// The finished pushes of a job, one for each recipient. Most go to one, and are finished where they lie.
    fn pushes(&mut self, file: u16, drafts: Vec<PushDraft>, retry: &Arc<RetryPolicy>) -> Vec<PushSpec> {
        if drafts.iter().all(|draft| draft.recipients.is_none() && draft.fallback.is_empty()) {
            return drafts.into_iter().map(|draft| self.push(file, draft, retry)).collect();
        }
        let mut pushes = Vec::new();
        for mut draft in drafts {
            let (first, fallback) = (pushes.len(), std::mem::take(&mut draft.fallback));
            match draft.recipients.take() {
                None => pushes.push(self.push(file, draft, retry)),
                Some(recipients) => {
                    let (places, spec) = (draft.places, self.filled(draft, retry));
                    let several = Several { file, places, recipients: &recipients, spec: &spec };
                    pushes.extend(self.expansion.expand(&several, self.diagnostics, self.sources));
                }
            }
            let new = &mut pushes[first..];
            self.expansion.add_fallbacks(&fallback, new, self.diagnostics, self.sources);
        }
        pushes
    }

    /// Fills in a push. What is wrong with its account goes to the diagnostics.
    fn push(&mut self, file: u16, draft: PushDraft, retry: &Arc<RetryPolicy>) -> PushSpec {
        let PushSpec { im, account, target, message, .. } = &draft.spec;
        let kind = message.body.kind();
        let (account, target, kind) = (account.as_deref(), Some(target), Some(kind));
        self.check_account(&Asked { file, im, account, target, kind, places: draft.places });
        self.filled(draft, retry)
    }

    fn filled(&self, draft: PushDraft, retry: &Arc<RetryPolicy>) -> PushSpec {
        let mut spec = draft.spec;
        if let Some(timeout) = self.defaults.timeout.filter(|_| !draft.has_timeout) {
            spec.timeout = timeout;
        }
        spec.retry = retry.clone();
        spec
    }

    fn check_account(&mut self, asked: &Asked<'_>) {
        self.expansion.carriers.check(asked, self.diagnostics, self.sources);
    }

    /// Warns of what a cron text hardly means.
    fn doubt_cron(&mut self, text: &str, at: Place) {
        for doubt in doubts(text) {
            let source = &self.sources[usize::from(at.file)].text;
            let written = source.get(at.at as usize..(at.at + at.len) as usize).unwrap_or_default();
            // What a variable holds is shown nowhere.
            if written.contains("${") {
                return;
            }
            let place = place_in_cron(at, written, text, doubt.column);
            self.diagnostics.warning(place, doubt.problem).hint(doubt.hint);
        }
    }
}

/// The place of a column of a cron text, where the text is written as it is.
fn place_in_schedule(place: Place, written: &str, schedule: &Schedule, column: Option<usize>) -> Place {
    let (Schedule::Cron(text), Some(column)) = (schedule, column) else { return place };
    place_in_cron(place, written, text, column)
}

fn place_in_cron(place: Place, written: &str, text: &str, column: usize) -> Place {
    let Some(start) = written.find(text) else { return place };
    let before: usize = text.chars().take(column - 1).map(char::len_utf8).sum();
    let len = text[before..].find(' ').unwrap_or(text.len() - before);
    let offset = |bytes: usize| u32::try_from(bytes).unwrap_or(0);
    Place { at: place.at + offset(start + before), len: offset(len).max(1), ..place }
}

/// An instant as whoever wrote the job reads it.
fn by_clock(at: UtcMs, timezone: &str) -> String {
    let local = at.to_jiff().in_tz(timezone);
    local.map_or_else(|_| at.to_string(), |local| format!("{} ({timezone})", local.strftime("%F %T")))
}
