//! Markdown as the HTML that chat platforms take.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// Full HTML, as Matrix clients show it.
pub fn to_html(markdown: &str) -> String {
    let mut rendered = String::new();
    html::push_html(&mut rendered, events(markdown));
    rendered.trim_end().to_owned()
}

/// The few inline tags that Telegram knows; everything else becomes plain text in a layout that reads alike.
pub fn to_telegram_html(markdown: &str) -> String {
    lay_out(markdown, true)
}

/// Plain text in a layout that reads alike, with the addresses of links after their words.
pub fn to_plain(markdown: &str) -> String {
    lay_out(markdown, false)
}

fn lay_out(markdown: &str, html: bool) -> String {
    let mut out = String::new();
    let tag = |out: &mut String, tag: &str| out.push_str(if html { tag } else { "" });
    let text = |out: &mut String, text: &str| if html { push_escaped(out, text) } else { out.push_str(text) };
    // Where the words of each open link begin, and its address.
    let mut links: Vec<(usize, CowStr)> = Vec::new();
    // The next number of each ordered list that is open; None for a list of bullets.
    let mut lists: Vec<Option<u64>> = Vec::new();
    for event in events(markdown) {
        match event {
            Event::Start(Tag::Emphasis) => tag(&mut out, "<i>"),
            Event::End(TagEnd::Emphasis) => tag(&mut out, "</i>"),
            Event::Start(Tag::Strong | Tag::Heading { .. } | Tag::TableHead) => tag(&mut out, "<b>"),
            Event::End(TagEnd::Strong) => tag(&mut out, "</b>"),
            Event::End(TagEnd::Heading(_)) => {
                tag(&mut out, "</b>");
                out.push_str("\n\n")
            }
            Event::End(TagEnd::TableHead) => {
                tag(&mut out, "</b>");
                out.push('\n');
            }
            Event::Start(Tag::Strikethrough) => tag(&mut out, "<s>"),
            Event::End(TagEnd::Strikethrough) => tag(&mut out, "</s>"),
            Event::Start(Tag::CodeBlock(_)) => tag(&mut out, "<pre>"),
            Event::End(TagEnd::CodeBlock) => {
                trim_newlines(&mut out);
                tag(&mut out, "</pre>");
                out.push_str("\n\n");
            }
            Event::Start(Tag::BlockQuote(_)) => tag(&mut out, "<blockquote>"),
            Event::End(TagEnd::BlockQuote(_)) => {
                trim_newlines(&mut out);
                tag(&mut out, "</blockquote>");
                out.push('\n');
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                if html {
                    out.push_str("<a href=\"");
                    push_escaped(&mut out, &dest_url);
                    out.push_str("\">");
                }
                links.push((out.len(), dest_url));
            }
            Event::End(TagEnd::Link | TagEnd::Image) => match links.pop() {
                Some((start, address)) if !html && out[start..] != *address => out.push_str(&format!(" ({address})")),
                _ => tag(&mut out, "</a>"),
            },
            Event::Start(Tag::List(start)) => {
                if !lists.is_empty() {
                    out.push('\n');
                }
                lists.push(start);
            }
            Event::End(TagEnd::List(_)) => {
                lists.pop();
                trim_newlines(&mut out);
                out.push_str(if lists.is_empty() { "\n\n" } else { "\n" });
            }
            Event::Start(Tag::Item) => {
                out.push_str(&"  ".repeat(lists.len().saturating_sub(1)));
                match lists.last_mut() {
                    Some(Some(number)) => {
                        out.push_str(&format!("{number}. "));
                        *number += 1;
                    }
                    _ => out.push_str("• "),
                }
            }
            Event::End(TagEnd::Item) => {
                trim_newlines(&mut out);
                out.push('\n');
            }
            Event::End(TagEnd::Paragraph) => out.push_str("\n\n"),
            Event::End(TagEnd::TableCell) => out.push_str("  "),
            Event::End(TagEnd::TableRow | TagEnd::Table) => out.push('\n'),
            Event::Text(words) => text(&mut out, &words),
            Event::Code(code) => {
                tag(&mut out, "<code>");
                text(&mut out, &code);
                tag(&mut out, "</code>");
            }
            Event::HardBreak => out.push('\n'),
            Event::Rule => out.push_str("———\n\n"),
            _ => {}
        }
    }
    trim_newlines(&mut out);
    out
}

/// `text` so that neither HTML nor an attribute in double quotes takes any of it for markup.
pub fn escape(text: &str) -> String {
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

fn trim_newlines(out: &mut String) {
    out.truncate(out.trim_end_matches('\n').len());
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
