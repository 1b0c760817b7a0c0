//! `daemon:`. It may be spread over several files; each key may be set once.

use std::path::PathBuf;
use std::time::Duration;

use super::decoder::Decoder;
use super::diagnostics::Place;
use super::draft::{DaemonDraft, OnFailureDraft};
use super::keys::{DAEMON_KEYS, FALLBACKS, HEARTBEAT_KEYS, MISSING_LISTS, MOST_CONTENTS, ON_FAILURE_KEYS, RELOADS};
use super::secrets::SecretForm;
use super::settings::{DaemonSettings, Heartbeat, OnFailure};
use super::text::shown;
use super::yaml::{Node, Value};
use crate::domain::{PushSpec, Secret};
use crate::texts::{self, Language, Text};

const SECOND: Duration = Duration::from_secs(1);
pub(super) const KEEP_HISTORY: Duration = Duration::from_secs(90 * 86_400);
pub(super) const MEDIA_MAX_BYTES: u64 = 20_000_000;
pub(super) const CONTENT_AT_ONCE: usize = 4;
pub(super) const PROBE_EVERY: Duration = Duration::from_secs(30);
pub(super) const HEARTBEAT_EVERY: Duration = Duration::from_secs(60);
pub(super) const REPORT_EVERY: Duration = Duration::from_secs(600);

impl DaemonDraft {
    /// Fills in built-in values. `directories` are those of the files; `push` is the checked push of `on_failure`.
    pub(super) fn finish(
        self,
        environment: &super::LoadEnvironment,
        directories: Vec<PathBuf>,
        timezone: String,
        push: Option<PushSpec>,
    ) -> DaemonSettings {
        let database = self.database.unwrap_or_else(|| PathBuf::from("pushcron.db"));
        DaemonSettings {
            database: environment.state_directory().join(database),
            timezone,
            language: self.language,
            keep_history: self.keep_history.unwrap_or(KEEP_HISTORY),
            max_history_rows: self.max_history_rows,
            max_database_size: self.max_database_size,
            accounts_fallback: self.accounts_fallback.unwrap_or_default(),
            media_roots: self.media_roots.unwrap_or(directories),
            media_allow_private: self.media_allow_private.unwrap_or(false),
            media_max_bytes: self.media_max_bytes.unwrap_or(MEDIA_MAX_BYTES),
            content_at_once: self.content_at_once.unwrap_or(CONTENT_AT_ONCE),
            probe_every: self.probe_every.unwrap_or(PROBE_EVERY),
            metrics_file: self.metrics_file,
            metrics_listen: self.metrics.finish(),
            heartbeat: self.heartbeat,
            on_failure: self.on_failure.map(|draft| {
                let OnFailureDraft { command, as_root, every, .. } = draft;
                OnFailure { push, command, as_root, every }
            }),
            reload: self.reload.unwrap_or_default(),
            template_env: self.template_values,
            web: self.web,
        }
    }
}

impl Decoder<'_> {
    pub(super) fn daemon(&mut self, node: &Node, daemon: &mut DaemonDraft) {
        for entry in self.map("daemon", node).unwrap_or_default() {
            if DAEMON_KEYS.contains(&&*entry.key) && !self.first(&mut daemon.seen, "daemon", entry) {
                continue;
            }
            let (key, node) = (&*entry.key, &entry.node);
            match key {
                "database" => daemon.database = self.plain_path(key, node),
                "timezone" => daemon.timezone = self.zone(node),
                "language" => daemon.language = self.choice(key, node, &Language::WORDS),
                "keep_history" => daemon.keep_history = self.duration_from(key, node, SECOND * 3600),
                "max_history_rows" => daemon.max_history_rows = self.int(key, node, 1, u64::MAX),
                "max_database_size" => daemon.max_database_size = self.size(key, node),
                "accounts_fallback" => daemon.accounts_fallback = self.choice(key, node, &FALLBACKS),
                "media_roots" => daemon.media_roots = self.media_roots(key, node),
                "media_allow_private" => daemon.media_allow_private = self.bool(key, node),
                "media_max_bytes" => daemon.media_max_bytes = self.size(key, node),
                "content_at_once" => {
                    let at_once = self.int(key, node, 1, MOST_CONTENTS);
                    daemon.content_at_once = at_once.and_then(|at_once| usize::try_from(at_once).ok());
                }
                "probe_every" => daemon.probe_every = self.duration_from(key, node, SECOND),
                "metrics_file" => daemon.metrics_file = self.path(key, node),
                "metrics_listen"
                | "metrics_allow"
                | "metrics_token"
                | "metrics_token_file"
                | "metrics_token_credential" => {
                    self.guarded = key.starts_with("metrics_token");
                    self.metrics(key, node, &mut daemon.metrics);
                    self.guarded = false;
                }
                "heartbeat" => {
                    self.guarded = true;
                    daemon.heartbeat = self.heartbeat(node);
                    self.guarded = false;
                }
                "on_missing_calendar" => daemon.on_missing_calendar = self.choice(key, node, &MISSING_LISTS),
                "reload" => daemon.reload = self.choice(key, node, &RELOADS),
                "on_failure" => daemon.on_failure = self.on_failure(node),
                "web" => daemon.web = self.web(node),
                "template_env" => daemon.template_env = self.template_env(key, node),
                _ => self.unknown_key(entry, Text::same("daemon"), DAEMON_KEYS),
            }
        }
    }

    fn template_env(&mut self, key: &str, node: &Node) -> Vec<(Place, String)> {
        let mut named = Vec::new();
        for (at, name) in self.texts(key, node).unwrap_or_default() {
            let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            if is_name {
                named.push((self.place(at), name.into_owned()));
            } else {
                self.error(at, texts::expected_variable_names(key));
            }
        }
        named
    }

    /// A path that does not start at the file's directory.
    fn plain_path(&mut self, key: &str, node: &Node) -> Option<PathBuf> {
        self.parsed(key, node, texts::a_path(), |text| (!text.is_empty()).then(|| PathBuf::from(text)))
    }

    fn media_roots(&mut self, key: &str, node: &Node) -> Option<Vec<PathBuf>> {
        let texts = self.texts(key, node)?;
        let mut roots = Vec::new();
        for (at, text) in texts {
            let root = self.dir.join(&*text);
            if !self.is_beside(key, at, texts::the_directory()) && !root.is_dir() {
                let message = texts::no_directory_now(key, shown(&root));
                self.warning(at, message);
            }
            roots.push(root);
        }
        Some(roots)
    }

    fn heartbeat(&mut self, node: &Node) -> Option<Heartbeat> {
        let mut url: Option<Secret> = None;
        let mut every = HEARTBEAT_EVERY;
        let (errors, unseen) = (self.diagnostics.error_count(), self.unseen);
        for entry in self.map("heartbeat", node)? {
            let (key, value) = (&*entry.key, &entry.node);
            let form = match key {
                "url" => SecretForm::Inline,
                "url_file" => SecretForm::File,
                "url_credential" => SecretForm::Credential,
                "every" => {
                    every = self.duration_from(key, value, SECOND).unwrap_or(every);
                    continue;
                }
                _ => {
                    self.unknown_key(entry, Text::same("heartbeat"), HEARTBEAT_KEYS);
                    continue;
                }
            };
            if url.is_some() {
                self.error(entry.key_at, texts::heartbeat_url_twice());
            }
            url = self.address(form, key, value).or(url);
        }
        if url.is_none() && (self.diagnostics.error_count(), self.unseen) == (errors, unseen) {
            self.error(node.at, texts::heartbeat_needs_url());
        }
        url.map(|url| Heartbeat { url, every })
    }

    fn on_failure(&mut self, node: &Node) -> Option<OnFailureDraft> {
        let mut draft =
            OnFailureDraft { file: self.file, push: None, command: None, as_root: false, every: REPORT_EVERY };
        let errors = self.diagnostics.error_count();
        for entry in self.map("on_failure", node)? {
            let (key, value) = (&*entry.key, &entry.node);
            match key {
                "push" => draft.push = self.report_push(value),
                "command" => {
                    draft.command = self.command(key, value);
                    self.is_beside(key, value.at, texts::the_program());
                }
                "as_root" => draft.as_root = self.bool(key, value).unwrap_or(false),
                "every" => draft.every = self.duration_from(key, value, SECOND).unwrap_or(draft.every),
                _ => self.unknown_key(entry, Text::same("on_failure"), ON_FAILURE_KEYS),
            }
        }
        if draft.push.is_none() && draft.command.is_none() && self.diagnostics.error_count() == errors {
            self.error(node.at, texts::on_failure_needs_one());
        }
        Some(draft)
    }

    /// A program by its absolute path and its arguments: no shell, no search path.
    pub(super) fn command(&mut self, key: &str, node: &Node) -> Option<Vec<String>> {
        let Value::List(_) = node.value() else {
            self.wrong(key, node, texts::program_and_arguments());
            return None;
        };
        let words: Vec<String> = self.texts(key, node)?.into_iter().map(|(_, text)| text.into_owned()).collect();
        match words.first() {
            Some(program) if program.starts_with('/') => Some(words),
            Some(_) => {
                self.error(node.at, texts::expected_absolute_program(key));
                None
            }
            None => {
                self.error(node.at, texts::expected_program(key));
                None
            }
        }
    }
}
