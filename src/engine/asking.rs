//! Asks the sources of contents and of lists: runs programs, fetches from addresses, reads files, each within its bounds.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::clock::SharedClock;
use crate::domain::content::{ContentCommand, ContentFile, ContentHttp};
use crate::domain::{ContentFrom, ContentSource, Facts, Locked, Render, Target, UtcMs};
use crate::engine::push_media::PushMedia;
use crate::media::Wants;
use crate::policy::content::{Said, asks_again, of_program};
use crate::policy::headers::headers;
use crate::program::{self, Program};
use crate::store::Unexpanded;

/// What came of a source that was asked until it answered, or as often as it may be.
pub(super) struct Asked<T> {
    pub answer: Result<T, String>,
    pub attempts: u32,
    pub began_at: UtcMs,
    pub exit_code: Option<i32>,
    /// What a program said beside.
    pub said: Option<String>,
}

/// Who asks.
#[derive(Clone)]
pub(super) struct Asker {
    pub clock: SharedClock,
    pub media: Arc<PushMedia>,
    /// Arguments are rendered by the one that stands here.
    pub renderer: Arc<Mutex<Arc<dyn Render>>>,
}

impl Asker {
    /// Asks until there is an answer by which `judge` is content, or as often as the content says. `told` is told of each
    /// failure but the last.
    pub(super) async fn ask_until<T>(
        &self,
        content: &ContentFrom,
        fire: &Unexpanded,
        judge: impl Fn(Said) -> Result<T, String>,
        told: impl Fn(&str),
    ) -> Asked<T> {
        let (began_at, mut attempts) = (self.clock.now(), 0);
        loop {
            attempts += 1;
            let (said, exit_code, beside) = self.ask(content, fire).await;
            let answer = judge(said);
            match &answer {
                Err(problem) if asks_again(content, attempts) => told(problem),
                _ => return Asked { answer, attempts, began_at, exit_code, said: beside },
            }
            self.clock.sleep(content.backoff).await;
        }
    }

    /// What the source says, with how its program ended and what that said beside.
    async fn ask(&self, content: &ContentFrom, fire: &Unexpanded) -> (Said, Option<i32>, Option<String>) {
        match &content.source {
            ContentSource::Command(command) => self.run_program(command, content, fire).await,
            ContentSource::Http(http) => (self.fetch(http, content).await, None, None),
            ContentSource::File(file) => match self.too_old(file).await {
                Some(problem) => (Said::Failed(problem), None, None),
                None => {
                    let source = file.path.to_string_lossy();
                    let bytes = self.media.bytes(&source, most_of(content));
                    (self.within(bytes, content).await, None, None)
                }
            },
        }
    }

    async fn run_program(
        &self,
        command: &ContentCommand,
        content: &ContentFrom,
        fire: &Unexpanded,
    ) -> (Said, Option<i32>, Option<String>) {
        let failed = |problem| (Said::Failed(problem), None, None);
        // The daemon does not begin with such a job of the files; one that a verb made is met here.
        if !command.as_root && rustix::process::geteuid().is_root() {
            let problem = "it is not run as root: run pushcron as a user of its own, or write `as_root: true`";
            return failed(problem.to_owned());
        }
        let argv = match self.arguments(command, fire) {
            Ok(argv) => argv,
            Err(problem) => return failed(problem),
        };
        let env: Vec<(String, String)> = command.env.clone().into_iter().collect();
        let (argv, most, limit) = (&argv[..], Some(content.max_bytes), content.timeout);
        match program::run(Program { argv, env: &env, stdin: "", most, limit }, &self.clock).await {
            Ok(ended) => {
                let (code, said) = (ended.status.code(), ended.said.trim().to_owned());
                let how = ended.in_words(argv);
                (of_program(code, ended.output, || how), code, (!said.is_empty()).then_some(said))
            }
            Err(problem) => failed(problem),
        }
    }

    /// Each argument is rendered by itself, and no shell divides it.
    fn arguments(&self, command: &ContentCommand, fire: &Unexpanded) -> Result<Vec<String>, String> {
        let Some(rendering) = &command.render else { return Ok(command.argv.clone()) };
        let nobody = Target::User(String::new());
        let facts = Facts {
            due_at: fire.due_at,
            now: self.clock.now(),
            job: Some(&fire.job),
            run: 0,
            trigger: fire.triggered_by,
            backfill: fire.is_backfill,
            calendar: None,
            account: "",
            im: "",
            target: &nobody,
            content: None,
            columns: None,
        };
        let renderer = self.renderer.locked().clone();
        renderer.arguments(&command.argv, rendering, &facts)
    }

    async fn fetch(&self, http: &ContentHttp, content: &ContentFrom) -> Said {
        let headers = match http.headers_file.clone() {
            Some(path) => match read_headers(path).await {
                Ok(headers) => headers,
                Err(problem) => return Said::Failed(problem),
            },
            None => Vec::new(),
        };
        let wants =
            Wants { headers: &headers, expect: &http.expect, allow_private: http.allow_private, same_host: true };
        self.within(self.media.fetched(&http.url, wants, most_of(content)), content).await
    }

    async fn within(&self, bytes: impl Future<Output = Result<Vec<u8>, String>>, content: &ContentFrom) -> Said {
        tokio::select! {
            bytes = bytes => match bytes {
                Ok(bytes) if program::is_more(&bytes, content.max_bytes) => {
                    Said::Failed(format!("it has more than {} bytes (max_bytes)", content.max_bytes))
                }
                Ok(bytes) => Said::Bytes(bytes),
                Err(problem) => Said::Failed(problem),
            },
            () = self.clock.sleep(content.timeout) => {
                Said::Failed(format!("it took longer than {} s", content.timeout.as_secs_f64()))
            }
        }
    }

    /// Why the file is no content any more.
    async fn too_old(&self, file: &ContentFile) -> Option<String> {
        let (path, max_age_ms) = (file.path.clone(), file.max_age_ms?);
        let modified = tokio::task::spawn_blocking(move || std::fs::metadata(path).and_then(|meta| meta.modified()));
        // What cannot be looked at is told by whoever reads it.
        let modified = modified.await.ok()?.ok()?;
        let since_epoch = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let now = u128::try_from(self.clock.now().0).unwrap_or_default();
        let age_ms = now.saturating_sub(since_epoch.as_millis());
        (age_ms > u128::from(max_age_ms))
            .then(|| format!("the file is {} s old, and may be {} s old (max_age)", age_ms / 1000, max_age_ms / 1000))
    }
}

/// So many bytes are read: line ends at the end do not count.
fn most_of(content: &ContentFrom) -> u64 {
    content.max_bytes.saturating_add(program::LINE_ENDS)
}

/// The headers as their file says them now: a token that was changed holds for the next fire.
async fn read_headers(path: std::path::PathBuf) -> Result<Vec<(String, String)>, String> {
    let named = path.display().to_string();
    let read = tokio::task::spawn_blocking(move || read_private(&path)).await;
    let read = read.unwrap_or_else(|broken| Err(broken.to_string()));
    read.and_then(|text| headers(&text)).map_err(|problem| format!("headers_file: {named}: {problem}"))
}

fn read_private(path: &Path) -> Result<String, String> {
    let meta = std::fs::metadata(path).map_err(|error| error.to_string())?;
    // Opening a FIFO would wait for a writer.
    if !meta.is_file() {
        return Err("not a regular file".to_owned());
    }
    if meta.mode() & 0o007 != 0 {
        return Err("other users may read or write it: make it 0600, or 0640 with a group".to_owned());
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}
