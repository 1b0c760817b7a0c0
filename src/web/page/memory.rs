//! What the pages keep in memory.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::session::Sessions;
use super::streams::Live;
use crate::domain::UtcMs;
use crate::web::problem::Problem;

/// The key under which the daemon's own state keeps the link that `pushcron web open` made last.
pub(crate) const OPEN_LINK: &str = "web_open";

/// A link that lets somebody in once. Only who may write the database can make one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenLink {
    /// The SHA-256 of its code.
    pub sha256: String,
    pub until: UtcMs,
    /// Who made it.
    pub uid: u32,
}

/// Sheets that were sent lately; who holds one back for so long sends it again.
const SPENT: usize = 512;

pub(in crate::web) struct PageMemory {
    pub sessions: Sessions,
    pub live: Live,
    /// One password is worked on at a time, which takes memory and a processor.
    pub turn: Semaphore,
    /// One text is tried at a time.
    pub trying: Arc<Semaphore>,
    /// A link is looked up and crossed out by one at a time.
    pub link: tokio::sync::Mutex<()>,
    spent: Mutex<VecDeque<String>>,
}

impl Default for PageMemory {
    fn default() -> PageMemory {
        PageMemory {
            sessions: Sessions::default(),
            live: Live::default(),
            turn: Semaphore::new(1),
            trying: Arc::new(Semaphore::new(1)),
            link: tokio::sync::Mutex::default(),
            spent: Mutex::default(),
        }
    }
}

impl PageMemory {
    /// Takes the number of a sheet; false where it was taken before, by a double click.
    pub(in crate::web) fn takes(&self, number: &str) -> bool {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.iter().any(|known| known == number) {
            return false;
        }
        if spent.len() >= SPENT {
            spent.pop_front();
        }
        spent.push_back(number.to_owned());
        true
    }
}

/// So many bytes that nobody can guess, as a text for addresses and cookies.
///
/// # Errors
///
/// Where the system gives none.
pub(crate) fn random<const BYTES: usize>() -> io::Result<String> {
    let mut bytes = [0; BYTES];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// As [`random`], for whoever answers a request.
pub(super) fn unguessable<const BYTES: usize>() -> Result<String, Problem> {
    random::<BYTES>().map_err(|error| Problem::broken(format!("no random numbers: {error}")))
}
