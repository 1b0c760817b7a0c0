//! The table of pages and forms: who may see or send them, and what they take.

use crate::web::routes::{Param, Route, Takes, param};
use crate::web::who::Needs;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::web) enum Leaf {
    Asset,
    SignIn,
    TrySignIn,
    SignOut,
    Now,
    Jobs,
    Job,
    AskFire,
    Fire,
    Pause,
    Resume,
    Pushes,
    Push,
    AskRetry,
    Retry,
    AskCancel,
    Cancel,
    Resolve,
    Accounts,
    Figures,
    Probe,
    Try,
    Tried,
    Acts,
    Live,
}

/// One page, or one form that is sent.
pub(in crate::web) struct Sheet {
    pub method: &'static str,
    pub path: &'static str,
    pub leaf: Leaf,
    /// None: for everybody.
    pub needs: Option<Needs>,
    /// Of the query, or of the form where it is one.
    pub takes: &'static [Param],
}

const fn page(path: &'static str, leaf: Leaf, takes: &'static [Param]) -> Sheet {
    Sheet { method: "GET", path, leaf, needs: Some(Needs::Read), takes }
}

const fn form(path: &'static str, leaf: Leaf, takes: &'static [Param]) -> Sheet {
    Sheet { method: "POST", path, leaf, needs: Some(Needs::Act), takes }
}

const fn ask(path: &'static str, leaf: Leaf) -> Sheet {
    Sheet { method: "GET", path, leaf, needs: Some(Needs::Act), takes: &[BACK] }
}

const BACK: Param = param("back", Takes::Text, "The page to go back to.");
const NEXT: Param = param("next", Takes::Text, "The page to go on with.");
const SEEN: Param = param("seen", Takes::State, "The state that was seen.");
const ONCE: Param = param("once", Takes::Text, "The number of this sheet, which is used once.");
const DONE: Param = param("done", Takes::Text, "What was done just now.");
const BEFORE: Param = param("before", Takes::Text, "Where the page begins.");

const OF_PUSHES: &[Param] = &[
    param("job", Takes::Text, ""),
    param("im", Takes::Text, ""),
    param("account", Takes::Text, ""),
    param("state", Takes::State, ""),
    param("target", Takes::Text, ""),
    param("since", Takes::Text, ""),
    param("until", Takes::Text, ""),
    BEFORE,
];

pub(in crate::web) const SHEETS: &[Sheet] = &[
    Sheet { needs: None, ..page("/a/{name}", Leaf::Asset, &[]) },
    Sheet {
        needs: None,
        ..page("/in", Leaf::SignIn, &[NEXT, param("code", Takes::Text, "The one of `pushcron web open`.")])
    },
    Sheet {
        needs: None,
        ..form("/in", Leaf::TrySignIn, &[param("name", Takes::Text, ""), param("password", Takes::Text, ""), NEXT])
    },
    Sheet { needs: None, ..form("/out", Leaf::SignOut, &[]) },
    page("/", Leaf::Now, &[DONE]),
    page("/jobs", Leaf::Jobs, &[BEFORE]),
    page("/jobs/{job}", Leaf::Job, &[DONE, param("at", Takes::Text, "The time that is asked about.")]),
    ask("/jobs/{job}/fire", Leaf::AskFire),
    form("/jobs/{job}/fire", Leaf::Fire, &[ONCE]),
    form("/jobs/{job}/pause", Leaf::Pause, &[]),
    form("/jobs/{job}/resume", Leaf::Resume, &[]),
    page("/pushes", Leaf::Pushes, OF_PUSHES),
    page("/pushes/{id}", Leaf::Push, &[DONE]),
    ask("/pushes/{id}/retry", Leaf::AskRetry),
    form("/pushes/{id}/retry", Leaf::Retry, &[SEEN, BACK]),
    ask("/pushes/{id}/cancel", Leaf::AskCancel),
    form("/pushes/{id}/cancel", Leaf::Cancel, &[SEEN, BACK]),
    form("/pushes/{id}/resolve", Leaf::Resolve, &[param("outcome", Takes::Outcome, ""), SEEN, BACK]),
    page("/accounts", Leaf::Accounts, &[DONE]),
    page("/figures", Leaf::Figures, &[]),
    form("/accounts/probe", Leaf::Probe, &[]),
    page("/try", Leaf::Try, &[]),
    // It writes nothing.
    Sheet { needs: Some(Needs::Read), ..form("/try", Leaf::Tried, &[param("text", Takes::Yaml, "What is tried.")]) },
    page("/live", Leaf::Live, &[]),
    page(
        "/acts",
        Leaf::Acts,
        &[param("job", Takes::Text, ""), param("push", Takes::Whole { from: 1, to: u32::MAX }, ""), BEFORE],
    ),
];

impl Route for Sheet {
    fn takes(&self) -> (&'static str, &'static str) {
        (self.method, self.path)
    }
}
