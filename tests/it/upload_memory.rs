//! What the upload of a large media costs in memory.

use crate::common::alone::alone;
use crate::common::deliveries::{delivery, group, media, user};
use crate::common::fake_im::{Answer, FakeIm};
use crate::common::memory::peak_and_reset;
use crate::common::senders::{Bench, Stage};
use pushcron::domain::{Body, Delivery, MediaFile, Outcome};
use pushcron::senders::Sender;
use serde_json::{Value, json};

const LEN: u64 = 20 << 20;

#[tokio::test]
async fn twenty_megabytes_go_out_with_less_than_eight_of_memory() {
    if !alone("upload_memory::twenty_megabytes_go_out_with_less_than_eight_of_memory") {
        return;
    }
    let bench = Bench::new();
    let file = bench.large_file("large.bin", "application/octet-stream", LEN);
    let small = bench.file("small.bin", "application/octet-stream", &[0; 64]);
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
        (
            "wecom_robot",
            "wecom_robot",
            &[("url", "URL/cgi-bin/webhook/send?key=k")],
            "/upload_media",
            json!({"errcode": 0, "media_id": "m"}),
        ),
        (
            "wecom_app",
            "wecom_app",
            &[("base_url", "URL"), ("corp_id", "ww1"), ("agent_id", "1"), ("corp_secret", "s")],
            "/media/upload",
            json!({"errcode": 0, "access_token": "t", "media_id": "m"}),
        ),
        ("webhook (base64, signed)", "webhook", &[("url", "URL"), ("secret", "whsec_c2VjcmV0")], "/", json!(null)),
    ];
    for (label, sender, settings, upload, answer) in rows {
        let im = FakeIm::start().await;
        im.forget_bodies_over(1 << 20);
        im.on("", Answer::json(200, answer));
        let url = im.url("");
        let settings: Vec<(&'static str, String)> =
            settings.iter().map(|(key, value)| (*key, value.replace("URL", &url))).collect();
        let settings: Vec<(&'static str, &str)> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
        // A bench of its own, so that no sender finds what another has uploaded.
        let sender = Bench::new().sender(sender, &settings);
        let push = |file: &MediaFile| delivery(group("-5"), Body::File(media()), vec![file.clone()]);
        // A first call reads the code it runs from the binary, which is resident memory too and none of the upload's.
        assert_eq!(sender.send(&push(&small)).await.outcome, Outcome::Sent, "{label}");
        measure(label, sender.as_ref(), &push(&file), &im, upload).await;
    }

    let stage = Stage::of("ilink").await;
    stage.im.forget_bodies_over(1 << 20);
    let push = delivery(user("me"), Body::File(media()), vec![file]);
    measure("ilink (encrypted)", stage.sender().as_ref(), &push, &stage.im, "/c2c/upload").await;
}

async fn measure(label: &str, sender: &dyn Sender, push: &Delivery, im: &FakeIm, upload: &str) {
    peak_and_reset();
    let before = peak_and_reset();
    let report = sender.send(push).await;
    let grown = peak_and_reset().saturating_sub(before);
    assert_eq!(report.outcome, Outcome::Sent, "{label}: {report:?}");
    let carried: u64 = im.requests_to(upload).iter().map(|request| request.body_len).sum();
    assert!(carried >= LEN, "{label}: {carried} bytes arrived");
    assert!(grown < 8 << 20, "{label} took {grown} bytes of memory");
    eprintln!("{label}: {} KiB of extra memory at the peak of an upload of 20 MiB", grown / 1024);
}
