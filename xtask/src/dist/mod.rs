//! `cargo xtask dist`: what the action runs, built into `dist/` and compared with it.
//!
//! dist/ holds the host's files, copied, and one WebAssembly module. It is committed, so that
//! `uses:` works at any commit, and so that anyone can rebuild it and compare it to the byte.

mod builder;

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    args::Args,
    error::{Result, at, fail},
    paths,
    process::{gzipped_size, run as command},
};

const HOST: &str = "crates/action/host";
const MODULE: &str = "app_token.wasm";
/// The folder of this build alone: other builds of the workspace do not disturb it.
const TARGET: &str = "target/dist";
const BUILT: &str = "target/dist/wasm32-unknown-unknown/wasm/app_token_action.wasm";

const BUILD: &[&str] = &[
    "rustc",
    "--locked",
    "--package=app-token-action",
    "--lib",
    // The crate is a library for the tests too, and cargo leaves link-time optimisation out where
    // both kinds are built at once.
    "--crate-type=cdylib",
    "--profile=wasm",
    "--target=wasm32-unknown-unknown",
    "-Zbuild-std=std,panic_abort",
    // The standard library's smaller algorithms; the module sorts and formats next to nothing.
    "-Zbuild-std-features=optimize_for_size",
    // Not in Cargo.toml, which stable cargo must read too; and not as a remap in RUSTFLAGS, which
    // would make the folder's name a part of every crate's hash.
    "-Ztrim-paths",
    "--config=profile.wasm.trim-paths='all'",
    "--target-dir",
    TARGET,
    "--",
    // A step that is its own function is compiled when it is taken. LLVM would put whatever has a single
    // caller into it, however large, and V8 compiles a function whole.
    "-Cllvm-args=-inline-max-stacksize=128",
    // Small ones cost more as functions of their own than as bytes of another.
    "-Cllvm-args=-inline-threshold=30",
];

/// Runs the command.
///
/// # Errors
/// When the builder is not here or fails; with `--check`, when a file differs from the built one.
pub fn run(arguments: &[String]) -> Result<()> {
    let mut args = Args::new(arguments);
    let check = args.flag("--check");
    args.finish()?;

    let root = paths::root()?;
    builder::check()?;
    let files = build(&root)?;
    let dist = root.join("dist");
    let mut drifted = differences(&dist, &files)?;
    if !check {
        write(&dist, &files)?;
        drifted.clear();
    }
    print_sizes(&files)?;
    if drifted.is_empty() {
        println!("dist/ holds what the sources give");
        Ok(())
    } else {
        Err(fail(format!(
            "dist/ is not what the sources give: {}; run `cargo xtask dist` and commit dist/",
            drifted.join("; ")
        )))
    }
}

/// One file of dist/.
struct File {
    name: String,
    contents: Vec<u8>,
}

/// Builds every file of dist/ in memory, in the order of their names.
fn build(root: &Path) -> Result<Vec<File>> {
    command(builder::cargo(root).args(BUILD))?;
    let module = root.join(BUILT);
    let module = fs::read(&module).map_err(at("read", &module))?;
    refuse_paths_of_the_machine(&module, root)?;

    let mut files = vec![File {
        name: MODULE.to_owned(),
        contents: module,
    }];
    for path in entries(&root.join(HOST))? {
        files.push(File {
            name: name_of(&path)?,
            contents: fs::read(&path).map_err(at("read", &path))?,
        });
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(files)
}

/// A path in the module would differ from machine to machine and tell of one.
fn refuse_paths_of_the_machine(module: &[u8], root: &Path) -> Result<()> {
    let home = std::env::var("HOME").unwrap_or_default();
    let cargo_home = std::env::var("CARGO_HOME").unwrap_or_default();
    for path in [
        &*root.to_string_lossy(),
        &home,
        &cargo_home,
        "/usr/lib/rustlib",
    ] {
        // Shorter ones, such as `/`, would be found by chance.
        if path.len() > 4
            && module
                .windows(path.len())
                .any(|part| part == path.as_bytes())
        {
            return Err(fail(format!(
                "the module holds a path of this machine: {path}"
            )));
        }
    }
    Ok(())
}

/// Says in which files `dist` differs from `files`: other contents, missing, or too many.
fn differences(dist: &Path, files: &[File]) -> Result<Vec<String>> {
    let mut differences = Vec::new();
    for file in files {
        match fs::read(dist.join(&file.name)) {
            Ok(present) if present == file.contents => {}
            Ok(present) => differences.push(format!(
                "{} differs ({} bytes committed, {} built)",
                file.name,
                present.len(),
                file.contents.len()
            )),
            Err(_) => differences.push(format!("{} is missing", file.name)),
        }
    }
    if dist.is_dir() {
        for path in entries(dist)? {
            let name = name_of(&path)?;
            if !files.iter().any(|file| file.name == name) {
                differences.push(format!("{name} does not belong there"));
            }
        }
    }
    Ok(differences)
}

fn write(dist: &Path, files: &[File]) -> Result<()> {
    if dist.is_dir() {
        fs::remove_dir_all(dist).map_err(at("remove", dist))?;
    }
    for file in files {
        paths::write(&dist.join(&file.name), &file.contents)?;
    }
    Ok(())
}

fn print_sizes(files: &[File]) -> Result<()> {
    println!("{:<16} {:>9} {:>9}", "", "bytes", "gzipped");
    let (mut raw, mut gzipped) = (0, 0);
    for file in files {
        let small = gzipped_size(&file.contents)?;
        println!("{:<16} {:>9} {small:>9}", file.name, file.contents.len());
        raw += file.contents.len();
        gzipped += small;
    }
    println!("{:<16} {raw:>9} {gzipped:>9}", "together");
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)
        .map_err(at("read", folder))?
        .map(|entry| entry.map(|entry| entry.path()).map_err(at("read", folder)))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn name_of(path: &Path) -> Result<String> {
    path.file_name()
        .and_then(|name| name.to_str())
        .map(str::to_owned)
        .ok_or_else(|| fail(format!("{} has no readable name", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, contents: &str) -> File {
        File {
            name: name.to_owned(),
            contents: contents.as_bytes().to_vec(),
        }
    }

    #[test]
    fn a_difference_of_any_kind_is_named() {
        let dist = std::env::temp_dir().join(format!("xtask-dist-{}", std::process::id()));
        let same = [file("a.js", "a"), file("b.wasm", "b")];
        write(&dist, &same).unwrap();
        assert_eq!(differences(&dist, &same), Ok(Vec::new()));

        let other = [file("a.js", "ab"), file("c.js", "c")];
        assert_eq!(
            differences(&dist, &other).unwrap(),
            [
                "a.js differs (1 bytes committed, 2 built)",
                "c.js is missing",
                "b.wasm does not belong there"
            ]
        );

        write(&dist, &other).unwrap();
        assert_eq!(differences(&dist, &other), Ok(Vec::new()));
        fs::remove_dir_all(&dist).unwrap();
        assert_eq!(differences(&dist, &same).unwrap().len(), 2);
    }

    #[test]
    fn a_path_of_the_machine_in_the_module_is_refused() {
        let root = Path::new("/some/checkout");
        assert!(refuse_paths_of_the_machine(b"\0asm crates/action", root).is_ok());
        assert!(refuse_paths_of_the_machine(b"\0asm/some/checkout/crates", root).is_err());
    }
}
