//! Places in texts.

/// The last place up to `at` where a character begins, or the end of a text that is shorter. As
/// `str::floor_char_boundary`, which the oldest Rust that builds this does not have.
pub fn char_start(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_is_cut() {
        let text = "a早👨‍💻";
        let starts: Vec<usize> = (0..=text.len() + 1).map(|at| char_start(text, at)).collect();
        assert_eq!(starts, [0, 1, 1, 1, 4, 4, 4, 4, 8, 8, 8, 11, 11, 11, 11, 15, 15]);
        assert_eq!(char_start("", 3), 0);
    }
}
