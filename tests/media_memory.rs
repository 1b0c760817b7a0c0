//! What a large media costs in memory. A file of its own: the figure is the whole process's.

use std::time::Duration;

use async_trait::async_trait;
use pushcron::clock::SystemClock;
use pushcron::domain::{Body, Media, Message};
use pushcron::media::{Blobs, Resolver, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LEN: usize = 20 << 20;

struct NoBlobs;

#[async_trait]
impl Blobs for NoBlobs {
    async fn blob(&self, _: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }
}

/// The peak of resident memory since the last call, in bytes.
fn peak_and_reset() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    let kilobytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    // 5 resets the peak to what is resident now.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    kilobytes * 1024
}

async fn stream_zeros(listener: tokio::net::TcpListener) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let _ = stream.read(&mut [0; 4096]).await.unwrap();
    stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {LEN}\r\n\r\n").as_bytes()).await.unwrap();
    for _ in 0..LEN / 65_536 {
        stream.write_all(&[0; 65_536]).await.unwrap();
    }
}

#[tokio::test]
async fn twenty_megabytes_cost_less_than_eight_of_memory() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::File::create(dir.path().join("large.bin")).unwrap().set_len(LEN as u64).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = format!("http://{}/large.bin", listener.local_addr().unwrap());
    tokio::spawn(stream_zeros(listener));
    let settings = Settings {
        roots: vec![dir.path().to_owned()],
        max_bytes: LEN as u64,
        allow_private: true,
        forbidden: Vec::new(),
        temp_dir: dir.path().join("tmp"),
        deadline: Duration::from_secs(60),
    };
    let resolver = Resolver::new(settings, SystemClock::shared()).unwrap();
    peak_and_reset();
    let before = peak_and_reset();
    for source in ["large.bin", &remote] {
        let body = Body::File(Media { source: source.to_owned(), ..Media::default() });
        let resolved = resolver.resolve(&Message { title: None, body }, u64::MAX, &NoBlobs).await.unwrap();
        assert_eq!(resolved.files()[0].len, LEN as u64);
        let grown = peak_and_reset().saturating_sub(before);
        assert!(grown < 8 << 20, "{source} took {grown} bytes of memory");
        eprintln!("{source}: {} KiB of extra memory at the peak", grown / 1024);
    }
}
