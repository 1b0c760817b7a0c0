//! The text of one file: its top-level keys, and what stands under them.

use std::collections::HashMap;

use granit_parser::{Event, ScalarStyle};

use super::calendars::{CalendarDraft, add_calendar};
use super::decoder::Decoder;
use super::diagnostics::Place;
use super::draft::{AccountDraft, DaemonDraft, DefaultsDraft, JobDraft, TargetDraft};
use super::keys::TOP_KEYS;
use super::mask;
use super::text::quoted;
use super::yaml::{ALIAS_BUDGET, At, Fault, Node, Reader, Value};
use crate::domain::SenderSpec;
use crate::texts;

/// One file under way: where its parts go.
pub(super) struct Document<'a, 'f> {
    pub decoder: Decoder<'f>,
    pub specs: &'a [&'static SenderSpec],
    pub daemon: &'a mut DaemonDraft,
    pub defaults: &'a mut DefaultsDraft,
    pub accounts: &'a mut Vec<AccountDraft>,
    pub targets: &'a mut Vec<TargetDraft>,
    pub jobs: &'a mut Vec<JobDraft>,
    pub calendars: &'a mut HashMap<String, CalendarDraft>,
    pub includes: &'a mut Vec<(Place, String)>,
    pub meant_empty: &'a mut [usize; 2],
    /// It is no file but a job, or a list of jobs, as they stand in one.
    pub is_of_jobs: bool,
}

impl Document<'_, '_> {
    pub(super) fn read(&mut self, reader: &mut Reader) -> Result<(), Fault> {
        // Documents with something in them: a file may end in '---', or begin with two.
        let mut documents = 0;
        let mut is_blank = true;
        loop {
            let (event, at) = reader.event()?;
            match event {
                Event::StreamEnd if is_blank => {
                    let place = Place::whole(self.decoder.file);
                    let diagnostic = self.decoder.diagnostics.warning(place, texts::nothing_in_this_file());
                    diagnostic.hint(texts::write_empty("jobs"));
                    return Ok(());
                }
                Event::StreamEnd => return Ok(()),
                Event::StreamStart | Event::DocumentEnd | Event::DocumentStart(..) => {}
                Event::Scalar(_, ScalarStyle::Plain, ..) if at.len == 0 => {}
                _ if documents > 0 => {
                    self.decoder.error(at, texts::second_document()).hint(texts::remove_the_dashes());
                    return Ok(());
                }
                Event::SequenceStart(..) if self.is_of_jobs => {
                    (documents, is_blank) = (documents + 1, false);
                    self.stream_jobs(reader)?;
                }
                Event::MappingStart(..) if self.is_of_jobs => {
                    (documents, is_blank) = (documents + 1, false);
                    let node = reader.node_of(event, at)?;
                    self.faults(reader);
                    self.jobs.extend(self.decoder.job(&node));
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
                        self.decoder.error(at, texts::expected_top(keys, got));
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
                let other = self.decoder.place(before);
                self.decoder.error(key_at, texts::key_twice(quoted(&key))).other(texts::first_at(), other);
            }
            let (event, at) = reader.event()?;
            match event {
                Event::SequenceStart(_, 0, None) if key == "jobs" && before.is_none() => self.stream_jobs(reader)?,
                // A mapping otherwise has a hundred keys at most, since their twins are looked for one by one.
                Event::MappingStart(_, 0, None) if key == "targets" && before.is_none() => {
                    self.stream_targets(reader)?
                }
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
            self.jobs.extend(self.decoder.job(&node));
            if self.decoder.diagnostics.is_full() {
                return Err(Fault::new(at, texts::rest_is_not_read()));
            }
        }
        Ok(())
    }

    /// Twins are told once all files are read.
    fn stream_targets(&mut self, reader: &mut Reader) -> Result<(), Fault> {
        loop {
            let (event, key_at) = reader.event()?;
            if event == Event::MappingEnd {
                return Ok(());
            }
            let key = reader.key(event, key_at)?;
            let (event, at) = reader.event()?;
            let node = reader.node_of(event, at)?;
            self.faults(reader);
            if let Some(key) = key {
                self.targets.extend(self.decoder.target_named(&key, key_at, &node));
            }
        }
    }

    fn part(&mut self, key: &str, key_at: At, node: &Node) {
        if node.is_null() && TOP_KEYS.contains(&key) {
            if matches!(key, "jobs" | "accounts") {
                let diagnostic = self.decoder.warning(key_at, texts::nothing_here(key));
                diagnostic.hint(texts::write_empty(key));
            }
            return;
        }
        match key {
            "daemon" => self.decoder.daemon(node, self.daemon),
            "defaults" => self.decoder.defaults(node, self.defaults),
            "targets" => self.decoder.targets(node, self.targets),
            "accounts" => {
                self.decoder.guarded = true;
                self.list(key, node, |document, node| {
                    document.accounts.extend(document.decoder.account(node, document.specs));
                });
                self.decoder.guarded = false;
            }
            "jobs" => self.list(key, node, |document, node| document.jobs.extend(document.decoder.job(node))),
            "calendars" => {
                for draft in self.decoder.calendars(node) {
                    add_calendar(self.calendars, draft, self.decoder.diagnostics);
                }
            }
            "include" => {
                for (at, pattern) in self.decoder.texts(key, node).unwrap_or_default() {
                    let place = self.decoder.place(at);
                    self.includes.push((place, pattern.into_owned()));
                }
            }
            _ => {
                let message = texts::unknown_top_key(mask::key(key));
                self.decoder.error(key_at, message).near(key, TOP_KEYS);
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
                self.decoder.wrong(key, node, texts::a_list());
            }
        }
    }

    fn faults(&mut self, reader: &mut Reader) {
        for fault in std::mem::take(&mut reader.faults) {
            self.fault(fault);
        }
    }

    pub(super) fn fatal(&mut self, fault: Fault) {
        let place = self.decoder.place(fault.at);
        let diagnostic = self.decoder.diagnostics.fatal(place, fault.message);
        if let Some(hint) = fault.hint {
            diagnostic.hint(hint);
        }
    }

    fn fault(&mut self, fault: Fault) {
        let other = fault.other.map(|at| self.decoder.place(at));
        let diagnostic = self.decoder.error(fault.at, fault.message);
        if let Some(hint) = fault.hint {
            diagnostic.hint(hint);
        }
        if let Some(other) = other {
            diagnostic.other(texts::first_at(), other);
        }
    }
}

/// Whether a text is a job as it stands in a list of jobs, or such a list: what people copy out of a file.
pub(super) fn is_of_jobs(text: &str) -> bool {
    let mut budget = ALIAS_BUDGET;
    let mut reader = Reader::new(text, &mut budget);
    let (mut depth, mut in_list, mut is_key) = (0, false, true);
    let mut is_job = false;
    while let Ok((event, _)) = reader.event() {
        let is_of_top = depth == 1 + usize::from(in_list);
        match event {
            Event::Scalar(key, ..) if is_of_top && is_key => {
                if !in_list && TOP_KEYS.contains(&&*key) {
                    return false;
                }
                is_job |= matches!(&*key, "name" | "push");
                is_key = false;
            }
            Event::SequenceStart(..) if depth == 0 => (depth, in_list) = (1, true),
            Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
            Event::MappingEnd | Event::SequenceEnd => {
                depth -= 1;
                // The first of a list speaks for all.
                if depth == usize::from(in_list) {
                    return is_job;
                }
                is_key |= depth == 1 + usize::from(in_list);
            }
            Event::Scalar(..) | Event::Alias(..) if is_of_top => is_key = !is_key,
            Event::StreamEnd => return false,
            _ => {}
        }
    }
    // A text that breaks off is told as what it began as.
    is_job
}
