//! The shared HTTP client against a network that breaks in every way: what surely did not leave is told from what
//! perhaps did.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::common::fake_im::{Answer, FakeIm, Refused};
use pushcron::senders::http::{CallError, Http, Reply};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

const DEADLINE: Duration = Duration::from_millis(400);

async fn post(url: &str) -> Result<Reply, CallError> {
    let http = Http::new().unwrap();
    http.call(http.post(url).header("authorization", "Bearer hunter2").body("hello"), DEADLINE).await
}

fn assert_not_sent(result: Result<Reply, CallError>, hint: &str) {
    match result {
        Err(CallError::NotSent(error)) => assert!(error.contains(hint) && !error.contains("secret"), "{error}"),
        other => panic!("expected that nothing was sent, got {other:?}"),
    }
}

fn assert_ambiguous(result: Result<Reply, CallError>, expected_status: Option<u16>, hint: &str) {
    match result {
        Err(CallError::Ambiguous { error, status }) => {
            assert!(error.contains(hint) && !error.contains("secret"), "{error}");
            assert_eq!(status, expected_status, "{error}");
        }
        other => panic!("expected that it was perhaps sent, got {other:?}"),
    }
}

#[tokio::test]
async fn a_request_that_never_left_is_surely_not_sent() {
    let refused = Refused::new();
    assert_not_sent(post(&format!("{}/secret", refused.url())).await, "cannot connect");
    assert_not_sent(post("http://no-such-host.invalid/secret").await, "cannot connect");
    assert_not_sent(post("no address, secret").await, "cannot be made");
    assert_not_sent(post("ftp://127.0.0.1/secret").await, "cannot be made");
}

/// A full backlog swallows the handshake, as a firewall does: the deadline ends during the connect.
#[tokio::test]
async fn a_deadline_that_ends_during_the_connect_means_not_sent() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut fillers = Vec::new();
    // Connections fill the backlog, which nobody accepts from, until one of them hangs.
    while let Ok(stream) =
        tokio::time::timeout(Duration::from_millis(200), tokio::net::TcpStream::connect(address)).await
    {
        fillers.push(stream.unwrap());
    }
    assert_not_sent(post(&format!("http://{address}/secret")).await, "no connection in time");
}

#[tokio::test]
async fn a_failed_tls_handshake_means_not_sent() {
    let im = FakeIm::start().await;
    let url = im.url("/secret").replace("http://", "https://");
    assert_not_sent(post(&url).await, "cannot connect");
    assert_eq!(im.requests().len(), 0);
}

#[tokio::test]
async fn whatever_goes_wrong_after_the_request_left_is_ambiguous() {
    let im = FakeIm::start().await;
    let rows = [
        (Answer::Reset, None, "broke"),
        (Answer::Silence, None, "no answer in time"),
        (Answer::Garbage, None, "broke"),
        (Answer::ResetInBody { status: 200 }, Some(200), "broke off"),
        (Answer::Trickle { status: 200 }, Some(200), "no answer in time"),
        (Answer::Flood { status: 200 }, Some(200), "longer than"),
    ];
    for (answer, status, hint) in rows {
        im.on("", answer);
        assert_ambiguous(post(&im.url("/secret?token=secret")).await, status, hint);
    }
    assert_eq!(im.requests().len(), 6, "no call was repeated");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (im, elsewhere) = (FakeIm::start().await, FakeIm::start().await);
    for status in [301, 302, 303, 307, 308] {
        im.on("", Answer::status(status).header("location", &elsewhere.url("/")));
        assert_eq!(post(&im.url("/")).await.unwrap().status, status);
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

/// Gunicorn closes idle connections after 2 s. A request that meets the closing is lost, and nobody knows whether it was
/// heard: so this server takes nothing on a connection that was idle for longer than a second.
#[tokio::test]
async fn a_connection_that_was_idle_for_a_second_is_not_used_again() {
    use pushcron::clock::{Clock, SystemClock};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let clock = Arc::new(SystemClock::new());
    let server_clock = clock.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let clock = server_clock.clone();
            tokio::spawn(async move {
                let mut chunk = vec![0; 4096];
                let mut answered = clock.monotonic();
                while stream.read(&mut chunk).await.is_ok_and(|got| got > 0) {
                    if clock.monotonic() - answered > Duration::from_secs(1) {
                        return;
                    }
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                    answered = clock.monotonic();
                }
            });
        }
    });
    let http = Http::new().unwrap();
    for _ in 0..2 {
        let request = http.post(format!("http://{address}/")).body("hello");
        assert_eq!(http.call(request, DEADLINE).await.unwrap().status, 200);
        clock.sleep(Duration::from_millis(1_100)).await;
    }
    assert_eq!(http.call(http.post(format!("http://{address}/")).body("hello"), DEADLINE).await.unwrap().status, 200);
}

/// The server closed the idle connection before the next request: hyper notices and takes a new one.
#[tokio::test]
async fn a_connection_that_the_server_closed_is_replaced_without_a_failed_call() {
    let im = FakeIm::start().await;
    im.on("", Answer::status(200).hang_up());
    let http = Http::new().unwrap();
    for round in 1..=20 {
        http.call(http.post(im.url("/")).body("hello"), DEADLINE).await.unwrap();
        assert_eq!(im.requests().len(), round);
    }
}

#[tokio::test]
async fn bodies_arrive_whole_and_with_their_length() {
    let im = FakeIm::start().await;
    im.on("", Answer::status(200));
    let http = Http::new().unwrap();
    let body = "x".repeat(1_000_000);
    http.call(http.post(im.url("/a%20b?q=1%2F2")).body(body.clone()), DEADLINE).await.unwrap();
    http.call(http.get(im.url("/get")), DEADLINE).await.unwrap();
    let posted = im.request("/a%20b");
    assert_eq!(posted.text(), body);
    assert_eq!(posted.header("content-length"), Some("1000000"));
    assert_eq!(posted.query["q"], "1/2");
    let got = im.request("/get");
    assert_eq!((got.method.as_str(), got.header("transfer-encoding")), ("GET", None));
    assert_eq!(posted.connection, got.connection, "connections are used again");
}

/// Where a certificate or key of the tests lies.
fn tls_file(name: &str) -> String {
    format!("{}/tests/data/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Speaks TLS with the test certificate in front of a plain server.
async fn with_tls(ip: &str, im: &FakeIm) -> SocketAddr {
    with_certificate("server", ip, im).await
}

/// Speaks TLS with the certificate and key of that name.
async fn with_certificate(name: &str, ip: &str, im: &FakeIm) -> SocketAddr {
    let chain = CertificateDer::from_pem_file(tls_file(&format!("{name}.pem"))).unwrap();
    let key = PrivateKeyDer::from_pem_file(tls_file(&format!("{name}.key"))).unwrap();
    with_pair(chain, key, ip, im).await
}

async fn with_pair(chain: CertificateDer<'static>, key: PrivateKeyDer<'static>, ip: &str, im: &FakeIm) -> SocketAddr {
    use tokio_rustls::rustls;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // Not by `with_single_cert`, which looks whether the two belong together.
    let signing = provider.key_provider.load_private_key(key).unwrap();
    let pair = Arc::new(rustls::sign::CertifiedKey::new(vec![chain], signing));
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(pair)));
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((ip, 0)).await.unwrap();
    let (address, behind) = (listener.local_addr().unwrap(), im.address());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that trusts nothing hangs up in the middle.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut plain = TcpStream::connect(behind).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut stream, &mut plain).await });
        }
    });
    address
}

#[tokio::test]
async fn a_certificate_is_trusted_through_the_ca_file_and_only_for_its_name() {
    let im = FakeIm::start().await;
    im.on("", Answer::status(200));
    let port = with_tls("127.0.0.1", &im).await.port();
    let unnamed = with_tls("127.0.0.2", &im).await;
    let ca_file = format!("{}/tests/data/tls/ca.pem", env!("CARGO_MANIFEST_DIR"));
    let trusting = Http::trusting(ca_file.as_ref()).unwrap();
    let call = async |http: &Http, host: &str| http.call(http.get(format!("https://{host}/")), DEADLINE).await;
    assert_eq!(call(&trusting, &format!("127.0.0.1:{port}")).await.unwrap().status, 200);
    assert_eq!(call(&trusting, &format!("localhost:{port}")).await.unwrap().status, 200);
    assert_not_sent(call(&trusting, &unnamed.to_string()).await, "certificate");
    assert_not_sent(call(&Http::new().unwrap(), &format!("127.0.0.1:{port}")).await, "certificate");
    assert_eq!(im.requests().len(), 2);
}

/// `openssl req -x509` makes a certificate that calls itself an authority. Who names that very one in `ca_file` trusts the
/// server that shows it: for its names, as long as it is valid, and for no other certificate that it signed or resembles.
#[tokio::test]
async fn a_self_signed_certificate_that_calls_itself_an_authority_is_trusted_where_it_is_named() {
    let im = FakeIm::start().await;
    im.on("", Answer::status(200));
    let call = async |pinned: &str, host: String| {
        let http = Http::trusting(tls_file(pinned).as_ref()).unwrap();
        http.call(http.get(format!("https://{host}/")), Duration::from_secs(8)).await
    };
    let port = with_certificate("self", "127.0.0.1", &im).await.port();
    assert_eq!(call("self.pem", format!("127.0.0.1:{port}")).await.unwrap().status, 200);
    assert_eq!(call("self.pem", format!("localhost:{port}")).await.unwrap().status, 200);
    assert_not_sent(call("ca.pem", format!("127.0.0.1:{port}")).await, "certificate");
    assert_not_sent(call("expired.pem", format!("127.0.0.1:{port}")).await, "certificate");
    let elsewhere = with_certificate("self", "127.0.0.2", &im).await;
    assert_not_sent(call("self.pem", elsewhere.to_string()).await, "certificate");
    let past = with_certificate("expired", "127.0.0.1", &im).await;
    assert_not_sent(call("expired.pem", past.to_string()).await, "certificate");
    assert_eq!(im.requests().len(), 2);
}

/// Whoever has the certificate only, which is no secret, and not its key, is not the server.
#[tokio::test]
async fn a_certificate_without_its_key_proves_nothing() {
    let im = FakeIm::start().await;
    let dir = tempfile::tempdir().unwrap();
    let (expected, stolen) = (tls_file("self.pem"), dir.path().join("stolen.pem"));
    std::fs::copy(&expected, &stolen).unwrap();
    let chain = CertificateDer::from_pem_file(&stolen).unwrap();
    let key = PrivateKeyDer::from_pem_file(tls_file("server.key")).unwrap();
    let address = with_pair(chain, key, "127.0.0.1", &im).await;
    let http = Http::trusting(expected.as_ref()).unwrap();
    assert_not_sent(http.call(http.get(format!("https://{address}/")), Duration::from_secs(8)).await, "cannot connect");
    assert_eq!(im.requests().len(), 0);
}

#[test]
fn an_unusable_ca_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    let error = || Http::trusting(&file).err().unwrap().to_string();
    assert!(error().contains("ca.pem: No such file"), "{}", error());
    for content in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&file, content).unwrap();
        assert!(error().contains("ca.pem: "), "{}", error());
    }
}

/// The test calls itself in an environment in which no root certificates are found.
#[tokio::test]
async fn a_machine_without_root_certificates_still_speaks_plain_http() {
    const NAME: &str = "a_machine_without_root_certificates_still_speaks_plain_http";
    if std::env::var_os("SSL_CERT_FILE").is_none() {
        let mut again = tokio::process::Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", NAME]).env("SSL_CERT_FILE", "/dev/null").env("SSL_CERT_DIR", "/nonexistent");
        let output = again.output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let im = FakeIm::start().await;
    im.on("", Answer::status(200));
    assert_eq!(post(&im.url("/")).await.unwrap().status, 200);
    let address = with_tls("127.0.0.1", &im).await;
    assert_not_sent(post(&format!("https://{address}/secret")).await, "certificate");
}

/// A server that has read enough answers at once; its answer counts although the body is not out yet.
#[tokio::test]
async fn an_answer_that_comes_before_the_body_is_out_is_heard() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut chunk = vec![0; 64 * 1024];
        assert!(stream.read(&mut chunk).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
        while stream.read(&mut chunk).await.is_ok_and(|got| got > 0) {}
    });
    let http = Http::new().unwrap();
    let request = http.post(format!("http://{address}/")).body(vec![0; 20 << 20]);
    assert_eq!(http.call(request, Duration::from_secs(10)).await.unwrap().status, 413);
}

/// The process was stopped until the deadline was over, and meanwhile the answer came: it lies in the socket when the
/// timer has run out. The answer counts.
#[tokio::test]
async fn an_answer_that_came_while_the_process_was_stopped_is_heard() {
    use pushcron::clock::{Clock, SystemClock};
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, is_asked) = tokio::sync::oneshot::channel();
    let (answer, may_answer) = std::sync::mpsc::channel::<()>();
    let (answered, is_answered) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
        asked.send(()).unwrap();
        may_answer.recv().unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
        answered.send(()).unwrap();
        // Open until the client hangs up.
        let _ = stream.read(&mut [0; 1]);
    });
    let http = Http::new().unwrap();
    let request = http.post(format!("http://{address}/")).body("hello");
    let calling = tokio::spawn(async move { http.call(request, DEADLINE).await });
    is_asked.await.unwrap();
    let clock = SystemClock::new();
    let asked_at = clock.monotonic();
    answer.send(()).unwrap();
    is_answered.recv().unwrap();
    // The runtime's only thread stands still here, as all of a stopped process do.
    while clock.monotonic() - asked_at <= 2 * DEADLINE {
        std::thread::yield_now();
    }
    let reply = calling.await.unwrap().unwrap();
    assert_eq!((reply.status, reply.text().as_str()), (200, "ok"));
}

/// Proxies of the environment would see the tokens of local bots (docs/senders/README.md): nothing of ours goes through them.
/// The test calls itself in an environment that names one in every way.
#[tokio::test]
async fn a_proxy_of_the_environment_sees_nothing() {
    const NAME: &str = "a_proxy_of_the_environment_sees_nothing";
    const PROXIES: [&str; 6] = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
    if std::env::var_os("NOBODYS_PROXY").is_none() {
        let proxy = FakeIm::start().await;
        proxy.on("", Answer::status(200));
        let mut again = tokio::process::Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", NAME]).env("NOBODYS_PROXY", "1").env_remove("no_proxy").env_remove("NO_PROXY");
        again.envs(PROXIES.map(|name| (name, proxy.url(""))));
        // A program run by a web server may not heed `HTTP_PROXY`, which a header can set.
        again.env_remove("REQUEST_METHOD");
        let output = again.output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(proxy.paths(), Vec::<String>::new());
        return;
    }
    let im = FakeIm::start().await;
    im.on("", Answer::status(200));
    assert_eq!(post(&im.url("/plain")).await.unwrap().status, 200);
    let port = with_tls("127.0.0.1", &im).await.port();
    let ca_file = format!("{}/tests/data/tls/ca.pem", env!("CARGO_MANIFEST_DIR"));
    let trusting = Http::trusting(ca_file.as_ref()).unwrap();
    let encrypted = trusting.get(format!("https://127.0.0.1:{port}/encrypted"));
    assert_eq!(trusting.call(encrypted, Duration::from_secs(8)).await.unwrap().status, 200);
    assert_eq!(im.paths(), ["/plain", "/encrypted"]);
}
