//! What the upload of a large media costs in memory. A file of its own: the figure is the whole process's.

mod common;

use common::bench::{delivery, group};
use common::fake_im::{Answer, FakeIm};
use common::rig::{Rig, media};
use pushcron::domain::{Body, Outcome};
use serde_json::{Value, json};

const LEN: u64 = 20 << 20;

/// The peak of resident memory since the last call, in bytes.
fn peak_and_reset() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    let kilobytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    // 5 resets the peak to what is resident now.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    kilobytes * 1024
}

#[tokio::test]
async fn twenty_megabytes_go_out_with_less_than_eight_of_memory() {
    let rig = Rig::new();
    let file = rig.large_file("large.bin", "application/octet-stream", LEN);
    let onebot = |app_name: &str| {
        let data =
            json!({"app_name": app_name, "app_version": "4.18.13", "message_id": 1, "file_path": "/tmp/large.bin"});
        json!({"retcode": 0, "data": data})
    };
    // A label, the sender with the settings of its account, the call that carries the file, and the answer to all.
    let rows: Vec<(&str, &str, &[(&'static str, &str)], &str, Value)> = vec![
        (
            "matrix",
            "matrix",
            &[("url", "URL"), ("token", "t")],
            "/upload",
            json!({"content_uri": "mxc://a/b", "event_id": "$1"}),
        ),
        (
            "telegram",
            "telegram",
            &[("base_url", "URL"), ("token", "t")],
            "/sendDocument",
            json!({"ok": true, "result": {"message_id": 1}}),
        ),
        ("onebot11 (NapCat, in chunks)", "onebot11", &[("url", "URL")], "/upload_file_stream", onebot("NapCat.Onebot")),
        ("onebot11 (LLBot, base64)", "onebot11", &[("url", "URL")], "/send_group_msg", onebot("LLOneBot")),
        (
            "qianxun (base64)",
            "qianxun",
            &[("url", "URL"), ("wxid", "wxid_bot")],
            "/qianxun/httpapi",
            json!({"code": 200, "result": {"message_id": 1}}),
        ),
        ("webhook (base64, signed)", "webhook", &[("url", "URL"), ("secret", "whsec_c2VjcmV0")], "/", json!(null)),
    ];
    for (label, sender, settings, upload, answer) in rows {
        let im = FakeIm::start().await;
        im.forget_bodies_over(1 << 20);
        im.on("", Answer::json(200, answer));
        let url = im.url("");
        let settings: Vec<(&'static str, &str)> =
            settings.iter().map(|(key, value)| (*key, if *value == "URL" { url.as_str() } else { value })).collect();
        let sender = rig.sender(sender, &settings);
        let push = delivery(group("-5"), Body::File(media(None)), vec![file.clone()]);
        peak_and_reset();
        let before = peak_and_reset();
        let report = sender.send(&push).await;
        let grown = peak_and_reset().saturating_sub(before);
        assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
        let carried: u64 = im.requests_to(upload).iter().map(|request| request.body_len).sum();
        assert!(carried >= LEN, "{label}: {carried} bytes arrived");
        assert!(grown < 8 << 20, "{label} took {grown} bytes of memory");
        eprintln!("{label}: {} KiB of extra memory at the peak of an upload of 20 MiB", grown / 1024);
    }
}
