//! A PostgreSQL of the tests' own: made when the first test needs one, gone when the process is, a database for each test.

use std::io::Read;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use pushcron::store::postgres::Address;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

/// The port in the names of its sockets; it listens nowhere else.
const PORT: u16 = 5432;

pub(crate) struct Cluster {
    /// Where its socket is.
    directory: PathBuf,
    made: AtomicU32,
}

/// Ends with its standard input, which is ours: when this process ends, however that is, the server does, and its files go.
const SERVE: &str = r#"
    bin=$1 dir=$2
    trap 'kill -QUIT $server 2>/dev/null; wait; rm -rf "$dir"' EXIT
    "$bin/initdb" -D "$dir/data" -U pushcron -A trust -E UTF8 --no-locale -N >"$dir/log" 2>&1 ||
        { cat "$dir/log" >&2; exit 1; }
    "$bin/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= -c fsync=off -c max_connections=200 \
        >>"$dir/log" 2>&1 </dev/null &
    server=$!
    until "$bin/pg_isready" -q -h "$dir"; do
        kill -0 $server || { cat "$dir/log" >&2; exit 1; }
        # Until something comes, the end of it too, or a moment is over.
        read -t 0.05 _
        [ $? -gt 128 ] || exit 1
    done
    echo ready
    cat >/dev/null
"#;

/// The one of this process; None, and said aloud, where PostgreSQL is not installed.
pub(crate) fn cluster() -> Option<&'static Cluster> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(|| programs().map(|programs| Cluster::start(&programs))).as_ref();
    if cluster.is_none() {
        eprintln!("SKIPPED: there is no initdb here, so nothing was tried on PostgreSQL");
    }
    cluster
}

/// The directory of `initdb` and its kin: Debian keeps them out of the PATH.
pub(super) fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect())
        .unwrap_or_default();
    debian.sort();
    let is_whole =
        |directory: &PathBuf| ["initdb", "pg_isready", "postgres"].iter().all(|name| directory.join(name).exists());
    std::env::split_paths(&path).chain(debian.into_iter().rev()).find(is_whole)
}

/// A command that runs as another than root, as whom no PostgreSQL would.
pub(super) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    if let Some((user, group)) = other_than_root() {
        command.uid(user).gid(group);
    }
    command.current_dir("/");
    command
}

fn other_than_root() -> Option<(u32, u32)> {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let user = users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|user| user[0] == "postgres");
    let user = user.expect("where there is PostgreSQL, there is its user");
    Some((user[2].parse().unwrap(), user[3].parse().unwrap()))
}

/// A directory that belongs to whom [`command`] runs as.
pub(super) fn directory() -> PathBuf {
    let directory = tempfile::Builder::new().prefix("pushcron-pg").tempdir_in("/tmp").unwrap().keep();
    if let Some((user, group)) = other_than_root() {
        chown(&directory, Some(user), Some(group)).unwrap();
    }
    directory
}

impl Cluster {
    /// One that lives as long as this process, too.
    pub(super) fn start(programs: &Path) -> Cluster {
        let directory = directory();
        let mut server = command("bash");
        server.args(["-c", SERVE, "bash"]).arg(programs).arg(&directory);
        let mut server = server.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut told = [0; 6];
        let ready = server.stdout.as_mut().unwrap().read_exact(&mut told).map(|()| &told == b"ready\n");
        assert!(matches!(ready, Ok(true)), "it does not start, as it says above");
        // Its standard input stays open for as long as this process lives.
        std::mem::forget(server);
        Cluster { directory, made: AtomicU32::new(0) }
    }

    /// Where its socket is.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.directory.join(format!(".s.PGSQL.{PORT}"))
    }

    /// A database that is still empty, made with these words of SQL.
    pub(crate) async fn database(&self, with: &str) -> Address {
        let name = format!("t{}", self.made.fetch_add(1, Ordering::Relaxed));
        let mut conn = look(&self.address("postgres")).await;
        let make = format!("CREATE DATABASE {name} TEMPLATE template0 {with}");
        sqlx::query(AssertSqlSafe(make)).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        self.address(&name)
    }

    pub(super) fn address(&self, database: &str) -> Address {
        let text = format!("postgres://pushcron@/{database}?host={}", self.directory.display());
        Address::parse(&text).unwrap()
    }
}

/// A connection of the test's own, to look from outside.
pub(super) async fn look(address: &Address) -> PgConnection {
    let pushcron::store::postgres::Server::Socket(directory) = &address.server else {
        panic!("tests look through the socket, not through {address}")
    };
    let options = sqlx::postgres::PgConnectOptions::new_without_pgpass();
    let options = options.host("localhost").socket(directory).username(&address.user).database(&address.database);
    options.connect().await.unwrap()
}
