//! The table of what can be asked: who may, with what, and how it is answered. Requests are matched by it, and the OpenAPI
//! document is made from it, so that nothing is in the one and not in the other.

use percent_encoding::percent_decode_str;

use super::who::Needs;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Document,
    Status,
    Jobs,
    Job,
    Next,
    NextOfAll,
    Fires,
    Explain,
    Revisions,
    Accounts,
    Account,
    Pushes,
    Push,
    Figures,
    DuePushes,
    UnknownPushes,
    FailuresToday,
    Acts,
    Me,
    MakeJob,
    ChangeJob,
    RemoveJob,
    Fire,
    Pause,
    Resume,
    Retry,
    Cancel,
    Resolve,
    Probe,
    Preview,
    /// Of this kind; None: whatever is said.
    MakePush(Option<&'static str>),
}

impl Op {
    /// Whether its body is a push or a job, in the keys of the files.
    pub(super) fn says_more(self) -> bool {
        matches!(self, Op::MakePush(_) | Op::MakeJob | Op::ChangeJob)
    }
}

/// One thing that can be asked for.
pub(super) struct Operation {
    pub method: &'static str,
    pub path: &'static str,
    pub op: Op,
    pub needs: Needs,
    pub about: &'static str,
    pub query: &'static [Param],
    /// Keys of the JSON body that may be there.
    pub body: &'static [Param],
}

/// A parameter, what it may be, and what it means.
#[derive(Clone, Copy)]
pub(super) struct Param {
    pub name: &'static str,
    pub takes: Takes,
    pub about: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Text,
    /// An instant in RFC 3339.
    Instant,
    Whole {
        from: u32,
        to: u32,
    },
    State,
    /// `sent` or `failed`.
    Outcome,
    /// A text as long as a file: how long it may be is judged by whoever takes it.
    Yaml,
}

pub(super) const fn param(name: &'static str, takes: Takes, about: &'static str) -> Param {
    Param { name, takes, about }
}

const LIMIT: Param = param("limit", Takes::Whole { from: 1, to: 500 }, "How many at most; 50 when absent.");
const MOST_FIRES: Param = param(
    "limit",
    Takes::Whole { from: 1, to: 500 },
    "How many; a few more where several stand at one instant; 500 when absent.",
);
const BEFORE: Param = param("before", Takes::Text, "The page that follows the one whose `next` this is.");
const SINCE: Param = param("since", Takes::Instant, "Due at this instant or later.");
const UNTIL: Param = param("until", Takes::Instant, "Due at this instant or earlier.");
const FROM: Param = param("from", Takes::Instant, "From this instant on; a day ago when absent.");
const TO: Param = param("until", Takes::Instant, "Up to this instant; now when absent.");
const SEEN: Param =
    param("seen", Takes::State, "The state that was seen; where it is another now, nothing is done (409).");
const OF_PUSHES: &[Param] = &[
    param("job", Takes::Text, "Of this job."),
    param("im", Takes::Text, "Through this im."),
    param("account", Takes::Text, "Through this account."),
    param("state", Takes::State, "In this state."),
    param(
        "target",
        Takes::Text,
        "To this target: `group:1` or `user:1`. Of the last three days, unless `since` says more.",
    ),
    SINCE,
    UNTIL,
    LIMIT,
    BEFORE,
];
const PLAIN: &[Param] = &[LIMIT, BEFORE];
const DONE_SINCE: Param = param("since", Takes::Instant, "Done at this instant or later.");
const DONE_UNTIL: Param = param("until", Takes::Instant, "Done at this instant or earlier.");

const fn read(path: &'static str, op: Op, query: &'static [Param], about: &'static str) -> Operation {
    Operation { method: "GET", path, op, needs: Needs::Read, about, query, body: &[] }
}

const fn act(path: &'static str, op: Op, body: &'static [Param], about: &'static str) -> Operation {
    Operation { method: "POST", path, op, needs: Needs::Act, about, query: &[], body }
}

const fn push(path: &'static str, kind: Option<&'static str>, about: &'static str) -> Operation {
    Operation { method: "POST", path, op: Op::MakePush(kind), needs: Needs::Push, about, query: &[], body: &[] }
}

pub(super) const OPERATIONS: &[Operation] = &[
    Operation { needs: Needs::OwnPush, ..read("/api/openapi.json", Op::Document, &[], "This document.") },
    Operation { needs: Needs::OwnPush, ..read("/api/v1/me", Op::Me, &[], "Who asks, and what they may.") },
    read("/api/v1/status", Op::Status, &[], "Whether the daemon is well, and what waits for a person."),
    read("/api/v1/jobs", Op::Jobs, &[LIMIT, BEFORE], "The jobs by name, in the columns of the view job_overview."),
    read("/api/v1/jobs/{job}", Op::Job, &[], "One job, with its definition."),
    read(
        "/api/v1/jobs/{job}/next",
        Op::Next,
        &[param("n", Takes::Whole { from: 1, to: 500 }, "How many; 10 when absent.")],
        "The next fires of a job.",
    ),
    read(
        "/api/v1/next",
        Op::NextOfAll,
        &[param("n", Takes::Whole { from: 1, to: 500 }, "How many; 50 when absent.")],
        "The next fires of all jobs, soonest first.",
    ),
    read(
        "/api/v1/jobs/{job}/fires",
        Op::Fires,
        &[FROM, TO, MOST_FIRES, BEFORE],
        "What was decided about the instants of a job, newest first; a page that follows has the same `from` and `until`.",
    ),
    read(
        "/api/v1/jobs/{job}/explain",
        Op::Explain,
        &[param("at", Takes::Text, "A time as `pushcron explain` takes it; it must be there.")],
        "Why a job fired at a time, or did not: in words, with the rows behind them.",
    ),
    read("/api/v1/jobs/{job}/revisions", Op::Revisions, &[], "Every definition that a job has had."),
    read("/api/v1/accounts", Op::Accounts, &[], "The accounts, in the columns of the view account_overview."),
    read("/api/v1/accounts/{account}", Op::Account, &[], "One account."),
    read("/api/v1/pushes", Op::Pushes, OF_PUSHES, "Pushes, in the columns of the view push_history."),
    Operation {
        needs: Needs::OwnPush,
        ..read("/api/v1/pushes/{id}", Op::Push, &[], "One push with its message, its parts and its attempts.")
    },
    read(
        "/api/v1/figures",
        Op::Figures,
        &[param("days", Takes::Whole { from: 1, to: 31 }, "How many days back; 7 when absent.")],
        "What was due in each hour, by im and account, with what became of it and how late it began; and what did not fire, by day.",
    ),
    read("/api/v1/due-pushes", Op::DuePushes, PLAIN, "The view due_pushes."),
    read("/api/v1/unknown-pushes", Op::UnknownPushes, PLAIN, "The view unknown_pushes."),
    read("/api/v1/failures-today", Op::FailuresToday, PLAIN, "The view failures_today."),
    read(
        "/api/v1/acts",
        Op::Acts,
        &[
            param("job", Takes::Text, "Done to this job."),
            param("push", Takes::Whole { from: 1, to: u32::MAX }, "Done to this push, or that made it."),
            DONE_SINCE,
            DONE_UNTIL,
            LIMIT,
            BEFORE,
        ],
        "Who did what, newest first.",
    ),
    Operation {
        method: "POST",
        body: &[param("text", Takes::Yaml, "YAML as in the files, of at most 256 KiB; it must be there.")],
        ..read(
            "/api/v1/preview",
            Op::Preview,
            &[],
            "What a text of the files would come to: problems with their places, next fires, who would carry each push now. \
             Nothing is written, and nothing beside the text is read.",
        )
    },
    act("/api/v1/jobs", Op::MakeJob, &[], "Makes a job that survives restarts and reloads, as `pushcron add` does."),
    Operation {
        method: "PATCH",
        ..act(
            "/api/v1/jobs/{job}",
            Op::ChangeJob,
            &[],
            "Changes the keys of a job that was made at run time; null takes one away, and what is not named stays.",
        )
    },
    Operation {
        method: "DELETE",
        ..act(
            "/api/v1/jobs/{job}",
            Op::RemoveJob,
            &[],
            "Ends a job that was made at run time; what waits of it is cancelled, and its history stays.",
        )
    },
    act("/api/v1/jobs/{job}/fire", Op::Fire, &[], "Fires a job now."),
    act("/api/v1/jobs/{job}/pause", Op::Pause, &[], "Lets a job skip its fires until it is resumed."),
    act("/api/v1/jobs/{job}/resume", Op::Resume, &[], "Ends a job's pause."),
    act("/api/v1/pushes/{id}/retry", Op::Retry, &[SEEN], "Tries a finished push again."),
    act("/api/v1/pushes/{id}/cancel", Op::Cancel, &[SEEN], "Ends an open push."),
    act(
        "/api/v1/pushes/{id}/resolve",
        Op::Resolve,
        &[param("outcome", Takes::Outcome, "What became of it; it must be there."), SEEN],
        "Says what became of an unknown push.",
    ),
    act("/api/v1/accounts/probe", Op::Probe, &[], "Has every account asked how it is."),
    push("/api/push", None, "Pushes a text, or whatever the body says."),
    push("/api/pushImage", Some("image"), "Pushes an image."),
    push("/api/pushVoice", Some("voice"), "Pushes a voice message."),
    push("/api/pushVideo", Some("video"), "Pushes a video."),
    push("/api/pushFile", Some("file"), "Pushes a file."),
    push("/api/pushMixed", Some("mixed"), "Pushes texts and media in one message."),
];

/// A row of a table of what can be asked for.
pub(super) trait Route {
    /// The method and the path, with names in braces.
    fn takes(&self) -> (&'static str, &'static str);
}

impl Route for Operation {
    fn takes(&self) -> (&'static str, &'static str) {
        (self.method, self.path)
    }
}

/// What a request is about.
pub(super) enum Found<R: 'static> {
    One(&'static R, Vec<String>),
    /// The path takes other methods.
    Other(String),
    Nothing,
}

pub(super) fn find<R: Route>(routes: &'static [R], method: &str, path: &str) -> Found<R> {
    let mut methods: Vec<&str> = Vec::new();
    for route in routes {
        let (takes, template) = route.takes();
        let Some(names) = matched(template, path) else { continue };
        if takes == method {
            return Found::One(route, names);
        }
        methods.push(takes);
    }
    if methods.is_empty() { Found::Nothing } else { Found::Other(methods.join(", ")) }
}

/// What stands in the places of a template.
fn matched(template: &str, path: &str) -> Option<Vec<String>> {
    let (mut wanted, mut found) = (template.split('/'), path.split('/'));
    let mut names = Vec::new();
    loop {
        match (wanted.next(), found.next()) {
            (None, None) => return Some(names),
            (Some(place), Some(name)) if place.starts_with('{') => {
                let name = percent_decode_str(name).decode_utf8().ok()?;
                if name.is_empty() {
                    return None;
                }
                names.push(name.into_owned());
            }
            (Some(place), Some(name)) if place == name => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_finds_its_operation_and_the_names_in_it() {
        let found = |method, path| match find(OPERATIONS, method, path) {
            Found::One(operation, names) => format!("{:?} {names:?}", operation.op),
            Found::Other(methods) => methods,
            Found::Nothing => "nothing".to_owned(),
        };
        assert_eq!(found("GET", "/api/v1/jobs/%E6%97%A5%2F%20x"), r#"Job ["日/ x"]"#);
        assert_eq!(found("POST", "/api/v1/accounts/probe"), "Probe []");
        assert_eq!(found("GET", "/api/v1/accounts/probe"), r#"Account ["probe"]"#);
        assert_eq!(found("PUT", "/api/v1/jobs/a"), "GET, PATCH, DELETE");
        assert_eq!(found("GET", "/api/push"), "POST");
        for path in ["/", "/api", "/api/v1/jobs/", "/api/v1/jobs/%FF", "/api/v1/jobs/a/b", "//api/push"] {
            assert_eq!(found("GET", path), "nothing", "{path}");
        }
    }
}
