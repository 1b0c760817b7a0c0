//! Words and figures that every answer is given in.

/// `1 job`, `2 jobs`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// `41ms`, `1.2s`, `5m`, `3h`, `2d`: as short as a table wants it.
pub(crate) fn brief_ms(ms: i64) -> String {
    match ms {
        ..1_000 => format!("{ms}ms"),
        1_000..100_000 => format!("{}.{}s", ms / 1000, ms % 1000 / 100),
        100_000..6_000_000 => format!("{}m", ms / 60_000),
        6_000_000..172_800_000 => format!("{}h", ms / 3_600_000),
        _ => format!("{}d", ms / 86_400_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_brief() {
        for (ms, text) in [(0, "0ms"), (-3, "-3ms"), (999, "999ms"), (1_250, "1.2s"), (99_999, "99.9s")] {
            assert_eq!(brief_ms(ms), text);
        }
        for (ms, text) in [(100_000, "1m"), (6_000_000, "1h"), (172_800_000, "2d")] {
            assert_eq!(brief_ms(ms), text);
        }
    }
}
