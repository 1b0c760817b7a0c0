//! A list of days that was judged, and the file that it becomes.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, fchown};
use std::path::{Path, PathBuf};

use crate::domain::Calendar;
use crate::texts::Text;
use crate::whole_file;

/// A list that the next load takes, once its file is written.
#[derive(Debug)]
pub struct ImportedList {
    /// Where it belongs.
    pub path: PathBuf,
    /// A file of the configuration beside which it lies.
    pub beside: Option<PathBuf>,
    pub text: String,
    /// What held until then, if there is anything.
    pub before: Option<Calendar>,
    /// What will hold.
    pub after: Calendar,
    /// What whoever brings the list should know of it.
    pub told: Option<Text>,
}

impl ImportedList {
    /// Writes the file, whole or not at all. Where a link leads to it, the file behind it is written.
    ///
    /// It is for those who could read what it replaces, and where there is nothing yet, for its owner and for the group that
    /// may read the configuration.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self) -> std::io::Result<()> {
        let path = whole_file::behind_links(&self.path)?;
        let directory = path.parent().filter(|directory| *directory != Path::new("")).unwrap_or(Path::new("."));
        let beside = self.beside.as_ref().and_then(|path| path.metadata().ok());
        if !directory.exists() {
            std::fs::create_dir_all(directory)?;
            if let Some(beside) = &beside {
                let _ = chown(directory, None, Some(beside.gid()));
            }
            std::fs::set_permissions(directory, Permissions::from_mode(0o750))?;
        }
        let (uid, like, mode) = match path.metadata() {
            Ok(old) => (Some(old.uid()), Some(old.clone()), old.mode() & 0o777),
            Err(_) => (None, beside.clone(), beside.map_or(0o600, |beside| beside.mode() & 0o640)),
        };
        let mut file = whole_file::begin(&path)?;
        file.write_all(self.text.as_bytes())?;
        // Who cannot give it to the group gives that group's rights to no other one.
        let gid = like.map(|like| like.gid());
        let give = |uid| fchown(file.as_file(), uid, gid).is_ok();
        let is_given = give(uid) || give(None);
        let mode = if is_given { mode } else { mode & !0o070 };
        whole_file::replace(file, &path, mode)
    }
}
