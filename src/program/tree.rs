//! A program with all that it started.
//!
//! A process group ends as one, but whoever makes a session of his own leaves it. So those that descend from the program are
//! looked up too, while it is there: once it has ended, nobody can tell any more whose they were.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open, pidfd_send_signal};
use tokio::process::{Child, Command};

/// Looks for processes that were started while others were being stopped.
const MOST_LOOKS: usize = 8;

/// Has the program end where we are killed and can end nothing ourselves. It alone hears of that: what it started may go on,
/// unless whoever watches over us, such as systemd, ends it.
pub(super) fn end_with_us(command: &mut Command) {
    let end = || match ask_to_die() {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    };
    // SAFETY: between fork and exec only a system call is made, and nothing is allocated.
    unsafe { command.pre_exec(end) };
}

fn ask_to_die() -> i32 {
    // SAFETY: this option takes a number and no pointer.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) }
}

/// What is ended once nobody waits for it any more.
pub(super) struct Tree {
    /// The program, which leads the group; None: there is nothing to end.
    root: Option<Pid>,
    /// The program itself is gone, and its number may be another's.
    has_ended: AtomicBool,
}

impl Tree {
    /// Of a child that leads a group of its own.
    pub(super) fn of(child: &Child) -> Tree {
        let root = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Tree { root, has_ended: AtomicBool::new(false) }
    }

    /// Nothing of it is ended from here on.
    pub(super) fn let_go(&mut self) {
        self.root = None;
    }

    /// The program itself has ended.
    pub(super) fn has_ended(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }

    /// Asks the group to end.
    pub(super) fn ask_to_end(&self) {
        if let Some(root) = self.root {
            let _ = kill_process_group(root, Signal::TERM);
        }
    }

    /// Those that descend from the program now, whatever becomes of it.
    pub(super) fn others(&self) -> Others {
        let found = self.root.filter(|_| !self.has_ended.load(Ordering::Relaxed)).map(descendants).unwrap_or_default();
        // It may have ended by itself meanwhile.
        Others(found.into_iter().filter_map(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()).collect())
    }

    /// Ends all of it.
    pub(super) fn end(&self) {
        let Some(root) = self.root else { return };
        let others = if self.has_ended.load(Ordering::Relaxed) { Others(Vec::new()) } else { self.held() };
        let _ = kill_process_group(root, Signal::KILL);
        others.end();
    }

    /// All of it, stopped, so that none can start another while they are looked up.
    fn held(&self) -> Others {
        let Some(root) = self.root else { return Others(Vec::new()) };
        let _ = kill_process_group(root, Signal::STOP);
        let (mut known, mut held) = (BTreeSet::new(), Vec::new());
        for _ in 0..MOST_LOOKS {
            let new: Vec<Pid> =
                descendants(root).into_iter().filter(|pid| known.insert(pid.as_raw_nonzero())).collect();
            if new.is_empty() {
                break;
            }
            for pid in new {
                let _ = kill_process(pid, Signal::STOP);
                held.extend(pidfd_open(pid, PidfdFlags::empty()));
            }
        }
        Others(held)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.end();
    }
}

/// Processes that keep their numbers for as long as this is held.
pub(super) struct Others(Vec<OwnedFd>);

impl Others {
    pub(super) fn end(self) {
        for process in self.0 {
            // It may have ended by itself meanwhile.
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
    }
}

/// All that descend from a process, as far as the system tells.
fn descendants(root: Pid) -> Vec<Pid> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let parent = std::fs::read_to_string(entry.path().join("stat")).ok().as_deref().and_then(parent);
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(pid);
        }
    }
    let (mut found, mut next) = (Vec::new(), vec![root.as_raw_nonzero().get()]);
    while let Some(pid) = next.pop() {
        let of_it = children.remove(&pid).unwrap_or_default();
        found.extend(of_it.iter().copied().filter_map(Pid::from_raw));
        next.extend(of_it);
    }
    found
}

/// The parent of a process, out of its line in `/proc`: the name before it may hold anything.
fn parent(stat: &str) -> Option<i32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}
