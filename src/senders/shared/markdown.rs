//! Markdown as the HTML that chat platforms take.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// Full HTML, as Matrix clients show it.
pub(crate) fn to_html(markdown: &str) -> String {
    let mut rendered = String::new();
    html::push_html(&mut rendered, events(markdown));
    rendered.trim_end().to_owned()
}

/// The few inline tags that Telegram knows; everything else becomes plain text in a layout that reads alike.
pub(crate) fn to_telegram_html(markdown: &str) -> String {
    lay_out(markdown, true)
}

/// Plain text in a layout that reads alike, with the addresses of links after their words.
pub(crate) fn to_plain(markdown: &str) -> String {
    lay_out(markdown, false)
}

fn lay_out(markdown: &str, html: bool) -> String {
    let mut layout = Layout { html, out: String::new(), links: Vec::new(), lists: Vec::new() };
    events(markdown).for_each(|event| layout.event(event));
    layout.trim_newlines();
    layout.out
}

struct Layout<'a> {
    /// With tags; else the words alone.
    html: bool,
    out: String,
    /// Where the words of each open link begin, and its address.
    links: Vec<(usize, CowStr<'a>)>,
    /// The next number of each ordered list that is open; None for a list of bullets.
    lists: Vec<Option<u64>>,
}

impl<'a> Layout<'a> {
    fn event(&mut self, event: Event<'a>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(words) => self.text(&words),
            Event::Code(code) => {
                self.tag("<code>");
                self.text(&code);
                self.tag("</code>");
            }
            Event::HardBreak => self.out.push('\n'),
            Event::Rule => self.out.push_str("———\n\n"),
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'a>) {
        match tag {
            Tag::Emphasis => self.tag("<i>"),
            Tag::Strong | Tag::Heading { .. } | Tag::TableHead => self.tag("<b>"),
            Tag::Strikethrough => self.tag("<s>"),
            Tag::CodeBlock(_) => self.tag("<pre>"),
            Tag::BlockQuote(_) => self.tag("<blockquote>"),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.tag("<a href=\"");
                if self.html {
                    push_escaped(&mut self.out, &dest_url);
                }
                self.tag("\">");
                self.links.push((self.out.len(), dest_url));
            }
            Tag::List(start) => {
                if !self.lists.is_empty() {
                    self.out.push('\n');
                }
                self.lists.push(start);
            }
            Tag::Item => self.start_item(),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Emphasis => self.tag("</i>"),
            TagEnd::Strong => self.tag("</b>"),
            TagEnd::Heading(_) => self.close("</b>", "\n\n"),
            TagEnd::TableHead => self.close("</b>", "\n"),
            TagEnd::Strikethrough => self.tag("</s>"),
            TagEnd::CodeBlock => self.close_block("</pre>", "\n\n"),
            TagEnd::BlockQuote(_) => self.close_block("</blockquote>", "\n"),
            TagEnd::Link | TagEnd::Image => self.end_link(),
            TagEnd::List(_) => {
                self.lists.pop();
                self.close_block("", if self.lists.is_empty() { "\n\n" } else { "\n" });
            }
            TagEnd::Item => self.close_block("", "\n"),
            TagEnd::Paragraph => self.out.push_str("\n\n"),
            TagEnd::TableCell => self.out.push_str("  "),
            TagEnd::TableRow | TagEnd::Table => self.out.push('\n'),
            _ => {}
        }
    }

    fn start_item(&mut self) {
        self.out.push_str(&"  ".repeat(self.lists.len().saturating_sub(1)));
        match self.lists.last_mut() {
            Some(Some(number)) => {
                self.out.push_str(&format!("{number}. "));
                *number += 1;
            }
            _ => self.out.push_str("• "),
        }
    }

    /// Without tags the address follows the words, unless they are the address.
    fn end_link(&mut self) {
        match self.links.pop() {
            Some((start, address)) if !self.html && self.out[start..] != *address => {
                self.out.push_str(&format!(" ({address})"));
            }
            _ => self.tag("</a>"),
        }
    }

    fn close(&mut self, tag: &str, gap: &str) {
        self.tag(tag);
        self.out.push_str(gap);
    }

    /// The line ends of what is inside go.
    fn close_block(&mut self, tag: &str, gap: &str) {
        self.trim_newlines();
        self.close(tag, gap);
    }

    fn tag(&mut self, tag: &str) {
        if self.html {
            self.out.push_str(tag);
        }
    }

    fn text(&mut self, text: &str) {
        if self.html { push_escaped(&mut self.out, text) } else { self.out.push_str(text) }
    }

    fn trim_newlines(&mut self) {
        self.out.truncate(self.out.trim_end_matches('\n').len());
    }
}

/// `text` so that neither HTML nor an attribute in double quotes takes any of it for markup.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_escaped(&mut out, text);
    out
}

/// A line's end breaks the line, as people who write to a chat expect, and HTML inside is shown, not obeyed.
fn events(markdown: &str) -> impl Iterator<Item = Event<'_>> {
    Parser::new_ext(markdown, Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES).map(|event| match event {
        Event::SoftBreak => Event::HardBreak,
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        event => event,
    })
}

fn push_escaped(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_the_tags_that_telegram_knows() {
        let rows = [
            ("plain", "plain"),
            ("**b** *i* ~~s~~ `c<d`", "<b>b</b> <i>i</i> <s>s</s> <code>c&lt;d</code>"),
            ("# Head\ntext\nmore", "<b>Head</b>\n\ntext\nmore"),
            ("- a\n- b\n  1. x\n  2. y\n\nend", "• a\n• b\n  1. x\n  2. y\n\nend"),
            ("[site](https://a.test/?a=1&b=2)", "<a href=\"https://a.test/?a=1&amp;b=2\">site</a>"),
            ("```sh\nls > x\n```", "<pre>ls &gt; x</pre>"),
            ("> said\n\nthen", "<blockquote>said</blockquote>\nthen"),
            ("<b>not ours</b> & co", "&lt;b&gt;not ours&lt;/b&gt; &amp; co"),
            ("a_b_c 1*2*3 _", "a_b_c 1<i>2</i>3 _"),
            ("", ""),
        ];
        for (markdown, expected) in rows {
            assert_eq!(to_telegram_html(markdown), expected, "{markdown:?}");
        }
    }

    #[test]
    fn markdown_becomes_plain_text_that_loses_no_word_and_no_address() {
        let rows = [
            ("plain", "plain"),
            ("**b** *i* ~~s~~ `c<d` & co", "b i s c<d & co"),
            ("# Head\ntext\nmore", "Head\n\ntext\nmore"),
            ("- a\n- b\n\nend", "• a\n• b\n\nend"),
            ("[site](https://a.test/?a=1&b=2) ![pic](p.png)", "site (https://a.test/?a=1&b=2) pic (p.png)"),
            ("<https://a.test>", "https://a.test"),
            ("```sh\nls > x\n```", "ls > x"),
        ];
        for (markdown, expected) in rows {
            assert_eq!(to_plain(markdown), expected, "{markdown:?}");
        }
    }

    #[test]
    fn markdown_becomes_html_without_the_html_that_was_in_it() {
        assert_eq!(to_html("**b** <i>x</i>\ny"), "<p><strong>b</strong> &lt;i&gt;x&lt;/i&gt;<br />\ny</p>");
    }
}
