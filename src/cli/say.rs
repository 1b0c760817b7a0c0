//! What a verb says of what it did, or judged. What it does and how it ends do not depend on who reads that: with
//! `pushcron push … | true` an unsent push would else end as 0, and `pushcron cancel 1 2 3 | true` cancel one.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use crate::domain::escaped;
use crate::logging;
use crate::texts::{Language, Text};

/// Says a line.
pub(super) fn say(line: impl Display) {
    aloud(|out| writeln!(out, "{line}"));
}

/// Says on standard error what stands beside the answer.
pub(super) fn aside(text: &Text, language: Language) {
    logging::tell(&format!("pushcron: {}", escaped(text.in_language(language))));
}

/// Says what is written by `tell`. A reader that is gone is nobody to be told; a full disk is told on standard error.
pub(super) fn aloud(tell: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
    let mut out = io::stdout().lock();
    if let Err(error) = tell(&mut out).and_then(|()| out.flush())
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = writeln!(io::stderr(), "pushcron: standard output: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Verbs that do nothing but show; where their reader is gone, there is nothing left for them to do.
    const SHOW_ONLY: [&str; 14] = [
        "accounts.rs",
        "acts.rs",
        "calendar.rs",
        "completions.rs",
        "explain.rs",
        "export.rs",
        "history.rs",
        "jobs.rs",
        "misread.rs",
        "next.rs",
        "render.rs",
        "say.rs",
        "schema.rs",
        "web.rs",
    ];

    #[test]
    fn only_what_merely_shows_writes_to_standard_output_by_itself() {
        let mut writing = Vec::new();
        for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli")).unwrap() {
            let (path, name) = (file.as_ref().unwrap().path(), file.unwrap().file_name().into_string().unwrap());
            // How wide a screen is may be asked by anybody.
            let writes = |text: String| text.replace("of_stdout()", "").contains("stdout()");
            if path.is_file() && writes(std::fs::read_to_string(path).unwrap()) {
                writing.push(name);
            }
        }
        writing.sort();
        assert_eq!(writing, SHOW_ONLY);
    }
}
