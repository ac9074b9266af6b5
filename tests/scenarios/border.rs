//! The border between the module and its host: what the module can reach is a list, and the list is short.

use std::collections::BTreeSet;
use std::fs;

fn file(path: &str) -> String {
    fs::read_to_string(format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Reads one number in LEB128 (WebAssembly core specification, section 5.2.2).
fn number(bytes: &mut &[u8]) -> usize {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn name(bytes: &mut &[u8]) -> String {
    let length = number(bytes);
    let (name, rest) = bytes.split_at(length);
    *bytes = rest;
    String::from_utf8(name.to_vec()).unwrap()
}

/// The section with that number, without its head.
fn section(module: &[u8], wanted: u8) -> &[u8] {
    let mut rest = module.strip_prefix(b"\0asm\x01\0\0\0").expect("a module");
    loop {
        let id = rest[0];
        rest = &rest[1..];
        let length = number(&mut rest);
        let (body, after) = rest.split_at(length);
        if id == wanted {
            return body;
        }
        rest = after;
    }
}

/// Module and name of each import; all must be functions.
fn imports(module: &[u8]) -> BTreeSet<(String, String)> {
    let mut rest = section(module, 2);
    (0..number(&mut rest))
        .map(|_| {
            let import = (name(&mut rest), name(&mut rest));
            assert_eq!(rest[0], 0, "{import:?} is no function");
            rest = &rest[1..];
            number(&mut rest);
            import
        })
        .collect()
}

/// The names of the functions between `mod host {` and its end.
fn declared() -> BTreeSet<String> {
    let source = file("crates/action/src/abi.rs");
    let (_, rest) = source.split_once("\nmod host {").unwrap();
    let (block, _) = rest.split_once("\n}").unwrap();
    let named = block.lines().filter_map(|line| {
        let (_, rest) = line.trim().split_once("fn ")?;
        Some(rest.split_once('(')?.0.to_owned())
    });
    named.collect()
}

/// The keys of the object that the JavaScript hands to the module.
fn offered() -> BTreeSet<String> {
    let source = file("dist/host.js");
    let (_, rest) = source.split_once("\n  const host = {\n").unwrap();
    let (block, _) = rest.split_once("\n  };").unwrap();
    let keys = block.lines().filter_map(|line| {
        let key = line.strip_prefix("    ")?;
        let (key, _) = key.split_once(": ")?;
        key.bytes()
            .all(|byte| byte.is_ascii_lowercase())
            .then(|| key.to_owned())
    });
    keys.collect()
}

#[test]
fn the_module_imports_what_abi_rs_declares_and_the_host_offers_just_that() {
    let module = fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../dist/app_token.wasm"
    ))
    .unwrap();
    let imports = imports(&module);
    assert!(
        imports.iter().all(|(module, _)| module == "host"),
        "{imports:?}"
    );
    let imported: BTreeSet<String> = imports.into_iter().map(|(_, name)| name).collect();
    assert!(imported.len() > 8, "{imported:?}");
    assert_eq!(imported, declared());
    assert_eq!(imported, offered());
}

#[test]
fn the_host_requires_nothing_but_node_s_own_modules() {
    let allowed = ["crypto", "fs", "http", "net", "path", "tls"].map(|name| format!("node:{name}"));
    for name in ["host.js", "main.js", "post.js"] {
        let source = file(&format!("dist/{name}"));
        for part in source.split("require('").skip(1) {
            let (wanted, _) = part.split_once('\'').unwrap();
            let own = wanted == "./host.js" && name != "host.js";
            assert!(
                own || allowed.contains(&wanted.to_owned()),
                "{name} requires {wanted}"
            );
        }
        for word in [
            "eval(",
            "child_process",
            "Function(",
            "import(",
            "fetch(",
            "console.",
        ] {
            assert!(!source.contains(word), "{name} has {word}");
        }
    }
}
