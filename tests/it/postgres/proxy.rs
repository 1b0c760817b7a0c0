//! What stands between a daemon and its database, and breaks at the worst moment.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use pushcron::store::postgres::{Address, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// Where the next COMMIT is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// It never arrives.
    Before = 1,
    /// It arrives, and its answer does not.
    After = 2,
}

pub(super) struct Proxy {
    port: u16,
    next: Arc<AtomicU8>,
    was_cut: Arc<AtomicBool>,
    /// What the server says is swallowed.
    is_mute: Arc<AtomicBool>,
}

/// As the library sends it.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

impl Proxy {
    pub(super) async fn to(socket: PathBuf) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (next, was_cut) = (Arc::<AtomicU8>::default(), Arc::<AtomicBool>::default());
        let is_mute = Arc::<AtomicBool>::default();
        let (cut, cut_one, mute) = (next.clone(), was_cut.clone(), is_mute.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = UnixStream::connect(&socket).await else { continue };
                tokio::spawn(carry(client, server, cut.clone(), cut_one.clone(), mute.clone()));
            }
        });
        Proxy { port, next, was_cut, is_mute }
    }

    /// The same database by way of this.
    pub(super) fn address(&self, of: &Address) -> Address {
        Address { server: Server::Host("127.0.0.1".to_owned()), port: self.port, ..of.clone() }
    }

    pub(super) fn cut_next(&self, cut: Cut) {
        self.was_cut.store(false, Ordering::SeqCst);
        self.next.store(cut as u8, Ordering::SeqCst);
    }

    /// From here on, and for connections that come later, nothing of what the server says arrives; or it does again.
    pub(super) fn be_mute(&self, is_mute: bool) {
        self.is_mute.store(is_mute, Ordering::SeqCst);
    }

    pub(super) fn was_cut(&self) -> bool {
        self.was_cut.load(Ordering::SeqCst)
    }
}

/// Carries bytes both ways until one side ends, or a COMMIT is to be cut off.
async fn carry(
    mut client: TcpStream,
    mut server: UnixStream,
    cut: Arc<AtomicU8>,
    was_cut: Arc<AtomicBool>,
    is_mute: Arc<AtomicBool>,
) {
    let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(1..) = read else { return };
                let sent = &up[..read.unwrap()];
                let how = match sent.windows(COMMIT.len()).any(|part| part == COMMIT) {
                    true => cut.swap(0, Ordering::SeqCst),
                    false => 0,
                };
                if how == Cut::Before as u8 {
                    was_cut.store(true, Ordering::SeqCst);
                    return;
                }
                if server.write_all(sent).await.is_err() {
                    return;
                }
                if how == Cut::After as u8 {
                    was_cut.store(true, Ordering::SeqCst);
                    // The server gets the word and answers it to nobody.
                    let _ = server.read(&mut down).await;
                    return;
                }
            }
            read = server.read(&mut down) => {
                let Ok(1..) = read else { return };
                if is_mute.load(Ordering::SeqCst) {
                    continue;
                }
                if client.write_all(&down[..read.unwrap()]).await.is_err() {
                    return;
                }
            }
        }
    }
}
