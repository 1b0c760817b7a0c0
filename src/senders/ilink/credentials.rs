//! What a QR login yields, in a file of its own that only its owner can read.

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};

use crate::domain::Secret;
use crate::whole_file;

/// Characters that an account's id may have and a file name may not.
const NOT_IN_FILE_NAMES: &AsciiSet = &CONTROLS.add(b'/').add(b'%');

/// A login (sheet A2: the answer `confirmed`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Credentials {
    pub bot_id: String,
    /// The WeChat user who scanned: the only one whom the bot reaches.
    pub user_id: String,
    pub token: Secret,
    /// Where all calls after the login go.
    pub base_url: String,
}

/// The file is there and not usable.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {problem}; run `pushcron login` once more")]
pub(super) struct Unusable {
    path: String,
    problem: String,
}

impl Credentials {
    /// Where the login of an account is kept.
    pub(super) fn path(state_dir: &Path, account: &str) -> PathBuf {
        let name = utf8_percent_encode(account, NOT_IN_FILE_NAMES);
        state_dir.join("credentials").join(format!("{name}.json"))
    }

    /// Reads the file; None where there was no login yet. On the thread that it is called on: a file of some hundred bytes,
    /// which is read at each call of the platform and so is in memory.
    ///
    /// # Errors
    /// [`Unusable`], with nothing of the content.
    pub(super) fn load(path: &Path) -> Result<Option<Credentials>, Unusable> {
        let unusable = |problem: String| Unusable { path: path.display().to_string(), problem };
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(error.to_string())),
        };
        let json: Value = serde_json::from_slice(&text).map_err(|_| unusable("not JSON".to_owned()))?;
        let text = |key: &str| match json.get(key).and_then(Value::as_str) {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(unusable(format!("no {key}"))),
        };
        Ok(Some(Credentials {
            bot_id: text("bot_id")?,
            user_id: text("user_id")?,
            token: Secret::new(text("token")?),
            base_url: text("base_url")?,
        }))
    }

    /// Writes the file in one move, mode 0600 in a folder of mode 0700: a reader sees the old login or the new one. Where root
    /// logs in, both belong to whoever the state belongs to, as whom the daemon runs.
    ///
    /// # Errors
    /// The file or its folder cannot be written.
    pub(super) fn save(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let owner = owner_of(folder.parent().unwrap_or(Path::new(".")))?;
        if let Some((user, group)) = owner {
            std::os::unix::fs::chown(folder, Some(user), Some(group))?;
        }
        let json = json!({
            "bot_id": self.bot_id,
            "user_id": self.user_id,
            "token": self.token.expose(),
            "base_url": self.base_url,
        });
        whole_file::write_for(path, owner, 0o600, format!("{json:#}\n").as_bytes())
    }
}

/// To whom root has to give what it writes into the directory.
fn owner_of(directory: &Path) -> io::Result<Option<(u32, u32)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let directory = std::fs::metadata(directory)?;
    Ok((directory.uid() != 0).then(|| (directory.uid(), directory.gid())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn login() -> Credentials {
        Credentials {
            bot_id: "b@im.bot".into(),
            user_id: "u@im.wechat".into(),
            token: Secret::new("tok".into()),
            base_url: "https://ilink.test".into(),
        }
    }

    #[test]
    fn a_login_is_private_and_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = Credentials::path(dir.path(), "bot_wx");
        assert!(path.ends_with("credentials/bot_wx.json"));
        assert_eq!(Credentials::load(&path).unwrap(), None);
        login().save(&path).unwrap();
        login().save(&path).unwrap();
        assert_eq!(Credentials::load(&path).unwrap(), Some(login()));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn no_account_id_leads_out_of_the_folder() {
        let path = Credentials::path(Path::new("/state"), "../../etc/x");
        assert_eq!(path, Path::new("/state/credentials/..%2F..%2Fetc%2Fx.json"));
    }

    #[test]
    fn a_broken_file_is_told_without_its_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        for (content, problem) in [("SECRET", "not JSON"), (r#"{"bot_id":"b","user_id":"SECRET"}"#, "no token")] {
            std::fs::write(&path, content).unwrap();
            let error = Credentials::load(&path).unwrap_err().to_string();
            assert!(error.contains(problem) && !error.contains("SECRET"), "{error}");
        }
    }
}
