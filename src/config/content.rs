//! `content_from` of a job: what makes the content of its pushes, and who else could make it say something.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use super::decoder::Decoder;
use super::draft::ContentDraft;
use super::environment::Sight;
use super::keys::{CONTENT_FORMATS, CONTENT_KEYS, CONTENT_MOMENTS, EMPTIES, LARGEST_CONTENT, MOST_ATTEMPTS, UNCHANGED};
use super::stale::Stale;
use super::text::{quoted, shown};
use super::trust::{Rights, doubtful_directories};
use super::yaml::{At, Entry, Node};
use crate::domain::content::{ContentCommand, ContentFile, ContentHttp};
use crate::domain::{ContentFrom, ContentSource};
use crate::texts::{self, Text};

const LEAST_TIMEOUT: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(3600);

/// The sources found, with the key that named each.
struct Found {
    source: ContentSource,
    key_at: At,
}

impl Decoder<'_> {
    /// With what looks like templates in the arguments of a command.
    pub(super) fn content_from(&mut self, node: &Node) -> Option<ContentDraft> {
        let entries = self.map("content_from", node)?;
        let errors = self.diagnostics.error_count();
        let mut found: Option<Found> = None;
        // With something in the place of the source until it is known.
        let mut content = ContentFrom::new(ContentSource::Http(ContentHttp::plain(String::new())));
        let (mut env, mut as_root, mut max_age) = (None, None, None);
        let (mut marks, mut stale) = (Vec::new(), Stale::default());
        for entry in entries {
            let (key, value) = (&*entry.key, &entry.node);
            match key {
                "command" | "http" | "file" => {
                    if let Some(before) = &found {
                        let other = self.place(before.key_at);
                        self.error(entry.key_at, texts::content_has_one_source()).other(texts::other_one_at(), other);
                        continue;
                    }
                    self.marks = Some(Vec::new());
                    let source = self.content_source(entry);
                    marks = self.marks.take().filter(|_| key == "command").unwrap_or_default();
                    found = source.map(|source| Found { source, key_at: entry.key_at });
                }
                "env" => env = self.variables(value).map(|env| (env, entry.key_at)),
                "as_root" => as_root = self.bool(key, value).map(|as_root| (as_root, entry.key_at)),
                "max_age" => {
                    max_age = self.duration_from(key, value, SECOND).map(|age| (age, entry.key_at));
                }
                "timeout" => {
                    content.timeout = self.content_duration(key, value, LEAST_TIMEOUT).unwrap_or(content.timeout);
                }
                "max_bytes" => {
                    let size = self.size(key, value).unwrap_or(content.max_bytes);
                    if size == 0 || size > LARGEST_CONTENT {
                        self.wrong(key, value, texts::content_size());
                    }
                    content.max_bytes = size;
                }
                "attempts" => {
                    content.attempts = self.count(key, value, 1, MOST_ATTEMPTS).unwrap_or(content.attempts);
                }
                "backoff" => {
                    content.backoff = self.content_duration(key, value, Duration::ZERO).unwrap_or(content.backoff);
                }
                "format" => content.format = self.choice(key, value, &CONTENT_FORMATS).unwrap_or_default(),
                "trusted" => content.trusted = self.bool(key, value).unwrap_or_default(),
                "empty" => content.empty = self.choice(key, value, &EMPTIES).unwrap_or_default(),
                "unchanged" => content.unchanged = self.choice(key, value, &UNCHANGED).unwrap_or_default(),
                "stale" | "stale_at_most" => self.stale(entry, &mut stale),
                "at" => content.at = self.choice(key, value, &CONTENT_MOMENTS).unwrap_or_default(),
                "lead" => content.lead = self.content_duration(key, value, Duration::ZERO).unwrap_or_default(),
                _ => self.unknown_key(entry, Text::same("content_from"), CONTENT_KEYS),
            }
        }
        content.stale_at_most_ms = self.stale_at_most_ms(&stale);
        let is_unnamed = found.is_none() && self.diagnostics.error_count() == errors;
        if is_unnamed {
            self.error(node.at, texts::content_needs_a_source());
        }
        let mut source = found?.source;
        match &mut source {
            ContentSource::Command(command) => {
                command.env = env.take().map(|(env, _)| env).unwrap_or_default();
                command.as_root = as_root.take().is_some_and(|(as_root, _)| as_root);
            }
            ContentSource::File(file) => {
                file.max_age_ms = max_age.take().and_then(|(age, _)| u64::try_from(age.as_millis()).ok());
            }
            ContentSource::Http(_) => {}
        }
        let strays = [("env", env.map(|(_, at)| at), "command"), ("as_root", as_root.map(|(_, at)| at), "command")];
        let strays = strays.into_iter().chain([("max_age", max_age.map(|(_, at)| at), "file")]);
        for (key, at, of) in strays {
            if let Some(at) = at {
                self.error(at, texts::of_another_source(key, of));
            }
        }
        let content = ContentFrom { source, ..content };
        (self.diagnostics.error_count() == errors).then_some(ContentDraft { content, marks, at: node.at })
    }

    fn content_duration(&mut self, key: &str, node: &Node, least: Duration) -> Option<Duration> {
        let value = self.duration_from(key, node, least)?;
        if value > LONGEST {
            self.wrong(key, node, texts::at_most_an_hour());
            return None;
        }
        Some(value)
    }

    fn content_source(&mut self, entry: &Entry) -> Option<ContentSource> {
        let (key, node) = (&*entry.key, &entry.node);
        match key {
            "command" => {
                let argv = self.command(key, node)?;
                self.check_program(Path::new(argv.first()?), node.at)?;
                Some(ContentSource::Command(ContentCommand {
                    argv,
                    env: BTreeMap::new(),
                    as_root: false,
                    render: None,
                }))
            }
            "http" => self.content_http(key, node).map(ContentSource::Http),
            _ => self.content_file(key, node),
        }
    }

    pub(super) fn content_file(&mut self, key: &str, node: &Node) -> Option<ContentSource> {
        let path = self.path(key, node)?;
        self.is_beside(key, node.at, texts::the_file());
        Some(ContentSource::File(ContentFile { path, max_age_ms: None }))
    }

    /// Whether this can be run, and nobody else decides what it does.
    pub(super) fn check_program(&mut self, program: &Path, at: At) -> Option<()> {
        if self.is_beside("command", at, texts::the_program()) {
            return Some(());
        }
        let named = shown(program);
        let problem = match std::fs::metadata(program) {
            Err(error) => Some(texts::cannot_be_run(&named, error)),
            Ok(meta) if meta.is_dir() => Some(texts::is_a_directory_no_program(&named)),
            Ok(meta) if meta.permissions().mode() & 0o111 == 0 => Some(texts::is_not_executable(&named)),
            Ok(_) => None,
        };
        if let Some(problem) = problem {
            let problem = texts::of_key("command", problem);
            // No verb says it of a job: it was so before, and is no reason to refuse what is said.
            if self.of_verb || self.sight == Sight::Onlooker {
                self.warning(at, problem);
                return Some(());
            }
            self.error(at, problem);
            return None;
        }
        let user = self.environment.user;
        let meta = std::fs::metadata(program).ok()?;
        let doubt = Rights::of(&meta).doubt_of_file(program, user).map(|doubt| (program.to_owned(), doubt));
        let (mut doubts, path) = (Vec::from_iter(doubt), program.to_owned());
        doubts.extend(doubtful_directories([&path], user));
        for (path, doubt) in doubts {
            // Its owner may be the very user that the service runs as, which whoever checks the files need not be.
            let is_open = std::fs::metadata(&path).is_ok_and(|meta| meta.permissions().mode() & 0o002 != 0);
            let whose = texts::of_key(shown(&path), doubt.problem);
            if is_open && !self.of_verb {
                self.error(at, texts::is_not_run(&named, whose)).hint(doubt.hint);
                return None;
            }
            self.warning(at, texts::of_key("command", whose)).hint(doubt.hint);
        }
        Some(())
    }

    pub(super) fn variables(&mut self, node: &Node) -> Option<BTreeMap<String, String>> {
        let mut variables = BTreeMap::new();
        for entry in self.map("env", node)? {
            let name = &*entry.key;
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(fits) || name.starts_with(|c: char| c.is_ascii_digit()) {
                self.error(entry.key_at, texts::no_variable_name(quoted(name)));
                continue;
            }
            if let Some(value) = self.text(name, &entry.node) {
                variables.insert(name.to_owned(), value.into_owned());
            }
        }
        Some(variables)
    }
}
