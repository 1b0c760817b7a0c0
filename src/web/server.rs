//! The life of the API: a thread and a runtime of its own, begun and ended with the daemon, and anew where a reload has it
//! listen elsewhere.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{oneshot, watch as watched};
use tracing::{error, info};

use super::page::watch;
use super::socket::{bind, uids};
use super::state::{Accepted, Api};
use crate::clock::pauses;
use crate::config::{Config, WebListen, WebSettings};
use crate::daemon::{Inside, Part};
use crate::net::http1::{Audience, Limits, Server};
use crate::store::{self, Access, SharedStore};

/// A place that is taken, or a database that cannot be read, is tried again so often.
const AGAIN: Duration = Duration::from_secs(10);
/// No question takes longer.
const DEADLINE: Duration = Duration::from_millis(250);
/// A stop waits no longer for what is under way.
const STOP: Duration = Duration::from_secs(1);

/// The API as a part of the daemon.
#[derive(Default)]
pub(super) struct Web {
    inside: Option<Inside>,
    running: Option<Running>,
}

struct Running {
    listen: (WebListen, u32, u64),
    accepted: watched::Sender<Arc<Accepted>>,
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
}

#[async_trait]
impl Part for Web {
    fn start(&mut self, inside: Inside, config: &Config) {
        self.inside = Some(inside);
        self.replace(config);
    }

    fn replace(&mut self, config: &Config) {
        let Some(settings) = config.daemon.web.clone() else {
            // It ends by itself; nobody waits for it.
            self.running = None;
            return;
        };
        let listen = (settings.listen.clone(), settings.socket_mode, settings.max_body);
        let socket_uids = uids(settings.socket_users.as_deref());
        let accepted = Arc::new(Accepted {
            settings,
            judge: config.judge.clone(),
            timezone: config.daemon.timezone.clone(),
            language: config.daemon.language,
            socket_uids,
        });
        match &self.running {
            Some(running) if running.listen == listen => drop(running.accepted.send(accepted)),
            _ => {
                let before = self.running.take().map(|running| running.ended);
                self.running = self.inside.clone().and_then(|inside| begin(inside, listen, accepted, before));
            }
        }
    }

    async fn stop(&mut self) {
        let (Some(Running { stop, ended, .. }), Some(inside)) = (self.running.take(), &self.inside) else { return };
        let _ = stop.send(());
        tokio::select! {
            _ = ended => {}
            () = inside.clock.sleep(STOP) => {}
        }
    }
}

/// Begins a server on a thread of its own, once the one before has let go of its place.
fn begin(
    inside: Inside,
    listen: (WebListen, u32, u64),
    accepted: Arc<Accepted>,
    before: Option<oneshot::Receiver<()>>,
) -> Option<Running> {
    let (accepted, seen) = watched::channel(accepted);
    let (stop, stopped) = oneshot::channel();
    let (done, ended) = oneshot::channel();
    let begun = std::thread::Builder::new().name("web".to_owned()).spawn(move || {
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => {
                runtime.block_on(serve(inside, seen, before, stopped));
                runtime.shutdown_background();
            }
            Err(error) => error!(%error, "the HTTP API cannot start"),
        }
        let _ = done.send(());
    });
    match begun {
        Ok(_) => Some(Running { listen, accepted, stop, ended }),
        Err(error) => {
            error!(%error, "the HTTP API cannot start");
            None
        }
    }
}

async fn serve(
    inside: Inside,
    accepted: watched::Receiver<Arc<Accepted>>,
    before: Option<oneshot::Receiver<()>>,
    stopped: oneshot::Receiver<()>,
) {
    let mut stopped = stopped;
    if let Some(before) = before {
        let _ = before.await;
    }
    let settings = accepted.borrow().settings.clone();
    let opening = open(&inside, &settings);
    let (reader, listener) = tokio::select! {
        opened = opening => opened,
        _ = &mut stopped => return,
    };
    info!(listen = %shown(&settings.listen), "the HTTP API listens");
    let clock = inside.clock.clone();
    let api = Api {
        inside,
        reader: reader.clone(),
        accepted,
        rates: Default::default(),
        waits: Default::default(),
        page_memory: Default::default(),
        probed_at: Default::default(),
    };
    let api = Arc::new(api);
    let watching = watch(api.clone());
    let server = Server {
        name: "web",
        listener,
        limits: limits(&settings),
        audience: Audience::everybody(),
        handler: api,
        clock,
    };
    // Whoever drops the other end wants it ended too.
    tokio::select! {
        () = server.run(async { drop(stopped.await) }) => {}
        () = watching => {}
    }
    reader.close().await;
    if let WebListen::Unix(path) = &settings.listen {
        let _ = std::fs::remove_file(path);
    }
}

fn limits(settings: &WebSettings) -> Limits {
    const PATIENCE: Duration = Duration::from_secs(10);
    Limits {
        connections: 64,
        idle: PATIENCE,
        head: PATIENCE,
        request: Duration::from_secs(30),
        // The longest wait for the end of a push, and some.
        work: Some(Duration::from_secs(150)),
        stop: Duration::from_millis(500),
        head_bytes: 16 * 1024,
        body_bytes: usize::try_from(settings.max_body).unwrap_or(usize::MAX),
        keep_alive: true,
    }
}

/// A way into the database, and a place to listen, tried until there are both.
async fn open(inside: &Inside, settings: &WebSettings) -> (SharedStore, crate::net::http1::Listener) {
    let mut told = false;
    loop {
        let problem = match store::open(&inside.database, Access::Read, inside.clock.now()).await {
            Ok(store) => match bind(settings).await {
                Ok(listener) => return (store.hasty(pauses(&inside.clock, DEADLINE)), listener),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        if !told {
            error!(listen = %shown(&settings.listen), error = problem, "the HTTP API cannot start yet; it is tried again");
            told = true;
        }
        inside.clock.sleep(AGAIN).await;
    }
}

fn shown(listen: &WebListen) -> String {
    match listen {
        WebListen::Tcp(address) => address.to_string(),
        WebListen::Unix(path) => format!("unix:{}", path.display()),
    }
}
