//! The daemon's own settings.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::domain::{PushSpec, Secret, Target};
use crate::policy::account::Fallback;
use crate::texts::Language;

/// What stands under `daemon:`, with the built-in value of every absent key filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct DaemonSettings {
    /// Absolute: relative paths count from `$STATE_DIRECTORY`, else from the working directory.
    pub database: PathBuf,
    /// The IANA name of the zone of jobs that name none.
    pub timezone: String,
    /// In which language reports on failures are written, and what verbs say where the locale does not tell.
    pub language: Option<Language>,
    /// Finished pushes older than this are deleted.
    pub keep_history: Duration,
    /// The oldest finished pushes beyond this many are deleted.
    pub max_history_rows: Option<u64>,
    /// Bytes; the oldest finished pushes are deleted while the database is larger.
    pub max_database_size: Option<u64>,
    /// Which accounts may stand in where a push names none.
    pub accounts_fallback: Fallback,
    /// Absolute directories; local media outside of them is refused.
    pub media_roots: Vec<PathBuf>,
    /// Whether media may be fetched from loopback, private and link-local addresses.
    pub media_allow_private: bool,
    /// The largest media in bytes.
    pub media_max_bytes: u64,
    /// How many contents are made at once (`content_from`).
    pub content_at_once: usize,
    /// How often the health of accounts that jobs use is asked for.
    pub probe_every: Duration,
    /// Where a Prometheus text file for the textfile collector is written.
    pub metrics_file: Option<PathBuf>,
    /// Where `/metrics` is served, and to whom.
    pub metrics_listen: Option<MetricsListen>,
    pub heartbeat: Option<Heartbeat>,
    pub on_failure: Option<OnFailure>,
    /// When the files are read again.
    pub reload: ReloadOn,
    /// The variables of the environment that templates may use, with their values.
    pub template_env: BTreeMap<String, String>,
    /// The page and the HTTP API; None: nothing listens.
    pub web: Option<WebSettings>,
}

/// Where the page and the HTTP API listen, and whom they answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSettings {
    pub listen: WebListen,
    /// Of the socket's file.
    pub socket_mode: u32,
    /// As a proxy shows it to the world: `https://host[:port][/prefix]`, without a slash at its end.
    pub public_url: Option<String>,
    /// Proxies whose `X-Forwarded-For` tells who asks.
    pub trusted_proxies: Vec<IpAddr>,
    /// Whom the kernel names at the socket and who needs no token, by name or number; None: root and the daemon's own user.
    pub socket_users: Option<Vec<String>>,
    /// Who may sign in at the page.
    pub users: Vec<WebUser>,
    pub tokens: Vec<WebToken>,
    /// The longest body in bytes.
    pub max_body: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebListen {
    Tcp(SocketAddr),
    /// The file of a unix socket.
    Unix(PathBuf),
}

/// Who may sign in with a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebUser {
    pub name: String,
    /// Its hash, as `pushcron web password` tells it.
    pub password: String,
    /// To read, or to act.
    pub scope: WebScope,
}

/// Who has a token of this SHA-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebToken {
    pub name: String,
    /// In small hex digits.
    pub sha256: String,
    pub scope: WebScope,
    /// Pushes go to these alone, each with its im; None: to any.
    pub to: Option<Vec<(String, Target)>>,
    /// Pushes in a minute.
    pub per_minute: u32,
}

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebScope {
    Read,
    /// And all that verbs do to jobs, pushes and accounts that are there.
    Act,
    /// Pushes outside any job, and reading these back.
    Push,
}

/// What has the files read again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReloadOn {
    /// SIGHUP.
    #[default]
    Signal,
    /// That too, and any change of them.
    Watch,
}

/// Where `/metrics` is served, and to whom. Only an address of this machine itself has neither networks nor a token.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsListen {
    pub address: SocketAddr,
    /// Whose readers are heard beside this machine. Empty: of all networks where there is a token, else of none.
    pub allow: Vec<IpNet>,
    /// What every reader has to bring.
    pub token: Option<Secret>,
}

impl MetricsListen {
    /// Whether a reader from this address is heard at all.
    pub fn hears(&self, peer: IpAddr) -> bool {
        let is_allowed = || self.allow.iter().any(|network| network.contains(&peer));
        peer.is_loopback() || is_allowed() || (self.allow.is_empty() && self.token.is_some())
    }
}

/// A dead-man URL that is called while all is well.
#[derive(Clone, Debug, PartialEq)]
pub struct Heartbeat {
    /// Such addresses are secrets in themselves.
    pub url: Secret,
    pub every: Duration,
}

/// Who is told when a push ends badly or an account goes down. At least one of `push` and `command` is set.
#[derive(Clone, Debug, PartialEq)]
pub struct OnFailure {
    /// Where the report goes. Its content is a text, perhaps empty, that the report follows.
    pub push: Option<PushSpec>,
    /// A program and its arguments; the report comes on its standard input.
    pub command: Option<Vec<String>>,
    /// The command may run as root, where the daemon does.
    pub as_root: bool,
    /// At most one report in this time; what happens meanwhile is grouped into the next one.
    pub every: Duration,
}
