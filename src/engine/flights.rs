//! Which attempts were really started: what lets a restart after `kill -9` tell "never begun" from "perhaps sent".
//!
//! Attempts are opened in the database in batches, somewhat ahead of their sends. Just before a sender is called, the
//! attempt is noted here by one small write that is not synced: it survives the death of the process, since the
//! kernel has it, but not the death of the machine. So the notes count only while the machine has not been booted
//! anew; else, and for any doubt, an open attempt is taken as perhaps sent.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Far more than attempts can be open at once, so that a note is overwritten only long after its attempt was closed.
const SLOTS: u64 = 1 << 16;
const SLOT: u64 = 12;
/// The boot's id (32 characters) and padding.
const HEADER: u64 = 48;

/// The notes of the running process.
pub struct Flights {
    file: File,
    next: u64,
}

/// The notes of a process that is gone.
pub struct PastFlights(Option<HashSet<(i64, u32)>>);

impl PastFlights {
    /// Whether this attempt may have been started.
    pub fn may_include(&self, push_id: i64, attempt: u32) -> bool {
        self.0.as_ref().is_none_or(|flights| flights.contains(&(push_id, attempt)))
    }

    /// Nothing is known: every attempt may have been started.
    pub fn unknown() -> PastFlights {
        PastFlights(None)
    }
}

/// Where the notes of a database lie.
pub fn path_beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".flights");
    PathBuf::from(name)
}

/// Reads what an earlier process noted. A file that is not there, damaged, or from before the last boot says nothing.
pub fn read(path: &Path) -> PastFlights {
    let read = || -> io::Result<Option<HashSet<(i64, u32)>>> {
        let mut bytes = Vec::new();
        File::open(path)?.read_to_end(&mut bytes)?;
        let of_this_boot = boot_id().is_some_and(|boot| bytes.starts_with(boot.as_bytes()));
        if bytes.len() as u64 != HEADER + SLOTS * SLOT || !of_this_boot {
            return Ok(None);
        }
        let slots = bytes[HEADER as usize..].chunks_exact(SLOT as usize);
        let flights = slots.filter_map(|slot| {
            let push_id = i64::from_le_bytes(slot[..8].try_into().ok()?);
            let attempt = u32::from_le_bytes(slot[8..].try_into().ok()?);
            (push_id != 0).then_some((push_id, attempt))
        });
        Ok(Some(flights.collect()))
    };
    PastFlights(read().unwrap_or(None))
}

impl Flights {
    /// Starts with an empty page. The file has its full size from here on, so that a full disk cannot refuse a note.
    pub fn create(path: &Path) -> io::Result<Flights> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        let mut page = vec![0; (HEADER + SLOTS * SLOT) as usize];
        let boot = boot_id().unwrap_or_default();
        page[..boot.len()].copy_from_slice(boot.as_bytes());
        file.write_all_at(&page, 0)?;
        Ok(Flights { file, next: 0 })
    }

    /// Notes that the senders of these attempts are called next: pushes with the numbers of their attempts.
    pub fn note(&mut self, attempts: impl IntoIterator<Item = (i64, u32)>) -> io::Result<()> {
        let mut slots: Vec<u8> = Vec::new();
        for (push_id, attempt) in attempts {
            slots.extend(push_id.to_le_bytes());
            slots.extend(attempt.to_le_bytes());
        }
        let mut rest = &*slots;
        while !rest.is_empty() {
            // As far as the page goes; what is left stands at its beginning.
            let here = rest.len().min(((SLOTS - self.next % SLOTS) * SLOT) as usize);
            self.file.write_all_at(&rest[..here], HEADER + (self.next % SLOTS) * SLOT)?;
            self.next += here as u64 / SLOT;
            rest = &rest[here..];
        }
        Ok(())
    }
}

/// Which boot of the machine this is, as 32 hexadecimal digits. A sandbox may hide `/proc/sys` (`ProcSubset=pid`), so
/// that the unit hands it over. Where nobody tells, the notes count for nothing, which is safe.
fn boot_id() -> Option<String> {
    let told =
        std::env::var("PUSHCRON_BOOT_ID").or_else(|_| std::fs::read_to_string("/proc/sys/kernel/random/boot_id"));
    let id: String = told.ok()?.trim().chars().filter(|&c| c != '-').collect();
    (id.len() == 32).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_process_reads_what_an_earlier_one_noted() {
        let dir = tempfile::tempdir().unwrap();
        let path = path_beside(&dir.path().join("p.db"));
        let mut flights = Flights::create(&path).unwrap();
        flights.note([(7, 1)]).unwrap();
        flights.note([(8, 2)]).unwrap();
        drop(flights);
        let past = read(&path);
        assert!(past.may_include(7, 1) && past.may_include(8, 2));
        assert!(!past.may_include(7, 2) && !past.may_include(9, 1));
        drop(Flights::create(&path).unwrap());
        assert!(!read(&path).may_include(7, 1), "a new process starts with an empty page");
    }

    #[test]
    fn the_newest_notes_stay_when_the_page_is_full() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("flights");
        let mut flights = Flights::create(&path).unwrap();
        let all: Vec<(i64, u32)> = (1..=SLOTS as i64 + 3).map(|push_id| (push_id, 1)).collect();
        for some in all.chunks(1000) {
            flights.note(some.iter().copied()).unwrap();
        }
        let past = read(&path);
        assert!(!past.may_include(3, 1));
        assert!(past.may_include(4, 1) && past.may_include(SLOTS as i64 + 3, 1));
    }

    #[test]
    fn without_notes_or_after_a_boot_every_attempt_may_have_been_started() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("flights");
        assert!(read(&path).may_include(1, 1));
        drop(Flights::create(&path).unwrap());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[..8].copy_from_slice(b"another!");
        std::fs::write(&path, &bytes).unwrap();
        assert!(read(&path).may_include(1, 1));
        std::fs::write(&path, &bytes[..100]).unwrap();
        assert!(read(&path).may_include(1, 1));
    }
}
