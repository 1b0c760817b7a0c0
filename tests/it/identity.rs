//! One file, one daemon, one record of what was sent, however the path to the file is spelled and whoever moves it.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use crate::common::daemon::{House, tick, until};
use crate::common::fake_im::Answer;

/// A second path to the database, somewhere else, and the words that start a verb on it.
struct Detour {
    dir: tempfile::TempDir,
}

impl Detour {
    fn new() -> Detour {
        Detour { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("link.db")
    }

    fn files(&self) -> usize {
        std::fs::read_dir(self.dir.path()).unwrap().count()
    }
}

/// Every push arrived once, and none is in doubt.
async fn all_is_well(house: &House) {
    assert_eq!(house.number("SELECT count(*) FROM attempts WHERE outcome IS NOT 'sent'").await, 0);
    assert!(house.arrivals().values().all(|times| *times == 1), "{:?}", house.arrivals());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_symbolic_link_to_the_database_is_the_database() {
    let house = House::new().await;
    house.configure("", &tick("tick"));
    let mut daemon = house.daemon().await;
    house.until_at_least(1, "SELECT count(*) FROM pushes WHERE state = 'sent'").await;
    let detour = Detour::new();
    symlink(house.database(), detour.path()).unwrap();
    let link = detour.path().display().to_string();

    let (code, told) = house.ends(&["--db", &link, "run"]).await;
    assert_eq!(code, Some(69), "{told}");
    assert!(told.contains(&format!("pid {}", daemon.child.id().unwrap())), "{told}");
    for _ in 0..3 {
        let push = ["--db", &link, "push", "--im", "hook", "--group", "1", "--text", "by hand"];
        assert_eq!(house.ends(&push).await, (Some(0), String::new()));
    }
    assert_eq!(detour.files(), 1, "something was put beside the link");
    daemon.stop().await;
    all_is_well(&house).await;

    // It may also be started by the link; everything lies beside the file.
    let mut daemon = house.start(house.program(&["--db", &link, "run"])).await;
    let (code, told) = house.ends(&["run"]).await;
    assert_eq!(code, Some(69), "{told}");
    daemon.stop().await;
    assert_eq!(detour.files(), 1, "something was put beside the link");
    all_is_well(&house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_a_second_name_is_refused_by_everyone() {
    let house = House::new().await;
    house.configure("", &tick("tick"));
    house.daemon().await.stop().await;
    let detour = Detour::new();
    let other = house.dir.path().join("other.db");
    std::fs::hard_link(house.database(), &other).unwrap();
    let (other, real) = (other.display().to_string(), house.database().display().to_string());
    let arrived = house.im.requests().len();
    for database in [&other, &real] {
        for words in [&["run"][..], &["history"], &["push", "--im", "hook", "--group", "1", "--text", "by hand"]] {
            let (code, told) = house.ends(&[&["--db", database], words].concat()).await;
            assert_eq!(code, Some(69), "{words:?} {told}");
            assert!(told.contains("2 names (hard links)") && told.contains("remove"), "{words:?} {told}");
        }
    }
    assert_eq!(house.im.requests().len(), arrived);
    assert_eq!(detour.files(), 0);
    std::fs::remove_file(other).unwrap();
    house.daemon().await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_can_mean_no_file_is_refused_with_a_sentence() {
    let house = House::new().await;
    house.configure("", &tick("tick"));
    let detour = Detour::new();
    symlink("moved/away.db", detour.path()).unwrap();
    let link = detour.path().display().to_string();
    let no_file = "the database must be a file";
    for (database, sentence) in [
        (&*link, "a symbolic link to moved/away.db, where no file is"),
        (":memory:", no_file),
        ("file:here.db?mode=memory", no_file),
    ] {
        for words in [&["run"][..], &["history"], &["push", "--im", "hook", "--group", "1", "--text", "by hand"]] {
            let (code, told) = house.ends(&[&["--db", database], words].concat()).await;
            assert_eq!(code, Some(69), "{words:?} {told}");
            assert!(told.contains(sentence), "{words:?} {told}");
        }
    }
    assert_eq!(house.im.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_keeps_its_database_though_the_lock_file_is_removed() {
    let house = House::new().await;
    house.configure("", &tick("tick"));
    let mut daemon = house.daemon().await;
    std::fs::remove_file(house.database().with_extension("db.lock")).unwrap();
    for words in [&["run"][..], &["push", "--im", "hook", "--group", "1", "--text", "by hand"]] {
        let (code, told) = house.ends(words).await;
        assert_eq!(code, Some(69), "{words:?} {told}");
        assert!(told.contains("in use by another pushcron"), "{words:?} {told}");
    }
    house.assert_it_ends_well(&mut daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_whose_database_goes_away_ends_and_sends_nothing_more() {
    for replaced in [false, true] {
        let house = House::new().await;
        house.configure("", &tick("tick"));
        let mut daemon = house.daemon().await;
        until("a push arrives", async || !house.im.requests().is_empty()).await;
        std::fs::rename(house.database(), house.dir.path().join("moved.db")).unwrap();
        if replaced {
            std::fs::write(house.database(), "").unwrap();
        }
        let ended = tokio::time::timeout(Duration::from_secs(60), daemon.child.wait()).await.expect("it ends").unwrap();
        assert_eq!(ended.code(), Some(69), "{}", daemon.log());
        assert!(daemon.log().contains("was removed, moved or replaced"), "{}", daemon.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_whose_log_goes_away_saves_it_and_ends() {
    for suffix in ["db-wal", "db-shm"] {
        let house = House::new().await;
        house.configure("", &tick("tick"));
        let mut daemon = house.daemon().await;
        until("some pushes arrive", async || house.im.requests().len() > 2).await;
        std::fs::remove_file(house.database().with_extension(suffix)).unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(60), daemon.child.wait()).await.expect("it ends").unwrap();
        assert_eq!(ended.code(), Some(69), "{}", daemon.log());
        assert!(daemon.log().contains(&format!("{suffix} was removed, moved or replaced")), "{}", daemon.log());
        let mut daemon = house.daemon().await;
        daemon.stop().await;
        all_is_well(&house).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_pushes_by_hand_at_once_all_arrive_without_a_daemon() {
    let house = House::new().await;
    house.configure("", "  []\n");
    let push = ["push", "--im", "hook", "--group", "1", "--text", "by hand"];
    let ends = futures_util::future::join_all((0..10).map(|_| house.ends(&push))).await;
    for end in ends {
        assert_eq!(end, (Some(0), String::new()));
    }
    assert_eq!(house.arrivals().len(), 10);
    all_is_well(&house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_waited_in_vain_says_so_and_leaves_nothing_behind() {
    let house = House::new().await;
    house.configure("", "  []\n");
    house.im.on("", Answer::text(200, "{}").held(&std::sync::Arc::default()));
    let push = ["push", "--im", "hook", "--group", "1", "--text", "by hand"];
    let mut first = house.program(&push).spawn().unwrap();
    until("the first is under way", async || !house.im.requests().is_empty()).await;
    let (code, told) = house.ends(&[&push[..], &["--wait", "1s"]].concat()).await;
    assert_eq!(code, Some(69), "{told}");
    assert!(told.contains("another pushcron (push, pid") && !told.contains("daemon goes on"), "{told}");
    assert_eq!(house.number("SELECT count(*) FROM pushes").await, 1);

    // A daemon waits for it too, instead of ending at once.
    let log = house.dir.path().join("waiting.log");
    let mut daemon = house.program(&["run"]).stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
    let said = async |part: &str| std::fs::read_to_string(&log).unwrap().contains(part);
    until("the daemon waits", async || said("waiting for a push by hand").await).await;
    first.kill().await.unwrap();
    until("the daemon has started", async || said(" started").await).await;
    daemon.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_mount_of_the_database_file_is_the_same_database() {
    let house = House::new().await;
    house.configure("", &tick("tick"));
    let mut daemon = house.daemon().await;
    let detour = Detour::new();
    std::fs::write(detour.path(), "").unwrap();
    let (real, other) = (house.database().display().to_string(), detour.path().display().to_string());
    let mount = format!("mount --bind '{real}' '{other}' && exec \"$0\" \"$@\"");
    let mut refused = house.program_under(&["unshare", "--mount", "sh", "-c", &mount], &["--db", &other, "run"]);
    let refused = refused.stderr(std::process::Stdio::piped()).output().await.unwrap();
    let told = String::from_utf8(refused.stderr).unwrap();
    if told.starts_with("unshare:") || told.starts_with("mount:") {
        eprintln!("SKIPPED: a second mount, since nothing can be mounted here (needs root)");
        return;
    }
    assert_eq!(refused.status.code(), Some(69), "{told}");
    assert!(told.contains("in use by another pushcron, by another path (a second mount?)"), "{told}");
    daemon.stop().await;
    // Its log would not lie beside the file, and the next start by the file's own path would not find it.
    let mut alone = house.program_under(&["unshare", "--mount", "sh", "-c", &mount], &["--db", &other, "run"]);
    let alone = alone.stderr(std::process::Stdio::piped()).output().await.unwrap();
    let told = String::from_utf8(alone.stderr).unwrap();
    assert_eq!(alone.status.code(), Some(69), "{told}");
    assert!(told.contains("mount its directory instead"), "{told}");
    house.assert_nothing_lost_or_doubled().await;
}
