//! The daemon's own settings and those of accounts.

use std::path::Path;
use std::time::Duration;

use pushcron::config;
use pushcron::domain::Target;
use pushcron::senders;

use super::{loaded, private_file, refused, surroundings};

#[test]
fn the_database_lies_in_the_state_directory_if_there_is_one() {
    let mut around = surroundings();
    around.variable =
        Box::new(|name| (name == "STATE_DIRECTORY").then(|| "/var/lib/pushcron:/var/lib/other".to_owned()));
    let directory = tempfile::tempdir().unwrap();
    for (text, database) in [
        ("", "/var/lib/pushcron/pushcron.db"),
        ("daemon: {database: a/b.db}", "/var/lib/pushcron/a/b.db"),
        ("daemon: {database: /srv/p.db}", "/srv/p.db"),
    ] {
        let file = private_file(directory.path(), "a.yaml", text);
        let config = config::load(&[file], &[], &around).unwrap();
        assert_eq!(config.daemon.database, Path::new(database));
    }
}

#[test]
fn the_daemons_settings_are_carried() {
    let config = loaded(
        "accounts: [{id: a, sender: screen}]
daemon:
  keep_history: 30d
  max_history_rows: 1000000
  max_database_size: 2GiB
  accounts_fallback: no_default
  media_roots: [/]
  media_allow_private: true
  media_max_bytes: 5MB
  probe_every: 1m
  metrics_file: numbers.prom
  metrics_listen: '[::1]:9464'
  heartbeat: {url: 'https://hc.test/x', every: 5m}
  on_failure: {push: {im: screen, user: me, title: pushcron}, command: [/bin/alert, -x], as_root: true, every: 15m}
",
    );
    let daemon = &config.daemon;
    assert_eq!(daemon.max_history_rows, Some(1_000_000));
    assert_eq!(daemon.max_database_size, Some(2 << 30));
    assert_eq!(daemon.accounts_fallback, pushcron::policy::account::Fallback::NoDefault);
    assert_eq!(daemon.media_roots, [Path::new("/")]);
    assert_eq!((daemon.media_allow_private, daemon.media_max_bytes), (true, 5_000_000));
    assert!(daemon.metrics_file.as_ref().unwrap().ends_with("numbers.prom"));
    assert_eq!(daemon.metrics_listen.as_ref().unwrap().address.port(), 9464);
    let heartbeat = daemon.heartbeat.as_ref().unwrap();
    assert_eq!((heartbeat.url.expose(), heartbeat.every), ("https://hc.test/x", Duration::from_secs(300)));
    let on_failure = daemon.on_failure.as_ref().unwrap();
    assert_eq!(on_failure.push.as_ref().unwrap().target, Target::User("me".to_owned()));
    assert_eq!(on_failure.push.as_ref().unwrap().message.title.as_deref(), Some("pushcron"));
    assert_eq!(on_failure.command.as_deref().unwrap(), ["/bin/alert", "-x"]);
    assert_eq!((on_failure.as_root, on_failure.every), (true, Duration::from_secs(900)));
}

#[test]
fn others_than_this_machine_may_read_the_numbers_where_networks_or_a_token_are_named() {
    let listen = |keys: &str| loaded(&format!("daemon: {{{keys}}}")).daemon.metrics_listen;
    let here = listen("metrics_listen: 127.0.0.1:9464").unwrap();
    assert!(here.allow.is_empty() && here.token.is_none());
    let networks = listen("metrics_listen: 0.0.0.0:9464, metrics_allow: [10.0.0.0/8, 192.168.1.7]").unwrap();
    assert_eq!(networks.allow, ["10.0.0.0/8", "192.168.1.7/32"].map(|network| network.parse().unwrap()));
    let dir = tempfile::tempdir().unwrap();
    let token = private_file(dir.path(), "token", "0123456789abcdef\n");
    let guarded = listen(&format!("metrics_listen: '[::]:9464', metrics_token_file: {}", token.display())).unwrap();
    assert_eq!(guarded.token.unwrap().expose(), "0123456789abcdef");
}

#[test]
fn numbers_that_anybody_could_read_are_refused() {
    for (keys, told) in [
        ("metrics_listen: 0.0.0.0:9464", "nothing says who may read"),
        ("metrics_listen: 0.0.0.0:9464, metrics_allow: []", "metrics_allow: expected at least one network"),
        ("metrics_listen: 0.0.0.0:9464, metrics_allow: here", "metrics_allow: expected networks such as 10.0.0.0/8"),
        ("metrics_listen: 0.0.0.0:9464, metrics_token: short", "metrics_token: expected at least 16 characters"),
        ("metrics_allow: 10.0.0.0/8", "nobody serves the numbers that this is about"),
        (
            "metrics_listen: 0.0.0.0:9464, metrics_token: 0123456789abcdef, metrics_token_file: a",
            "metrics_token: the token is set twice",
        ),
    ] {
        let told_all = refused(&format!("daemon: {{{keys}}}")).to_string();
        assert!(told_all.contains(told), "{keys}: {told_all}");
        assert!(!told_all.contains("short") && !told_all.contains("0123456789abcdef"), "{told_all}");
    }
}

#[test]
fn an_account_has_the_settings_of_its_sender() {
    let config = loaded(
        "accounts:
  - id: a
    im: qq
    sender: wire
    url: http://127.0.0.1:3000
    nick: Bot
    quiet: true
    port: -1
    window: 1h
    rooms: [a, b]
    ca_file: certs/ca.pem
    flavour: markdown
    concurrency: 3
    min_interval: 500ms
  - {id: b, sender: wire, url: http://h, rooms: one}
",
    );
    let account = &config.accounts[0];
    assert_eq!((account.im.as_str(), account.concurrency), ("qq", Some(3)));
    assert_eq!(account.min_interval, Some(Duration::from_millis(500)));
    let settings = &account.settings;
    assert_eq!(settings.text("nick"), Some("Bot"));
    assert_eq!(settings.bool("quiet"), Some(true));
    assert_eq!(settings.int("port"), Some(-1));
    assert_eq!(settings.duration("window"), Some(Duration::from_secs(3600)));
    assert_eq!(settings.list("rooms"), ["a", "b"]);
    assert_eq!(settings.text("flavour"), Some("markdown"));
    assert!(
        settings.path("ca_file").unwrap().is_absolute() && settings.path("ca_file").unwrap().ends_with("certs/ca.pem")
    );
    assert_eq!(config.accounts[1].im, "chat", "the sender's own im");
    assert_eq!(config.accounts[1].settings.list("rooms"), ["one"]);
}

#[test]
fn the_registered_senders_can_be_asked() {
    assert!(senders::specs().iter().any(|spec| spec.name == "console"));
}

#[test]
fn who_listens_where_others_reach_it_says_so() {
    let digest = "ab".repeat(32);
    let token = format!("tokens: {{name: ci, sha256: {digest}, scope: push, to: 'qq group:1', per_minute: 5}}");
    let web = |keys: &str| format!("daemon: {{web: {{{keys}}}}}");
    let config = loaded(&web(&format!("listen: 127.0.0.1:8600, {token}")));
    let settings = config.daemon.web.unwrap();
    assert_eq!(settings.listen, config::WebListen::Tcp("127.0.0.1:8600".parse().unwrap()));
    assert_eq!((settings.max_body, settings.socket_mode), (1 << 20, 0o660));
    let [token] = &settings.tokens[..] else { panic!("{:?}", settings.tokens) };
    assert_eq!((&*token.name, token.scope, token.per_minute), ("ci", config::WebScope::Push, 5));
    assert_eq!(token.to, Some(vec![("qq".to_owned(), Target::Group("1".to_owned()))]));
    let socket = loaded(&web("listen: 'unix:/run/p/web.sock', socket_mode: '0600', socket_users: [alice, 7]"));
    assert!(socket.warnings.is_empty(), "{:?}", socket.warnings);
    let socket = socket.daemon.web.unwrap();
    assert_eq!((socket.socket_mode, socket.socket_users), (0o600, Some(vec!["alice".to_owned(), "7".to_owned()])));
    let hash = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$U3tWYW5kbGluZyBhbmQgbW9yZSBvZiB0aGF0IGJ5dGVz";
    let users = format!("listen: 127.0.0.1:8600, users: {{name: alice, password: '{hash}', scope: act}}");
    let [alice] = &loaded(&web(&users)).daemon.web.unwrap().users[..] else { panic!("{users}") };
    assert_eq!((&*alice.name, &*alice.password, alice.scope), ("alice", hash, config::WebScope::Act));
    for (keys, told) in [
        ("listen: 127.0.0.1:1, users: {name: a, password: secret, scope: act}", "`pushcron web password` tells it"),
        ("listen: 127.0.0.1:1, users: {name: a, scope: act}", "expected name, password and scope"),
        ("listen: 127.0.0.1:1, users: {name: a, pasword: b, scope: act}", "did you mean 'password'?"),
        ("listen: 0.0.0.0:8600", "expected a loopback address or a unix socket"),
        ("listen: 'unix:web.sock'", "an absolute path"),
        ("listen: localhost", "an address and a port"),
        ("max_body: 1MiB", "expected listen"),
        ("listen: 127.0.0.1:1, public_url: 'http://h'", "https://HOST"),
        ("listen: 127.0.0.1:1, max_body: 1GiB", "at most 64MiB"),
        ("listen: 127.0.0.1:1, tokens: {name: a, sha256: abc, scope: read}", "64 hex digits"),
        ("listen: 127.0.0.1:1, tokens: {name: a, scope: read}", "expected name, sha256 and scope"),
        ("listen: 127.0.0.1:1, lisen: 2", "did you mean 'listen'?"),
    ] {
        let errors = refused(&web(keys)).to_string();
        assert!(errors.contains(told), "{keys}: {errors}");
    }
    let warned = |keys: &str| loaded(&web(keys)).warnings.iter().map(ToString::to_string).collect::<String>();
    assert!(warned("listen: 127.0.0.1:8600").contains("the API answers nobody"));
    let open = format!(
        "listen: 0.0.0.0:8600, public_url: 'https://push.example.org/', tokens: {{name: a, sha256: {digest}, scope: read}}"
    );
    assert!(warned(&open).contains("without TLS"));
}
