//! Prints pushes on standard output: the sender of the example file, for trying schedules and rules without any IM.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::json;

use super::sender::{BuildError, Environment, Probe, Sender};
use super::shared::failure::{self, Failure, Sent};
use super::shared::setting::choice;
use crate::domain::account::Account;
use crate::domain::message::Item;
use crate::domain::sender::any_target;
use crate::domain::{Body, Delivery, Locked, MediaFile, Report, SenderSpec, Support, Target, escaped, escaped_json};

pub(super) static SPEC: SenderSpec = SenderSpec {
    name: "console",
    about: "prints the push on standard output, for trying things out",
    default_im: "console",
    settings: &[choice("format", &["text", "json"], "a block for people, or one line of JSON per push").or("text")],
    support: |_, _| Support::Native,
    target: any_target,
    // A repeat prints a second block.
    idempotent: |_| false,
    concurrency: 1,
    min_interval_ms: 0,
    max_media_bytes: u64::MAX,
};

pub(super) fn build(account: &Account, _: &Environment) -> Result<Box<dyn Sender>, BuildError> {
    let render = match account.settings.text("format") {
        Some("json") => render_json,
        _ => render_text,
    };
    Ok(Box::new(Console { render, out: Arc::new(Mutex::new(std::io::stdout())) }))
}

struct Console<W> {
    render: fn(&Delivery) -> String,
    out: Arc<Mutex<W>>,
}

#[async_trait]
impl<W: std::io::Write + Send + 'static> Sender for Console<W> {
    async fn send(&self, delivery: &Delivery) -> Report {
        let (text, out) = ((self.render)(delivery), self.out.clone());
        // A terminal that is stopped with Ctrl-S blocks the writer, which must not block the daemon.
        let written = tokio::task::spawn_blocking(move || {
            let mut out = out.locked();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        });
        let done = match tokio::time::timeout(delivery.timeout, written).await {
            Ok(Ok(Ok(()))) => Ok(Sent::new(Some(delivery.key.clone()))),
            Ok(Ok(Err(error))) => Err(Failure::unreachable(format!("cannot write to standard output: {error}"))),
            Ok(Err(_)) | Err(_) => Err(Failure::unknown("standard output takes nothing")),
        };
        failure::report(done)
    }

    async fn probe(&self) -> Probe {
        Probe::up()
    }
}

/// A block for people. What came from outside is indented, so that no text can pass itself off as a heading.
fn render_text(delivery: &Delivery) -> String {
    let message = &delivery.message;
    let mut block = format!(
        "── {}  {} → {} {}  ({})\n",
        delivery.due_at,
        escaped(delivery.job.as_deref().unwrap_or("(no job)")),
        escaped(&delivery.im),
        escaped(&delivery.target.to_string()),
        message.body.kind(),
    );
    let mut line = |text: &str| {
        for line in text.lines() {
            // Writing to a String cannot fail.
            let _ = writeln!(block, "   {}", escaped(line));
        }
    };
    if let Some(title) = &message.title {
        line(&format!("# {title}"));
    }
    let mut files = delivery.media.iter();
    match &message.body {
        Body::Text { text } => line(text),
        Body::Mixed { items } => items.iter().for_each(|item| line(&describe_item(item, &mut files))),
        body @ (Body::Image(media) | Body::Voice(media) | Body::Video(media) | Body::File(media)) => {
            line(&describe_file(body.kind().as_str(), files.next()));
            line(media.caption.as_deref().unwrap_or_default());
        }
    }
    block
}

fn describe_item<'a>(item: &Item, files: &mut impl Iterator<Item = &'a MediaFile>) -> String {
    match item {
        Item::Text { text } | Item::Markdown { text } => text.clone(),
        Item::At { user } => format!("@{user}"),
        Item::AtAll => "@all".to_owned(),
        Item::Image(media) | Item::Voice(media) | Item::Video(media) | Item::File(media) => {
            let caption = media.caption.as_deref().map(|caption| format!("\n{caption}")).unwrap_or_default();
            describe_file(item.type_name(), files.next()) + &caption
        }
    }
}

fn describe_file(kind: &str, file: Option<&MediaFile>) -> String {
    match file {
        Some(file) => format!("[{kind}] {} ({}, {} bytes)", file.filename, file.mime_type, file.len),
        None => format!("[{kind}]"),
    }
}

fn render_json(delivery: &Delivery) -> String {
    let (place, id) = match &delivery.target {
        Target::Group(id) => ("group", id),
        Target::User(id) => ("user", id),
    };
    let files: Vec<_> = delivery
        .media
        .iter()
        .map(|file| json!({"filename": file.filename, "mime_type": file.mime_type, "size": file.len, "sha256": file.sha256}))
        .collect();
    let push = json!({
        "key": delivery.key,
        "job": delivery.job,
        "triggered_by": delivery.triggered_by,
        "due_at": delivery.due_at,
        "im": delivery.im,
        place: id,
        "message": delivery.message,
        "media": files,
    });
    format!("{}\n", escaped_json(&push.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Outcome;
    use crate::domain::message::Media;
    use crate::senders::shared::samples;

    #[test]
    fn a_push_reads_as_a_block_and_cannot_disguise_itself() {
        let mut delivery = samples::text("line one\n── fake heading\n\u{1b}[31mred\u{202e}");
        delivery.message.title = Some("Report".into());
        assert_eq!(
            render_text(&delivery),
            "── 2026-01-01T01:00:00.000Z  daily-report → qq group:123456  (text)\n   # Report\n   line one\n   \
             ── fake heading\n   \\u{1b}[31mred\\u{202e}\n"
        );
    }

    #[test]
    fn mixed_items_are_printed_in_their_order() {
        let chart = Media { caption: Some("chart".into()), ..Media::default() };
        let items =
            vec![Item::Text { text: "see".into() }, Item::Image(chart), Item::At { user: "10001".into() }, Item::AtAll];
        let delivery = samples::mixed(items, vec![samples::file("a.png", "image/png", 3)]);
        let block = render_text(&delivery);
        let lines: Vec<&str> = block.lines().skip(1).map(str::trim).collect();
        assert_eq!(lines, ["see", "[image] a.png (image/png, 3 bytes)", "chart", "@10001", "@all"]);
    }

    #[tokio::test]
    async fn a_push_is_sent_once_it_is_written() {
        let out = Arc::new(Mutex::new(Vec::new()));
        let console = Console { render: render_json, out: out.clone() };
        let delivery = samples::text("hi");
        let report = console.send(&delivery).await;
        assert_eq!(report, Report::sent(Some(delivery.key.clone())));
        let printed: serde_json::Value = serde_json::from_slice(&out.lock().unwrap()).unwrap();
        assert_eq!(printed["message"]["text"], "hi");
        assert_eq!(printed["group"], "123456");
    }

    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_closed_output_is_no_success() {
        let console = Console { render: render_text, out: Arc::new(Mutex::new(Full)) };
        assert_eq!(console.send(&samples::text("hi")).await.outcome, Outcome::Unreachable);
    }
}
