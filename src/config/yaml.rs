//! YAML text to small trees that know their places.
//!
//! The tree is made node by node, so that a list of 100,000 jobs never stands in memory as a whole. Scalars keep the
//! text as written, so that `0123` keeps its zero; what they mean is decided where they are read. Budgets for depth
//! and for what aliases stand for refuse bombs before they cost anything.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::text::quoted;
use crate::domain::char_start;
use crate::texts::{self, Text};

/// Deeper nesting than this is refused. The deepest legal file has about ten levels.
const DEEPEST: usize = 64;

/// A mapping with more keys than this is refused: no legal one has half as many, and comparing keys with each other
/// must stay cheap.
const MOST_KEYS: usize = 100;

/// How many nodes all aliases of a load may stand for. 100,000 jobs that share a block of ten keys need two million
/// and a half; a bomb wants billions.
pub(super) const ALIAS_BUDGET: u64 = 4_000_000;

/// A stretch of the text in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    pub at: u32,
    pub len: u32,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node<'s> {
    pub at: At,
    pub value: Value<'s>,
}

#[derive(Clone, Debug)]
pub(super) enum Value<'s> {
    Null,
    Scalar(Scalar<'s>),
    List(Vec<Node<'s>>),
    Map(Vec<Entry<'s>>),
    /// What an anchor stands for, or an anchored node itself.
    Shared(Rc<Node<'s>>),
}

/// A scalar other than null: its text, and whether it was written plain, so that it may be a number or a bool.
#[derive(Clone, Debug)]
pub(super) struct Scalar<'s> {
    pub text: Cow<'s, str>,
    pub plain: bool,
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry<'s> {
    pub key: Cow<'s, str>,
    pub key_at: At,
    pub node: Node<'s>,
    /// Right behind the value, or in its place, a comment begins that looks like text: `早安 #早安`.
    pub cut: bool,
}

/// Something wrong with the YAML itself.
#[derive(Debug)]
pub(super) struct Fault {
    pub at: At,
    pub message: Text,
    pub hint: Option<Text>,
    /// A second place: of the first of two equal keys.
    pub other: Option<At>,
}

impl Fault {
    pub(super) fn new(at: At, message: Text) -> Fault {
        Fault { at, message, hint: None, other: None }
    }
}

impl<'s> Node<'s> {
    /// The value itself, whether written here or elsewhere.
    pub(super) fn value(&self) -> &Value<'s> {
        match &self.value {
            Value::Shared(node) => node.value(),
            value => value,
        }
    }

    /// The nodes of a list, or this one.
    pub(super) fn one_or_more(&self) -> Vec<&Node<'s>> {
        match self.value() {
            Value::List(nodes) => nodes.iter().collect(),
            _ => vec![self],
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self.value(), Value::Null)
    }

    /// Nothing, or an empty text.
    pub(super) fn is_empty(&self) -> bool {
        match self.value() {
            Value::Null => true,
            Value::Scalar(scalar) => scalar.text.is_empty(),
            _ => false,
        }
    }

    /// What the node is, in words for a message.
    pub(super) fn describe(&self) -> Text {
        match self.value() {
            Value::Null => texts::nothing(),
            Value::List(_) => texts::a_list(),
            Value::Map(_) => texts::a_mapping(),
            Value::Scalar(scalar) if scalar.plain && scalar.as_bool().is_some() => texts::a_bool(),
            Value::Scalar(scalar) if scalar.plain && scalar.text.parse::<f64>().is_ok() => texts::a_number(),
            Value::Scalar(_) | Value::Shared(_) => texts::a_text(),
        }
    }
}

impl Scalar<'_> {
    /// True or false as YAML 1.2 writes them.
    pub(super) fn as_bool(&self) -> Option<bool> {
        match &*self.text {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        }
    }
}

/// Reads nodes one after the other out of one document.
pub(super) struct Reader<'s> {
    text: &'s str,
    parser: Parser<'s, StrInput<'s>>,
    /// Anchored nodes, with how many nodes each stands for.
    anchors: HashMap<usize, (Rc<Node<'s>>, u64)>,
    /// What is left of [`ALIAS_BUDGET`].
    budget: &'s mut u64,
    /// Faults that do not keep the rest of the file from being read.
    pub faults: Vec<Fault>,
}

impl<'s> Reader<'s> {
    pub(super) fn new(text: &'s str, budget: &'s mut u64) -> Reader<'s> {
        let options = granit_parser::options! {
            emit_comments: false,
            flow_nesting_limit: DEEPEST,
            block_nesting_limit: DEEPEST,
        };
        Reader {
            text,
            parser: Parser::new_from_str_with_options(text, options),
            anchors: HashMap::new(),
            budget,
            faults: Vec::new(),
        }
    }

    /// The next event with its place.
    ///
    /// # Errors
    /// The text is no YAML from here on.
    pub(super) fn event(&mut self) -> Result<(Event<'s>, At), Fault> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, at_of(&span))),
            Some(Err(error)) => Err(self.syntax_fault(&error)),
            None => Ok((Event::StreamEnd, At { at: 0, len: 0 })),
        }
    }

    /// The node of a text that holds a single one.
    pub(super) fn only_node(&mut self) -> Result<Node<'s>, Fault> {
        loop {
            match self.event()? {
                (Event::StreamStart | Event::DocumentStart(..), _) => {}
                (event, at) => return self.node_of(event, at),
            }
        }
    }

    /// The node that begins with this event.
    pub(super) fn node_of(&mut self, event: Event<'s>, at: At) -> Result<Node<'s>, Fault> {
        self.node_from(event, at).map(|(node, _)| node)
    }

    /// A node and how many nodes it stands for. The recursion is as deep as the parser's nesting limits allow.
    fn node_from(&mut self, event: Event<'s>, at: At) -> Result<(Node<'s>, u64), Fault> {
        let (value, anchor, mut size) = match event {
            Event::Scalar(text, style, anchor, tag) => (self.scalar(text, style, tag.as_deref(), at), anchor, 1),
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "seq", at);
                let (list, size) = self.list()?;
                (Value::List(list), anchor, size)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "map", at);
                let (map, size) = self.map()?;
                (Value::Map(map), anchor, size)
            }
            Event::Alias(id) => return self.alias(id, at),
            _ => return Err(Fault::new(at, texts::expected_a_value())),
        };
        let node = Node { at, value };
        if anchor == 0 {
            return Ok((node, size));
        }
        size = size.max(1);
        let shared = Rc::new(node);
        self.anchors.insert(anchor, (Rc::clone(&shared), size));
        Ok((Node { at, value: Value::Shared(shared) }, size))
    }

    fn scalar(&mut self, text: Cow<'s, str>, style: ScalarStyle, tag: Option<&Tag>, at: At) -> Value<'s> {
        let plain = style == ScalarStyle::Plain;
        let plain = match tag.map(|tag| (tag.core_suffix(), tag)) {
            None => plain,
            Some((Some("str"), _)) => return Value::Scalar(Scalar { text, plain: false }),
            Some((Some("int" | "float" | "bool" | "null"), _)) => true,
            Some((_, tag)) => {
                self.unknown_tag(tag, at);
                plain
            }
        };
        match &*text {
            "" | "~" | "null" | "Null" | "NULL" if plain => Value::Null,
            _ => Value::Scalar(Scalar { text, plain }),
        }
    }

    fn list(&mut self) -> Result<(Vec<Node<'s>>, u64), Fault> {
        let (mut list, mut size) = (Vec::new(), 1u64);
        loop {
            let (event, at) = self.event()?;
            if event == Event::SequenceEnd {
                return Ok((list, size));
            }
            let (node, nodes) = self.node_from(event, at)?;
            list.push(node);
            size = size.saturating_add(nodes);
        }
    }

    fn map(&mut self) -> Result<(Vec<Entry<'s>>, u64), Fault> {
        let (mut entries, mut merges, mut size) = (Vec::new(), Vec::new(), 1u64);
        loop {
            let (event, key_at) = self.event()?;
            if event == Event::MappingEnd {
                break;
            }
            let merge = matches!(&event, Event::Scalar(key, ScalarStyle::Plain, ..) if key == "<<");
            let key = self.key(event, key_at)?;
            let (event, at) = self.event()?;
            let is_plain = matches!(&event, Event::Scalar(_, ScalarStyle::Plain, ..));
            let (node, nodes) = self.node_from(event, at)?;
            let cut = is_plain && self.is_cut(key_at, &node);
            size = size.saturating_add(nodes).saturating_add(1);
            match key {
                Some(_) if merge => merges.push((key_at, node)),
                Some(key) => push(&mut entries, Entry { key, key_at, node, cut })?,
                None => {}
            }
        }
        self.refuse_twins(&mut entries);
        for (at, node) in merges {
            self.merge(&mut entries, at, &node)?;
        }
        Ok((entries, size))
    }

    /// Whether a comment without a space after its '#' follows a plain value, or stands where one would.
    fn is_cut(&self, key_at: At, node: &Node) -> bool {
        let end = |at: At| self.text.get(at.at as usize + at.len as usize..).unwrap_or_default();
        let rest = match node.value() {
            Value::Null => {
                let rest = end(key_at).trim_start_matches(['"', '\'', ' ', '\t']);
                rest.strip_prefix(':').unwrap_or_default()
            }
            _ => end(node.at),
        };
        let comment = rest.trim_start_matches([' ', '\t']).strip_prefix('#');
        comment.is_some_and(|comment| comment.starts_with(|c: char| !c.is_whitespace() && c != '#'))
    }

    /// The text of a key, or None after a fault.
    pub(super) fn key(&mut self, event: Event<'s>, at: At) -> Result<Option<Cow<'s, str>>, Fault> {
        let (node, _) = self.node_from(event, at)?;
        let fault = match node.value() {
            Value::Scalar(scalar) => return Ok(Some(scalar.text.clone())),
            Value::Map(_) => {
                let mut fault = Fault::new(at, texts::expected_a_key(texts::a_mapping()));
                fault.hint = Some(match self.text.get(..at.at as usize).is_some_and(|before| before.ends_with('{')) {
                    true => texts::braces_begin_two_mappings(),
                    false => texts::quote_a_brace(),
                });
                fault
            }
            _ => Fault::new(at, texts::expected_a_key(node.describe())),
        };
        self.faults.push(fault);
        Ok(None)
    }

    /// Keeps the first of two equal keys and reports the other: YAML forbids them, and one of them is a mistake.
    fn refuse_twins(&mut self, entries: &mut Vec<Entry<'s>>) {
        let mut index = 1;
        while index < entries.len() {
            let twin = entries[..index].iter().find(|before| before.key == entries[index].key);
            let Some(before) = twin.map(|before| before.key_at) else {
                index += 1;
                continue;
            };
            let entry = entries.remove(index);
            let message = texts::key_twice(quoted(&entry.key));
            self.faults.push(Fault { other: Some(before), ..Fault::new(entry.key_at, message) });
        }
    }

    /// Adds what `<<` names, unless the mapping has the key itself. Of several merged mappings the first wins.
    fn merge(&mut self, entries: &mut Vec<Entry<'s>>, at: At, node: &Node<'s>) -> Result<(), Fault> {
        match node.value() {
            Value::Map(merged) => {
                for entry in merged {
                    if !entries.iter().any(|own| own.key == entry.key) {
                        push(entries, entry.clone())?;
                    }
                }
            }
            Value::List(nodes) if nodes.iter().all(|node| matches!(node.value(), Value::Map(_))) => {
                for node in nodes {
                    self.merge(entries, at, node)?;
                }
            }
            _ => self.faults.push(Fault::new(at, texts::merge_wants_a_mapping(node.describe()))),
        }
        Ok(())
    }

    fn alias(&mut self, id: usize, at: At) -> Result<(Node<'s>, u64), Fault> {
        let Some((node, size)) = self.anchors.get(&id) else {
            return Err(Fault::new(at, texts::alias_inside_itself()));
        };
        let Some(left) = self.budget.checked_sub(*size) else {
            let message = texts::too_many_aliases(ALIAS_BUDGET);
            return Err(Fault::new(at, message));
        };
        *self.budget = left;
        Ok((Node { at, value: Value::Shared(Rc::clone(node)) }, *size))
    }

    fn check_tag(&mut self, tag: Option<&Tag>, expected: &str, at: At) {
        if let Some(tag) = tag.filter(|tag| tag.core_suffix() != Some(expected)) {
            self.unknown_tag(tag, at);
        }
    }

    fn unknown_tag(&mut self, tag: &Tag, at: At) {
        // A password may begin so: what follows is told where it is a tag of YAML's own.
        let tag = if tag.core_suffix().is_some() { texts::the_tag(quoted(&tag.original())) } else { texts::this_tag() };
        let fault = Fault::new(at, texts::tag_means_nothing(tag));
        self.faults.push(Fault { hint: Some(texts::begins_a_tag()), ..fault });
    }

    /// The parser's own words, and a hint where they say little to people who do not know its grammar.
    fn syntax_fault(&self, error: &ScanError) -> Fault {
        let at = error.marker().byte_offset().unwrap_or_default().min(self.text.len());
        // The parser points at the word before the tab.
        let at = if is_tab(error.kind()) { self.text[at..].find('\t').map_or(at, |tab| at + tab) } else { at };
        let is_variable = self.text.get(..at).is_some_and(|before| before.ends_with("${") || before.ends_with('$'));
        let at = At { at: u32::try_from(at).unwrap_or(u32::MAX), len: 1 };
        let message = match error.kind() {
            ErrorKind::RecursionLimitExceeded => {
                return Fault::new(at, texts::nested_too_deep(DEEPEST));
            }
            ErrorKind::UnknownAnchor => {
                let fault = Fault::new(at, texts::no_such_anchor());
                return Fault { hint: self.sign_before(at.at as usize + 1), ..fault };
            }
            kind if is_tab(kind) => texts::a_tab(),
            kind => Text::same(kind.to_string()),
        };
        let hint = match error.kind() {
            kind if is_tab(kind) => Some(texts::indent_with_spaces()),
            _ if is_variable => Some(texts::quote_a_variable()),
            _ if self.line_of(at.at as usize).is_some_and(holds_a_call) => Some(texts::name_the_arguments()),
            _ if self.sign_before(at.at as usize + 1).is_some() => self.sign_before(at.at as usize + 1),
            ErrorKind::MappingValueNotAllowed => Some(texts::colon_makes_a_key()),
            ErrorKind::BlockSequenceEntryNotAllowed => Some(texts::dash_begins_a_list()),
            ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
                Some(texts::quote_ends_the_text())
            }
            ErrorKind::UnclosedQuotedScalar => Some(texts::no_closing_quote()),
            ErrorKind::InvalidIndentation
            | ErrorKind::ExpectedBlockMappingKey
            | ErrorKind::ExpectedBlockSequenceEntry => Some(texts::look_at_the_indentation()),
            _ => None,
        };
        Fault { hint, ..Fault::new(at, texts::not_yaml(message)) }
    }
}

impl Reader<'_> {
    fn line_of(&self, at: usize) -> Option<&str> {
        let at = char_start(self.text, at);
        let start = self.text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
        self.text.get(start..)?.lines().next()
    }

    /// What the first character of the value around byte `at` means to YAML, where it means something. A list or a
    /// mapping must have ended: then text follows it.
    fn sign_before(&self, at: usize) -> Option<Text> {
        let before = self.text.get(..char_start(self.text, at))?;
        let line = before.rsplit('\n').next()?;
        let start = [": ", "- "].iter().filter_map(|sign| line.rfind(sign)).max()? + 2;
        let value = line[start..].trim_start();
        Some(match value.chars().next()? {
            '*' => texts::begins_yaml("*", texts::an_alias()),
            '&' => texts::begins_yaml("&", texts::an_anchor()),
            '@' => texts::kept_for_later("@"),
            '`' => texts::kept_for_later("`"),
            '%' => texts::begins_yaml("%", texts::a_directive()),
            '|' => texts::begins_several_lines("|"),
            '>' => texts::begins_several_lines(">"),
            '[' if value.contains(']') => texts::begins_yaml("[", texts::a_list()),
            '{' if value == "{%" || value == "{#" => texts::brace_begins_a_mapping(),
            '{' if value.contains('}') => texts::begins_yaml("{", texts::a_mapping()),
            _ => return None,
        })
    }
}

/// `push("qq", …)`, `pushImage(…)`: a call of the plugin SDK, pasted as it stood in a program.
pub(super) fn holds_a_call(line: &str) -> bool {
    line.match_indices("push").any(|(at, _)| {
        let rest = line[at..].trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
        rest.starts_with('(')
    })
}

fn is_tab(kind: &ErrorKind) -> bool {
    use ErrorKind::*;
    matches!(kind, TabNotAllowed | TabInBlockIndentation | TabInIndentation | TabAtBlockScalarStart | TabInPlainScalar)
}

fn push<'s>(entries: &mut Vec<Entry<'s>>, entry: Entry<'s>) -> Result<(), Fault> {
    if entries.len() == MOST_KEYS {
        return Err(Fault::new(entry.key_at, texts::too_many_keys(MOST_KEYS)));
    }
    entries.push(entry);
    Ok(())
}

fn at_of(span: &Span) -> At {
    // Present for text inputs, and files are far smaller than 4 GiB.
    let range = span.byte_range().unwrap_or_default();
    let at = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
    At { at: at(range.start), len: at(range.len()) }
}
