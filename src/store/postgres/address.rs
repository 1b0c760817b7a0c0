//! The address of a PostgreSQL database, read by us: sqlx would leave out what it does not know, with a warning that prints
//! the value, and its options show the password.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::domain::Secret;

const DEFAULT_PORT: u16 = 5432;

/// The parameters that an address may have.
const KNOWN: [&str; 3] = ["host", "sslmode", "sslrootcert"];

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    Host(String),
    /// The directory of its socket.
    Socket(PathBuf),
}

/// How far the connection to a server is kept from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// In the clear.
    Disable,
    /// Encrypted; the server may be anybody.
    Require,
    /// The server has a certificate of an authority that is trusted.
    VerifyCa,
    /// And it bears the name that the address has.
    VerifyFull,
}

impl Tls {
    const ALL: [Tls; 4] = [Tls::Disable, Tls::Require, Tls::VerifyCa, Tls::VerifyFull];

    pub fn as_str(self) -> &'static str {
        match self {
            Tls::Disable => "disable",
            Tls::Require => "require",
            Tls::VerifyCa => "verify-ca",
            Tls::VerifyFull => "verify-full",
        }
    }
}

/// Where a database is, and as whom to go there. Shown and debugged without its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub server: Server,
    pub port: u16,
    pub user: String,
    pub password: Secret,
    pub database: String,
    pub tls: Tls,
    /// Authorities to trust in the place of the system's.
    pub root_certificate: Option<PathBuf>,
}

/// Why a text is no address of a database. It never repeats the text, which may have a password in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("the address of the database is not of the form postgres://USER@HOST/DATABASE ({0})")]
    Form(String),
    #[error("the address of the database names no {0}: it must look like postgres://USER@HOST/DATABASE")]
    Missing(&'static str),
    #[error(
        "the address of the database has the parameter '{0}', which is not known here and would change nothing; known are \
         host, sslmode and sslrootcert"
    )]
    UnknownParameter(String),
    #[error("the address of the database has the parameter '{0}' twice; say it once")]
    Twice(&'static str),
    #[error("the address of the database names several hosts; name one, that of the primary or of what leads to it")]
    SeveralHosts,
    #[error("'host' in the address of the database must be the directory of a socket, such as /run/postgresql")]
    NoSocket,
    #[error("the address of the database has a host and a socket; say one of them")]
    HostAndSocket,
    #[error(
        "sslmode in the address of the database must be disable, require, verify-ca or verify-full: with any other the \
         connection may be in the clear without a word"
    )]
    Sslmode,
    #[error("sslrootcert in the address of the database says whom to trust, and sslmode={0} looks at nobody")]
    RootUnused(&'static str),
}

impl Address {
    /// Reads an address. Off this machine the server must prove its name unless `sslmode` says otherwise.
    ///
    /// # Errors
    ///
    /// Where it is none, leaves something open, or says what would not be done.
    pub fn parse(text: &str) -> Result<Address, AddressError> {
        if text.contains('#') {
            return Err(AddressError::Form("a # in a password is written %23".to_owned()));
        }
        let url = Url::parse(&with_a_host(text)).map_err(|problem| AddressError::Form(problem.to_string()))?;
        if !["postgres", "postgresql"].contains(&url.scheme()) {
            return Err(AddressError::Form(format!("it begins with {}:", url.scheme())));
        }
        let Parameters { socket, tls, root_certificate } = Parameters::of(&url)?;
        let server = server(&url, socket)?;
        let user =
            Some(decoded(url.username())?).filter(|user| !user.is_empty()).ok_or(AddressError::Missing("user"))?;
        let database = decoded(url.path().trim_start_matches('/'))?;
        if database.is_empty() {
            return Err(AddressError::Missing("database"));
        }
        let tls = tls.unwrap_or(if is_near(&server) { Tls::Disable } else { Tls::VerifyFull });
        if root_certificate.is_some() && matches!(tls, Tls::Disable | Tls::Require) {
            return Err(AddressError::RootUnused(tls.as_str()));
        }
        let password = Secret::new(decoded(url.password().unwrap_or_default())?);
        let port = url.port().unwrap_or(DEFAULT_PORT);
        Ok(Address { server, port, user, password, database, tls, root_certificate })
    }
}

/// As it is written, without its password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Address { server, port, user, database, .. } = self;
        match server {
            Server::Host(host) if host.contains(':') => write!(f, "postgres://{user}@[{host}]")?,
            Server::Host(host) => write!(f, "postgres://{user}@{host}")?,
            Server::Socket(_) => write!(f, "postgres://{user}@")?,
        }
        if *port != DEFAULT_PORT {
            write!(f, ":{port}")?;
        }
        write!(f, "/{database}")?;
        match server {
            Server::Socket(directory) => write!(f, "?host={}", directory.display()),
            Server::Host(_) => Ok(()),
        }
    }
}

/// What stands behind the question mark.
#[derive(Default)]
struct Parameters {
    socket: Option<PathBuf>,
    tls: Option<Tls>,
    root_certificate: Option<PathBuf>,
}

impl Parameters {
    fn of(url: &Url) -> Result<Parameters, AddressError> {
        let (mut found, mut seen) = (Parameters::default(), Vec::new());
        for (name, value) in url.query_pairs() {
            let Some(known) = KNOWN.into_iter().find(|known| *known == name) else {
                return Err(AddressError::UnknownParameter(name.into_owned()));
            };
            if seen.contains(&known) {
                return Err(AddressError::Twice(known));
            }
            seen.push(known);
            match known {
                "host" if Path::new(&*value).is_absolute() => found.socket = Some(PathBuf::from(&*value)),
                "host" => return Err(AddressError::NoSocket),
                "sslmode" => {
                    let mode = Tls::ALL.into_iter().find(|mode| mode.as_str() == value);
                    found.tls = Some(mode.ok_or(AddressError::Sslmode)?);
                }
                _ => found.root_certificate = Some(PathBuf::from(&*value)),
            }
        }
        Ok(found)
    }
}

/// Stands where a user goes to no host, but to a socket: an address of the web has a host wherever it has a user.
const NO_HOST: &str = "no-host.invalid";

fn with_a_host(text: &str) -> Cow<'_, str> {
    let Some(begin) = text.find("://").map(|at| at + 3) else { return text.into() };
    let end = text[begin..].find(['/', '?', '#']).map_or(text.len(), |at| begin + at);
    match text[begin..end].ends_with('@') {
        true => format!("{}{NO_HOST}{}", &text[..end], &text[end..]).into(),
        false => text.into(),
    }
}

fn server(url: &Url, socket: Option<PathBuf>) -> Result<Server, AddressError> {
    let named = match url.host() {
        None => None,
        Some(Host::Ipv6(address)) => Some(address.to_string()),
        Some(host) => Some(decoded(&host.to_string())?).filter(|host| !host.is_empty() && host != NO_HOST),
    };
    match (named, socket) {
        (Some(_), Some(_)) => Err(AddressError::HostAndSocket),
        (None, Some(directory)) => Ok(Server::Socket(directory)),
        (None, None) => Err(AddressError::Missing("host")),
        (Some(host), None) if host.contains(',') => Err(AddressError::SeveralHosts),
        (Some(host), None) if host.starts_with('/') => Ok(Server::Socket(PathBuf::from(host))),
        (Some(host), None) => Ok(Server::Host(host)),
    }
}

/// Whether what goes there stays on this machine.
fn is_near(server: &Server) -> bool {
    match server {
        Server::Socket(_) => true,
        Server::Host(host) => host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
    }
}

fn decoded(text: &str) -> Result<String, AddressError> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(Into::into).map_err(|_| AddressError::Form("it has bytes that are no UTF-8".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Address {
        Address::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"))
    }

    #[test]
    fn an_address_is_read_and_shown_without_its_password() {
        let address = parse("postgres://pushcron:p%40ss%23word@db.lan:6000/push%20cron?sslrootcert=/etc/ca.pem");
        assert_eq!(address.server, Server::Host("db.lan".to_owned()));
        assert_eq!((address.port, &*address.user, &*address.database), (6000, "pushcron", "push cron"));
        assert_eq!(address.password.expose(), "p@ss#word");
        assert_eq!((address.tls, address.root_certificate.clone()), (Tls::VerifyFull, Some("/etc/ca.pem".into())));
        for shown in [address.to_string(), format!("{address:?}")] {
            assert!(shown.contains("db.lan") && !shown.contains("ss#word") && !shown.contains("p%40"), "{shown}");
        }
    }

    #[test]
    fn only_what_stays_on_this_machine_goes_in_the_clear_unasked() {
        let cases = [
            ("postgres://p@localhost/d", Tls::Disable),
            ("postgres://p@127.0.0.1/d", Tls::Disable),
            ("postgres://p@[::1]/d", Tls::Disable),
            ("postgres://p@/d?host=/run/postgresql", Tls::Disable),
            ("postgresql://p@%2Frun%2Fpostgresql/d", Tls::Disable),
            ("postgres://p@10.0.0.1/d", Tls::VerifyFull),
            ("postgres://p@localhost.evil.example/d", Tls::VerifyFull),
            ("postgres://p@10.0.0.1/d?sslmode=disable", Tls::Disable),
            ("postgres://p@10.0.0.1/d?sslmode=require", Tls::Require),
            ("postgres://p@10.0.0.1/d?sslmode=verify-ca", Tls::VerifyCa),
        ];
        for (text, tls) in cases {
            assert_eq!(parse(text).tls, tls, "{text}");
        }
    }

    #[test]
    fn an_address_that_is_shown_is_read_as_the_same() {
        for text in ["postgres://p@[::1]:6000/d", "postgres://p@/d?host=/run/postgresql", "postgres://p@db.lan/d"] {
            assert_eq!(parse(text).to_string(), text);
        }
    }

    #[test]
    fn what_would_be_left_out_or_guessed_is_refused_without_a_word_of_its_value() {
        let cases = [
            ("postgres://p@h/d?sslpassword=CANARY", "'sslpassword'"),
            ("postgres://p@h/d?target_session_attrs=CANARY", "'target_session_attrs'"),
            ("postgres://p@h/d?sslmode=CANARY", "sslmode"),
            ("postgres://p@h/d?sslmode=prefer", "sslmode"),
            ("postgres://p@h/d?sslmode=require&sslmode=CANARY", "twice"),
            ("postgres://p@/d?host=CANARY", "socket"),
            ("postgres://p@h/d?host=/run/postgresql", "a host and a socket"),
            ("postgres://p:CANARY@a,b/d", "several hosts"),
            ("postgres://p:CANARY@h/", "names no database"),
            ("postgres://:CANARY@h/d", "names no user"),
            ("postgres://p:CANARY@/d", ""),
            ("postgres://p@h/d?sslmode=require&sslrootcert=CANARY", "looks at nobody"),
            ("mysql://p:CANARY@h/d", "mysql:"),
            ("postgres://p:a#CANARY@h/d", "%23"),
            ("CANARY", "postgres://USER@HOST/DATABASE"),
            ("postgres://p:CANARY@h:99999/d", "postgres://USER@HOST/DATABASE"),
        ];
        for (text, told) in cases {
            let problem = Address::parse(text).expect_err(text).to_string();
            assert!(problem.contains(told) && !problem.contains("CANARY"), "{text}: {problem}");
        }
    }
}
