//! docs/troubleshooting.md has an entry for each problem of the library's catalogue, by its exact words,
//! and none for a problem that is no more; docs/troubleshooting-cli.md the same for the command line's.
#![expect(clippy::unwrap_used, reason = "a test")]

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

/// Holds a document in docs/ to a catalogue.
fn check(document: &str, catalogue: &str, problems: &[(&str, &str)]) {
    let documented = entries(&read(&format!("docs/{document}")));
    assert!(!problems.is_empty());
    let differences = differences(&documented, problems);
    assert!(
        differences.is_empty(),
        "docs/{document} and the catalogue in {catalogue} differ:\n{}",
        differences.join("\n")
    );
}

fn read(path: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    std::fs::read_to_string(format!("{root}/{path}")).unwrap()
}

#[test]
fn every_problem_has_its_entry_and_every_entry_its_problem() {
    let problems: Vec<_> = problem::ALL
        .iter()
        .map(|problem| (problem.summary, problem.code))
        .collect();
    check(
        "troubleshooting.md",
        "crates/app-token/src/error.rs",
        &problems,
    );
}

/// A program's modules cannot be reached from here, so its catalogue is read as text: a line each of the
/// form `NAME "code": "words",`.
#[test]
fn every_problem_of_the_command_line_has_its_entry_and_every_entry_its_problem() {
    let path = "crates/cli/src/problem.rs";
    let source = read(path);
    let problems: Vec<_> = source
        .lines()
        .filter_map(|line| {
            let (head, words) = line.trim().split_once("\": \"")?;
            let (name, code) = head.split_once(" \"")?;
            let is_name = name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
            is_name.then_some((words.strip_suffix("\",")?, code))
        })
        .collect();
    check("troubleshooting-cli.md", path, &problems);
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
