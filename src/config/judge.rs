//! What pushes over HTTP are judged by: what the running configuration says of accounts, targets and defaults, without reading
//! any file again, and without looking at any that such a push may name.

use std::fmt;
use std::path::PathBuf;

use serde_json::json;

use super::diagnostics::{Place, SourceText};
use super::draft::{AccountDraft, DaemonDraft, DefaultsDraft, Ids, PushDraft, Recipients, TargetDraft};
use super::environment::{LoadEnvironment, Sight};
use super::loader::{COMMAND_LINE, Loader};
use super::mask::SecretKeys;
use super::problem::ConfigErrors;
use super::validate::validate;
use crate::domain::{PushSpec, SenderSpec, UtcMs};
use crate::texts::{self, Text};

/// The part of a configuration that says how a push is judged.
pub struct Judge {
    accounts: Vec<AccountDraft>,
    targets: Vec<TargetDraft>,
    defaults: DefaultsDraft,
    timezone: String,
    media_allow_private: Option<bool>,
    /// Files by their places: the text of those alone that what is above stands in.
    sources: Vec<SourceText>,
    specs: Vec<&'static SenderSpec>,
}

/// Pushes that may be recorded.
pub struct Judged {
    pub pushes: Vec<PushSpec>,
}

/// Why an account cannot be the one that received a message of a chat of this im, if it is one of ours: their im and id are
/// `ours`. What came in over one im is not answered by another.
pub fn wrong_chat<'a>((im, account): (&str, &str), ours: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Text> {
    let (own, _) = ours.into_iter().find(|(_, id)| *id == account)?;
    (own != im).then(|| texts::account_of_another_im(account, own, im))
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
            defaults: loader.defaults.clone(),
            timezone: timezone.unwrap_or_else(|| "UTC".to_owned()),
            media_allow_private: loader.daemon.media_allow_private,
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

    /// A push in the keys of the files, as JSON, judged as one of a job is. A dollar in it is a dollar; a template is a text.
    ///
    /// # Errors
    ///
    /// With all that is wrong with it. Media must be inline or have an address: a file of this machine is refused, whether or
    /// not it is there.
    pub fn judge(&self, push: &serde_json::Value, now: UtcMs) -> Result<Judged, ConfigErrors> {
        let environment = environment(now, &self.timezone);
        let mut loader = Loader::new(&environment, &self.specs);
        loader.accounts.clone_from(&self.accounts);
        loader.targets.clone_from(&self.targets);
        loader.defaults = self.defaults.clone();
        loader.daemon = DaemonDraft {
            timezone: Some(self.timezone.clone()),
            media_allow_private: self.media_allow_private,
            ..DaemonDraft::default()
        };
        let known = |source: &SourceText| SourceText { name: source.name.clone(), text: source.text.clone() };
        loader.sources = self.sources.iter().map(known).collect();
        loader.pushes(&text_of(push));
        self.refuse_local_media(&mut loader);
        let is_wrong = loader.diagnostics.error_count() > 0;
        let definitions = validate(&mut loader, &environment);
        let warnings = loader.diagnostics.finish(&loader.sources, &SecretKeys::new(&self.specs));
        match warnings {
            Ok(_) if !is_wrong && !definitions.pushes.is_empty() => Ok(Judged { pushes: definitions.pushes }),
            Ok(_) => Err(ConfigErrors { more: true, ..ConfigErrors::of(Vec::new()) }),
            Err(mut errors) => {
                // What the files themselves have wrong was told at their load.
                errors.errors.retain(|problem| problem.file == COMMAND_LINE);
                Err(errors)
            }
        }
    }

    /// Takes out of what is to be judged whatever names a file, so that nobody learns whether it is there.
    fn refuse_local_media(&self, loader: &mut Loader<'_>) {
        let Some((file, drafts)) = &mut loader.pushes else { return };
        let is_remote =
            |source: &str| ["http://", "https://", "base64://", "data:"].iter().any(|start| source.starts_with(start));
        let mut local = Vec::new();
        for draft in drafts.iter() {
            let media = draft.spec.message.body.media();
            let mut sources = media.iter().flat_map(|media| [Some(&media.source), media.cover.as_ref()]).flatten();
            if sources.any(|source| !is_remote(source)) {
                let at = draft.places.content;
                local.push(Place { file: *file, at: at.at, len: at.len });
            }
        }
        if local.is_empty() {
            return;
        }
        for place in local {
            loader.diagnostics.error(place, texts::no_local_media()).hint(texts::give_an_address());
        }
        loader.pushes = None;
    }
}

/// One in which there are no variables and no files.
fn environment(now: UtcMs, timezone: &str) -> LoadEnvironment {
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
