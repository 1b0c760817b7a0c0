//! What the two Feishu senders share: how a message becomes Feishu's, what its answers mean, and the app that uploads.
//! Lark is the same under another address (`protocols/others.md` §2).

use std::time::Duration;

use reqwest::RequestBuilder;
use reqwest::multipart::Form;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::http::{Http, Reply, excerpt};
use super::parts::{Budget, Part, add_note};
use super::segments::{Inline, Segment, render, segments};
use super::text::{Limit, split};
use super::upload::{self, Uploads};
use crate::clock::SharedClock;
use crate::domain::{Delivery, Kind, MediaFile, Message, Outcome, Report, Secret, UtcMs};

pub const FEISHU: &str = "https://open.feishu.cn";
const IMAGE_MAX_BYTES: u64 = 10 * 1024 * 1024;
pub const FILE_MAX_BYTES: u64 = 30 * 1024 * 1024;
/// Tokens live two hours; a push must not begin with one that ends under it.
const RENEW_BEFORE_END: Duration = Duration::from_secs(300);
/// What an image's tag adds to a post, whose size is reckoned before the upload gives its key.
const IMAGE_TAG_BYTES: usize = 160;

const MARKDOWN_AS_TEXT: &str = "markdown as text";

// ---- From a message to Feishu's messages ----

/// One message of Feishu's.
#[derive(Clone, Debug)]
pub struct Planned<'a> {
    pub content: Content<'a>,
    /// What the user asked for.
    pub kind: Kind,
    /// In what other form than asked for it goes out.
    pub note: Option<String>,
}

#[derive(Clone, Debug)]
pub enum Content<'a> {
    Text(String),
    Post { title: String, lines: Vec<Vec<Element<'a>>> },
    Image(&'a MediaFile),
    Audio { file: &'a MediaFile, duration_ms: u64 },
    Video(&'a MediaFile),
    File(&'a MediaFile),
}

/// A piece of a post.
#[derive(Clone, Debug)]
pub enum Element<'a> {
    Tag(Value),
    Image(&'a MediaFile),
}

/// How a media takes part.
pub enum Place<'a> {
    InPost(Element<'a>),
    Alone(Content<'a>),
}

impl Part for Planned<'_> {
    fn kind(&self) -> &'static str {
        self.kind.as_str()
    }
}

/// What one of the two senders allows.
pub struct Rules {
    /// Bytes of a post and of a text as [`Rules::measure`] counts them.
    pub post_max: usize,
    pub text_max: usize,
    pub measure: fn(&Value) -> usize,
    /// The most that escaping makes of one byte, for cutting what is too long.
    pub escape_factor: usize,
    /// Whether posts may hold markdown.
    pub markdown: bool,
}

/// The messages of a delivery in reading order; `place` says how each media takes part, and in what other form than
/// asked for.
///
/// # Errors
/// That of `place`: a media that cannot be carried at all.
pub fn plan<'a>(
    delivery: &'a Delivery,
    rules: &Rules,
    mut place: impl FnMut(Kind, usize) -> Result<(Place<'a>, Option<&'static str>), Report>,
) -> Result<Vec<Planned<'a>>, Report> {
    let Message { title, body } = &delivery.message;
    let mut planner = Planner { rules, title: title.as_deref(), open: Vec::new(), planned: Vec::new() };
    for segment in segments(body) {
        match segment {
            Segment::Text(run) => planner.open.push(Block::Run(run)),
            Segment::Media { kind, media, index } => {
                let (place, note) = place(kind, index)?;
                match place {
                    Place::InPost(element) => planner.open.push(Block::Media { kind, element, note }),
                    Place::Alone(content) => {
                        planner.close();
                        planner.planned.push(Planned { content, kind, note: note.map(str::to_owned) });
                    }
                }
                if let Some(caption) = &media.caption {
                    planner.open.push(Block::Run(vec![Inline::Text(caption)]));
                }
            }
        }
    }
    planner.close();
    Ok(planner.planned)
}

enum Block<'a> {
    Run(Vec<Inline<'a>>),
    Media { kind: Kind, element: Element<'a>, note: Option<&'static str> },
}

struct Planner<'a, 'r> {
    rules: &'r Rules,
    /// Until a post has taken it.
    title: Option<&'a str>,
    /// What the message under way will hold.
    open: Vec<Block<'a>>,
    planned: Vec<Planned<'a>>,
}

impl<'a> Planner<'a, '_> {
    fn close(&mut self) {
        let mut blocks = std::mem::take(&mut self.open);
        blocks.retain(|block| !matches!(block, Block::Run(run) if is_blank(run)));
        match blocks.as_slice() {
            [] => {}
            [Block::Run(run)] if self.title.is_none() && !(self.rules.markdown && has_markdown(run)) => self.text(run),
            [Block::Media { element: Element::Image(image), note, .. }] if self.title.is_none() => {
                self.planned.push(Planned {
                    content: Content::Image(image),
                    kind: Kind::Image,
                    note: note.map(str::to_owned),
                });
            }
            _ => self.posts(blocks),
        }
    }

    fn text(&mut self, run: &[Inline]) {
        let text = render(run, |inline| match inline {
            Inline::Text(text) | Inline::Markdown(text) => text.to_owned(),
            Inline::At(user) => format!("<at user_id=\"{user}\"></at>"),
            Inline::AtAll => "<at user_id=\"all\"></at>".to_owned(),
        });
        let note = has_markdown(run).then(|| MARKDOWN_AS_TEXT.to_owned());
        let pieces = self.pieces(&text, self.rules.text_max);
        let planned =
            |piece: &str| Planned { content: Content::Text(piece.to_owned()), kind: Kind::Text, note: note.clone() };
        self.planned.extend(pieces.into_iter().map(planned));
    }

    /// The text whole where it fits, else in pieces that fit even if every byte must be escaped.
    fn pieces<'t>(&self, text: &'t str, max: usize) -> Vec<&'t str> {
        if (self.rules.measure)(&json!(text)) <= max {
            return vec![text];
        }
        split(text, Limit::Bytes(max / self.rules.escape_factor))
    }

    /// The blocks as one post, or as several where they are too large for one.
    fn posts(&mut self, blocks: Vec<Block<'a>>) {
        let kind = match blocks.as_slice() {
            [Block::Media { kind, .. }, ..] => *kind,
            _ => Kind::Text,
        };
        let mut note = None;
        let mut lines = Vec::new();
        for block in blocks {
            match block {
                Block::Run(run) => {
                    if has_markdown(&run) && !self.rules.markdown {
                        add_note(&mut note, Some(MARKDOWN_AS_TEXT));
                    }
                    self.lines_of(&run, &mut lines);
                }
                Block::Media { element, note: said, .. } => {
                    add_note(&mut note, said);
                    lines.push(vec![element]);
                }
            }
        }
        let title = self.title.take().unwrap_or_default().to_owned();
        let mut post: Vec<Vec<Element>> = Vec::new();
        let mut size = (self.rules.measure)(&json!(title));
        let mut titles = std::iter::once(title).chain(std::iter::repeat(String::new()));
        let mut finished = Vec::new();
        for line in lines {
            let more = self.size_of(&line);
            if size + more > self.rules.post_max && !post.is_empty() {
                finished.push(std::mem::take(&mut post));
                size = 0;
            }
            size += more;
            post.push(line);
        }
        finished.push(post);
        for lines in finished {
            let title = titles.next().unwrap_or_default();
            self.planned.push(Planned { content: Content::Post { title, lines }, kind, note: note.clone() });
        }
    }

    fn size_of(&self, line: &[Element]) -> usize {
        let element = |element: &Element| match element {
            Element::Tag(tag) => (self.rules.measure)(tag),
            Element::Image(_) => IMAGE_TAG_BYTES,
        };
        line.iter().map(element).sum::<usize>() + 8
    }

    /// The run as lines of a post. Mentions stand between blanks.
    fn lines_of(&self, run: &[Inline], lines: &mut Vec<Vec<Element<'a>>>) {
        // Half a post: two pieces never meet in one line.
        let piece_max = self.rules.post_max / 2;
        let mut line: Vec<Element> = Vec::new();
        for inline in run {
            match inline {
                Inline::Text(text) => self.text_lines(text, &mut line, lines),
                Inline::Markdown(text) if self.rules.markdown => {
                    if !line.is_empty() {
                        lines.push(std::mem::take(&mut line));
                    }
                    let tag = |piece: &str| vec![Element::Tag(json!({"tag": "md", "text": piece}))];
                    lines.extend(self.pieces(text, piece_max).into_iter().map(tag));
                }
                Inline::Markdown(text) => {
                    if !line.is_empty() {
                        lines.push(std::mem::take(&mut line));
                    }
                    self.text_lines(text, &mut line, lines);
                    lines.push(std::mem::take(&mut line));
                }
                Inline::At(user) => at(user, &mut line),
                Inline::AtAll => at("all", &mut line),
            }
        }
        if !line.is_empty() {
            lines.push(line);
        }
    }

    fn text_lines(&self, text: &str, line: &mut Vec<Element<'a>>, lines: &mut Vec<Vec<Element<'a>>>) {
        for (number, text) in text.split('\n').enumerate() {
            if number > 0 {
                lines.push(std::mem::take(line));
            }
            let after_mention = matches!(line.last(), Some(Element::Tag(tag)) if tag["tag"] == "at");
            for (number, piece) in self.pieces(text, self.rules.post_max / 2).into_iter().enumerate() {
                if number > 0 {
                    lines.push(std::mem::take(line));
                }
                let blank =
                    if number == 0 && after_mention && !piece.starts_with(char::is_whitespace) { " " } else { "" };
                line.push(Element::Tag(json!({"tag": "text", "text": format!("{blank}{piece}")})));
            }
        }
    }
}

fn at(user: &str, line: &mut Vec<Element>) {
    let parted = match line.last() {
        Some(Element::Tag(tag)) => {
            tag["text"].as_str().is_some_and(|text| text.is_empty() || text.ends_with(char::is_whitespace))
        }
        _ => true,
    };
    if !parted {
        line.push(Element::Tag(json!({"tag": "text", "text": " "})));
    }
    line.push(Element::Tag(json!({"tag": "at", "user_id": user})));
}

fn is_blank(run: &[Inline]) -> bool {
    run.iter().all(|inline| matches!(inline, Inline::Text(text) | Inline::Markdown(text) if text.trim().is_empty()))
}

fn has_markdown(run: &[Inline]) -> bool {
    run.iter().any(|inline| matches!(inline, Inline::Markdown(_)))
}

// ---- What Feishu answers ----

pub struct Refusal {
    /// Feishu's own code, where it gave one.
    pub code: Option<i64>,
    /// Whether a table of the sheet names that code.
    pub is_known: bool,
    pub report: Report,
}

/// The body of a yes, or why there is none. HTTP 200 is no yes: `code` decides.
pub fn judge(reply: &Reply, now: UtcMs) -> Result<Value, Box<Refusal>> {
    let body = reply.json().unwrap_or_default();
    // The oldest webhooks spell it the other way only.
    let code = body["code"].as_i64().or(body["StatusCode"].as_i64());
    let mut is_known = false;
    let report = match code {
        Some(0) if reply.is_success() => return Ok(body),
        Some(code) if code != 0 => {
            let said = body["msg"].as_str().or(body["StatusMessage"].as_str()).unwrap_or_default();
            let named = outcome_of(code, said, reply);
            is_known = named.is_some();
            let outcome = match (named, reply.status) {
                (Some(outcome), _) => outcome,
                (None, 500..) => Outcome::Unknown,
                (None, _) => Outcome::Rejected,
            };
            Report::failed(outcome, format!("{code}: {}", excerpt(said))).with_status(reply.status)
        }
        _ => {
            let unreadable = || Report::failed(Outcome::Unknown, format!("unreadable answer: {}", reply.excerpt()));
            reply.status_report(now).unwrap_or_else(unreadable).with_status(reply.status)
        }
    };
    Err(Box::new(Refusal { code, is_known, report }))
}

/// The codes of both tables of §2; None for those that stand in neither.
fn outcome_of(code: i64, said: &str, reply: &Reply) -> Option<Outcome> {
    Some(match code {
        // A public adapter takes 9499 for a rate limit too, the documents call it a bad request (unconfirmed).
        9499 if says_slow_down(said) => Outcome::Throttled { wait: None },
        9499 => Outcome::Rejected,
        11232 | 11247 => Outcome::Throttled { wait: None },
        99991400 | 230020 => Outcome::Throttled { wait: reset_after(reply) },
        // The signature (or the clock), and the machine's address: no message will pass.
        19021 | 19022 => Outcome::AccountDown,
        19024 => Outcome::Rejected,
        TOKEN_INVALID | TOKEN_INVALID_TOO => Outcome::AccountDown,
        230002 | 230013 | 232009 => Outcome::TargetGone,
        230006 => Outcome::AccountDown,
        code if REJECTED.contains(&code) => Outcome::Rejected,
        _ => return None,
    })
}

/// Parameter, sensitive content, too long, no permission, content that must not leave (DLP).
const REJECTED: [i64; 5] = [230001, 230022, 230025, 230027, 230028];

const TOKEN_INVALID: i64 = 99991663;
const TOKEN_INVALID_TOO: i64 = 99991671;

fn says_slow_down(said: &str) -> bool {
    let said = said.to_lowercase();
    ["rate", "frequen", "too many", "频"].iter().any(|word| said.contains(word))
}

fn reset_after(reply: &Reply) -> Option<Duration> {
    let seconds = reply.headers.get("x-ogw-ratelimit-reset")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// What became of a call before the send, which nobody sees: the message is not out.
fn before_the_send(report: Report) -> Report {
    match report.outcome {
        Outcome::Unknown => Report { outcome: Outcome::Unreachable, ..report },
        _ => report,
    }
}

// ---- The app ----

/// An app of the tenant: its access token, and what it has uploaded.
pub struct App {
    http: Http,
    pub clock: SharedClock,
    base_url: String,
    app_id: String,
    app_secret: Secret,
    /// Locked over a renewal, so that there is one at a time.
    token: Mutex<Option<Token>>,
    uploads: Uploads,
}

/// What the app asks of Feishu; a description, since a request that streams a file can be sent only once.
pub enum Ask<'a> {
    Get(&'static str),
    Message { receive_id_type: &'a str, body: &'a Value },
    Image(&'a MediaFile),
    File { file: &'a MediaFile, file_type: &'static str, duration_ms: Option<u64> },
}

struct Token {
    text: Secret,
    /// By the monotonic clock.
    ends_at: Duration,
}

impl App {
    pub fn new(http: Http, clock: SharedClock, base_url: String, app_id: String, app_secret: Secret) -> App {
        App { http, clock, base_url, app_id, app_secret, token: Mutex::new(None), uploads: Uploads::default() }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/open-apis/{path}", self.base_url)
    }

    async fn request(&self, ask: &Ask<'_>) -> Result<RequestBuilder, Report> {
        Ok(match ask {
            Ask::Get(path) => self.http.get(self.url(path)),
            Ask::Message { receive_id_type, body } => {
                self.http.post(self.url("im/v1/messages")).query(&[("receive_id_type", receive_id_type)]).json(body)
            }
            Ask::Image(file) => {
                let form = Form::new().text("image_type", "message").part("image", upload::part(file).await?);
                self.http.post(self.url("im/v1/images")).multipart(form)
            }
            Ask::File { file, file_type, duration_ms } => {
                let mut form = Form::new().text("file_type", *file_type).text("file_name", file.filename.clone());
                if let Some(ms) = duration_ms {
                    form = form.text("duration", ms.to_string());
                }
                self.http.post(self.url("im/v1/files")).multipart(form.part("file", upload::part(file).await?))
            }
        })
    }

    /// A call in the app's name. A token that Feishu no longer takes is renewed and the call made once more: the
    /// refusal proves that the first one did nothing.
    pub async fn call(&self, ask: &Ask<'_>, budget: &Budget) -> Result<Value, Box<Refusal>> {
        let mut spent = None;
        loop {
            let token = self.token(spent.as_ref(), budget).await.map_err(refused)?;
            let request = self.request(ask).await.map_err(refused)?.bearer_auth(token.expose());
            let left = budget.left().map_err(refused)?;
            let reply = self.http.call(request, left).await.map_err(|error| refused(error.report()))?;
            match judge(&reply, self.clock.now()) {
                Err(refusal) if spent.is_none() && matches!(refusal.code, Some(TOKEN_INVALID | TOKEN_INVALID_TOO)) => {
                    spent = Some(token);
                }
                answer => return answer,
            }
        }
    }

    /// The access token, renewed some minutes before its end, or at once where it is the `spent` one.
    async fn token(&self, spent: Option<&Secret>, budget: &Budget) -> Result<Secret, Report> {
        let mut known = self.token.lock().await;
        let now = self.clock.monotonic();
        if let Some(token) = known.as_ref()
            && Some(&token.text) != spent
            && now + RENEW_BEFORE_END < token.ends_at
        {
            return Ok(token.text.clone());
        }
        let body = json!({"app_id": self.app_id, "app_secret": self.app_secret.expose()});
        let request = self.http.post(self.url("auth/v3/tenant_access_token/internal")).json(&body);
        let reply = self.http.call(request, budget.left()?).await.map_err(|error| before_the_send(error.report()))?;
        let answer = judge(&reply, self.clock.now()).map_err(|refusal| match refusal.report.outcome {
            // Whatever is wrong with the app, it is not the message.
            Outcome::Rejected => Report { outcome: Outcome::AccountDown, ..refusal.report },
            _ => before_the_send(refusal.report),
        })?;
        let text = answer["tenant_access_token"].as_str();
        let text = text.ok_or_else(|| Report::failed(Outcome::Unreachable, "the answer holds no access token"))?;
        let lasts = Duration::from_secs(answer["expire"].as_u64().unwrap_or(7200));
        let text = Secret::new(text.to_owned());
        *known = Some(Token { text: text.clone(), ends_at: now + lasts });
        Ok(text)
    }

    /// The key of an image, uploaded unless that was done lately.
    pub async fn image_key(&self, file: &MediaFile, budget: &mut Budget) -> Result<String, Report> {
        self.upload(file, "image", &Ask::Image(file), "image_key", budget).await
    }

    /// The key of a file of Feishu's type `file_type`; `duration_ms` is that of a voice.
    pub async fn file_key(
        &self,
        file: &MediaFile,
        file_type: &'static str,
        duration_ms: Option<u64>,
        budget: &mut Budget,
    ) -> Result<String, Report> {
        self.upload(file, file_type, &Ask::File { file, file_type, duration_ms }, "file_key", budget).await
    }

    async fn upload(
        &self,
        file: &MediaFile,
        form: &str,
        ask: &Ask<'_>,
        key: &str,
        budget: &mut Budget,
    ) -> Result<String, Report> {
        let now = self.clock.now();
        if let Some(known) = self.uploads.get(file, form, now) {
            return Ok(known);
        }
        budget.extend_for_bytes(file.len);
        let answer = self.call(ask, budget).await.map_err(|refusal| before_the_send(refusal.report))?;
        let missing = || Report::failed(Outcome::Unreachable, format!("the answer to the upload has no {key}"));
        let uploaded = answer["data"][key].as_str().ok_or_else(missing)?;
        self.uploads.put(file, form, uploaded, now);
        Ok(uploaded.to_owned())
    }
}

fn refused(report: Report) -> Box<Refusal> {
    Box::new(Refusal { code: None, is_known: false, report })
}

/// Whether Feishu shows this file as a picture.
pub fn is_image(file: &MediaFile) -> bool {
    let shown = ["image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/tiff", "image/x-icon"];
    file.len <= IMAGE_MAX_BYTES && shown.contains(&file.mime_type.as_str())
}
