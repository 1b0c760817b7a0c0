//! Files in, drafts out: which file comes when, and what its top-level keys hold.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use granit_parser::{Event, ScalarStyle};

use super::Surroundings;
use super::accounts::AccountDraft;
use super::daemon::{DaemonDraft, Defaults};
use super::files::{self, FileProblem};
use super::jobs::JobDraft;
use super::mask;
use super::problem::{Findings, Place, Source, as_written, quoted, shown};
use super::push::PushDraft;
use super::reading::{Loose, Reading};
use super::sources;
use super::trust::{self, Rights};
use super::yaml::{ALIAS_BUDGET, At, Fault, Node, Reader, Value};
use crate::domain::SenderSpec;

pub(super) const TOP_KEYS: [&str; 5] = ["daemon", "accounts", "jobs", "defaults", "include"];

/// A longer chain of files that include each other is a mistake.
const DEEPEST_INCLUDE: usize = 16;

/// Everything read so far, from all files.
pub(super) struct Loading<'a> {
    around: &'a Surroundings,
    specs: &'a [&'static SenderSpec],
    pub findings: Findings,
    pub sources: Vec<Source>,
    pub files: Vec<PathBuf>,
    pub secret_files: Vec<PathBuf>,
    /// Directories of the files, the default places of local media.
    pub directories: Vec<PathBuf>,
    /// Files already read, so that a file reached twice counts once.
    read: HashSet<PathBuf>,
    alias_budget: u64,
    pub daemon: DaemonDraft,
    pub defaults: Defaults,
    pub accounts: Vec<AccountDraft>,
    pub jobs: Vec<JobDraft>,
    pub loose: Loose,
    /// The push outside any job, and its source.
    pub push: Option<(u16, PushDraft)>,
    /// What each file and each include brought.
    pub brought: Vec<sources::Source>,
    /// How many lists said of themselves that they are empty: of jobs, and of accounts.
    meant_empty: [usize; 2],
    /// A file was being written all the time.
    pub under_way: bool,
    /// A file could not be read to its end, so that what it would have defined is unknown.
    pub incomplete: bool,
    /// Leave accounts, jobs and defaults unread.
    daemon_only: bool,
}

impl<'a> Loading<'a> {
    pub fn new(around: &'a Surroundings, specs: &'a [&'static SenderSpec]) -> Loading<'a> {
        Loading {
            around,
            specs,
            findings: Findings::default(),
            sources: Vec::new(),
            files: Vec::new(),
            secret_files: Vec::new(),
            directories: Vec::new(),
            read: HashSet::new(),
            alias_budget: ALIAS_BUDGET,
            daemon: DaemonDraft::default(),
            defaults: Defaults::default(),
            accounts: Vec::new(),
            jobs: Vec::new(),
            loose: Loose::default(),
            push: None,
            brought: Vec::new(),
            meant_empty: [0; 2],
            under_way: false,
            incomplete: false,
            daemon_only: false,
        }
    }

    /// For those who ask where the database is: a hundred thousand jobs are not read for that.
    pub fn daemon_only(around: &'a Surroundings) -> Loading<'a> {
        Loading { daemon_only: true, ..Loading::new(around, &[]) }
    }

    /// Reads all of these, or the embedded example where there is none.
    pub fn paths(&mut self, paths: &[PathBuf]) {
        for path in paths {
            self.path(path);
        }
        if paths.is_empty() {
            let (name, text) = (Path::new("the embedded example"), include_str!("../../jobs.example.yaml"));
            let directory = self.around.working_directory.clone();
            // Its includes count from a directory of its own, which it has not.
            let _ = self.text(name, (&directory, &directory), text, Rights::private(self.around.user));
            self.sources.push(Source { name: shown(name), text: text.to_owned() });
            self.directories.push(directory);
        }
    }

    /// Reads a file, or the YAML files of a directory.
    pub fn path(&mut self, path: &Path) {
        if !path.is_dir() {
            return self.file(path, &mut Vec::new());
        }
        match files::in_directory(path) {
            Ok(files) if files.is_empty() => {
                self.fail(path, "has no *.yaml or *.yml file");
            }
            Ok(files) => files.iter().for_each(|file| self.file(file, &mut Vec::new())),
            Err(error) => self.fail(path, &format!("cannot be read: {error}")),
        }
    }

    /// Reads a file and what it includes. `chain` holds the files that led here.
    fn file(&mut self, path: &Path, chain: &mut Vec<PathBuf>) {
        let real = match std::fs::canonicalize(path) {
            Ok(real) => real,
            Err(error) => return self.fail(path, &format!("cannot be read: {error}")),
        };
        if !self.read.insert(real.clone()) {
            return;
        }
        let (text, rights) = match files::read(path) {
            Ok(file) => (file.text, file.rights),
            Err(FileProblem::Whole(problem)) => return self.fail(path, &problem),
            Err(FileProblem::UnderWay) => {
                self.under_way = true;
                return self.fail(path, files::UNDER_WAY);
            }
            Err(FileProblem::NotUtf8 { before }) => {
                self.incomplete = true;
                let file = self.next_file();
                let at = u32::try_from(before.len()).unwrap_or(u32::MAX);
                self.findings.error(Place { file, at, len: 1 }, files::NOT_UTF8).hint(files::SAVE_AS_UTF8);
                self.sources.push(Source { name: shown(path), text: before });
                return;
            }
        };
        let directory = real.parent().unwrap_or(Path::new("/")).to_owned();
        let named = named_directory(path).unwrap_or_else(|| directory.clone());
        let text = if self.daemon_only { mask::only_sections(&text, &["daemon", "include"]) } else { text };
        let before = self.so_far();
        let includes = self.text(path, (&directory, &named), &text, rights);
        self.sources.push(Source { name: shown(path), text });
        self.note_source(sources::Source::file(shown(path)), before);
        self.files.push(path.to_owned());
        for directory in [&directory, &named] {
            if !self.directories.contains(directory) {
                self.directories.push(directory.clone());
            }
        }
        chain.push(real);
        for (place, pattern) in includes {
            let before = self.so_far();
            let files = self.include(place, &directory, &pattern, chain);
            self.note_source(sources::Source::pattern(pattern, shown(path), files), before);
        }
        chain.pop();
    }

    /// How much there is of what sources bring.
    fn so_far(&self) -> SoFar {
        SoFar { jobs: self.jobs.len(), accounts: self.accounts.len(), meant_empty: self.meant_empty }
    }

    /// Notes what a source brought since.
    fn note_source(&mut self, mut source: sources::Source, before: SoFar) {
        let is_meant = |kind: usize| self.meant_empty[kind] > before.meant_empty[kind];
        source.jobs(self.jobs[before.jobs..].iter().map(|job| &*job.name), is_meant(0));
        let ids = self.accounts[before.accounts..].iter().filter_map(|account| account.id.as_deref());
        source.accounts(ids, is_meant(1));
        self.brought.push(source);
    }

    /// Reads what a pattern leads to, and tells how many files that were.
    fn include(&mut self, place: Place, directory: &Path, pattern: &str, chain: &mut Vec<PathBuf>) -> usize {
        if chain.len() > DEEPEST_INCLUDE {
            self.incomplete = true;
            self.findings.error(place, format!("include: files include each other more than {DEEPEST_INCLUDE} deep"));
            return 0;
        }
        let full = format!("{}/{pattern}", glob::Pattern::escape(&directory.to_string_lossy()));
        let full = if pattern.starts_with('/') { pattern } else { &full };
        let paths = match glob::glob(full) {
            Ok(paths) => paths,
            Err(error) => {
                let pattern = as_written(&self.sources, place, pattern);
                self.findings.error(place, format!("include: {pattern} is no pattern: {}", error.msg));
                return 0;
            }
        };
        let mut found = 0;
        for path in paths {
            found += 1;
            match path {
                Ok(path) if std::fs::canonicalize(&path).is_ok_and(|real| chain.contains(&real)) => {
                    let message = format!("include: {} includes itself in the end", shown(&path));
                    self.findings.error(place, message).hint("let the pattern name other files only");
                }
                Ok(path) if path.is_dir() => {
                    self.findings
                        .error(place, format!("include: {} is a directory", shown(&path)))
                        .hint("name its files: 'jobs.d/*.yaml'");
                }
                Ok(path) => self.file(&path, chain),
                Err(error) => {
                    self.incomplete = true;
                    let message = format!("include: {} cannot be read: {}", shown(error.path()), error.error());
                    self.findings.error(place, message);
                }
            }
        }
        if found == 0 && !pattern.contains(['*', '?', '[']) {
            self.incomplete = true;
            let pattern = as_written(&self.sources, place, pattern);
            self.findings.error(place, format!("include: there is no file {pattern}"));
        }
        found
    }

    /// Reads one push from the command line.
    pub fn push(&mut self, text: &str) {
        let file = self.next_file();
        let mut reading = Reading {
            file,
            dir: &self.around.working_directory,
            named_dir: &self.around.working_directory,
            around: self.around,
            findings: &mut self.findings,
            holds_secrets: false,
            guarded: false,
            unseen_credentials: 0,
            loose: &mut self.loose,
            secret_files: &mut self.secret_files,
        };
        let mut reader = Reader::new(text, &mut self.alias_budget);
        match reader.only_node() {
            Ok(node) => self.push = reading.push(&node).map(|draft| (file, draft)),
            Err(fault) => reader.faults.push(fault),
        }
        for fault in std::mem::take(&mut reader.faults) {
            reading.error(fault.at, fault.message);
        }
        self.sources.push(Source { name: super::COMMAND_LINE.to_owned(), text: text.to_owned() });
    }

    /// Reads one file's text; its directory as it is, and as it was named. Returns what it includes.
    fn text(
        &mut self,
        path: &Path,
        (directory, named): (&Path, &Path),
        text: &str,
        rights: Rights,
    ) -> Vec<(Place, String)> {
        let file = self.next_file();
        let mut includes = Vec::new();
        let mut document = Document {
            reading: Reading {
                file,
                dir: directory,
                named_dir: named,
                around: self.around,
                findings: &mut self.findings,
                holds_secrets: false,
                guarded: false,
                unseen_credentials: 0,
                loose: &mut self.loose,
                secret_files: &mut self.secret_files,
            },
            specs: self.specs,
            daemon: &mut self.daemon,
            defaults: &mut self.defaults,
            accounts: &mut self.accounts,
            jobs: &mut self.jobs,
            includes: &mut includes,
            meant_empty: &mut self.meant_empty,
        };
        let mut reader = Reader::new(text, &mut self.alias_budget);
        let done = document.read(&mut reader).map_err(|fault| document.fatal(fault));
        let holds_secrets = document.reading.holds_secrets;
        self.incomplete |= done.is_err();
        if holds_secrets && rights.all_may_read() {
            self.findings
                .warning(Place::whole(file), "every user of this machine can read the secrets in this file")
                .hint(format!("chmod o-r {}", shown(path)));
        }
        if let Some(doubt) = rights.doubt_of_file(path, self.around.user) {
            self.findings.warning(Place::whole(file), doubt.problem).hint(doubt.hint);
        }
        includes
    }

    /// Tells of directories in which others could put another file in the place of one that was read.
    pub fn doubt_directories(&mut self) {
        let files = self.files.iter().chain(&self.secret_files);
        for (directory, doubt) in trust::doubtful_directories(files, self.around.user) {
            self.findings.warning(Place::whole(self.next_file()), doubt.problem).hint(doubt.hint);
            self.sources.push(Source { name: shown(&directory), text: String::new() });
        }
    }

    fn fail(&mut self, path: &Path, problem: &str) {
        self.incomplete = true;
        self.findings.error(Place::whole(self.next_file()), problem);
        self.sources.push(Source { name: shown(path), text: String::new() });
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

/// One file under way: where its parts go.
struct Document<'a, 'f> {
    reading: Reading<'f>,
    specs: &'a [&'static SenderSpec],
    daemon: &'a mut DaemonDraft,
    defaults: &'a mut Defaults,
    accounts: &'a mut Vec<AccountDraft>,
    jobs: &'a mut Vec<JobDraft>,
    includes: &'a mut Vec<(Place, String)>,
    meant_empty: &'a mut [usize; 2],
}

/// A mark in what was read.
#[derive(Clone, Copy)]
struct SoFar {
    jobs: usize,
    accounts: usize,
    meant_empty: [usize; 2],
}

impl Document<'_, '_> {
    fn read(&mut self, reader: &mut Reader) -> Result<(), Fault> {
        // Documents with something in them: a file may end in '---', or begin with two.
        let mut documents = 0;
        let mut is_blank = true;
        loop {
            let (event, at) = reader.event()?;
            match event {
                Event::StreamEnd if is_blank => {
                    let place = Place::whole(self.reading.file);
                    let finding = self.reading.findings.warning(place, "there is nothing in this file");
                    finding.hint("write 'jobs: []' where that is meant");
                    return Ok(());
                }
                Event::StreamEnd => return Ok(()),
                Event::StreamStart | Event::DocumentEnd | Event::DocumentStart(..) => {}
                Event::Scalar(_, ScalarStyle::Plain, ..) if at.len == 0 => {}
                _ if documents > 0 => {
                    self.reading
                        .error(at, "expected one YAML document in a file, got a second one")
                        .hint("remove the '---'");
                    return Ok(());
                }
                Event::MappingStart(..) => {
                    (documents, is_blank) = (documents + 1, false);
                    self.top(reader)?;
                }
                event => {
                    documents += 1;
                    let node = reader.node_of(event, at)?;
                    is_blank &= node.is_null();
                    if !node.is_null() {
                        let got = node.describe();
                        let keys = TOP_KEYS.join(", ");
                        self.reading.error(at, format!("expected a mapping with some of {keys}, got {got}"));
                    }
                }
            }
            self.faults(reader);
        }
    }

    /// The keys of the file. Jobs are read one by one.
    fn top(&mut self, reader: &mut Reader) -> Result<(), Fault> {
        let mut seen: Vec<(String, At)> = Vec::new();
        loop {
            let (event, key_at) = reader.event()?;
            if event == Event::MappingEnd {
                return Ok(());
            }
            let key = reader.key(event, key_at)?.unwrap_or_default();
            let before = seen.iter().find(|(seen, _)| *seen == key).map(|(_, at)| *at);
            if let Some(before) = before {
                let other = self.reading.place(before);
                self.reading.error(key_at, format!("the key {} is there twice", quoted(&key))).other("first at", other);
            }
            let (event, at) = reader.event()?;
            match event {
                Event::SequenceStart(_, 0, None) if key == "jobs" && before.is_none() => self.stream_jobs(reader)?,
                event => {
                    let node = reader.node_of(event, at)?;
                    self.faults(reader);
                    if before.is_none() {
                        self.part(&key, key_at, &node);
                    }
                }
            }
            self.faults(reader);
            seen.push((key.into_owned(), key_at));
        }
    }

    fn stream_jobs(&mut self, reader: &mut Reader) -> Result<(), Fault> {
        let (mut event, mut at) = reader.event()?;
        self.meant_empty[0] += usize::from(event == Event::SequenceEnd);
        while event != Event::SequenceEnd {
            let node = reader.node_of(event, at)?;
            // A syntax error behind a job often means that the job was cut short: then only the error is told.
            (event, at) = reader.event()?;
            self.faults(reader);
            self.jobs.extend(self.reading.job(&node));
            if self.reading.findings.is_full() {
                return Err(Fault::new(at, "so many problems that the rest of this file is not read"));
            }
        }
        Ok(())
    }

    fn part(&mut self, key: &str, key_at: At, node: &Node) {
        if node.is_null() && TOP_KEYS.contains(&key) {
            if matches!(key, "jobs" | "accounts") {
                let finding = self.reading.warning(key_at, format!("{key}: there is nothing here"));
                finding.hint(format!("write '{key}: []' where that is meant"));
            }
            return;
        }
        match key {
            "daemon" => self.reading.daemon(node, self.daemon),
            "defaults" => self.reading.defaults(node, self.defaults),
            "accounts" => {
                self.reading.guarded = true;
                self.list(key, node, |document, node| {
                    document.accounts.extend(document.reading.account(node, document.specs));
                });
                self.reading.guarded = false;
            }
            "jobs" => self.list(key, node, |document, node| document.jobs.extend(document.reading.job(node))),
            "include" => {
                for (at, pattern) in self.reading.texts(key, node).unwrap_or_default() {
                    let place = self.reading.place(at);
                    self.includes.push((place, pattern.into_owned()));
                }
            }
            _ => {
                let message = format!("unknown key {} at the top", mask::key(key));
                self.reading.error(key_at, message).near(key, TOP_KEYS);
            }
        }
    }

    fn list(&mut self, key: &str, node: &Node, mut each: impl FnMut(&mut Self, &Node)) {
        match node.value() {
            Value::List(nodes) => {
                self.meant_empty[usize::from(key == "accounts")] += usize::from(nodes.is_empty());
                nodes.iter().for_each(|node| each(self, node));
            }
            _ => {
                self.reading.wrong(key, node, "a list");
            }
        }
    }

    fn faults(&mut self, reader: &mut Reader) {
        for fault in std::mem::take(&mut reader.faults) {
            self.fault(fault);
        }
    }

    fn fatal(&mut self, fault: Fault) {
        let place = self.reading.place(fault.at);
        let finding = self.reading.findings.fatal(place, fault.message);
        if let Some(hint) = fault.hint {
            finding.hint(hint);
        }
    }

    fn fault(&mut self, fault: Fault) {
        let other = fault.other.map(|at| self.reading.place(at));
        let finding = self.reading.error(fault.at, fault.message);
        if let Some(hint) = fault.hint {
            finding.hint(hint);
        }
        if let Some(other) = other {
            finding.other("first at", other);
        }
    }
}
