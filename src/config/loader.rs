//! Files in, drafts out: which file comes when, and what its top-level keys hold.

use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

use super::calendars::{CalendarDraft, FetchedSource, ListToCome, add_calendar, built_in, candidates};
use super::decoder::Decoder;
use super::diagnostics::{COMMAND_LINE, Diagnostics, Place, SourceText, as_written};
use super::document::{Document, is_of_jobs};
use super::draft::{AccountDraft, DaemonDraft, DefaultsDraft, Incomplete, JobDraft, PushDraft, TargetDraft};
use super::environment::{LoadEnvironment, Sight};
use super::extra::Extra;
use super::files::{self, FileProblem, FileText};
use super::mask::{self, SecretKeys};
use super::problem::ConfigErrors;
use super::seen::Seen;
use super::sources;
use super::text::shown;
use super::trust::{self, Rights};
use super::yaml::{ALIAS_BUDGET, Node, Reader};
use crate::domain::SenderSpec;
use crate::texts::{self, Text};

/// A longer chain of files that include each other is a mistake.
const DEEPEST_INCLUDE: usize = 16;

/// Everything read so far, from all files.
pub(super) struct Loader<'a> {
    pub(super) environment: &'a LoadEnvironment,
    specs: &'a [&'static SenderSpec],
    pub diagnostics: Diagnostics,
    pub sources: Vec<SourceText>,
    pub files: Vec<PathBuf>,
    pub secret_files: Vec<PathBuf>,
    /// Variables in places that may hold secrets.
    pub secret_names: HashSet<String>,
    /// Directories of the files, the default places of local media.
    pub directories: Vec<PathBuf>,
    /// Files already read, so that a file reached twice counts once.
    read: HashSet<PathBuf>,
    alias_budget: u64,
    pub daemon: DaemonDraft,
    pub defaults: DefaultsDraft,
    pub accounts: Vec<AccountDraft>,
    pub targets: Vec<TargetDraft>,
    pub jobs: Vec<JobDraft>,
    /// Lists of days, by name.
    pub calendars: HashMap<String, CalendarDraft>,
    /// A file with a list that is read as if it were there already.
    pub list_to_come: Option<ListToCome>,
    /// Lists that the daemon is to fetch.
    pub fetched_sources: Vec<FetchedSource>,
    pub incomplete: Incomplete,
    /// The pushes outside any job, and their source.
    pub pushes: Option<(u16, Vec<PushDraft>)>,
    /// What each file and each include brought.
    pub brought: Vec<sources::Source>,
    /// How many lists said of themselves that they are empty: of jobs, and of accounts.
    meant_empty: [usize; 2],
    /// What was found in the file system.
    pub seen: Seen,
    /// A file was being written all the time.
    pub under_way: bool,
    /// A file could not be read to its end, so that what it would have defined is unknown.
    pub has_unread: bool,
    /// Leave accounts, jobs and defaults unread.
    daemon_only: bool,
    /// Whether whoever waits has waited for long enough: what is not worked out by then is left out.
    pub enough: &'a dyn Fn() -> bool,
}

impl<'a> Loader<'a> {
    pub(super) fn new(environment: &'a LoadEnvironment, specs: &'a [&'static SenderSpec]) -> Loader<'a> {
        Loader {
            environment,
            specs,
            diagnostics: Diagnostics::default(),
            sources: Vec::new(),
            files: Vec::new(),
            secret_files: Vec::new(),
            secret_names: HashSet::new(),
            directories: Vec::new(),
            read: HashSet::new(),
            alias_budget: ALIAS_BUDGET,
            daemon: DaemonDraft::default(),
            defaults: DefaultsDraft::default(),
            accounts: Vec::new(),
            targets: Vec::new(),
            jobs: Vec::new(),
            calendars: HashMap::new(),
            list_to_come: None,
            fetched_sources: Vec::new(),
            incomplete: Incomplete::default(),
            pushes: None,
            brought: Vec::new(),
            meant_empty: [0; 2],
            seen: Seen::default(),
            under_way: false,
            has_unread: false,
            daemon_only: false,
            enough: &|| false,
        }
    }

    /// For those who ask where the database is: a hundred thousand jobs are not read for that.
    pub(super) fn daemon_only(environment: &'a LoadEnvironment) -> Loader<'a> {
        Loader { daemon_only: true, ..Loader::new(environment, &[]) }
    }

    /// Reads all of these, or the embedded example where there is none.
    pub(super) fn paths(&mut self, paths: &[PathBuf]) {
        for path in paths {
            self.path(path);
        }
        if paths.is_empty() {
            let (name, text) = (Path::new("the embedded example"), include_str!("../../jobs.example.yaml"));
            let directory = self.environment.working_directory.clone();
            // Its includes count from a directory of its own, which it has not.
            let rights = Rights::private(self.environment.user);
            let _ = self.text(name, (&directory, &directory), text, rights, self.environment.sight);
            self.sources.push(SourceText { name: shown(name), text: text.to_owned() });
            self.directories.push(directory);
        }
    }

    /// Reads a file, or the YAML files of a directory.
    pub(super) fn path(&mut self, path: &Path) {
        if !path.is_dir() {
            return self.file(path, &mut Vec::new());
        }
        self.seen.directory(path);
        match files::in_directory(path) {
            Ok(files) if files.is_empty() => {
                self.fail(path, &texts::no_yaml_file());
            }
            Ok(files) => files.iter().for_each(|file| self.file(file, &mut Vec::new())),
            Err(error) => self.fail(path, &texts::cannot_be_read(error)),
        }
    }

    /// Reads a file and what it includes. `chain` holds the files that led here.
    fn file(&mut self, path: &Path, chain: &mut Vec<PathBuf>) {
        let real = match std::fs::canonicalize(path) {
            Ok(real) => real,
            Err(error) => {
                self.seen.file(path);
                return self.fail(path, &texts::cannot_be_read(error));
            }
        };
        if !self.read.insert(real.clone()) {
            return;
        }
        let Some(FileText { text, rights }) = self.read_file(path) else { return };
        let directory = real.parent().unwrap_or(Path::new("/")).to_owned();
        let named = named_directory(path).unwrap_or_else(|| directory.clone());
        let text = if self.daemon_only { mask::only_sections(&text, &["daemon", "include"]) } else { text };
        let before = self.mark();
        let includes = self.text(path, (&directory, &named), &text, rights, self.environment.sight);
        self.sources.push(SourceText { name: shown(path), text });
        self.note_source(sources::Source::file(shown(path)), before);
        self.files.push(path.to_owned());
        for directory in [&directory, &named] {
            if !self.directories.contains(directory) {
                self.directories.push(directory.clone());
            }
        }
        chain.push(real);
        for (place, pattern) in includes {
            let before = self.mark();
            let files = self.include(place, &directory, &pattern, chain);
            self.note_source(sources::Source::pattern(pattern, shown(path), files), before);
        }
        chain.pop();
    }

    /// The text of a file, unless it cannot be read, which is told.
    pub(super) fn read_file(&mut self, path: &Path) -> Option<FileText> {
        self.seen.file(path);
        match files::read(path) {
            Ok(file) => return Some(file),
            Err(FileProblem::Whole(problem, _)) => self.fail(path, &problem),
            Err(FileProblem::UnderWay) => {
                self.under_way = true;
                self.fail(path, &files::UNDER_WAY());
            }
            Err(FileProblem::NotUtf8 { before }) => {
                self.has_unread = true;
                let file = self.next_file();
                let at = u32::try_from(before.len()).unwrap_or(u32::MAX);
                self.diagnostics.error(Place { file, at, len: 1 }, files::NOT_UTF8()).hint(files::SAVE_AS_UTF8());
                self.sources.push(SourceText { name: shown(path), text: before });
            }
        }
        None
    }

    /// Whether a list of accounts is there, and empty.
    pub(super) fn has_no_accounts(&self) -> bool {
        self.accounts.is_empty() && self.meant_empty[1] > 0
    }

    /// How much there is of what sources bring.
    fn mark(&self) -> Mark {
        Mark { jobs: self.jobs.len(), accounts: self.accounts.len(), meant_empty: self.meant_empty }
    }

    /// Notes what a source brought since.
    fn note_source(&mut self, mut source: sources::Source, before: Mark) {
        let is_meant = |kind: usize| self.meant_empty[kind] > before.meant_empty[kind];
        source.jobs(self.jobs[before.jobs..].iter().map(|job| &*job.name), is_meant(0));
        let ids = self.accounts[before.accounts..].iter().filter_map(|account| account.id.as_deref());
        source.accounts(ids, is_meant(1));
        self.brought.push(source);
    }

    /// Reads what a pattern leads to, and tells how many files that were.
    fn include(&mut self, place: Place, directory: &Path, pattern: &str, chain: &mut Vec<PathBuf>) -> usize {
        if chain.len() > DEEPEST_INCLUDE {
            self.has_unread = true;
            self.diagnostics.error(place, texts::include_too_deep(DEEPEST_INCLUDE));
            return 0;
        }
        let full = format!("{}/{pattern}", glob::Pattern::escape(&directory.to_string_lossy()));
        let full = if pattern.starts_with('/') { pattern } else { &full };
        self.seen.pattern(full);
        let paths = match glob::glob(full) {
            Ok(paths) => paths,
            Err(error) => {
                let pattern = as_written(&self.sources, place, pattern);
                self.diagnostics.error(place, texts::include_no_pattern(pattern, error.msg));
                return 0;
            }
        };
        let mut found = 0;
        for path in paths {
            found += 1;
            match path {
                Ok(path) if std::fs::canonicalize(&path).is_ok_and(|real| chain.contains(&real)) => {
                    let message = texts::include_itself(shown(&path));
                    self.diagnostics.error(place, message).hint(texts::include_others_only());
                }
                Ok(path) if path.is_dir() => {
                    self.diagnostics
                        .error(place, texts::include_a_directory(shown(&path)))
                        .hint(texts::include_its_files());
                }
                Ok(path) => self.file(&path, chain),
                Err(error) => {
                    self.has_unread = true;
                    let message = texts::include_unreadable(shown(error.path()), error.error());
                    self.diagnostics.error(place, message);
                }
            }
        }
        if found == 0 && !pattern.contains(['*', '?', '[']) {
            self.has_unread = true;
            let pattern = as_written(&self.sources, place, pattern);
            self.diagnostics.error(place, texts::include_no_file(pattern));
        }
        found
    }

    /// Reads the lists of days that lie in files of their own, and where any list may be asked for, those that pushcron brings
    /// along.
    pub(super) fn calendar_files(&mut self) {
        for directory in &self.directories {
            self.seen.directory(&directory.join("calendars"));
        }
        let (mut found, unread) = candidates(&self.directories);
        for (path, problem) in unread {
            self.fail(&path, &problem);
        }
        let to_come = self.list_to_come.take();
        if let Some(new) = to_come.as_ref().filter(|new| !found.iter().any(|(path, _)| *path == new.path)) {
            found.push((new.path.clone(), new.name.clone()));
        }
        for (path, name) in found {
            let (text, is_there) = match to_come.as_ref().filter(|new| new.path == path) {
                Some(new) => (new.text.clone(), false),
                None => match self.read_file(&path) {
                    Some(file) => (file.text, true),
                    None => continue,
                },
            };
            let Some(draft) = self.calendar(&path, &name, &text) else { continue };
            add_calendar(&mut self.calendars, draft, &mut self.diagnostics);
            if is_there {
                self.files.push(path);
            }
        }
        if !self.calendars.is_empty() || self.jobs.iter().any(|job| job.days.is_some()) {
            self.built_in_calendars();
        }
        self.fetched_calendars();
    }

    /// Reads the lists that pushcron brings along, where nobody has a newer one.
    pub(super) fn built_in_calendars(&mut self) {
        for (name, path, text) in built_in() {
            let Some(draft) = self.calendar(path, name, text) else { continue };
            match self.calendars.get(name) {
                // Versions are days.
                Some(own) if own.version >= draft.version || own.based_on.is_some() => {}
                Some(own) => {
                    let version = draft.version.as_deref().unwrap_or_default();
                    let message = texts::list_is_older(version);
                    self.diagnostics.warning(own.place, message).hint(texts::remove_the_list());
                    self.calendars.insert(name.to_owned(), draft);
                }
                None => {
                    self.calendars.insert(name.to_owned(), draft);
                }
            }
        }
    }

    /// Reads a file that is one list.
    pub(super) fn calendar(&mut self, path: &Path, name: &str, text: &str) -> Option<CalendarDraft> {
        let directory = path.parent().unwrap_or(Path::new("/"));
        let errors = self.diagnostics.error_count();
        let read = |decoder: &mut Decoder<'_>, node: &Node| decoder.calendar(name, node.at, node);
        let draft = self.only_node((&shown(path), directory), text, read)?;
        // Also what the YAML itself has wrong, such as a key that is there twice.
        let is_sound = self.diagnostics.error_count() == errors;
        Some(CalendarDraft { is_sound, ..draft })
    }

    /// Reads pushes from the command line: one, or a list of them.
    pub(super) fn pushes(&mut self, text: &str) {
        let file = self.next_file();
        let directory = &self.environment.working_directory;
        let drafts = self.only_node((COMMAND_LINE, directory), text, |decoder, node| decoder.pushes(node, false));
        self.pushes = drafts.map(|drafts| (file, drafts));
    }

    /// Reads a text that is one node as a whole; relative paths in it start at the directory.
    pub(super) fn only_node<T>(
        &mut self,
        (name, directory): (&str, &Path),
        text: &str,
        read: impl FnOnce(&mut Decoder<'_>, &Node) -> Option<T>,
    ) -> Option<T> {
        let mut decoder = Decoder {
            file: self.next_file(),
            dir: directory,
            named_dir: directory,
            environment: self.environment,
            diagnostics: &mut self.diagnostics,
            of_verb: false,
            holds_secrets: false,
            guarded: false,
            unseen: 0,
            sight: Sight::Service,
            incomplete: &mut self.incomplete,
            secret_files: &mut self.secret_files,
            seen: &mut self.seen,
            secret_names: &mut self.secret_names,
            marks: None,
        };
        let mut reader = Reader::new(text, &mut self.alias_budget);
        let node = reader.only_node().map_err(|fault| reader.faults.push(fault)).ok();
        let value = node.and_then(|node| read(&mut decoder, &node));
        for fault in std::mem::take(&mut reader.faults) {
            decoder.error(fault.at, fault.message);
        }
        self.sources.push(SourceText { name: name.to_owned(), text: text.to_owned() });
        value
    }

    /// Reads a document that says nothing but jobs.
    pub(super) fn extra_jobs(&mut self, extra: &Extra) {
        let (path, text, rights) = match extra {
            Extra::CommandLine(text) => {
                (Path::new(COMMAND_LINE), (*text).to_owned(), Rights::private(self.environment.user))
            }
            Extra::File(path) => {
                let Some(FileText { text, rights }) = self.read_file(path) else { return };
                (*path, text, rights)
            }
        };
        let directory = match extra {
            Extra::File(path) => std::path::absolute(path).ok().and_then(|path| path.parent().map(Path::to_owned)),
            Extra::CommandLine(_) => None,
        };
        let directory = directory.unwrap_or_else(|| self.environment.working_directory.clone());
        let file = self.next_file();
        let others = |loader: &Loader| {
            let named = loader.accounts.len() + loader.calendars.len() + loader.targets.len();
            (named + loader.daemon.seen.len() + loader.defaults.seen.len(), loader.incomplete.jobs.len())
        };
        let (before, jobs) = (others(self), self.jobs.len());
        // What it says is kept as it is now, so all of its variables must be seen.
        let includes = self.text(path, (&directory, &directory), &text, rights, Sight::Service);
        self.sources.push(SourceText { name: shown(path), text });
        let after = others(self);
        if !includes.is_empty() || after.0 != before.0 {
            let message = texts::expected_jobs_alone();
            self.diagnostics.error(Place::whole(file), message);
        }
        if self.jobs.len() == jobs && after.1 == before.1 {
            self.diagnostics.error(Place::whole(file), texts::expected_a_job());
        }
    }

    /// Reads one file's text; its directory as it is, and as it was named. Returns what it includes.
    pub(super) fn text(
        &mut self,
        path: &Path,
        (directory, named): (&Path, &Path),
        text: &str,
        rights: Rights,
        sight: Sight,
    ) -> Vec<(Place, String)> {
        let file = self.next_file();
        let mut includes = Vec::new();
        let is_of_jobs = sight == Sight::Text && is_of_jobs(text);
        let mut document = Document {
            decoder: Decoder {
                file,
                dir: directory,
                named_dir: named,
                environment: self.environment,
                diagnostics: &mut self.diagnostics,
                of_verb: path == Path::new(COMMAND_LINE),
                holds_secrets: false,
                guarded: false,
                unseen: 0,
                sight,
                incomplete: &mut self.incomplete,
                secret_files: &mut self.secret_files,
                seen: &mut self.seen,
                secret_names: &mut self.secret_names,
                marks: None,
            },
            specs: self.specs,
            daemon: &mut self.daemon,
            defaults: &mut self.defaults,
            accounts: &mut self.accounts,
            targets: &mut self.targets,
            jobs: &mut self.jobs,
            calendars: &mut self.calendars,
            includes: &mut includes,
            meant_empty: &mut self.meant_empty,
            is_of_jobs,
        };
        let mut reader = Reader::new(text, &mut self.alias_budget);
        let done = document.read(&mut reader).map_err(|fault| document.fatal(fault));
        let holds_secrets = document.decoder.holds_secrets;
        self.has_unread |= done.is_err();
        if holds_secrets && rights.all_may_read() {
            self.diagnostics
                .warning(Place::whole(file), texts::all_can_read_secrets())
                .hint(texts::chmod("o-r", shown(path)));
        }
        if let Some(doubt) = rights.doubt_of_file(path, self.environment.user) {
            self.diagnostics.warning(Place::whole(file), doubt.problem).hint(doubt.hint);
        }
        includes
    }

    /// Tells of directories in which others could put another file in the place of one that was read.
    pub(super) fn doubt_directories(&mut self) {
        let files = self.files.iter().chain(&self.secret_files);
        for (directory, doubt) in trust::doubtful_directories(files, self.environment.user) {
            self.diagnostics.warning(Place::whole(self.next_file()), doubt.problem).hint(doubt.hint);
            self.sources.push(SourceText { name: shown(&directory), text: String::new() });
        }
    }

    /// All that is wrong, for who could not be given what was asked for.
    pub(super) fn errors(self) -> ConfigErrors {
        let errors = self.diagnostics.finish(&self.sources, &SecretKeys::new(self.specs)).err();
        errors.unwrap_or_else(|| ConfigErrors { more: true, ..ConfigErrors::of(Vec::new()) })
    }

    fn fail(&mut self, path: &Path, problem: &Text) {
        self.has_unread = true;
        self.diagnostics.error(Place::whole(self.next_file()), problem.clone());
        self.sources.push(SourceText { name: shown(path), text: String::new() });
    }

    fn next_file(&self) -> u16 {
        u16::try_from(self.sources.len()).unwrap_or(u16::MAX)
    }
}

/// The directory of a file by the name it was called, unless that goes back and forth.
fn named_directory(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let is_straight = !path.components().any(|part| part == Component::ParentDir);
    path.parent().filter(|_| is_straight).map(Path::to_owned)
}

/// A mark in what was read.
#[derive(Clone, Copy)]
struct Mark {
    jobs: usize,
    accounts: usize,
    meant_empty: [usize; 2],
}
