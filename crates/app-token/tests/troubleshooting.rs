//! docs/troubleshooting.md has an entry for each problem of the catalogue, by its exact words, and none
//! for a problem that is no more.

use app_token::error::problem;
use std::collections::BTreeMap;

/// The entries of the document: a heading of the third level with the words, and the code in the line
/// below it.
fn entries(document: &str) -> BTreeMap<String, String> {
    let mut lines = document.lines().peekable();
    let mut entries = BTreeMap::new();
    while let Some(line) = lines.next() {
        let Some(words) = line.strip_prefix("### ") else {
            continue;
        };
        let code = lines.peek().unwrap_or(&"").trim_matches('`').to_owned();
        let before = entries.insert(words.to_owned(), code);
        assert!(before.is_none(), "two entries are headed \"{words}\"");
    }
    entries
}

/// What a reader would miss, or look for in vain.
fn differences(documented: &BTreeMap<String, String>, problems: &[(&str, &str)]) -> Vec<String> {
    let mut differences = Vec::new();
    for (words, code) in problems {
        match documented.get(*words) {
            None => differences.push(format!("missing: ### {words} (`{code}`)")),
            Some(found) if found != code => {
                differences.push(format!("\"{words}\" has the code `{found}`, not `{code}`"));
            }
            Some(_) => {}
        }
    }
    for words in documented.keys() {
        if !problems.iter().any(|(known, _)| known == words) {
            differences.push(format!("no problem has these words: ### {words}"));
        }
    }
    differences
}

#[test]
fn every_problem_has_its_entry_and_every_entry_its_problem() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/troubleshooting.md");
    let documented = entries(&std::fs::read_to_string(path).unwrap());
    let problems: Vec<_> = problem::ALL
        .iter()
        .map(|problem| (problem.summary, problem.code))
        .collect();
    let differences = differences(&documented, &problems);
    assert!(
        differences.is_empty(),
        "docs/troubleshooting.md and the catalogue in crates/app-token/src/error.rs differ:\n{}",
        differences.join("\n")
    );
}

#[test]
fn what_is_missing_too_much_or_miscoded_is_named() {
    let documented = entries("# T\n\n### one\n`a`\n\ntext\n\n### two\n`x`\n\n### three\n`c`\n");
    assert_eq!(
        differences(&documented, &[("one", "a"), ("two", "b"), ("four", "d")]),
        [
            "\"two\" has the code `x`, not `b`",
            "missing: ### four (`d`)",
            "no problem has these words: ### three",
        ]
    );
}
