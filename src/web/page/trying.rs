//! Try: what a text would come to that somebody pastes.

use std::fmt;

use askama::Template;
use askama::filters::HtmlSafe;

use super::answer::{Answer, html};
use super::frame::Frame;
use super::stamp::Stamp;
use super::tell::Mark;
use crate::answers::preview::{FirePreview, JobPreview, Preview, PushPreview, Whose};
use crate::config;
use crate::domain::is_harmful;
use crate::net::http1::StatusCode;
use crate::texts::{self, Text};
use crate::web::guard::PREVIEWS;
use crate::web::pages::Given;
use crate::web::problem::Problem;
use crate::web::state::Api;
use crate::web::who::Who;

/// Problems that are told one by one.
const PROBLEMS: usize = 100;

/// A text that comes back as it was: what turns the reading direction or moves a cursor is named by its number, since pages
/// are escaped as a whole, and the text would be another one the next time.
struct Verbatim(String);

impl HtmlSafe for Verbatim {}

impl fmt::Display for Verbatim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\n' => f.write_str("\n"),
            c if is_harmful(c) || "<>&\"'".contains(c) => write!(f, "&#{};", u32::from(c)),
            c => write!(f, "{c}"),
        })
    }
}

struct FireLine {
    at: Stamp,
    note: Option<String>,
}

struct PushLine {
    im: String,
    target: String,
    kind: &'static str,
    mark: Mark,
    /// By which rule, or why not.
    why: String,
    /// Until when nobody carries it.
    until: Option<Stamp>,
    /// What each account has against it.
    refused: Vec<String>,
}

struct JobTold {
    name: String,
    schedule: String,
    timezone: String,
    is_enabled: bool,
    next: Vec<FireLine>,
    pushes: Vec<PushLine>,
    more: Option<String>,
}

/// What the text would come to.
struct Told {
    mark: Mark,
    errors: Vec<String>,
    warnings: Vec<String>,
    more: Option<String>,
    whose: String,
    jobs: Vec<JobTold>,
    /// What was not looked at.
    cut: Option<String>,
    more_jobs: Option<String>,
}

#[derive(Template)]
#[template(path = "try.html", config = "src/web/askama.toml")]
struct TryPage {
    f: Frame,
    text: Verbatim,
    /// Why the text was not tried.
    problem: Option<String>,
    told: Option<Told>,
}

impl Api {
    /// The sheet, with what became of the text that was sent with it.
    pub(super) async fn try_page(&self, frame: Frame, given: &Given, who: &Who) -> Answer {
        let f = frame.of_part("try", texts::nav_try());
        // Browsers send lines with two characters at their ends.
        let text = given.text("text").unwrap_or_default().replace("\r\n", "\n");
        let page = |f, text, problem, told| TryPage { f, text: Verbatim(text), problem, told };
        if text.is_empty() {
            return html(StatusCode::OK, &page(f, text, None, None));
        }
        if let Err(problem) = self.keep_to("preview", who, PREVIEWS) {
            let words = f.say(texts::try_six_a_minute());
            return refused(problem, &page(f, text, Some(words), None));
        }
        match self.preview(text.clone()).await {
            Ok(preview) => {
                let told = told(&preview, &f);
                html(StatusCode::OK, &page(f, text, None, Some(told)))
            }
            // With the text that somebody may have written here.
            Err(problem) if problem.status().is_client_error() => {
                let words = f.say(refusal(&problem));
                refused(problem, &page(f, text, Some(words), None))
            }
            Err(problem) => Err(problem),
        }
    }
}

/// The sheet in the place of the page that tells what is wrong.
fn refused(problem: Problem, page: &TryPage) -> Answer {
    let mut response = html(problem.status(), page)?;
    problem.dress(response.headers_mut());
    Ok(response)
}

fn refusal(problem: &Problem) -> Text {
    match problem.status() {
        StatusCode::PAYLOAD_TOO_LARGE => texts::try_too_long(),
        StatusCode::TOO_MANY_REQUESTS => texts::try_one_at_a_time(),
        _ => texts::try_takes_too_long(),
    }
}

fn told(preview: &Preview, f: &Frame) -> Told {
    let words = |problems: &[config::Problem]| {
        problems.iter().take(PROBLEMS).map(|problem| problem.told(f.look.language)).collect::<Vec<_>>()
    };
    let (errors, warnings) = (preview.errors.len(), preview.warnings.len());
    let mark = match (preview.ok, preview.more) {
        (true, _) => Mark::new("good", "✓", f.say(texts::try_is_fine())),
        (false, false) if errors == 0 => Mark::new("odd", "?", f.say(texts::try_is_fine())),
        (false, false) => Mark::new("bad", "✗", f.say(texts::problems(errors))),
        (false, true) => Mark::new("bad", "✗", f.say(texts::problems_and_more(errors))),
    };
    let more = errors.saturating_sub(PROBLEMS) + warnings.saturating_sub(PROBLEMS);
    Told {
        mark,
        errors: words(&preview.errors),
        warnings: words(&preview.warnings),
        more: (more > 0).then(|| f.say(texts::and_more(more))),
        whose: f.say(match preview.accounts {
            Whose::Text => texts::try_accounts_of_text(),
            Whose::Running => texts::try_accounts_in_force(),
        }),
        jobs: preview.jobs.iter().map(|job| job_told(job, f)).collect(),
        cut: preview.cut.clone().map(|cut| f.say(cut)),
        more_jobs: (preview.more_jobs > 0).then(|| f.say(texts::and_more(preview.more_jobs))),
    }
}

fn job_told(job: &JobPreview, f: &Frame) -> JobTold {
    let fire = |fire: &FirePreview| FireLine {
        at: f.at(fire.due_at, Some(&job.timezone)),
        note: fire.note.clone().map(|note| f.say(note)),
    };
    JobTold {
        name: job.job.clone(),
        schedule: job.schedule.clone(),
        timezone: job.timezone.clone(),
        is_enabled: job.enabled,
        next: job.next.iter().map(fire).collect(),
        pushes: job.pushes.iter().map(|push| push_line(push, &job.timezone, f)).collect(),
        more: (job.more_pushes > 0).then(|| f.say(texts::and_more(job.more_pushes))),
    }
}

fn push_line(push: &PushPreview, timezone: &str, f: &Frame) -> PushLine {
    let (mark, why) = match (&push.account, push.by) {
        (Some(account), Some(rule)) => {
            let rule = texts::rule(rule);
            let why = if push.unprobed { texts::try_unprobed(rule) } else { rule };
            let (class, sign) = if push.unprobed { ("odd", "?") } else { ("good", "✓") };
            (Mark::new(class, sign, account.clone()), why)
        }
        _ => {
            let why = texts::reason_in_words(push.reason.unwrap_or_default());
            (Mark::new("bad", "✗", f.say(texts::try_nobody())), why)
        }
    };
    let refused = push.refused.iter();
    PushLine {
        im: push.im.clone(),
        target: push.target.clone(),
        kind: push.kind,
        mark,
        why: f.say(why),
        until: push.until.map(|until| f.at(until, Some(timezone))),
        refused: refused.map(|by| f.say(texts::try_refused(&by.account, texts::reason_in_words(by.reason)))).collect(),
    }
}
