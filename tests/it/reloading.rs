//! `daemon.reload: watch`: the real daemon takes files up that were changed, whole ones, and tells of those that it refuses.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use pushcron::senders::http::Http;
use serde_json::Value;

use crate::common::daemon::{Daemon, House, until};

/// A job of a name, which is what is looked for.
fn job(name: &str) -> String {
    format!("  - {{name: {name}, cron: \"0 0 1 1 *\", push: {{im: hook, group: 1, text: hi}}}}\n")
}

fn files(house: &House, daemon_keys: &str, rest: &str) -> String {
    format!(
        "daemon: {{database: {database}, timezone: UTC, reload: watch{daemon_keys}}}\n\
         accounts:\n  - {{id: hook, im: hook, sender: webhook, url: \"{url}\", default: true}}\n{rest}",
        database = house.database().display(),
        url = house.im.url(house.hook),
    )
}

fn with_jobs(house: &House, names: &[&str]) -> String {
    files(house, "", &format!("jobs:\n{}", names.iter().map(|name| job(name)).collect::<String>()))
}

fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Waits until the daemon runs with these jobs and no others.
async fn runs(house: &House, names: &[&str]) {
    until(&format!("it runs with {names:?}"), async || {
        let rows = house.rows("SELECT name FROM jobs WHERE removed_at IS NULL ORDER BY name").await;
        rows.into_iter().flatten().collect::<Vec<_>>() == names
    })
    .await;
}

async fn status(house: &House) -> Value {
    let output = house.program(&["status", "--json"]).stdout(Stdio::piped()).output().await.unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn on(house: &House, config: &Path) -> Daemon {
    let mut command = house.program(&["run", "-v"]);
    command.env("PUSHCRON_CONFIG", config);
    house.start(command).await
}

fn reloads(daemon: &Daemon) -> usize {
    daemon.log().matches("reloaded").count() - daemon.log().matches("not reloaded").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_edited_in_place_or_renamed_over_is_taken_up() {
    let house = House::new().await;
    house.write(&with_jobs(&house, &["a"]));
    let mut daemon = house.daemon().await;
    runs(&house, &["a"]).await;
    house.write(&with_jobs(&house, &["a", "b"]));
    runs(&house, &["a", "b"]).await;
    // As vim and sed -i save: the old one goes to another name, the new one comes.
    let (file, new) = (house.dir.path().join("jobs.yaml"), house.dir.path().join("4913"));
    private(&new, &with_jobs(&house, &["b", "c"]));
    fs::rename(&file, house.dir.path().join("jobs.yaml~")).unwrap();
    fs::rename(&new, &file).unwrap();
    runs(&house, &["b", "c"]).await;
    daemon.says("files of the configuration changed: reading them again").await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_map_is_taken_up_when_its_links_are_swapped() {
    let house = House::new().await;
    let volume = house.dir.path().join("config");
    fs::create_dir(&volume).unwrap();
    let publish = |version: &str, names: &[&str]| {
        let data = volume.join(version);
        fs::create_dir(&data).unwrap();
        private(&data.join("pushcron.yaml"), &with_jobs(&house, names));
        symlink(version, volume.join("..data_tmp")).unwrap();
        fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    };
    publish("..2026_11_29_1", &["a"]);
    symlink("..data/pushcron.yaml", volume.join("pushcron.yaml")).unwrap();
    // By its directory, and by its name.
    for (config, version, names) in
        [(volume.clone(), "..2026_11_29_2", ["b"]), (volume.join("pushcron.yaml"), "..2026_11_29_3", ["c"])]
    {
        let mut daemon = on(&house, &config).await;
        publish(version, &names);
        runs(&house, &names).await;
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_included_new_ones_too_and_tokens_are_watched() {
    let house = House::new().await;
    let (more, token) = (house.dir.path().join("jobs.d"), house.dir.path().join("token"));
    fs::create_dir(&more).unwrap();
    private(&token, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    let account =
        format!("  - {{id: t, im: t, sender: webhook, url: \"{}\", secret_file: token}}\n", house.im.url("/t"));
    house.write(&files(&house, "", &format!("{account}include: [\"jobs.d/*.yaml\"]\njobs: []\n")));
    private(&more.join("a.yaml"), &format!("jobs:\n{}", job("a")));
    let mut daemon = house.daemon().await;
    runs(&house, &["a"]).await;
    private(&more.join("b.yaml"), &format!("jobs:\n{}", job("b")));
    runs(&house, &["a", "b"]).await;
    private(&more.join("a.yaml"), &format!("jobs:\n{}", job("c")));
    runs(&house, &["b", "c"]).await;
    let before = reloads(&daemon);
    private(&token, "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\n");
    until("the new token is read", async || reloads(&daemon) > before).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_in_directories_that_are_made_later_are_taken_up_as_soon_as_others() {
    let house = House::new().await;
    let root = house.dir.path();
    fs::create_dir(root.join("jobs.d")).unwrap();
    private(&root.join("jobs.d/a.yaml"), &format!("jobs:\n{}", job("a")));
    house.write(&files(&house, "", "include: [\"jobs.d/**/*.yaml\", \"absent/*/*.yaml\"]\njobs: []\n"));
    let mut command = house.program(&["run", "-v"]);
    command.env("PUSHCRON_CONFIG", root.join("jobs.yaml"));
    let mut daemon = house.start(command).await;
    runs(&house, &["a"]).await;
    let steps = async || {
        // A file that comes after its directory was noticed, and one that comes with three of them at once.
        for (directory, is_awaited, names) in [
            ("jobs.d/later", true, &["a", "b"] as &[&str]),
            ("jobs.d/at/once/three", false, &["a", "b", "c"]),
            ("absent", true, &["a", "b", "c"]),
            ("absent/deeper", true, &["a", "b", "c", "d"]),
        ] {
            fs::create_dir_all(root.join(directory)).unwrap();
            if is_awaited {
                let told = format!("directory={}", root.join(directory).display());
                until(&told, async || daemon.log().lines().any(|line| line.ends_with(&told))).await;
            }
            if directory != "absent" {
                let name = names.last().unwrap();
                private(&root.join(directory).join("more.yaml"), &format!("jobs:\n{}", job(name)));
            }
            runs(&house, names).await;
        }
        // Gone, and there again under the same name.
        fs::remove_dir_all(root.join("jobs.d/later")).unwrap();
        runs(&house, &["a", "c", "d"]).await;
        fs::create_dir(root.join("jobs.d/later")).unwrap();
        private(&root.join("jobs.d/later/more.yaml"), &format!("jobs:\n{}", job("e")));
        runs(&house, &["a", "c", "d", "e"]).await;
    };
    // Less than the time after which the files are looked at although nothing was told.
    tokio::time::timeout(Duration::from_secs(25), steps()).await.expect("directories are watched, not looked at");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_is_refused_once_and_told_everywhere_until_it_is_mended() {
    let house = House::new().await;
    let told = house.dir.path().join("told");
    let command =
        format!("on_failure: {{command: [/bin/sh, -c, 'cat >> {}'], as_root: true, every: 1s}}", told.display());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let keys = format!(", {command}, metrics_listen: \"{free}\"");
    let jobs = |key: &str| {
        files(&house, &keys, &format!("jobs:\n{}", job("a").replace("text: hi", &format!("text: hi{key}"))))
    };
    house.write(&jobs(""));
    let mut daemon = house.daemon().await;
    let http = Http::new().unwrap();
    let metric = async |line: &str| {
        let request = http.get(format!("http://{free}/metrics"));
        let Ok(reply) = http.call(request, Duration::from_secs(5)).await else { return false };
        reply.text().lines().any(|found| found == line)
    };
    until("it is well", async || metric("pushcron_last_reload_ok 1").await).await;
    house.write(&jobs(", gruop: 1"));
    daemon.says("not reloaded").await;
    until("the numbers tell", async || metric("pushcron_last_reload_ok 0").await).await;
    let alarm = || fs::read_to_string(&told).unwrap_or_default();
    until("the alarm tells", async || alarm().contains("the files are refused")).await;
    assert!(alarm().contains("jobs.yaml:") && alarm().contains("unknown key 'gruop'"), "{}", alarm());
    assert_eq!(status(&house).await["last_reload"]["outcome"], "refused");
    // As it is, it is not tried again: only another change is a reason, and this one is still wrong.
    house.write(&jobs(", grouq: 1"));
    until("the second one is refused", async || daemon.log().matches("not reloaded").count() == 2).await;
    house.write(&jobs(""));
    until("the alarm tells of the end", async || alarm().contains("the files are in force again")).await;
    assert_eq!(alarm().matches("the files are refused").count(), 1, "{}", alarm());
    assert_eq!(status(&house).await["last_reload"]["outcome"], "loaded");
    until("the numbers tell", async || metric("pushcron_last_reload_ok 1").await).await;
    assert_eq!(daemon.log().matches("not reloaded").count(), 2, "{}", daemon.log());
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_gone_is_no_empty_configuration() {
    let house = House::new().await;
    house.write(&with_jobs(&house, &["a"]));
    let mut daemon = house.daemon().await;
    let file = house.dir.path().join("jobs.yaml");
    fs::remove_file(&file).unwrap();
    daemon.says("not reloaded").await;
    runs(&house, &["a"]).await;
    house.write(&with_jobs(&house, &["a", "b"]));
    runs(&house, &["a", "b"]).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_a_file_is_not_taken_for_the_whole() {
    let house = House::new().await;
    let path: PathBuf = house.dir.path().join("jobs.yaml");
    house.write(&with_jobs(&house, &["a", "b"]));
    let mut command = house.program(&["run", "-v"]);
    command.env("PUSHCRON_CONFIG", &path);
    let mut daemon = house.start(command).await;
    runs(&house, &["a", "b"]).await;
    // The first half is a configuration by itself, without b.
    let whole = with_jobs(&house, &["a", "b", "c"]);
    let (half, rest) = whole.split_at(whole.find("  - {name: b").unwrap());
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(half.as_bytes()).unwrap();
    daemon.says("a file of the configuration is being written: waiting for its end").await;
    runs(&house, &["a", "b"]).await;
    file.write_all(rest.as_bytes()).unwrap();
    drop(file);
    runs(&house, &["a", "b", "c"]).await;
    daemon.says(" reloaded").await;
    assert!(daemon.log().contains("added=1 changed=0 removed=0"), "{}", daemon.log());
    assert_eq!(reloads(&daemon), 1, "{}", daemon.log());
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_ask_for_it_is_not_watched() {
    let house = House::new().await;
    house.write(&with_jobs(&house, &["a"]));
    let mut daemon = house.daemon().await;
    // The last one that is taken up by itself.
    house.write(&with_jobs(&house, &["a", "b"]).replace("watch", "signal"));
    runs(&house, &["a", "b"]).await;
    house.write(&with_jobs(&house, &["c"]).replace("watch", "signal"));
    daemon.signal(libc::SIGHUP);
    runs(&house, &["c"]).await;
    assert_eq!(daemon.log().matches("reading them again").count(), 1, "{}", daemon.log());
    daemon.stop().await;
}
