//! The fake services held against clients that others wrote: what they accept from those clients is what our senders
//! may be tested with. `tests/real/weixin.sh` installs the clients and runs this file.

use std::path::Path;

use crate::common::fake_ilink::{Arrived, BOT, FakeIlink, TOKEN, USER};
use crate::common::fake_wecom::{AGENT, CORP, FakeWecom, KEY, SECRET, Shown};
use serde_json::{Value, json};

/// The Python that has the clients, or None where this is not set up.
fn python() -> Option<String> {
    let python = std::env::var("PUSHCRON_WEIXIN_PYTHON").ok();
    if python.is_none() {
        eprintln!("SKIPPED: PUSHCRON_WEIXIN_PYTHON is not set; run tests/real/weixin.sh");
    }
    python
}

/// Runs a script of `tests/real` and reads its last line.
async fn run(python: &str, script: &str, arguments: &[&str]) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real").join(script);
    let output = tokio::process::Command::new(python).arg(script).args(arguments).output().await.unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    serde_json::from_str(stdout.lines().last().unwrap_or_default()).unwrap_or_else(|error| panic!("{error}: {stdout}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fake_ilink_serves_the_ilink_sdk() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str, content: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (image, file) = (path("a.png", b"\x89PNG\r\n\x1a\n picture"), path("a.pdf", &[7; 32]));
    let video = path("a.mp4", &[9; 100_000]);
    for full_upload_url in [false, true] {
        let ilink = FakeIlink::start().await;
        ilink.service().full_upload_url = full_upload_url;
        ilink.service().statuses = [
            json!({"status": "wait"}),
            json!({"status": "scaned"}),
            json!({"status": "confirmed", "bot_token": TOKEN, "ilink_bot_id": BOT, "ilink_user_id": USER, "baseurl": ilink.im.url("")}),
        ]
        .into();
        ilink.user_writes("ctx-1", 1_767_229_200_000);
        let learned = run(&python, "weixin_ilink.py", &[&ilink.im.url(""), TOKEN, USER, &image, &file, &video]).await;

        let service = ilink.service();
        assert_eq!(service.breaches, Vec::<String>::new());
        assert_eq!(
            service.arrived,
            [
                Arrived::Text("hello 你好".into()),
                Arrived::Image(b"\x89PNG\r\n\x1a\n picture".to_vec()),
                Arrived::File { name: "a.pdf".into(), content: vec![7; 32] },
                Arrived::Video(vec![9; 100_000]),
            ]
        );
        assert_eq!(service.notified, ["start", "stop"]);
        assert_eq!((&learned["cursor"], &learned["context"]), (&json!("cursor-1"), &json!("ctx-1")));
        assert!(learned["login"].as_str().unwrap().contains(BOT), "{learned}");
        // `printf hello | openssl enc -aes-128-ecb -K 000102030405060708090a0b0c0d0e0f | base64`
        assert_eq!(learned["encrypted"], "XYdJ4q91MbK/ZmHp5drwEg==");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fake_wecom_serves_pywgb_and_wecomkit() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str, content: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (image, file) = (path("a.png", b"\x89PNG picture"), path("a.pdf", b"%PDF document"));
    let (voice, video) = (path("a.amr", b"#!AMR\n sound"), path("a.mp4", b"a film of bytes"));
    let wecom = FakeWecom::start().await;
    let (base, agent) = (wecom.im.url(""), AGENT.to_string());
    let arguments = [&base, KEY, CORP, SECRET, &agent, &image, &file, &voice, &video];
    let learned = run(&python, "weixin_wecom.py", &arguments).await;
    assert_eq!(learned, json!({"close": 0, "invalid": "nobody", "msgid": "msg-7", "nobody": 81013}));

    let service = wecom.service();
    assert_eq!(service.breaches, Vec::<String>::new());
    let media = |kind: &str, name: &str, content: &[u8]| Shown::Media {
        kind: kind.into(),
        name: name.into(),
        content: content.to_vec(),
    };
    let shown = |to: &str, shown: Shown| (to.to_owned(), shown);
    let expected = [
        shown("robot", Shown::Text("hello 你好".into())),
        shown("robot", Shown::Markdown("**bold**".into())),
        shown("robot", Shown::Markdown("# title".into())),
        shown("robot", media("image", "", b"\x89PNG picture")),
        shown("robot", media("file", "a.pdf", b"%PDF document")),
        shown("robot", media("voice", "a.amr", b"#!AMR\n sound")),
        shown("zhangsan", Shown::Text("hello 你好".into())),
        shown("zhangsan", Shown::Markdown("**bold**".into())),
        shown("lisi", media("image", "a.png", b"\x89PNG picture")),
        shown("zhangsan|lisi", media("file", "a.pdf", b"%PDF document")),
        shown("lisi", media("voice", "a.amr", b"#!AMR\n sound")),
        shown("lisi", media("video", "a.mp4", b"a film of bytes")),
        // The second was a duplicate.
        shown("lisi", Shown::Text("once".into())),
    ];
    assert_eq!(service.shown, expected);
}
