//! What this process takes of memory. It means something only in a test that runs [`alone`](super::alone::alone).

/// The peak of resident memory since the last call, in bytes.
pub(crate) fn peak_and_reset() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    let kilobytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    // 5 resets the peak to what is resident now.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    kilobytes * 1024
}
