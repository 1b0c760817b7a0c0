//! A daemon in a process of its own, and its log.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Stdio};

use crate::cli::house::House;

/// A daemon that is stopped with the test.
pub(crate) struct Daemon {
    pub child: Child,
    log: BufReader<ChildStderr>,
}

impl Daemon {
    pub(crate) fn start(house: &House, words: &[&str]) -> Daemon {
        let mut child =
            house.command(words.iter().copied()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Daemon { child, log }
    }

    /// The first line of the log that contains `part`.
    pub(crate) fn line_with(&mut self, part: &str) -> String {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            assert!(self.log.read_line(&mut line).unwrap() > 0, "the daemon ended before '{part}': {seen}");
            if line.contains(part) {
                return line;
            }
            seen.push_str(&line);
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
