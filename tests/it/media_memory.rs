//! What a large media costs in memory.

use std::time::Duration;

use async_trait::async_trait;
use pushcron::clock::SystemClock;
use pushcron::domain::{Body, Media, Message};
use pushcron::media::{Blobs, Resolver, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::alone::alone;
use crate::common::memory::peak_and_reset;

const LEN: usize = 20 << 20;

struct NoBlobs;

#[async_trait]
impl Blobs for NoBlobs {
    async fn blob(&self, _: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }
}

async fn stream_zeros(listener: tokio::net::TcpListener, len: usize) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let _ = stream.read(&mut [0; 4096]).await.unwrap();
    stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {len}\r\n\r\n").as_bytes()).await.unwrap();
    for _ in 0..len / 65_536 {
        stream.write_all(&[0; 65_536]).await.unwrap();
    }
}

#[tokio::test]
async fn twenty_megabytes_cost_less_than_eight_of_memory() {
    if !alone("media_memory::twenty_megabytes_cost_less_than_eight_of_memory") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut sources = Vec::new();
    for (name, len) in [("small.bin", 65_536), ("large.bin", LEN)] {
        std::fs::File::create(dir.path().join(name)).unwrap().set_len(len as u64).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let remote = format!("http://{}/{name}", listener.local_addr().unwrap());
        tokio::spawn(stream_zeros(listener, len));
        sources.push((len, [name.to_owned(), remote]));
    }
    let settings = Settings {
        roots: vec![dir.path().to_owned()],
        max_bytes: LEN as u64,
        allow_private: true,
        forbidden: Vec::new(),
        temp_dir: dir.path().join("tmp"),
        deadline: Duration::from_secs(60),
    };
    let resolver = Resolver::new(settings, SystemClock::shared()).unwrap();
    let resolve = async |source: &str, len: usize| {
        let body = Body::File(Media { source: source.to_owned(), ..Media::default() });
        let resolved = resolver.resolve(&Message { title: None, body }, u64::MAX, &NoBlobs).await.unwrap();
        assert_eq!(resolved.files()[0].len, len as u64);
    };
    let [(small, warm_up), (large, measured)] = &sources[..] else { panic!("two sizes") };
    // The program's own pages come into memory as they are first used, more of them the larger it is.
    for source in warm_up {
        resolve(source, *small).await;
    }
    peak_and_reset();
    let before = peak_and_reset();
    for source in measured {
        resolve(source, *large).await;
        let grown = peak_and_reset().saturating_sub(before);
        assert!(grown < 8 << 20, "{source} took {grown} bytes of memory");
        eprintln!("{source}: {} KiB of extra memory at the peak", grown / 1024);
    }
}
