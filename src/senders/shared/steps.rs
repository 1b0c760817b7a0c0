//! Messages for platforms that take one content at a time: the message becomes steps in reading order, which
//! go out one by one (`parts`).

use super::parts::Part;
use super::segments::{Inline, Segment, segments};
use super::text::{Limit, split};
use crate::domain::{Kind, Message, is_blank};

/// One request's worth of content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// `at_all` asks to notify everybody beside the text.
    Text {
        text: String,
        at_all: bool,
    },
    Markdown {
        text: String,
    },
    /// The media at `index` of [`Body::media`].
    Media {
        kind: Kind,
        index: usize,
    },
}

/// How a platform writes what is not plain text.
pub(crate) struct Style {
    /// A mention inside a text, by the user's id.
    pub mention: fn(&str) -> String,
    /// "Everybody" as text; None where the platform has a flag for it.
    pub at_all: Option<&'static str>,
    /// Turns markdown into plain text; None where the platform takes markdown.
    pub plain: Option<fn(&str) -> String>,
    pub text_limit: Limit,
    pub markdown_limit: Limit,
}

impl Part for Step {
    fn kind(&self) -> &'static str {
        match self {
            Step::Text { .. } => "text",
            Step::Markdown { .. } => "markdown",
            Step::Media { kind, .. } => kind.as_str(),
        }
    }
}

/// The steps of a message. Neighbouring texts and mentions are one text; a caption is a text before its media.
pub(crate) fn plan(message: &Message, style: &Style) -> Vec<Step> {
    let mut plan = Plan { style, steps: Vec::new(), run: String::new(), gap: "", at_all: false };
    for segment in segments(&message.body) {
        match segment {
            Segment::Text(run) => run.into_iter().for_each(|inline| plan.inline(inline)),
            Segment::Media { kind, media, index } => plan.media(kind, media.caption.as_deref(), index),
        }
    }
    plan.end_run();
    plan.steps
}

struct Plan<'a> {
    style: &'a Style,
    steps: Vec<Step>,
    run: String,
    /// What must stand between the end of `run` and whatever follows.
    gap: &'static str,
    at_all: bool,
}

impl Plan<'_> {
    fn inline(&mut self, inline: Inline) {
        match inline {
            Inline::Text(text) => self.append(text, "", ""),
            Inline::Markdown(text) => self.markdown(text),
            Inline::At(user) => self.append(&(self.style.mention)(user), " ", " "),
            Inline::AtAll => match self.style.at_all {
                Some(word) => self.append(word, " ", " "),
                None => self.at_all = true,
            },
        }
    }

    /// Adds to the running text: a mention must not grow onto its neighbours, and markdown keeps its own lines.
    fn append(&mut self, piece: &str, before: &'static str, after: &'static str) {
        let gap = if self.gap.is_empty() || before == "\n" { before } else { self.gap };
        let parted =
            self.run.is_empty() || self.run.ends_with(char::is_whitespace) || piece.starts_with(char::is_whitespace);
        if !parted {
            self.run.push_str(gap);
        }
        self.run.push_str(piece);
        self.gap = after;
    }

    fn markdown(&mut self, text: &str) {
        match self.style.plain {
            Some(plain) => self.append(&plain(text), "\n", "\n"),
            None => {
                self.end_run();
                let pieces = split(text, self.style.markdown_limit).into_iter();
                self.steps.extend(pieces.map(|text| Step::Markdown { text: text.to_owned() }));
            }
        }
    }

    fn media(&mut self, kind: Kind, caption: Option<&str>, index: usize) {
        if let Some(caption) = caption {
            self.append(caption, "\n", "\n");
        }
        self.end_run();
        self.steps.push(Step::Media { kind, index });
    }

    fn end_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        let at_all = std::mem::take(&mut self.at_all);
        self.gap = "";
        if is_blank(&run) && !at_all {
            return;
        }
        let texts = split(&run, self.style.text_limit).into_iter().enumerate();
        self.steps
            .extend(texts.map(|(index, text)| Step::Text { text: text.to_owned(), at_all: at_all && index == 0 }));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{Body, Delivery, Item, Media, Outcome, PartReport, RetryPolicy, Target, Trigger, UtcMs};
    use crate::senders::shared::failure::{Failure, Sent};
    use crate::senders::shared::parts::Progress;

    const STYLE: Style = Style {
        mention: |user| format!("@{user}"),
        at_all: Some("@all"),
        plain: Some(|text| text.replace('*', "")),
        text_limit: Limit::Chars(10),
        markdown_limit: Limit::Chars(10),
    };

    fn mixed(items: Vec<Item>) -> Message {
        Message { title: None, body: Body::Mixed { items } }
    }

    fn text(text: &str) -> Item {
        Item::Text { text: text.into() }
    }

    fn image(caption: Option<&str>) -> Item {
        Item::Image(Media { source: "a.png".into(), caption: caption.map(str::to_owned), ..Media::default() })
    }

    /// Steps in short: texts as they are (`!` where everybody is notified), markdown after `md:`, media as `kind#index`.
    fn short(steps: &[Step]) -> Vec<String> {
        let one = |step: &Step| match step {
            Step::Text { text, at_all } => format!("{text}{}", if *at_all { "!" } else { "" }),
            Step::Markdown { text } => format!("md:{text}"),
            Step::Media { kind, index } => format!("{kind}#{index}"),
        };
        steps.iter().map(one).collect()
    }

    #[test]
    fn a_message_becomes_steps_in_reading_order() {
        let at = |user: &str| Item::At { user: user.into() };
        let markdown = |text: &str| Item::Markdown { text: text.into() };
        let rows: Vec<(Vec<Item>, &[&str])> = vec![
            (vec![text("a"), text("b")], &["ab"]),
            (vec![text("hi"), at("bo"), text("now")], &["hi @bo now"]),
            (vec![at("bo"), at("al")], &["@bo @al"]),
            (vec![text("go "), Item::AtAll], &["go @all"]),
            (vec![text("a"), markdown("*b*"), text("c")], &["a\nb\nc"]),
            (vec![text("a"), image(None), text("b"), image(None)], &["a", "image#0", "b", "image#1"]),
            (vec![text("a"), image(Some("cap"))], &["a\ncap", "image#0"]),
            (vec![text("one two three")], &["one two", "three"]),
            (vec![text("  ")], &[]),
        ];
        for (items, expected) in rows {
            assert_eq!(short(&plan(&mixed(items.clone()), &STYLE)), expected, "{items:?}");
        }
    }

    #[test]
    fn a_platform_with_markdown_and_a_flag_for_everybody_keeps_both() {
        let style = Style { at_all: None, plain: None, ..STYLE };
        let items = vec![Item::AtAll, text("one two three"), Item::Markdown { text: "*b*".into() }, Item::AtAll];
        assert_eq!(short(&plan(&mixed(items), &style)), ["one two!", "three", "md:*b*", "!"]);
    }

    fn delivery(parts: Vec<PartReport>) -> Delivery {
        Delivery {
            push_id: 1,
            attempt: 1,
            key: "k".into(),
            job: None,
            triggered_by: Trigger::Manual,
            due_at: UtcMs(0),
            im: "weixin".into(),
            target: Target::User("u".into()),
            message: mixed(vec![text("one two three"), image(None)]),
            media: Vec::new(),
            timeout: Duration::from_secs(15),
            retry: RetryPolicy::default(),
            max_attempts: 5,
            expires_at: UtcMs::MAX,
            made_at: UtcMs(0),
            parts,
            unmade: None,
        }
    }

    #[test]
    fn a_retry_begins_at_the_first_step_not_sent() {
        let first = delivery(Vec::new());
        let steps = plan(&first.message, &STYLE);
        let mut progress = Progress::resume(&first, &steps);
        assert!(progress.record(0, Ok(Sent::new(Some("m1".into())))));
        assert!(!progress.record(1, Err(Failure::unreachable("cannot connect"))));
        let report = progress.finish();
        assert_eq!(report.outcome, Outcome::Unreachable);
        assert_eq!(report.error.as_deref(), Some("text 2/3: cannot connect"));

        let retry = delivery(report.parts);
        let mut progress = Progress::resume(&retry, &steps);
        assert_eq!([0, 1, 2].map(|index| progress.is_sent(index)), [true, false, false]);
        assert!(progress.record(1, Ok(Sent::default())));
        assert!(progress.record(2, Ok(Sent::new(Some("m3".into())).noting(Some("image as file".into())))));
        let report = progress.finish();
        assert_eq!((report.outcome, report.message_id.as_deref()), (Outcome::Sent, Some("m1")));
        assert_eq!(report.note.as_deref(), Some("image as file"));
        let outcomes: Vec<_> = report.parts.iter().map(|part| (part.part.as_str(), part.outcome.as_str())).collect();
        assert_eq!(outcomes, [("text 1/3", "sent"), ("text 2/3", "sent"), ("image 3/3", "sent")]);
    }

    #[test]
    fn parts_of_a_sender_that_cuts_otherwise_do_not_count() {
        let part = PartReport { part: "text 1/2".into(), outcome: "sent".into(), message_id: None };
        let retry = delivery(vec![part]);
        assert!(!Progress::resume(&retry, &plan(&retry.message, &STYLE)).is_sent(0));
    }
}
