//! The recipes of docs/recipes.md and docs/from-the-sdk.md, each carried out as it stands: its files are written, its commands typed, and what came of it
//! is looked up in the database and at those who got it. Only hosts are replaced, by servers of ours.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::common::daemon::{Daemon, House, until};
use crate::common::fake_im::{Answer, FakeIm, Request};
use crate::common::platforms::Platform;
use crate::common::rows::query;

/// Pages in English with recipes, and those in Chinese that say the same.
const PAGES: &[&str] = &["docs/recipes.md", "docs/from-the-sdk.md", "docs/first-hour.md", "README.md"];
const IN_CHINESE: &[&str] =
    &["docs/zh/recipes.md", "docs/zh/from-the-sdk.md", "docs/zh/first-hour.md", "README.zh-CN.md"];

/// Where the bots of the recipes are reached, but for those of platforms in the cloud.
const NAPCAT: &str = "http://127.0.0.1:3000";

/// What a picture begins with.
const JPEG: [u8; 12] = [0xff, 0xd8, 0xff, 0xe0, 0, 16, b'J', b'F', b'I', b'F', 0, 1];

/// A recipe of the page: what stands between its mark and the next heading.
struct Recipe {
    text: String,
    files: Vec<(String, String)>,
    /// What is typed, and what is shown of the answer.
    scripts: Vec<(String, Option<String>)>,
    beside_a_daemon: bool,
}

fn text_of(pages: &[&str]) -> String {
    pages.iter().map(|page| std::fs::read_to_string(page).unwrap()).collect()
}

/// The names of all recipes.
fn names(page: &str) -> Vec<String> {
    let marks = page.split("<!-- recipe: ").skip(1);
    marks.map(|mark| mark.split([' ', ',']).next().unwrap().to_owned()).collect()
}

impl Recipe {
    fn of(name: &str, pages: &[&str]) -> Recipe {
        let page = text_of(pages);
        let mark = page.split("<!-- recipe: ").find(|text| text.split([' ', ',']).next() == Some(name));
        let mark = mark.unwrap_or_else(|| panic!("{pages:?} have no recipe {name}"));
        let (head, text) = mark.split_once("-->").unwrap();
        let text = text.split("\n##").next().unwrap();
        let mut recipe = Recipe {
            text: text.to_owned(),
            files: Vec::new(),
            scripts: Vec::new(),
            beside_a_daemon: head.contains("beside a daemon"),
        };
        for fence in text.split("\n```").skip(1).step_by(2) {
            let (info, body) = fence.split_once('\n').unwrap();
            match *info.split(' ').collect::<Vec<_>>() {
                [_, file] => recipe.files.push((file.to_owned(), format!("{body}\n"))),
                ["sh"] => recipe.scripts.push((body.to_owned(), None)),
                ["text"] => recipe.scripts.last_mut().expect("something is typed").1 = Some(body.to_owned()),
                _ => panic!("{name}: what is to be done with a block of '{info}'?"),
            }
        }
        assert!(!recipe.files.is_empty(), "{name} has no file");
        recipe
    }
}

/// Where a recipe is carried out.
struct Kitchen {
    house: House,
    recipe: Recipe,
    /// Hosts of the page, and who stands for each.
    hosts: BTreeMap<&'static str, FakeIm>,
    daemon: Option<Daemon>,
}

impl Kitchen {
    async fn of(name: &str, hosts: impl IntoIterator<Item = (&'static str, FakeIm)>) -> Kitchen {
        Kitchen::with(Recipe::of(name, PAGES), hosts).await
    }

    async fn with(recipe: Recipe, hosts: impl IntoIterator<Item = (&'static str, FakeIm)>) -> Kitchen {
        let kitchen = Kitchen { house: House::new().await, recipe, hosts: hosts.into_iter().collect(), daemon: None };
        for (file, text) in &kitchen.recipe.files {
            kitchen.write(file, &kitchen.replaced(text));
        }
        kitchen
    }

    fn path(&self, file: &str) -> PathBuf {
        self.house.dir.path().join(file)
    }

    fn write(&self, file: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(self.path(file), text).unwrap();
        // Whatever the umask of the tester: `check` warns of files that others may write.
        std::fs::set_permissions(self.path(file), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// A text of the page with our servers for its hosts, of which none may be left: nothing is to leave this machine.
    fn replaced(&self, text: &str) -> String {
        let ours = |text: &str, (host, fake): (&&str, &FakeIm)| text.replace(*host, &fake.url(""));
        let text = self.hosts.iter().fold(text.to_owned(), |text, host| ours(&text, host));
        for rest in text.split("://").skip(1) {
            assert!(rest.starts_with("127.0.0.1:"), "who stands for {}?", rest.lines().next().unwrap());
        }
        text
    }

    fn fake(&self, host: &str) -> &FakeIm {
        &self.hosts[host]
    }

    /// Carries all of it out: the files are checked, the daemon started, and each command typed.
    async fn cook(&mut self) {
        self.ready().await;
        for (script, answer) in std::mem::take(&mut self.recipe.scripts) {
            let told = self.types(&script).await;
            for line in answer.iter().flat_map(|answer| answer.lines()).filter(|line| !line.trim().is_empty()) {
                let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
                let is_told = told.lines().any(|told| words(told) == words(line));
                assert!(is_told, "{script}\nthe page shows '{line}', told was\n{told}");
            }
        }
    }

    async fn ready(&mut self) {
        self.types("pushcron check").await;
        if self.recipe.beside_a_daemon {
            let mut command = self.house.program(&["run"]);
            command.envs(self.variables());
            self.daemon = Some(self.house.start(command).await);
        }
    }

    /// What a shell says to a line of the page.
    async fn types(&self, script: &str) -> String {
        let program = Path::new(env!("CARGO_BIN_EXE_pushcron")).parent().unwrap().display();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-e", "-c", &self.replaced(script)]).current_dir(self.house.dir.path()).env_clear();
        shell.env("PATH", format!("{program}:/usr/bin:/bin")).env("PUSHCRON_CONFIG", "jobs.yaml").env("TZ", "UTC");
        shell.envs(self.variables()).stdin(Stdio::null()).kill_on_drop(true);
        let output = shell.output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(output.stdout), text(output.stderr));
        assert!(output.status.success(), "{script}\n{out}{err}");
        // That of a list which ends soon depends on the day.
        let warnings: Vec<&str> = err.lines().filter(|line| line.contains("warning:")).collect();
        assert!(warnings.iter().all(|warning| warning.contains("the calendar cn ends on")), "{script}\n{err}");
        out
    }

    /// Variables that the files name: the recipe takes them to be set.
    fn variables(&self) -> BTreeMap<String, String> {
        let texts = self.recipe.files.iter().flat_map(|(_, text)| text.split("${").skip(1));
        texts.map(|rest| (rest.split('}').next().unwrap().to_owned(), "123456:sample".to_owned())).collect()
    }

    fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        query(&self.house.database(), sql)
    }

    /// The only value of the only row.
    fn value(&self, sql: &str) -> String {
        let rows = self.rows(sql);
        assert_eq!((rows.len(), rows[0].len()), (1, 1), "{sql}: {rows:?}");
        rows[0][0].clone()
    }

    async fn ends_well(mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.stop().await;
        }
    }
}

async fn napcat() -> (&'static str, FakeIm) {
    (NAPCAT, Platform::of("onebot11").unwrap().start().await)
}

/// All that a message of OneBot says in text.
fn said(request: &Request) -> String {
    let parts = request.json()["message"].as_array().cloned().unwrap_or_default();
    parts.iter().filter_map(|part| part["data"]["text"].as_str().map(str::to_owned)).collect()
}

#[test]
fn every_recipe_of_the_pages_is_carried_out() {
    let code = std::fs::read_to_string(file!()).unwrap();
    let in_english = text_of(PAGES);
    let all = names(&in_english);
    for name in &all {
        let taken = [format!("Kitchen::of(\"{name}\""), format!("Recipe::of(\"{name}\"")];
        assert!(taken.iter().any(|call| code.contains(call)), "nobody carries out the recipe {name}");
    }
    assert!(all.len() >= 11, "{all:?}");
    assert_eq!(all, names(&text_of(IN_CHINESE)), "the pages in Chinese have other recipes");
    // A block outside of any recipe that shows a file would be carried out by nobody.
    for pages in [PAGES, IN_CHINESE] {
        let text = text_of(pages);
        let recipes: usize = all.iter().map(|name| Recipe::of(name, pages).files.len()).sum();
        assert_eq!(text.matches("\n```yaml jobs.yaml\n").count() + text.matches("\n```csv ").count(), recipes);
    }
}

/// Those who stand for every host that a recipe names.
async fn everybody() -> Vec<(&'static str, FakeIm)> {
    let house = FakeIm::start().await;
    house.on("/digest.txt", Answer::text(200, "12 to 19 degrees\n"));
    let nas = FakeIm::start().await;
    nas.on("/pictures/", Answer::text(200, JPEG).header("content-type", "image/jpeg"));
    let telegram = Platform::of("telegram").unwrap().start().await;
    vec![napcat().await, ("http://weather.lan", house), ("http://nas.lan", nas), ("https://api.telegram.org", telegram)]
}

#[tokio::test]
async fn each_kind_of_content_goes_out_by_hand_as_the_page_of_the_senders_shows() {
    let nas = FakeIm::start().await;
    nas.on(".mp3", Answer::text(200, "ID3\x03\x00\x00\x00\x00\x00\x00").header("content-type", "audio/mpeg"));
    let recipe = Recipe::of("each_kind", &["docs/senders/README.md"]);
    let mut kitchen = Kitchen::with(recipe, [napcat().await, ("http://nas.lan", nas)]).await;
    std::fs::write(kitchen.path("chart.png"), b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR").unwrap();
    std::fs::write(kitchen.path("clip.mp4"), b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00").unwrap();
    std::fs::write(kitchen.path("report.pdf"), b"%PDF-1.7\n").unwrap();
    kitchen.cook().await;
    let kinds = kitchen.rows("SELECT kind, state FROM pushes ORDER BY id");
    let sent =
        ["text", "image", "voice", "video", "file", "mixed"].map(|kind| vec![kind.to_owned(), "sent".to_owned()]);
    assert_eq!(kinds, sent);
}

/// Who reads Chinese gets the same: each recipe is carried out in both languages, and its pushes have the same end.
#[tokio::test]
async fn the_recipes_in_chinese_do_what_those_in_english_do() {
    for name in names(&text_of(IN_CHINESE)) {
        let mut ends = Vec::new();
        for pages in [PAGES, IN_CHINESE] {
            let mut kitchen = Kitchen::with(Recipe::of(&name, pages), everybody().await).await;
            kitchen.cook().await;
            let database = kitchen.house.database();
            let ended = "SELECT count(*) FROM pushes WHERE finished_at IS NULL AND state <> 'pending'";
            if database.exists() {
                until("what is under way has its end", async || query(&database, ended) == [["0"]]).await;
                ends.push(kitchen.rows(
                    "SELECT im, target, kind, state, coalesce(reason, ''), coalesce(role, '') FROM pushes ORDER BY id",
                ));
            }
            kitchen.ends_well().await;
        }
        ends.dedup();
        assert!(ends.len() <= 1, "{name}: {ends:?}");
    }
}

/// What the page says of the first troubles is what the program says of them.
#[tokio::test]
async fn the_troubles_of_the_first_hour_are_told_as_the_page_says() {
    let kitchen = Kitchen::with(Recipe::of("first_hour", PAGES), [napcat().await]).await;
    let push = "push --im qq --group 123456 --text hi";
    let says = async |line: &str| {
        let mut command = kitchen.house.program(&line.split(' ').collect::<Vec<_>>());
        command.envs(kitchen.variables()).stdin(Stdio::null());
        let output = command.output().await.unwrap();
        assert!(!output.status.success(), "{line}");
        String::from_utf8(output.stderr).unwrap()
    };
    let bot = kitchen.fake(NAPCAT);
    let is_online = |online| {
        Answer::json(
            200,
            json!({"status": "ok", "retcode": 0, "data": {"online": online, "good": online}, "message": ""}),
        )
    };
    let mut told = Vec::new();
    bot.on("", Answer::json(403, json!({"message": "token verify failed!"})));
    bot.on("/get_status", Answer::json(403, json!({"message": "token verify failed!"})));
    told.push((says(push).await, "get_status: HTTP 403: {\"message\":\"token verify failed!\"}"));
    bot.on("/get_status", is_online(false));
    told.push((says(push).await, "QQ is offline (get_status)"));
    bot.on("/get_status", is_online(true));
    let gone =
        json!({"status": "failed", "retcode": 200, "data": null, "message": "群聊不存在", "wording": "群聊不存在"});
    bot.on("/send_group_msg", Answer::json(200, gone));
    told.push((says(push).await, "is failed: retcode 200: 群聊不存在"));
    told.push((says("push --im wx --group 1 --text hi").await, "there is no account for the im 'wx'"));
    let file = std::fs::read_to_string(kitchen.path("jobs.yaml")).unwrap();
    kitchen.write("jobs.yaml", &file.replace(&bot.url(""), "http://127.0.0.1:1"));
    told.push((says(push).await, "get_status: cannot connect: Connection refused (os error 111)"));
    kitchen.write("jobs.yaml", &file.replace("QQ_TOKEN", "NOBODY_SET_QQ_TOKEN"));
    told.push((says("check").await.replace("NOBODY_SET_", ""), "the environment variable QQ_TOKEN is not set"));
    for (told, shown) in told {
        assert!(told.contains(shown), "told was:\n{told}\nnot: {shown}");
        for page in ["docs/first-hour.md", "docs/zh/first-hour.md"] {
            assert!(std::fs::read_to_string(page).unwrap().contains(shown), "{page} does not know '{shown}'");
        }
    }
}

#[tokio::test]
async fn the_first_push_of_the_readme_arrives() {
    let mut kitchen = Kitchen::of("first_push", [napcat().await]).await;
    kitchen.cook().await;
    assert_eq!(said(&kitchen.fake(NAPCAT).request("/send_group_msg")), "测试");
    assert_eq!(kitchen.rows("SELECT target, state FROM pushes"), [["group:123456", "sent"]]);
}

#[tokio::test]
async fn the_first_hour_ends_with_a_message_in_the_group() {
    let mut kitchen = Kitchen::of("first_hour", [napcat().await]).await;
    kitchen.cook().await;
    assert_eq!(kitchen.fake(NAPCAT).requests_to("/send_group_msg").len(), 1);
    let mut kitchen = Kitchen::of("let_it_run", [napcat().await]).await;
    kitchen.cook().await;
    assert_eq!(kitchen.rows("SELECT job, triggered_by, state FROM push_history"), [["morning", "manual", "sent"]]);
    kitchen.ends_well().await;
}

#[tokio::test]
async fn a_digest_with_the_weather_goes_to_twenty_groups_from_a_csv() {
    let weather = FakeIm::start().await;
    weather.on("/digest.txt", Answer::text(200, "12 to 19 degrees, rain from noon.\n"));
    let mut kitchen = Kitchen::of("digest", [napcat().await, ("http://weather.lan", weather)]).await;
    kitchen.cook().await;
    let groups: Vec<String> = (1001..=1020).map(|group| group.to_string()).collect();
    let rows = kitchen.rows("SELECT substr(target, 7), state FROM pushes ORDER BY ordinal");
    assert_eq!(rows, groups.iter().map(|group| vec![group.clone(), "sent".to_owned()]).collect::<Vec<_>>());
    let sent = kitchen.fake(NAPCAT).requests_to("/send_group_msg");
    let mut reached: Vec<(String, String)> =
        sent.iter().map(|request| (request.json()["group_id"].as_str().unwrap().to_owned(), said(request))).collect();
    reached.sort();
    let greeting = |class| format!("Good morning, Class {class}! 12 to 19 degrees, rain from noon.");
    assert_eq!(reached, groups.into_iter().zip((1..=20).map(greeting)).collect::<Vec<_>>());
    // Asked once, whoever gets it.
    assert_eq!(kitchen.fake("http://weather.lan").requests().len(), 1);
    kitchen.ends_well().await;
}

#[tokio::test]
async fn a_weekly_file_has_the_date_in_its_name() {
    let mut kitchen = Kitchen::of("weekly_file", [napcat().await]).await;
    kitchen.cook().await;
    let due = kitchen.value("SELECT due_at FROM fires");
    let due: jiff::Timestamp = due.parse().unwrap();
    let week = due.in_tz("Asia/Shanghai").unwrap().strftime("%G-W%V").to_string();
    let row = "SELECT state, kind, message ->> 'source', message ->> 'filename' FROM pushes";
    let [state, kind, source, filename] = &kitchen.rows(row)[0][..] else { panic!() };
    assert_eq!((&**state, &**kind, &**filename), ("sent", "file", &*format!("Report {week}.pdf")));
    assert!(source.ends_with(&format!("/reports/{week}.pdf")), "{source}");
    let sent = kitchen.fake(NAPCAT).request("/send_group_msg").text();
    assert!(sent.contains("123456") && sent.contains(&**filename), "{sent}");
    kitchen.ends_well().await;
}

#[tokio::test]
async fn a_reminder_knows_holidays_and_made_up_saturdays() {
    let mut kitchen = Kitchen::of("workday_reminder", [napcat().await]).await;
    kitchen.cook().await;
    let sent = query(
        &kitchen.path("october.db"),
        "SELECT substr(f.due_at, 1, 16) FROM pushes p JOIN fires f ON f.id = p.fire_id WHERE p.state = 'sent' ORDER BY 1",
    );
    // By the clock of London; the holidays are 1 to 7 October, and Saturday the 10th is worked.
    let days = ["09-28", "09-29", "09-30", "10-08", "10-09", "10-10"];
    assert_eq!(sent, days.map(|day| [format!("2026-{day}T01:25")]));
    let skipped =
        "SELECT count(*) FROM fires WHERE decision = 'skipped' AND reason = 'holiday' AND calendar LIKE '%国庆节'";
    assert_eq!(query(&kitchen.path("october.db"), skipped), [["5"]]);
}

#[tokio::test]
async fn the_picture_of_the_day_comes_with_a_line_of_text() {
    let camera = FakeIm::start().await;
    camera.on("/pictures/", Answer::text(200, JPEG).header("content-type", "image/jpeg"));
    let mut kitchen = Kitchen::of("picture_of_the_day", [napcat().await, ("http://nas.lan", camera)]).await;
    kitchen.cook().await;
    let day = |form: &str| {
        let due: jiff::Timestamp = kitchen.value("SELECT due_at FROM fires").parse().unwrap();
        due.in_tz("Asia/Shanghai").unwrap().strftime(form).to_string()
    };
    assert_eq!(kitchen.value("SELECT state FROM pushes"), "sent");
    let caption = day("The lake on %-d %B");
    assert_eq!(kitchen.value("SELECT message ->> 'caption' FROM pushes"), caption);
    assert_eq!(kitchen.fake("http://nas.lan").requests()[0].path, day("/pictures/%Y-%m-%d.jpg"));
    let sent = kitchen.fake(NAPCAT).request("/send_group_msg");
    let kinds: Vec<Value> =
        sent.json()["message"].as_array().unwrap().iter().map(|part| part["type"].clone()).collect();
    assert!(kinds.contains(&json!("image")) && said(&sent).contains(&caption), "{}", sent.text());
    kitchen.ends_well().await;
}

#[tokio::test]
async fn a_report_stays_silent_when_nothing_changed() {
    let mut kitchen = Kitchen::of("silent_report", [napcat().await]).await;
    kitchen.cook().await;
    let rows = kitchen.rows("SELECT state, coalesce(reason, '') FROM pushes ORDER BY id");
    assert_eq!(rows, [["sent", ""], ["cancelled", "content_unchanged"], ["sent", ""]]);
    let told: Vec<String> = kitchen.fake(NAPCAT).requests_to("/send_group_msg").iter().map(said).collect();
    assert_eq!(told, ["3 tickets are open", "4 tickets are open"]);
    kitchen.ends_well().await;
}

#[tokio::test]
async fn an_alert_reaches_several_people_and_another_im_where_the_first_one_fails() {
    let (host, qq) = napcat().await;
    // As NapCat says it of somebody who is no friend (any more).
    let gone = json!({"status": "failed", "retcode": 100, "data": null, "message": "FRIEND_NOT_FOUND", "wording": ""});
    let sent = json!({"status": "ok", "retcode": 0, "data": {"message_id": 42}, "message": "", "wording": ""});
    qq.handle("/send_private_msg", move |request| {
        let is_gone = request.json()["user_id"] == "10002";
        Answer::json(200, if is_gone { gone.clone() } else { sent.clone() })
    });
    let telegram = Platform::of("telegram").unwrap().start().await;
    let mut kitchen = Kitchen::of("alert", [(host, qq), ("https://api.telegram.org", telegram)]).await;
    kitchen.cook().await;
    let rows = "SELECT im, target, state, coalesce(role, '') FROM pushes ORDER BY ordinal";
    until("all have their end", async || {
        kitchen.rows(rows).len() == 3 && kitchen.value("SELECT count(*) FROM pushes WHERE finished_at IS NULL") == "0"
    })
    .await;
    assert_eq!(
        kitchen.rows(rows),
        [
            ["qq", "user:10001", "sent", ""],
            ["qq", "user:10002", "failed", ""],
            ["telegram", "user:42", "sent", "fallback"]
        ]
    );
    let words = "The disk of db1 is almost full";
    assert_eq!(said(&kitchen.fake(NAPCAT).requests_to("/send_private_msg")[0]), words);
    assert_eq!(kitchen.fake("https://api.telegram.org").request("/sendMessage").json()["text"], words);
    kitchen.ends_well().await;
}

#[tokio::test]
async fn a_reminder_in_twenty_minutes_is_a_job_that_ends_itself() {
    let mut kitchen = Kitchen::of("in_twenty_minutes", [napcat().await]).await;
    kitchen.cook().await;
    let row = "SELECT source, CAST(round((julianday(next_due_at) - julianday(loaded_at)) * 1440) AS INTEGER)
                FROM jobs WHERE name = 'tea'";
    assert_eq!(kitchen.rows(row), [["verb", "20"]]);
    let sent = kitchen.fake(NAPCAT).request("/send_private_msg");
    assert_eq!((said(&sent), &sent.json()["user_id"]), ("Tea is ready".to_owned(), &json!("10001")));
    let states = "SELECT p.state FROM pushes p JOIN fires f ON f.id = p.fire_id WHERE f.triggered_by = 'manual'";
    assert_eq!(kitchen.value(states), "sent");
    kitchen.ends_well().await;
}

/// The cells of the rows of the tables of a recipe, in code.
fn cells(text: &str) -> Vec<Vec<String>> {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.split('`').skip(1).step_by(2).map(str::to_owned).collect()).collect()
}

#[tokio::test]
async fn each_call_of_the_plugin_sdk_is_the_push_of_a_job_and_a_verb() {
    for pages in [PAGES, IN_CHINESE] {
        each_call_is_a_push_and_a_verb(pages).await;
    }
}

async fn each_call_is_a_push_and_a_verb(pages: &[&str]) {
    let nas = FakeIm::start().await;
    nas.on(".jpg", Answer::text(200, JPEG).header("content-type", "image/jpeg"));
    nas.on(".mp3", Answer::text(200, "ID3\x03\x00\x00\x00\x00\x00\x00").header("content-type", "audio/mpeg"));
    nas.on(".mp4", Answer::text(200, "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00").header("content-type", "video/mp4"));
    nas.on(".pdf", Answer::text(200, "%PDF-1.7\n").header("content-type", "application/pdf"));
    let mut kitchen = Kitchen::with(Recipe::of("sdk_pushes", pages), [napcat().await, ("http://nas.lan", nas)]).await;
    let rows = cells(&kitchen.recipe.text);
    let calls: Vec<&str> = rows.iter().map(|row| row[0].split('(').next().unwrap()).collect();
    assert_eq!(calls, ["push", "pushImage", "pushVoice", "pushVideo", "pushFile", "pushMixed"]);
    let jobs: String = rows
        .iter()
        .enumerate()
        .map(|(row, cells)| format!("  - {{name: row-{row}, cron: \"0 0 29 2 *\", {}}}\n", kitchen.replaced(&cells[1])))
        .collect();
    let file = std::fs::read_to_string(kitchen.path("jobs.yaml")).unwrap();
    kitchen.write("jobs.yaml", &file.replace("jobs: []\n", &format!("jobs:\n{jobs}")));
    kitchen.ready().await;
    for (row, cells) in rows.iter().enumerate() {
        kitchen.types(&format!("pushcron fire row-{row} --wait")).await;
        assert_eq!(kitchen.types(&cells[2]).await, "1\n", "{}", cells[2]);
    }
    let pushes = kitchen.rows("SELECT im, target, kind, message, state FROM pushes ORDER BY id");
    assert_eq!(pushes.len(), 2 * rows.len());
    for (pair, row) in pushes.chunks(2).zip(&rows) {
        assert_eq!(pair[0], pair[1], "{row:?}");
        assert_eq!(pair[0][4], "sent", "{row:?}");
    }
    kitchen.ends_well().await;
}

#[tokio::test]
async fn each_call_about_cron_of_the_plugin_sdk_is_a_verb() {
    for pages in [PAGES, IN_CHINESE] {
        each_call_about_cron_is_a_verb(pages).await;
    }
}

async fn each_call_about_cron_is_a_verb(pages: &[&str]) {
    let mut kitchen = Kitchen::with(Recipe::of("sdk_crons", pages), [napcat().await]).await;
    kitchen.ready().await;
    let rows = cells(&kitchen.recipe.text);
    let calls: Vec<&str> = rows.iter().map(|row| row[0].split('(').next().unwrap()).collect();
    assert_eq!(calls, ["addCron", "addCron", "updateCron", "getCrons", "getCron", "delCron"]);
    let mut answers = Vec::new();
    for cells in &rows {
        answers.push(kitchen.types(&cells[1]).await);
        until("the daemon has taken it up", async || {
            kitchen.value("SELECT count(*) FROM jobs WHERE source = 'verb' AND next_due_at IS NULL AND ended_at IS NULL AND removed_at IS NULL") == "0"
        })
        .await;
    }
    let jobs: Value = serde_json::from_str(&answers[3]).unwrap();
    let schedules: Vec<&Value> = jobs.as_array().unwrap().iter().map(|job| &job["schedule"]).collect();
    assert!(schedules.contains(&&json!("30 9 * * 1-5")), "{schedules:?}");
    let text = rows[0][1].split("--text \"").nth(1).unwrap().trim_end_matches('"');
    assert!(answers[4].contains(text) && answers[4].contains("30 9 * * 1-5"), "{}", answers[4]);
    assert_eq!(kitchen.value("SELECT removed_at IS NOT NULL FROM jobs WHERE name = 'standup'"), "1");
    // Once, as its call said.
    assert_eq!(
        kitchen.value("SELECT json_extract(definition, '$.schedule.at') IS NOT NULL FROM jobs WHERE name = 'call'"),
        "1"
    );
    kitchen.ends_well().await;
}
