//! `cargo xtask codegen`: one source each for the permissions and for what users see.
//!
//! GitHub's permissions stand in `xtask/data/app-permissions.json`, an extract of GitHub's OpenAPI
//! description. Out of it come the library's table and the `permission-*` inputs of `action.yml`.
//! Out of `action.yml` come the README's tables. Nobody writes a name twice.

mod extract;
mod names;
mod readme;
mod render;

use std::path::Path;

use app_token_runner::Manifest;

use crate::{
    args::Args,
    error::{Result, fail},
    paths,
};
use extract::Extract;

const TABLE: &str = "crates/app-token/src/permissions/table.rs";

/// Runs the command.
///
/// # Errors
/// With `--check`, when a file has drifted; otherwise when one cannot be read or written.
pub fn run(arguments: &[String]) -> Result<()> {
    let mut args = Args::new(arguments);
    let check = args.flag("--check");
    let refresh = args.optional_value("--refresh");
    args.finish()?;
    if check && refresh.is_some() {
        return Err(fail(
            "--check changes nothing, so --refresh cannot go with it",
        ));
    }

    let root = paths::root()?;
    if let Some(version) = refresh {
        let old = Extract::of_checkout(&root).ok();
        let new = extract::refresh(&root, version.as_deref(), old.as_ref())?;
        paths::write(&root.join(extract::PATH), new.to_json()?)?;
        println!("{}", extract::difference(old.as_ref(), &new));
    }

    let mut drifted = Vec::new();
    for (name, contents) in generate(&root)? {
        let path = root.join(name);
        // A file that is not there yet has drifted from what it should hold.
        if paths::read(&path).is_ok_and(|present| present == contents) {
            continue;
        }
        drifted.push(name);
        if !check {
            paths::write(&path, contents)?;
            println!("wrote {name}");
        }
    }
    if check && !drifted.is_empty() {
        return Err(fail(format!(
            "these files have drifted from their source: {}; run `cargo xtask codegen`",
            drifted.join(", ")
        )));
    }
    names::check(&root)?;
    println!("the generated files agree with their sources");
    Ok(())
}

/// Every generated file, whole, with what it should hold.
fn generate(root: &Path) -> Result<Vec<(&'static str, String)>> {
    let extract = Extract::of_checkout(root)?;
    let action = render::replace_block(
        "action.yml",
        &paths::read(&root.join("action.yml"))?,
        "  # codegen:permissions:start",
        "  # codegen:permissions:end",
        &render::inputs(&extract)?,
    )?;
    let manifest = Manifest::parse(&action)?;
    let readme = readme::render(&paths::read(&root.join("README.md"))?, &manifest, &extract)?;
    Ok(vec![
        (TABLE, render::table(&extract)?),
        ("action.yml", action),
        ("README.md", readme),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generated_files_agree_with_their_sources() {
        let root = paths::root().unwrap();
        for (name, contents) in generate(&root).unwrap() {
            assert!(
                paths::read(&root.join(name)).unwrap() == contents,
                "{name} has drifted; run `cargo xtask codegen`"
            );
        }
    }
}
