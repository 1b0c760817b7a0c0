//! What pushes over HTTP are judged by: what the running configuration says of accounts, targets and defaults, without reading
//! any file again, and without looking at any that such a push may name.

use std::fmt;
use std::path::PathBuf;

use super::diagnostics::{Place, SourceText};
use super::draft::{AccountDraft, DaemonDraft, DefaultsDraft, TargetDraft};
use super::environment::{LoadEnvironment, Sight};
use super::loader::{COMMAND_LINE, Loader};
use super::mask::SecretKeys;
use super::problem::ConfigErrors;
use super::validate::validate;
use crate::domain::{PushSpec, SenderSpec, UtcMs};
use crate::texts;

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

    /// A push in the keys of the files, as JSON, judged as one of a job is. A dollar in it is a dollar; a template is a text.
    ///
    /// # Errors
    ///
    /// With all that is wrong with it. Media must be inline or have an address: a file of this machine is refused, whether or
    /// not it is there.
    pub fn judge(&self, push: &serde_json::Value, now: UtcMs) -> Result<Judged, ConfigErrors> {
        let environment = LoadEnvironment {
            now,
            variable: Box::new(|_| None),
            working_directory: PathBuf::from("/"),
            timezone: Some(self.timezone.clone()),
            sight: Sight::Judge,
            fetched: Box::new(Vec::new),
            user: 0,
        };
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
        loader.pushes(&push.to_string().replace("${", "$${"));
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
