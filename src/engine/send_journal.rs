//! Which attempts were really started: what lets a restart after `kill -9` tell "never begun" from "perhaps sent".
//!
//! Attempts are opened in the database in batches, somewhat ahead of their sends. Just before a sender is called, the
//! attempt is written here by one small write that is not synced: it survives the death of the process, since the
//! kernel has it, but not the death of the machine. So the journal counts only while the machine has not been booted
//! anew; else, and for any doubt, an open attempt is taken as perhaps sent.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Twice what can be open at once, so that there is a free slot while outcomes wait to be recorded. A slot is taken until
/// its attempt was closed durably, however long that lasts: what cannot be written here is not sent.
const SLOTS: u64 = 1 << 16;
const SLOT: u64 = 12;
/// The boot's id (32 characters) and padding.
const HEADER: u64 = 48;

/// The journal of the running process.
pub struct SendJournal {
    file: File,
    free: VecDeque<u64>,
    /// The slots of attempts that are not closed yet, by their pushes, of which each has one at a time.
    taken: HashMap<i64, u64>,
}

/// What stands in the journal of a process that is gone.
pub struct PastSends(Option<HashSet<(i64, u32)>>);

impl PastSends {
    /// Whether this attempt may have been started.
    pub fn may_include(&self, push_id: i64, attempt: u32) -> bool {
        self.0.as_ref().is_none_or(|sends| sends.contains(&(push_id, attempt)))
    }

    /// Nothing is known: every attempt may have been started.
    pub fn unknown() -> PastSends {
        PastSends(None)
    }
}

/// Reads what an earlier process wrote. A file that is not there, damaged, or from before the last boot says nothing.
pub fn read(path: &Path) -> PastSends {
    let read = || -> io::Result<Option<HashSet<(i64, u32)>>> {
        let mut bytes = Vec::new();
        File::open(path)?.read_to_end(&mut bytes)?;
        let of_this_boot = boot_id().is_some_and(|boot| bytes.starts_with(boot.as_bytes()));
        if bytes.len() as u64 != HEADER + SLOTS * SLOT || !of_this_boot {
            return Ok(None);
        }
        let slots = bytes[HEADER as usize..].chunks_exact(SLOT as usize);
        let sends = slots.filter_map(|slot| {
            let push_id = i64::from_le_bytes(slot[..8].try_into().ok()?);
            let attempt = u32::from_le_bytes(slot[8..].try_into().ok()?);
            (push_id != 0).then_some((push_id, attempt))
        });
        Ok(Some(sends.collect()))
    };
    PastSends(read().unwrap_or(None))
}

impl SendJournal {
    /// Starts with an empty page. The file has its full size from here on, so that a full disk cannot refuse an entry.
    pub fn create(path: &Path) -> io::Result<SendJournal> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        let mut page = vec![0; (HEADER + SLOTS * SLOT) as usize];
        let boot = boot_id().unwrap_or_default();
        page[..boot.len()].copy_from_slice(boot.as_bytes());
        file.write_all_at(&page, 0)?;
        Ok(SendJournal { file, free: (0..SLOTS).collect(), taken: HashMap::new() })
    }

    /// Writes down that the senders of these attempts are called next: pushes with the numbers of their attempts.
    ///
    /// It writes on the thread that it is called on: some bytes over a page that is in memory already, without a sync, so
    /// that it takes microseconds. Another thread for that would put a wait into every send.
    ///
    /// # Errors
    /// The file cannot be written, or more attempts are under way than there are slots. None of these may be sent then.
    pub fn append(&mut self, attempts: &[(i64, u32)]) -> io::Result<()> {
        if attempts.len() > self.free.len() {
            return Err(io::Error::other(format!("{} attempts are under way already", self.taken.len())));
        }
        let slots: Vec<u64> = self.free.drain(..attempts.len()).collect();
        let noted = self.write(attempts, &slots);
        for (&slot, (push_id, _)) in slots.iter().zip(attempts) {
            match noted {
                Ok(()) => {
                    self.taken.insert(*push_id, slot);
                }
                Err(_) => self.free.push_back(slot),
            }
        }
        noted
    }

    /// One write for each run of slots that lie side by side, which nearly all do.
    fn write(&self, attempts: &[(i64, u32)], slots: &[u64]) -> io::Result<()> {
        let mut from = 0;
        while from < slots.len() {
            let run = slots[from..].windows(2).take_while(|pair| pair[0] + 1 == pair[1]).count() + 1;
            let mut bytes: Vec<u8> = Vec::with_capacity(run * SLOT as usize);
            for (push_id, attempt) in &attempts[from..from + run] {
                bytes.extend(push_id.to_le_bytes());
                bytes.extend(attempt.to_le_bytes());
            }
            self.file.write_all_at(&bytes, HEADER + slots[from] * SLOT)?;
            from += run;
        }
        Ok(())
    }

    /// The attempt of this push was closed durably: its entry says nothing any more and may be overwritten.
    pub fn release(&mut self, push_id: i64) {
        self.free.extend(self.taken.remove(&push_id));
    }
}

/// Which boot of the machine this is, as 32 hexadecimal digits. A sandbox may hide `/proc/sys` (`ProcSubset=pid`), so
/// that the unit hands it over. Where nobody tells, the journal counts for nothing, which is safe.
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
    fn a_later_process_reads_what_an_earlier_one_wrote() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.db.flights");
        let mut journal = SendJournal::create(&path).unwrap();
        journal.append(&[(7, 1)]).unwrap();
        journal.append(&[(8, 2)]).unwrap();
        drop(journal);
        let past = read(&path);
        assert!(past.may_include(7, 1) && past.may_include(8, 2));
        assert!(!past.may_include(7, 2) && !past.may_include(9, 1));
        drop(SendJournal::create(&path).unwrap());
        assert!(!read(&path).may_include(7, 1), "a new process starts with an empty page");
    }

    #[test]
    fn an_entry_stays_until_its_attempt_was_closed_however_many_come_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("flights");
        let mut journal = SendJournal::create(&path).unwrap();
        journal.append(&[(1, 1)]).unwrap();
        let last = 3 * SLOTS as i64;
        let others: Vec<(i64, u32)> = (2..=last).map(|push_id| (push_id, 1)).collect();
        for some in others.chunks(1000) {
            journal.append(some).unwrap();
            some.iter().for_each(|(push_id, _)| journal.release(*push_id));
        }
        assert!(read(&path).may_include(1, 1) && read(&path).may_include(last, 1));
        journal.release(1);
        for _ in 0..2 {
            let again: Vec<(i64, u32)> = (1..=SLOTS as i64).map(|push_id| (push_id, 2)).collect();
            journal.append(&again).unwrap();
            again.iter().for_each(|(push_id, _)| journal.release(*push_id));
        }
        assert!(!read(&path).may_include(1, 1), "once closed, its slot is used again");
    }

    #[test]
    fn what_finds_no_free_slot_is_refused_and_overwrites_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("flights");
        let mut journal = SendJournal::create(&path).unwrap();
        let all: Vec<(i64, u32)> = (1..=SLOTS as i64).map(|push_id| (push_id, 1)).collect();
        journal.append(&all).unwrap();
        assert!(journal.append(&[(0x1000_0000, 1)]).is_err());
        let past = read(&path);
        assert!(all.iter().all(|(push_id, attempt)| past.may_include(*push_id, *attempt)));
        journal.release(5);
        journal.append(&[(0x1000_0000, 1)]).unwrap();
        assert!(read(&path).may_include(0x1000_0000, 1));
    }

    #[test]
    fn without_a_journal_or_after_a_boot_every_attempt_may_have_been_started() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("flights");
        assert!(read(&path).may_include(1, 1));
        drop(SendJournal::create(&path).unwrap());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[..8].copy_from_slice(b"another!");
        std::fs::write(&path, &bytes).unwrap();
        assert!(read(&path).may_include(1, 1));
        std::fs::write(&path, &bytes[..100]).unwrap();
        assert!(read(&path).may_include(1, 1));
    }
}
