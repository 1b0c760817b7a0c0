//! `from:` of a target: recipients that are read at the hour of a fire.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use super::decoder::Decoder;
use super::environment::Sight;
use super::files::what_to_do;
use super::keys::{LIST_FORMATS, LIST_KEYS, MOST_RECIPIENTS};
use super::stale::Stale;
use super::text::quoted;
use super::yaml::{At, Entry, Node, Value};
use crate::domain::content::{ContentCommand, ContentHttp};
use crate::domain::{ContentSource, ListFormat, RecipientList, Target};
use crate::policy::recipients::entries;
use crate::render;
use crate::texts::{self, Text};

/// How many recipients a list may have that says nothing of it.
const AT_MOST: usize = 1000;

/// What comes of a list that is wrong.
const UNTIL_MENDED: fn() -> Text = texts::mend_the_list;

/// Where the parts of a list stand that are looked at together.
#[derive(Default)]
struct Places {
    source: Option<At>,
    command: Option<At>,
    format: Option<At>,
    id: Option<At>,
    fields: Option<At>,
    env: Option<At>,
    as_root: Option<At>,
}

/// A list, and whether it is one of groups.
pub(super) struct ListDraft {
    pub list: RecipientList,
    target: fn(String) -> Target,
}

impl ListDraft {
    /// What stands for its recipients until they are read.
    pub(super) fn target(&self, name: &str) -> Target {
        (self.target)(name.to_owned())
    }
}

impl Decoder<'_> {
    /// `from`, with `at_most` from beside it.
    pub(super) fn list(&mut self, node: &Node, at_most: Option<&Node>) -> Option<ListDraft> {
        let keys = self.map("from", node)?;
        let errors = self.diagnostics.error_count();
        let http = ContentSource::Http(ContentHttp::plain(String::new()));
        // With something in the place of what is not known yet.
        let mut list = RecipientList {
            source: http,
            format: ListFormat::Csv,
            id: String::new(),
            fields: Vec::new(),
            at_most: AT_MOST,
            trusted: false,
            stale_at_most_ms: None,
        };
        let (mut target, mut places): (fn(String) -> Target, Places) = (Target::User, Places::default());
        let (mut env, mut as_root, mut stale) = (BTreeMap::new(), false, Stale::default());
        for entry in keys {
            let (key, value) = (&*entry.key, &entry.node);
            match key {
                "csv" | "lines" | "json" | "command" => {
                    if let Some(before) = places.source.replace(entry.key_at) {
                        let other = self.place(before);
                        self.error(entry.key_at, texts::from_has_one_source()).other(texts::other_one_at(), other);
                        continue;
                    }
                    places.command = (key == "command").then_some(entry.key_at);
                    if let Some((_, format)) = LIST_FORMATS.iter().find(|(word, _)| *word == key) {
                        list.format = *format;
                    }
                    list.source = self.list_source(entry).unwrap_or(list.source);
                }
                "format" => places.format = Some(entry.key_at),
                "user" | "group" => {
                    if places.id.replace(entry.key_at).is_some() {
                        self.error(entry.key_at, texts::list_has_both());
                    }
                    target = if key == "group" { Target::Group } else { Target::User };
                    list.id = self.text(key, value).map(|text| text.trim().to_owned()).unwrap_or_default();
                }
                "fields" => {
                    places.fields = Some(entry.key_at);
                    list.fields = self.fields(value).unwrap_or_default();
                }
                "env" => {
                    places.env = Some(entry.key_at);
                    env = self.variables(value).unwrap_or_default();
                }
                "as_root" => {
                    places.as_root = Some(entry.key_at);
                    as_root = self.bool(key, value).unwrap_or_default();
                }
                "stale" | "stale_at_most" => self.stale(entry, &mut stale),
                "trusted" => list.trusted = self.bool(key, value).unwrap_or_default(),
                _ => self.unknown_key(entry, Text::same("from"), LIST_KEYS),
            }
        }
        if let Some(format) = keys.iter().find(|entry| entry.key == "format").filter(|_| places.command.is_some()) {
            list.format = self.choice("format", &format.node, &LIST_FORMATS).unwrap_or(list.format);
        }
        if let ContentSource::Command(command) = &mut list.source {
            (command.env, command.as_root) = (env, as_root);
        }
        if let Some(node) = at_most {
            let most = u64::try_from(MOST_RECIPIENTS).unwrap_or(u64::MAX);
            list.at_most = self.count("at_most", node, 1, most).map_or(AT_MOST, |most| most as usize);
        }
        list.stale_at_most_ms = self.stale_at_most_ms(&stale);
        self.check_list(&mut list, &places, node.at);
        if self.diagnostics.error_count() > errors {
            return None;
        }
        self.try_list(&list, places.source.unwrap_or(node.at));
        Some(ListDraft { list, target })
    }

    fn check_list(&mut self, list: &mut RecipientList, places: &Places, at: At) {
        if places.source.is_none() {
            self.error(at, texts::from_needs_a_source());
        }
        let is_lines = list.format == ListFormat::Lines;
        match places.id {
            None => {
                let hint = texts::name_the_column();
                self.error(at, texts::from_needs_a_column()).hint(hint);
            }
            Some(at) if list.id.is_empty() && !is_lines => {
                self.error(at, texts::expected_a_column());
            }
            Some(_) => {}
        }
        if is_lines {
            list.id.clear();
        }
        if let Some(at) = places.fields.filter(|_| is_lines) {
            self.error(at, texts::lines_have_no_fields());
        }
        let of_a_command = [("format", places.format), ("env", places.env), ("as_root", places.as_root)];
        for (key, at) in of_a_command {
            if let Some(at) = at.filter(|_| places.command.is_none()) {
                self.error(at, texts::of_a_command_of_from(key));
            }
        }
    }

    fn list_source(&mut self, entry: &Entry) -> Option<ContentSource> {
        let (key, node) = (&*entry.key, &entry.node);
        if key == "command" {
            let argv = self.command(key, node)?;
            self.check_program(Path::new(argv.first()?), node.at)?;
            let env = BTreeMap::new();
            return Some(ContentSource::Command(ContentCommand { argv, env, as_root: false, render: None }));
        }
        if matches!(node.value(), Value::Map(_)) {
            return self.content_http(key, node).map(ContentSource::Http);
        }
        let text = self.text(key, node)?;
        if text.trim().starts_with("http://") || text.trim().starts_with("https://") {
            return self.content_url(key, node).map(|url| ContentSource::Http(ContentHttp::plain(url)));
        }
        self.content_file(key, node)
    }

    /// The columns that templates may use.
    fn fields(&mut self, node: &Node) -> Option<Vec<String>> {
        let mut fields: Vec<String> = Vec::new();
        for (at, field) in self.texts("fields", node)? {
            let field = field.trim();
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if field.is_empty() || !field.chars().all(fits) || field.starts_with(|c: char| c.is_ascii_digit()) {
                let message = texts::field_not_for_templates(quoted(field));
                self.error(at, message).hint(texts::name_it_plainly());
            } else if render::is_taken(field) {
                let message = texts::field_is_taken(quoted(field));
                self.error(at, message).hint(texts::name_it_otherwise());
            } else if fields.iter().any(|known| known == field) {
                self.error(at, texts::field_twice(quoted(field)));
            } else {
                fields.push(field.to_owned());
            }
        }
        Some(fields)
    }

    /// A list that is there now is read now: what is wrong with it is told before its hour. It is often kept by somebody else,
    /// so it is told as a warning, whatever it is: the fire that reads it fails by itself, and all others go on.
    fn try_list(&mut self, list: &RecipientList, at: At) {
        let ContentSource::File(file) = &list.source else { return };
        if self.sight == Sight::Text {
            return;
        }
        // What is not there is told with the media.
        let Ok(there) = std::fs::metadata(&file.path) else { return };
        if !there.is_file() {
            self.warning(at, texts::list_is_no_file()).hint(UNTIL_MENDED());
            return;
        }
        let mut bytes = Vec::new();
        let opened = std::fs::File::open(&file.path);
        match opened.and_then(|file| file.take(RecipientList::LARGEST + 1).read_to_end(&mut bytes)) {
            Err(problem) => {
                let hint = what_to_do(&problem).unwrap_or_else(UNTIL_MENDED);
                self.warning(at, texts::list_unreadable(problem)).hint(hint);
                return;
            }
            Ok(read) if read as u64 > RecipientList::LARGEST => {
                let most = RecipientList::LARGEST >> 20;
                self.warning(at, texts::list_too_large(most)).hint(UNTIL_MENDED());
                return;
            }
            Ok(_) => {}
        }
        match entries(list, &bytes) {
            Err(problem) => {
                self.warning(at, texts::list_unusable(problem)).hint(UNTIL_MENDED());
            }
            Ok(found) if found.doubles > 0 => {
                let told = if found.doubles == 1 { texts::a_double() } else { texts::doubles(found.doubles) };
                self.warning(at, told);
            }
            Ok(found) if found.entries.is_empty() => {
                self.warning(at, texts::list_is_empty());
            }
            Ok(_) => {}
        }
    }
}
