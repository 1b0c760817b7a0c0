//! What `add` and `edit` say of a job, put into the words of the files.

use std::time::Duration;

use clap::{Args, ValueHint};
use clap_complete::ArgValueCandidates;
use serde_json::{Map, Value, json};

use super::args::duration;
use super::candidates;
use super::failure::{Exit, Failure};
use super::message_words::{from_stdin, mixed_of};
use crate::acts::{SCHEDULE, after, literal as plain, put_once};
use crate::answers::when;
use crate::domain::UtcMs;

#[derive(Debug, Args)]
pub(super) struct JobWords {
    /// Five fields, six with seconds first, or a macro such as @daily
    #[arg(long, group = "when", value_name = "FIELDS", help_heading = "When")]
    cron: Option<String>,
    /// A period such as 30m
    #[arg(long, group = "when", value_name = "DURATION", help_heading = "When")]
    every: Option<String>,
    /// Once: 14:30 (today, else tomorrow) or 2026-12-24T18:00 by the job's zone, or an instant with its offset
    #[arg(long, group = "when", value_name = "TIME", help_heading = "When")]
    at: Option<String>,
    /// Once, after this time, such as 20m
    #[arg(long, group = "when", value_name = "DURATION", value_parser = duration, help_heading = "When")]
    r#in: Option<Duration>,
    /// Never by itself: only `fire` has it fire
    #[arg(long, group = "when", help_heading = "When")]
    on_demand: bool,
    /// The zone of the schedule, instead of the daemon's
    #[arg(long, value_name = "ZONE", help_heading = "When")]
    zone: Option<String>,
    /// Not earlier than this: 2026-12-24T18:00 by the job's zone; `none` takes it away
    #[arg(long, value_name = "TIME", help_heading = "When")]
    from: Option<String>,
    /// Not later than this; `none` takes it away
    #[arg(long, value_name = "TIME", help_heading = "When")]
    until: Option<String>,
    /// So many fires and no more; `none` takes it away
    #[arg(long, value_name = "N", help_heading = "When")]
    max: Option<String>,
    /// The im, as accounts name it
    #[arg(long, help_heading = "What", add = ArgValueCandidates::new(candidates::ims))]
    im: Option<String>,
    /// May be repeated, as --user may: a push to each
    #[arg(long, value_name = "ID", help_heading = "What")]
    group: Vec<String>,
    /// A person, by the id on that platform; may be repeated
    #[arg(long, value_name = "ID", help_heading = "What")]
    user: Vec<String>,
    /// A name under `targets` in the files; may be repeated, and stand beside --group and --user
    #[arg(long, value_name = "NAME", help_heading = "What")]
    to: Vec<String>,
    /// A note: the text where there is no content, and the title where a protocol has one
    #[arg(long, help_heading = "What")]
    title: Option<String>,
    /// The text; `-` reads it from standard input
    #[arg(long, group = "content", help_heading = "What")]
    text: Option<String>,
    /// A file that the daemon may read at that hour, an http(s) address, base64://… or data:…
    #[arg(long, group = "content", value_name = "SOURCE", value_hint = ValueHint::FilePath, help_heading = "What")]
    image: Option<String>,
    /// A voice message, likewise
    #[arg(long, group = "content", value_name = "SOURCE", value_hint = ValueHint::FilePath, help_heading = "What")]
    voice: Option<String>,
    /// A video, likewise
    #[arg(long, group = "content", value_name = "SOURCE", value_hint = ValueHint::FilePath, help_heading = "What")]
    video: Option<String>,
    /// A file, likewise
    #[arg(long, group = "content", value_name = "SOURCE", value_hint = ValueHint::FilePath, help_heading = "What")]
    file: Option<String>,
    /// A JSON list of items, as in the files
    #[arg(long, group = "content", value_name = "JSON", help_heading = "What")]
    mixed: Option<String>,
    /// The account that must be used, and no other
    #[arg(long, add = ArgValueCandidates::new(candidates::accounts), help_heading = "What")]
    account: Option<String>,
    /// The deadline of one attempt, such as 8s
    #[arg(long, value_name = "DURATION", help_heading = "What")]
    timeout: Option<String>,
    /// What happens to instants that are noticed late: skip, latest or all
    #[arg(long, value_name = "POLICY", help_heading = "What")]
    misfire: Option<String>,
    /// What a fire does while pushes of an older one are open: allow, skip or replace
    #[arg(long, value_name = "POLICY", help_heading = "What")]
    overlap: Option<String>,
}

impl JobWords {
    /// Whether anything was said.
    pub(super) fn is_empty(&self) -> bool {
        !self.says_when()
            && self.zone.is_none()
            && !self.says_of_pushes()
            && self.misfire.is_none()
            && self.overlap.is_none()
            && [&self.from, &self.until, &self.max].iter().all(|said| said.is_none())
    }

    pub(super) fn says_when(&self) -> bool {
        self.cron.is_some() || self.every.is_some() || self.at.is_some() || self.r#in.is_some() || self.on_demand
    }

    fn says_of_pushes(&self) -> bool {
        let texts = [&self.im, &self.title, &self.account, &self.timeout, &self.mixed, &self.text];
        let media = [&self.image, &self.voice, &self.video, &self.file];
        !self.group.is_empty()
            || !self.user.is_empty()
            || !self.to.is_empty()
            || texts.iter().chain(&media).any(|said| said.is_some())
    }

    /// Puts what was said into the mapping of a job, whose other keys stay as they are. `zone` is the daemon's.
    ///
    /// # Errors
    ///
    /// A time that is none, or past; a text that cannot be read.
    pub(super) fn put_into(&self, job: &mut Map<String, Value>, zone: &str, now: UtcMs) -> Result<(), Failure> {
        let mut put = |key: &str, said: &Option<String>| {
            if let Some(text) = said {
                job.insert(key.to_owned(), json!(plain(text)));
            }
        };
        put("timezone", &self.zone);
        put("overlap", &self.overlap);
        if let Some(policy) = &self.misfire {
            match job.get_mut("misfire").and_then(Value::as_object_mut) {
                Some(misfire) => drop(misfire.insert("policy".to_owned(), json!(plain(policy)))),
                None => drop(job.insert("misfire".to_owned(), json!({ "policy": plain(policy) }))),
            }
        }
        for (key, said) in [("from", &self.from), ("until", &self.until), ("max_fires", &self.max)] {
            match said.as_deref() {
                Some("none") => drop(job.shift_remove(key)),
                Some(text) => drop(job.insert(key.to_owned(), json!(plain(text)))),
                None => {}
            }
        }
        if self.says_when() {
            self.put_schedule(job, zone, now)?;
        }
        if self.says_of_pushes() {
            self.put_pushes(job)?;
        }
        Ok(())
    }

    fn put_schedule(&self, job: &mut Map<String, Value>, zone: &str, now: UtcMs) -> Result<(), Failure> {
        for key in SCHEDULE {
            job.shift_remove(key);
        }
        if self.on_demand {
            job.insert("on_demand".to_owned(), json!(true));
        }
        let once = match (&self.at, self.r#in) {
            (Some(text), _) => {
                let zone = job.get("timezone").and_then(Value::as_str).unwrap_or(zone);
                let at = when::coming(text, &when::zone(zone), now);
                Some(at.map_err(|problem| Failure::new(Exit::Usage, format!("--at: {problem}")))?)
            }
            (None, Some(wait)) => {
                let at = after(wait, now);
                Some(at.map_err(|problem| Failure::new(Exit::Usage, format!("--in: {problem}")))?)
            }
            (None, None) => None,
        };
        if let Some(at) = once {
            put_once(job, at);
        }
        for (key, said) in [("cron", &self.cron), ("every", &self.every)] {
            if let Some(text) = said {
                job.insert(key.to_owned(), json!(plain(text)));
            }
        }
        Ok(())
    }

    fn put_pushes(&self, job: &mut Map<String, Value>) -> Result<(), Failure> {
        let content = self.content()?;
        let mut pushes = match job.shift_remove("push") {
            Some(Value::Array(pushes)) => pushes,
            _ => vec![json!({})],
        };
        let whom = [("group", &self.group), ("user", &self.user), ("to", &self.to)];
        let targets: Vec<(&str, &String)> =
            whom.into_iter().flat_map(|(key, ids)| ids.iter().map(move |id| (key, id))).collect();
        if !targets.is_empty() {
            let first = pushes.swap_remove(0);
            let to = |(key, id): &(&str, &String)| {
                let mut push = first.clone();
                if let Some(keys) = push.as_object_mut() {
                    for other in ["group", "user", "to"] {
                        keys.shift_remove(other);
                    }
                    if *key == "to" {
                        keys.shift_remove("im");
                    }
                    keys.insert((*key).to_owned(), json!(plain(id)));
                }
                push
            };
            pushes = targets.iter().map(to).collect();
        }
        for keys in pushes.iter_mut().filter_map(Value::as_object_mut) {
            // The targets of a name have each their own im.
            let im = if keys.contains_key("to") { &None } else { &self.im };
            for (key, said) in
                [("im", im), ("title", &self.title), ("account", &self.account), ("timeout", &self.timeout)]
            {
                if let Some(text) = said {
                    keys.insert(key.to_owned(), json!(plain(text)));
                }
            }
            if let Some((key, value)) = &content {
                for other in ["text", "image", "voice", "video", "file", "mixed"] {
                    keys.shift_remove(other);
                }
                keys.insert((*key).to_owned(), value.clone());
            }
        }
        job.insert("push".to_owned(), Value::Array(pushes));
        Ok(())
    }

    fn content(&self) -> Result<Option<(&'static str, Value)>, Failure> {
        if let Some(text) = &self.text {
            let text = if text == "-" { from_stdin()? } else { text.clone() };
            return Ok(Some(("text", json!(plain(&text)))));
        }
        if let Some(items) = &self.mixed {
            return Ok(Some(("mixed", mixed_of(&plain(items))?)));
        }
        let media = [("image", &self.image), ("voice", &self.voice), ("video", &self.video), ("file", &self.file)];
        Ok(media.into_iter().find_map(|(key, source)| Some((key, json!(plain(source.as_ref()?))))))
    }
}
