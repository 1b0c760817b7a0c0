//! One push of a job: target, content, account. The plugin SDK's spellings of all keys are taken too, so that a call
//! can be pasted.

use super::decoder::Decoder;
use super::draft::{Ids, IncompletePush, PushDraft, PushPlaces, Recipients};
use super::keys::{JOB_KEYS, MEDIA_KEYS};
use super::policies::TIMEOUT;
use super::targets::Wrong;
use super::text::quoted;
use super::yaml::{At, Entry, Node, Value};
use crate::domain::{Body, Item, Kind, Message, PushSpec, RetryPolicy, Target, is_blank};
use crate::texts::{self, Text};

/// A key of a push, whatever its spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Im,
    Group,
    User,
    To,
    Title,
    Account,
    Timeout,
    Fallback,
    Options,
    Render,
    Content(Kind),
}

/// Every spelling, ours first.
const SPELLINGS: [(&str, Key); 28] = [
    ("im", Key::Im),
    ("group", Key::Group),
    ("user", Key::User),
    ("to", Key::To),
    ("title", Key::Title),
    ("text", Key::Content(Kind::Text)),
    ("image", Key::Content(Kind::Image)),
    ("voice", Key::Content(Kind::Voice)),
    ("video", Key::Content(Kind::Video)),
    ("file", Key::Content(Kind::File)),
    ("mixed", Key::Content(Kind::Mixed)),
    ("account", Key::Account),
    ("timeout", Key::Timeout),
    ("fallback", Key::Fallback),
    ("options", Key::Options),
    ("render", Key::Render),
    ("imType", Key::Im),
    ("im_type", Key::Im),
    ("groupCode", Key::Group),
    ("group_code", Key::Group),
    ("userID", Key::User),
    ("user_id", Key::User),
    ("content", Key::Content(Kind::Text)),
    ("imageUrl", Key::Content(Kind::Image)),
    ("voiceUrl", Key::Content(Kind::Voice)),
    ("videoUrl", Key::Content(Kind::Video)),
    ("fileUrl", Key::Content(Kind::File)),
    ("items", Key::Content(Kind::Mixed)),
];

const OPTIONS: [&str; 8] =
    ["account_id", "accountID", "accountId", "filename", "fileName", "file_name", "mime_type", "mimeType"];

/// Where a value is missing, and a comment in its place.
const COMMENT: fn() -> Text = texts::begins_a_comment;

/// Whom a push goes to.
struct Whom {
    /// The first, where there are several.
    target: Target,
    at: At,
    recipients: Option<Box<Recipients>>,
}

impl Whom {
    fn of(ids: Ids, at: At) -> Option<Whom> {
        let target = ids.first()?.0.clone();
        let recipients = (ids.len() > 1).then(|| Box::new(Recipients::Targets(ids)));
        Some(Whom { target, at, recipients })
    }
}

/// What the keys of a push came to so far.
#[derive(Default)]
struct PushKeys<'n, 's> {
    given: Vec<(Key, &'n Entry<'s>)>,
    account: Option<(String, At)>,
    filename: Option<String>,
    mime_type: Option<String>,
    options_at: Option<At>,
    /// The texts and targets in whose place a comment stands.
    cut: Vec<Key>,
}

impl<'n, 's> PushKeys<'n, 's> {
    fn get(&self, key: Key) -> Option<&'n Entry<'s>> {
        self.given.iter().find(|(given, _)| *given == key).map(|(_, entry)| *entry)
    }

    fn has_content(&self) -> bool {
        self.given.iter().any(|(key, _)| matches!(key, Key::Content(_)))
    }
}

impl Decoder<'_> {
    /// `push:` of a job: one mapping, or a list of them.
    /// Where its job makes a content, a push may be without one of its own.
    pub(super) fn pushes(&mut self, node: &Node, takes_content: bool) -> Option<Vec<PushDraft>> {
        match node.value() {
            Value::List(nodes) if nodes.is_empty() => {
                self.error(node.at, texts::no_pushes());
                None
            }
            Value::List(nodes) if !nodes.iter().any(|node| matches!(node.value(), Value::Map(_))) => {
                self.error(node.at, texts::no_list_of_pushes()).hint(texts::name_the_arguments());
                None
            }
            Value::Scalar(scalar) if scalar.text.contains('(') => {
                self.wrong("push", node, texts::a_mapping()).hint(texts::name_the_arguments());
                None
            }
            Value::List(nodes) => {
                // Every push is read, so that every problem is found.
                let drafts: Vec<PushDraft> =
                    nodes.iter().filter_map(|node| self.one_push(node, takes_content)).collect();
                if drafts.len() == nodes.len() {
                    return Some(drafts);
                }
                self.give_up(drafts);
                None
            }
            _ => self.one_push(node, takes_content).map(|draft| vec![draft]),
        }
    }

    /// One push.
    fn one_push(&mut self, node: &Node, takes_content: bool) -> Option<PushDraft> {
        self.marks = Some(Vec::new());
        let keys = self.push_keys(node);
        let content = keys.as_ref().and_then(|keys| match takes_content && !keys.has_content() {
            true => Some((self.content_to_be_made(keys), node.at)),
            false => self.content(keys, node),
        });
        let marks = self.marks.take().unwrap_or_default();
        let mut draft = self.push_with(keys?, node, content)?;
        draft.marks = marks;
        Some(draft)
    }

    /// A text that says nothing stands for the content that is made.
    fn content_to_be_made(&mut self, keys: &PushKeys) -> Message {
        let title = keys.get(Key::Title).and_then(|entry| self.optional_text("title", &entry.node)).flatten();
        Message { title, body: Body::Text { text: String::new() } }
    }

    /// A push whose text may be absent, since a report is put behind it.
    pub(super) fn report_push(&mut self, node: &Node) -> Option<PushDraft> {
        let keys = self.push_keys(node)?;
        let other = |key: Key| matches!(key, Key::Content(kind) if kind != Kind::Text);
        if let Some((_, entry)) = keys.given.iter().find(|(key, _)| other(*key)) {
            self.error(entry.key_at, texts::report_is_text(&entry.key));
        }
        if let Some(entry) = keys.get(Key::Render) {
            self.error(entry.key_at, texts::report_not_rendered());
        }
        let mut read =
            |key: Key, name: &str| keys.get(key).and_then(|entry| self.optional_text(name, &entry.node)).flatten();
        let (title, text) = (read(Key::Title, "title"), read(Key::Content(Kind::Text), "text"));
        let body = Body::Text { text: text.unwrap_or_default() };
        let draft = self.push_with(keys, node, Some((Message { title, body }, node.at)))?;
        if draft.recipients.is_some() {
            self.error(node.at, texts::report_to_one());
            return None;
        }
        if !draft.fallback.is_empty() {
            self.error(node.at, texts::report_has_no_fallback());
            return None;
        }
        Some(draft)
    }

    /// A push with this content. All that is wrong with it is found before it is given up.
    fn push_with(&mut self, keys: PushKeys, node: &Node, content: Option<(Message, At)>) -> Option<PushDraft> {
        let im = match (keys.get(Key::Im), keys.get(Key::To)) {
            (Some(entry), None) => self.name("im", &entry.node).map(|im| (im, entry.node.at)),
            (Some(im), Some(to)) => Some((String::new(), self.refuse_beside_to(to, im))),
            // Each target that `to` names has an im of its own.
            (None, Some(to)) => Some((String::new(), to.node.at)),
            (None, None) => {
                self.error(node.at, texts::push_needs_an_im()).hint(texts::write_the_im());
                None
            }
        };
        let whom = match keys.get(Key::To) {
            Some(to) => self.named(&keys, to),
            None => self.target(&keys, node),
        };
        let timeout = match keys.get(Key::Timeout) {
            Some(entry) => self.timeout(&entry.node).map(Some),
            None => Some(None),
        };
        let render = keys.get(Key::Render).and_then(|entry| self.bool("render", &entry.node));
        let fallback = match keys.get(Key::Fallback) {
            Some(entry) => self.fallbacks(&entry.node),
            None => Some(Vec::new()),
        };
        let (im, im_at) = im?;
        let (account, account_at) = keys.account.map_or((None, im_at), |(id, at)| (Some(id), at));
        let target_at = whom.as_ref().map_or(node.at, |whom| whom.at);
        let content_at = content.as_ref().map_or(node.at, |(_, at)| *at);
        let places = PushPlaces { im: im_at, account: account_at, target: target_at, content: content_at };
        match (whom, timeout.zip(fallback), content) {
            (Some(Whom { target, recipients, .. }), Some((timeout, fallback)), Some((message, _))) => {
                let has_timeout = timeout.is_some();
                let timeout = timeout.unwrap_or(TIMEOUT);
                let retry = RetryPolicy::built_in();
                let spec = PushSpec {
                    im,
                    target,
                    account,
                    message,
                    timeout,
                    retry,
                    render: None,
                    list: None,
                    fallback: Vec::new(),
                };
                Some(PushDraft { spec, has_timeout, render, marks: Vec::new(), places, recipients, fallback })
            }
            (Some(Whom { recipients: Some(recipients), .. }), ..) if matches!(*recipients, Recipients::Named(_)) => {
                if let Recipients::Named(names) = *recipients {
                    self.incomplete.names.extend(names);
                }
                None
            }
            // Names that are wrong in themselves leave nothing to look up.
            (None, ..) if keys.given.iter().any(|(key, _)| *key == Key::To) => None,
            (whom, _, content) => {
                let kind = content.map(|(message, _)| message.body.kind());
                let target = whom.map(|whom| whom.target);
                self.incomplete.pushes.push(IncompletePush { file: self.file, im, account, target, kind, places });
                None
            }
        }
    }

    /// Whom `to` names.
    fn named(&mut self, keys: &PushKeys, to: &Entry) -> Option<Whom> {
        let beside = keys.get(Key::Group).or_else(|| keys.get(Key::User));
        if let Some(beside) = beside {
            self.refuse_beside_to(to, beside);
        }
        let names = self.names("to", &to.node)?;
        let recipients = Some(Box::new(Recipients::Named(names)));
        // Nobody by himself: the recipients are those of the names.
        beside.is_none().then(|| Whom { target: Target::User(String::new()), at: to.node.at, recipients })
    }

    /// Keeps what must still be checked of pushes that will not become any.
    pub(super) fn give_up(&mut self, drafts: Vec<PushDraft>) {
        drafts.into_iter().for_each(|draft| draft.into_incomplete(self.file, self.incomplete));
    }

    /// Sorts the keys by meaning. Keys with nothing in them count as absent.
    fn push_keys<'n, 's>(&mut self, node: &'n Node<'s>) -> Option<PushKeys<'n, 's>> {
        let mut keys = PushKeys::default();
        for entry in self.map("push", node)? {
            let Some((_, key)) = SPELLINGS.iter().find(|(spelling, _)| *spelling == entry.key) else {
                self.unknown_push_key(entry);
                continue;
            };
            if matches!(key, Key::Title | Key::Group | Key::User | Key::Content(Kind::Text)) {
                self.warn_of_cut(entry);
            }
            if entry.node.is_empty() {
                keys.cut.extend(entry.cut.then_some(*key));
                continue;
            }
            if let Some(before) = keys.get(*key) {
                let other = self.place(before.key_at);
                let message = texts::mean_the_same(&before.key, &entry.key);
                self.error(entry.key_at, message).other(texts::other_one_at(), other);
                continue;
            }
            keys.given.push((*key, entry));
        }
        if let Some(entry) = keys.get(Key::Account) {
            if let Value::List(_) = entry.node.value() {
                self.wrong("account", &entry.node, texts::a_text()).hint(texts::one_account());
                return Some(keys);
            }
            keys.account = self.optional_text("account", &entry.node).flatten().map(|id| (id, entry.node.at));
        }
        if let Some(entry) = keys.get(Key::Options) {
            self.options(&mut keys, entry);
        }
        Some(keys)
    }

    fn unknown_push_key(&mut self, entry: &Entry) {
        let hint = match &*entry.key {
            key if JOB_KEYS.contains(&key) => texts::key_of_the_job(key),
            "message" | "msg" | "body" => texts::did_you_mean("text"),
            "source" => texts::write_it_at_the_kind(),
            key if MEDIA_KEYS.contains(&key) => texts::belongs_to_media(key),
            _ => return self.unknown_key(entry, texts::a_push(), SPELLINGS.iter().map(|(spelling, _)| *spelling)),
        };
        self.error(entry.key_at, texts::unknown_key(quoted(&entry.key), texts::a_push())).hint(hint);
    }

    /// The SDK's `options`.
    fn options(&mut self, keys: &mut PushKeys, options: &Entry) {
        for entry in self.map("options", &options.node).unwrap_or_default() {
            let node = &entry.node;
            match &*entry.key {
                "account_id" | "accountID" | "accountId" => {
                    let Some(Some(id)) = self.optional_text(&entry.key, node) else { continue };
                    if keys.account.as_ref().is_some_and(|(account, _)| *account != id) {
                        self.error(node.at, texts::account_named_twice());
                    }
                    keys.account = Some((id, node.at));
                }
                "filename" | "fileName" | "file_name" => {
                    keys.filename = self.file_name(&entry.key, node).flatten();
                    keys.options_at = Some(entry.key_at);
                }
                "mime_type" | "mimeType" => {
                    keys.mime_type = self.mime_type(&entry.key, node).flatten();
                    keys.options_at = Some(entry.key_at);
                }
                _ => self.unknown_key(entry, Text::same("options"), OPTIONS),
            }
        }
    }

    /// Exactly one of group and user; several ids of it where it is a list.
    fn target(&mut self, keys: &PushKeys, push: &Node) -> Option<Whom> {
        let group = keys.get(Key::Group).map(|entry| (entry, self.ids("group", &entry.node, Target::Group)));
        let user = keys.get(Key::User).map(|entry| (entry, self.ids("user", &entry.node, Target::User)));
        // An id may be empty only after its variables are replaced.
        let present = |ids: &Result<Ids, Wrong>| !ids.as_ref().is_ok_and(Vec::is_empty);
        match (group.filter(|(_, ids)| present(ids)), user.filter(|(_, ids)| present(ids))) {
            (Some((entry, ids)), None) | (None, Some((entry, ids))) => Whom::of(ids.ok()?, entry.node.at),
            (Some((group, _)), Some((user, _))) => {
                let other = self.place(group.key_at);
                self.error(user.key_at, texts::push_has_both()).other(texts::group_is_at(), other);
                None
            }
            (None, None) => {
                let diagnostic = self.error(push.at, texts::push_needs_a_target());
                if keys.cut.iter().any(|key| matches!(key, Key::Group | Key::User)) {
                    diagnostic.hint(COMMENT());
                }
                None
            }
        }
    }

    pub(super) fn target_id(&mut self, key: &str, node: &Node) -> Option<Option<String>> {
        let id = self.optional_text(key, node)?;
        let fits = |id: &str| id.chars().count() <= 256 && !id.contains(char::is_control) && id.trim() == id;
        if id.as_deref().is_some_and(|id| !fits(id)) {
            self.wrong(key, node, texts::an_id());
            return None;
        }
        Some(id)
    }

    /// Exactly one kind of content; the title where there is none.
    fn content(&mut self, keys: &PushKeys, push: &Node) -> Option<(Message, At)> {
        let title = match keys.get(Key::Title) {
            Some(entry) => self.optional_text("title", &entry.node)?.map(|title| (title, entry.node.at)),
            None => None,
        };
        let mut contents = keys.given.iter().filter_map(|(key, entry)| match key {
            Key::Content(kind) => Some((*kind, *entry)),
            _ => None,
        });
        let content = contents.next();
        if let Some((kind, entry)) = contents.next() {
            let first = content.map_or(kind, |(kind, _)| kind);
            let message = texts::two_kinds(first, kind);
            let hint = match (first, kind) {
                (Kind::Text, media) | (media, Kind::Text) if media != Kind::Mixed => texts::send_both(media),
                _ => texts::send_several(),
            };
            self.error(entry.key_at, message).hint(hint);
            return None;
        }
        let (mut body, mut at) = match content {
            Some((kind, entry)) => (self.body(kind, entry)?, entry.key_at),
            None => (Body::Text { text: String::new() }, push.at),
        };
        self.apply_options(keys, &mut body);
        let mut title = title;
        if let Body::Text { text } = &mut body
            && is_blank(text)
        {
            let Some((title, title_at)) = title.take().filter(|(title, _)| !is_blank(title)) else {
                let kinds = Kind::ALL.map(Kind::as_str).join(", ");
                let diagnostic = self.error(at, texts::push_needs_content(kinds));
                if keys.cut.iter().any(|key| matches!(key, Key::Title | Key::Content(_))) {
                    diagnostic.hint(COMMENT());
                }
                return None;
            };
            *text = title;
            if content.is_none() {
                at = title_at;
            }
        }
        Some((Message { title: title.map(|(title, _)| title), body }, at))
    }

    fn body(&mut self, kind: Kind, entry: &Entry) -> Option<Body> {
        let (key, node) = (&*entry.key, &entry.node);
        Some(match kind {
            Kind::Text => Body::Text { text: self.text(key, node)?.into_owned() },
            Kind::Image => Body::Image(self.media(key, node)?),
            Kind::Voice => Body::Voice(self.media(key, node)?),
            Kind::Video => Body::Video(self.media(key, node)?),
            Kind::File => Body::File(self.media(key, node)?),
            Kind::Mixed => {
                let items = self.items(key, node)?;
                let says_nothing =
                    |item: &Item| matches!(item, Item::Text { text } | Item::Markdown { text } if is_blank(text));
                if items.iter().all(says_nothing) {
                    self.error(node.at, texts::blank_texts(key));
                    return None;
                }
                Body::Mixed { items }
            }
        })
    }

    /// Name and type of the media from the SDK's `options`.
    fn apply_options(&mut self, keys: &PushKeys, body: &mut Body) {
        let Some(at) = keys.options_at else { return };
        match body {
            Body::Image(media) | Body::Voice(media) | Body::Video(media) | Body::File(media) => {
                media.filename = media.filename.take().or_else(|| keys.filename.clone());
                media.mime_type = media.mime_type.take().or_else(|| keys.mime_type.clone());
            }
            Body::Text { .. } | Body::Mixed { .. } => {
                self.warning(at, texts::option_without_effect());
            }
        }
    }
}
