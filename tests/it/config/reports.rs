//! Bad files and the exact reports about them.

use std::path::PathBuf;

use pushcron::domain::char_start;

use super::{CANARY, about_the_text, files, load, private_file, refused};

/// Each `NAME.yaml` is refused with exactly the report in `NAME.txt`. `PUSHCRON_WRITE_REPORTS=1` writes the reports anew.
#[test]
fn bad_files_are_refused_with_their_exact_reports() {
    let files = files("tests/data/bad", "yaml");
    assert!(files.len() > 10);
    for file in files {
        let errors = load(&[&file]).err().unwrap_or_else(|| panic!("{} was accepted", file.display()));
        // Paths of token files are absolute.
        let report = format!("{errors}\n").replace(env!("CARGO_MANIFEST_DIR"), "ROOT");
        let expected = file.with_extension("txt");
        if std::env::var_os("PUSHCRON_WRITE_REPORTS").is_some() {
            std::fs::write(&expected, &report).unwrap();
        }
        assert!(!report.contains("CANARY"), "{report}");
        let expected = std::fs::read_to_string(&expected).unwrap_or_default();
        assert!(report == expected, "{} got:\n{report}\nexpected:\n{expected}", file.display());
    }
}

/// Files of earlier versions too: what loaded once loads for ever.
#[test]
fn good_files_load_without_a_warning() {
    for file in files("tests/data/good", "yaml") {
        let config = load(&[&file]).unwrap_or_else(|errors| panic!("{}: {errors}", file.display()));
        assert_eq!(about_the_text(config.warnings), [], "{}", file.display());
    }
}

#[test]
fn bombs_are_refused_at_once() {
    let mut alias_bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        alias_bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    let wide = format!("jobs:\n  - push: &p [{}]\n{}", "{im: a}, ".repeat(20_000), "  - push: *p\n".repeat(20_000));
    let keys: String = (0..200).map(|index| format!("k{index}: 1\n")).collect();
    for (text, message) in [
        (alias_bomb, "the aliases of this configuration stand for more than 4000000 values"),
        (wide, "so many problems that the rest of this file is not read"),
        ("[".repeat(200_000), "values are nested deeper than 64 levels"),
        ("{a: ".repeat(200_000), "values are nested deeper than 64 levels"),
        (format!("jobs: {}", "- ".repeat(200_000)), "not YAML"),
        (format!("jobs:\n{}", "- ".repeat(200_000)), "values are nested deeper than 64 levels"),
        (format!("jobs: [{{{}}}]", keys.replace('\n', ", ")), "a mapping with more than 100 keys"),
        ("jobs: &a [*a]".to_owned(), "an alias cannot stand inside the value that its anchor names"),
        ("jobs: [*nobody]".to_owned(), "this alias names an anchor that was not defined before"),
    ] {
        let errors = refused(&text);
        assert!(errors.errors.iter().any(|problem| problem.message.english().starts_with(message)), "{errors}");
    }
}

#[test]
fn problems_are_told_to_programs_as_json() {
    let errors = refused("jbos: []\naccounts: [{id: a, sender: screne}]\n");
    let json = serde_json::to_value(&errors).unwrap();
    let first = &json["errors"][0];
    assert_eq!((&first["line"], &first["column"]), (&1.into(), &1.into()));
    assert_eq!(first["message"], "unknown key 'jbos' at the top");
    assert_eq!(first["hint"], "did you mean 'jobs'?");
    assert!(first["file"].as_str().unwrap().ends_with("pushcron.yaml"));
    assert_eq!(json["errors"][1]["hint"], "did you mean 'screen'?");
}

#[test]
fn reading_stops_at_a_thousand_problems() {
    let jobs: String = (0..1500).map(|index| format!("  - {{name: {index}, nmae: x}}\n")).collect();
    let errors = refused(&format!("jobs:\n{jobs}"));
    assert_eq!(errors.errors.len(), 1001);
    let stop = "so many problems that the rest of this file is not read";
    assert!(errors.errors.iter().any(|problem| problem.message.english() == stop));
    assert!(errors.more);
}

/// Whatever is done to a file, it is read or refused, in good time, with a place and without a secret.
#[test]
fn spoiled_files_are_refused_in_good_order() {
    let seeds: Vec<String> = files("tests/data/bad", "yaml")
        .iter()
        .chain([&PathBuf::from("jobs.example.yaml")])
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    let bits = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ": ",
        "- ",
        "\n",
        "  ",
        "\t",
        "\"",
        "'",
        "&a ",
        "*a",
        "<<: *a",
        "|",
        ">",
        "!",
        "%",
        "@",
        "? ",
        "${",
        "${TOKEN}",
        "~",
        "true",
        "-1",
        "1e400",
        "日",
        "\0",
        "\u{feff}",
        "\u{202e}",
        "\r",
        "---\n",
        "#",
        ",",
        "99999999999d",
        "at: 9999-12-31T23:59:59",
        "base64://",
        "data:;base64,",
    ];
    let mut random = fastrand::Rng::with_seed(7);
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..400 {
        let mut text = seeds[random.usize(..seeds.len())].clone();
        for _ in 0..random.usize(1..5) {
            let at = char_start(&text, random.usize(..=text.len()));
            match random.bool() {
                true => text.insert_str(at, bits[random.usize(..bits.len())]),
                false => {
                    let end = char_start(&text, at + random.usize(..40));
                    text.replace_range(at..end.max(at), "");
                }
            }
        }
        let file = private_file(directory.path(), "a.yaml", &text);
        if let Err(errors) = load(&[&file]) {
            assert!(
                !errors.errors.is_empty() && errors.errors.iter().all(|problem| !problem.file.is_empty()),
                "{text}"
            );
            assert!(!errors.to_string().contains(CANARY), "{errors}\n{text}");
        }
    }
}
