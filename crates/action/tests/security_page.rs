//! What docs/security.md says can be reached is what can be reached, and the tests that it names exist.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The page's part between `<!-- NAME:start -->` and `<!-- NAME:end -->`.
fn part(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("<!-- {name}:start -->")).unwrap();
    let (part, _) = rest.split_once(&format!("<!-- {name}:end -->")).unwrap();
    part.to_owned()
}

/// Reads the binary format of WebAssembly as far as its imports; see "Binary Format" in its
/// specification.
struct Module<'a>(&'a [u8]);

impl<'a> Module<'a> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap();
        self.0 = rest;
        *first
    }

    /// An unsigned LEB128.
    fn number(&mut self) -> usize {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            number |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return number;
            }
        }
    }

    fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        bytes
    }

    fn name(&mut self) -> String {
        let length = self.number();
        String::from_utf8(self.bytes(length).to_vec()).unwrap()
    }

    /// Module and name of each import, all of which must be functions.
    fn imports(mut self) -> Vec<(String, String)> {
        assert_eq!(self.bytes(8), b"\0asm\x01\0\0\0");
        while !self.0.is_empty() {
            let (id, length) = (self.byte(), self.number());
            let mut section = Module(self.bytes(length));
            if id != 2 {
                continue;
            }
            let count = section.number();
            let mut import = || {
                let pair = (section.name(), section.name());
                assert_eq!(section.byte(), 0, "{pair:?} is not a function");
                section.number();
                pair
            };
            return (0..count).map(|_| import()).collect();
        }
        Vec::new()
    }
}

#[test]
fn the_page_lists_what_the_module_imports_and_nothing_else() {
    let wasm = fs::read(root().join("dist/app_token.wasm")).unwrap();
    let imported: BTreeSet<String> = Module(&wasm)
        .imports()
        .into_iter()
        .map(|(module, name)| {
            assert_eq!(module, "host");
            name
        })
        .collect();
    let listed: BTreeSet<String> = part(&read("docs/security.md"), "imports")
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
        .collect();
    assert_eq!(listed, imported);
    assert!(!imported.is_empty());
}

#[test]
fn the_page_lists_the_variables_that_the_host_passes_on() {
    let names = |text: &str| -> BTreeSet<String> {
        let words = text.split(|c: char| c.is_whitespace() || c == '`');
        words
            .filter(|word| word.bytes().any(|b| b == b'_' || b.is_ascii_uppercase()))
            .filter(|word| word.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric()))
            .map(str::to_owned)
            .collect()
    };
    let host = read("dist/host.js");
    let (_, rest) = host.split_once("const VISIBLE = new Set(`").unwrap();
    let (list, _) = rest.split_once("`.split").unwrap();
    let page = part(&read("docs/security.md"), "variables");
    let (_, rest) = page.split_once("```text").unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    let listed = names(block);
    assert_eq!(listed, names(list));
    assert!(!listed.is_empty());
}

/// Every Rust file of the project.
fn sources(folder: &Path, found: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            found.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_test_that_holds_a_promise_exists() {
    let mut code = String::new();
    for folder in ["crates", "tests", "xtask"] {
        sources(&root().join(folder), &mut code);
    }
    let page = part(&read("docs/security.md"), "promises");
    // Every other part between backticks is code; a test's name is a sentence with underscores.
    let names: Vec<&str> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| {
            name.contains('_') && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        })
        .collect();
    assert!(!names.is_empty());
    let missing: Vec<&&str> = names
        .iter()
        .filter(|name| !code.contains(&format!("fn {name}()")))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/security.md names tests that do not exist: {missing:?}"
    );
}
