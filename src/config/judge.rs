//! What pushes and jobs over HTTP are judged by: what the running configuration says of accounts, targets, lists of days and
//! defaults, without reading any file again, and without looking at any that they may name.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

use serde_json::json;

use super::calendars::CalendarDraft;
use super::diagnostics::{COMMAND_LINE, Place, SourceText};
use super::draft::{AccountDraft, DaemonDraft, DefaultsDraft, Ids, PushDraft, Recipients, TargetDraft};
use super::environment::{LoadEnvironment, Sight};
use super::extra::Extra;
use super::loader::Loader;
use super::mask::SecretKeys;
use super::pointer::pointer;
use super::problem::{ConfigErrors, Problem};
use super::validate::validate;
use super::yaml::At;
use crate::domain::calendar::MissingList;
use crate::domain::{Job, PushSpec, SenderSpec, UtcMs};
use crate::policy::account::Fallback;
use crate::texts::{self, Text};

/// The part of a configuration that says how a push or a job is judged.
pub struct Judge {
    pub(super) accounts: Vec<AccountDraft>,
    pub(super) targets: Vec<TargetDraft>,
    pub(super) calendars: HashMap<String, CalendarDraft>,
    pub(super) defaults: DefaultsDraft,
    pub(super) timezone: String,
    pub(super) on_missing_calendar: Option<MissingList>,
    pub(super) media_allow_private: Option<bool>,
    pub(super) accounts_fallback: Option<Fallback>,
    /// What `defaults` says of rendering, which holds for texts of files alone.
    pub(super) render: Option<bool>,
    /// Files by their places: the text of those alone that what is above stands in.
    pub(super) sources: Vec<SourceText>,
    pub(super) specs: Vec<&'static SenderSpec>,
}

/// Pushes that may be recorded, and where the first of them says what a caller may still find wrong with it.
pub struct Judged {
    pub pushes: Vec<PushSpec>,
    /// JSON pointer to whom it goes to.
    pub whom_at: String,
    /// JSON pointer to what it says.
    pub content_at: String,
}

/// Why an account cannot be the one that received a message of a chat of this im, if it is one of ours: their im and id are
/// `ours`. What came in over one im is not answered by another.
pub fn wrong_chat<'a>((im, account): (&str, &str), ours: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Text> {
    let (own, _) = ours.into_iter().find(|(_, id)| *id == account)?;
    (own != im).then(|| texts::account_of_another_im(account, own, im))
}

/// Jobs that may be put in force, and what is doubtful of them.
pub struct JudgedJobs {
    pub jobs: Vec<Job>,
    pub doubts: Vec<Problem>,
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge").field("accounts", &self.accounts.len()).finish_non_exhaustive()
    }
}

impl Judge {
    /// Kept only where pushes may come over HTTP.
    pub(super) fn of(
        loader: &Loader<'_>,
        environment: &LoadEnvironment,
        specs: &[&'static SenderSpec],
    ) -> Option<Judge> {
        loader.daemon.web.as_ref()?;
        let places = loader.accounts.iter().map(|account| account.id_at.file);
        let places: Vec<u16> = places.chain(loader.targets.iter().map(|target| target.name_at.file)).collect();
        let source = |(file, source): (usize, &SourceText)| {
            let is_needed = places.iter().any(|place| usize::from(*place) == file);
            let text = if is_needed { source.text.clone() } else { String::new() };
            SourceText { name: source.name.clone(), text }
        };
        let timezone = loader.daemon.timezone.clone().or_else(|| environment.timezone.clone());
        Some(Judge {
            accounts: loader.accounts.clone(),
            targets: loader.targets.clone(),
            calendars: loader.calendars.clone(),
            // A text that came over HTTP is a text, whatever holds for those of the files.
            defaults: DefaultsDraft { render: None, ..loader.defaults.clone() },
            timezone: timezone.unwrap_or_else(|| "UTC".to_owned()),
            on_missing_calendar: loader.daemon.on_missing_calendar,
            media_allow_private: loader.daemon.media_allow_private,
            accounts_fallback: loader.daemon.accounts_fallback,
            render: loader.defaults.render,
            sources: loader.sources.iter().enumerate().map(source).collect(),
            specs: specs.to_vec(),
        })
    }

    /// As [`wrong_chat`], by the accounts of this configuration.
    pub fn wrong_chat(&self, chat: (&str, &str)) -> Option<Text> {
        wrong_chat(chat, self.accounts.iter().filter_map(|account| account.im.as_deref().zip(account.id.as_deref())))
    }

    /// What a caller asks for, whatever its spelling and whatever the configuration makes of it: the same at every load. None
    /// where it is no push.
    pub fn asked(push: &serde_json::Value, now: UtcMs) -> Option<serde_json::Value> {
        let environment = environment(now, "UTC");
        let mut loader = Loader::new(&environment, &[]);
        loader.pushes(&text_of(push));
        let (_, drafts) = loader.pushes.take()?;
        (loader.diagnostics.error_count() == 0).then(|| drafts.iter().map(asked).collect())
    }

    /// The zone of jobs that name none.
    pub fn timezone(&self) -> &str {
        &self.timezone
    }

    /// A push in the keys of the files, as JSON, judged as one of a job is. A dollar in it is a dollar; a template is a text.
    ///
    /// # Errors
    ///
    /// With all that is wrong with it. Media must be inline or have an address: a file of this machine is refused, whether or
    /// not it is there.
    pub fn judge(&self, push: &serde_json::Value, now: UtcMs) -> Result<Judged, ConfigErrors> {
        let environment = environment(now, &self.timezone);
        let mut loader = self.loader(&environment);
        let text = text_of(push);
        loader.pushes(&text);
        let pushes = loader.pushes.iter();
        let local = pushes.flat_map(|(file, drafts)| local_media(*file, drafts, &text)).collect::<Vec<_>>();
        if !local.is_empty() {
            // A file is not looked for, so that the answer does not tell whether it exists.
            loader.pushes = None;
        }
        refuse_local(&mut loader, local);
        let first = loader.pushes.iter().find_map(|(_, drafts)| drafts.first());
        let [whom_at, content_at] = first.map_or_else(Default::default, |draft| {
            [draft.places.target, draft.places.content].map(|at| pointer(&text, at.at as usize))
        });
        let is_wrong = loader.diagnostics.error_count() > 0;
        let definitions = validate(&mut loader, &environment);
        self.told(loader, &text)?;
        match definitions.pushes {
            pushes if !is_wrong && !pushes.is_empty() => Ok(Judged { pushes, whom_at, content_at }),
            _ => Err(ConfigErrors { more: true, ..ConfigErrors::of(Vec::new()) }),
        }
    }

    /// A job in the keys of the files, as JSON, judged as one of them is. Variables are replaced in it as there: whoever says
    /// what is none doubles its dollar.
    ///
    /// # Errors
    ///
    /// With all that is wrong with it; and where it runs a command, reads a file of this machine, or renders a template, which
    /// knows variables.
    pub fn judge_job(&self, job: &serde_json::Value, now: UtcMs) -> Result<JudgedJobs, ConfigErrors> {
        let refused = refused_over_http(job);
        if !refused.is_empty() {
            return Err(ConfigErrors::of(refused));
        }
        let environment = environment(now, &self.timezone);
        let mut loader = self.loader(&environment);
        let text = json!({ "jobs": [job] }).to_string();
        loader.extra_jobs(&Extra::CommandLine(&text));
        let file = u16::try_from(loader.sources.len() - 1).unwrap_or(u16::MAX);
        let local = loader.jobs.iter().flat_map(|job| local_media(file, &job.push, &text)).collect::<Vec<_>>();
        if !local.is_empty() {
            loader.jobs.clear();
        }
        refuse_local(&mut loader, local);
        if loader.jobs.iter().any(|job| job.days.is_some()) {
            loader.built_in_calendars();
        }
        let definitions = validate(&mut loader, &environment);
        let doubts = self.told(loader, &text)?;
        Ok(JudgedJobs { jobs: definitions.jobs, doubts })
    }

    fn loader<'a>(&'a self, environment: &'a LoadEnvironment) -> Loader<'a> {
        let mut loader = Loader::new(environment, &self.specs);
        loader.accounts.clone_from(&self.accounts);
        loader.targets.clone_from(&self.targets);
        loader.calendars.clone_from(&self.calendars);
        loader.defaults = self.defaults.clone();
        loader.daemon = DaemonDraft {
            timezone: Some(self.timezone.clone()),
            on_missing_calendar: self.on_missing_calendar,
            media_allow_private: self.media_allow_private,
            ..DaemonDraft::default()
        };
        let known = |source: &SourceText| SourceText { name: source.name.clone(), text: source.text.clone() };
        loader.sources = self.sources.iter().map(known).collect();
        loader
    }

    /// What is doubtful of what was judged, or all that is wrong with it. What the files themselves have wrong was told at
    /// their load.
    fn told(&self, loader: Loader<'_>, text: &str) -> Result<Vec<Problem>, ConfigErrors> {
        let of_text = |problems: Vec<Problem>| {
            let mut problems = problems;
            problems.retain(|problem| problem.file == COMMAND_LINE);
            for problem in &mut problems {
                problem.pointer = pointer_of(problem, text);
            }
            problems
        };
        match loader.diagnostics.finish(&loader.sources, &SecretKeys::new(&self.specs)) {
            Ok(warnings) => Ok(of_text(warnings)),
            Err(errors) => Err(ConfigErrors {
                errors: of_text(errors.errors),
                warnings: Vec::new(),
                ..ConfigErrors::of(Vec::new())
            }),
        }
    }
}

/// Of what is written in one line.
fn pointer_of(problem: &Problem, text: &str) -> Option<String> {
    let column = problem.column.checked_sub(1)?;
    let at = text.char_indices().nth(column).map_or(text.len(), |(at, _)| at);
    let pointer = pointer(text, at);
    Some(pointer.strip_prefix("/jobs/0").map(str::to_owned).unwrap_or(pointer))
}

/// What a job may say in the files alone, found before anything of it is looked up.
fn refused_over_http(job: &serde_json::Value) -> Vec<Problem> {
    let problem = |pointer: String, message: Text| Problem {
        pointer: Some(pointer),
        hint: Some(texts::write_it_in_the_files()),
        file: COMMAND_LINE.to_owned(),
        ..Problem::without_place(message)
    };
    let renders =
        |of: &serde_json::Value| !matches!(of["render"], serde_json::Value::Null | serde_json::Value::Bool(false));
    let mut refused = Vec::new();
    if !job["content_from"].is_null() {
        refused.push(problem("/content_from".to_owned(), texts::no_content_over_http()));
    }
    if renders(job) {
        refused.push(problem("/render".to_owned(), texts::no_templates_over_http()));
    }
    if renders(&job["push"]) {
        refused.push(problem("/push/render".to_owned(), texts::no_templates_over_http()));
    }
    let pushes = job["push"].as_array().into_iter().flatten().enumerate().filter(|(_, push)| renders(push));
    refused.extend(pushes.map(|(at, _)| problem(format!("/push/{at}/render"), texts::no_templates_over_http())));
    refused
}

/// Where pushes name files of this machine, in the text that they were read from.
fn local_media(file: u16, drafts: &[PushDraft], text: &str) -> Vec<Place> {
    let is_remote =
        |source: &str| ["http://", "https://", "base64://", "data:"].iter().any(|start| source.starts_with(start));
    let local_of = |draft: &PushDraft| {
        let media = draft.spec.message.body.media();
        let sources = media.iter().flat_map(|media| [Some(&media.source), media.cover.as_ref()]).flatten();
        let At { at, len } = draft.places.content;
        let content = Place { file, at, len };
        // A relative path was resolved against `/`, so that it may be written with or without the slash.
        let spelt = |source: &str| [source.to_owned(), source.trim_start_matches('/').to_owned()];
        let place = |source: &String| {
            spelt(source).iter().find_map(|source| place_of_source(source, content, text)).unwrap_or(content)
        };
        sources.filter(|source| !is_remote(source)).map(place).collect::<Vec<_>>()
    };
    drafts.iter().flat_map(local_of).collect()
}

/// Keys of media whose text is the source of none.
const NO_SOURCES: [&str; 10] =
    ["filename", "fileName", "file_name", "mime_type", "mimeType", "caption", "text", "content", "markdown", "title"];

/// Where a source stands within a content, among whose other texts may be the same. None where it is written otherwise.
fn place_of_source(source: &str, content: Place, text: &str) -> Option<Place> {
    let written = json!(source).to_string().replace("${", "$${");
    let from = content.at as usize;
    let is_source = |at: &usize| {
        let rest = &text[at + written.len()..];
        let pointer = pointer(text, *at);
        let key = pointer.rsplit('/').find(|step| step.parse::<usize>().is_err()).unwrap_or_default();
        !text[..*at].ends_with('\\') && !rest.starts_with(':') && !NO_SOURCES.contains(&key)
    };
    let at = text.get(from..)?.match_indices(&written).map(|(at, _)| from + at).find(is_source)?;
    Some(Place { file: content.file, at: u32::try_from(at).ok()?, len: u32::try_from(written.len()).ok()? })
}

fn refuse_local(loader: &mut Loader<'_>, local: Vec<Place>) {
    for place in local {
        loader.diagnostics.error(place, texts::no_local_media()).hint(texts::give_an_address());
    }
}

/// One in which there are no variables and no files.
pub(super) fn environment(now: UtcMs, timezone: &str) -> LoadEnvironment {
    LoadEnvironment {
        now,
        variable: Box::new(|_| None),
        working_directory: PathBuf::from("/"),
        timezone: Some(timezone.to_owned()),
        sight: Sight::Judge,
        fetched: Box::new(Vec::new),
        user: 0,
    }
}

/// As the files would have it: a dollar is a dollar.
fn text_of(push: &serde_json::Value) -> String {
    push.to_string().replace("${", "$${")
}

/// A push as it was said.
fn asked(draft: &PushDraft) -> serde_json::Value {
    let PushDraft { spec, recipients, fallback, has_timeout, render, .. } = draft;
    let names = |names: &[(String, Place)]| names.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let ids = |ids: &Ids| ids.iter().map(|(target, _)| target.clone()).collect::<Vec<_>>();
    let whom = match recipients.as_deref() {
        None => json!(spec.target),
        Some(Recipients::Targets(targets)) => json!(ids(targets)),
        Some(Recipients::Named(known)) => json!({ "to": names(known) }),
    };
    let fallback = fallback.iter().map(|way| {
        let (im, account) = (way.im.as_ref().map(|(im, _)| im), way.account.as_ref().map(|(id, _)| id));
        json!({ "to": names(&way.names), "im": im, "ids": ids(&way.ids), "account": account, "after": way.after })
    });
    json!({
        "im": spec.im,
        "whom": whom,
        "account": spec.account,
        "message": spec.message,
        "timeout_ms": has_timeout.then_some(spec.timeout.as_millis()),
        "render": render,
        "fallback": fallback.collect::<Vec<_>>(),
    })
}
