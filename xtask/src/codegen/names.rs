//! Whether `action.yml` and the action's Rust speak of the same inputs and outputs.
//!
//! The Rust is read as text rather than linked in: the tool that repairs generated code must still
//! build when that code does not.

use std::{collections::BTreeSet, path::Path};

use app_token_runner::Manifest;

use crate::{
    error::{Result, fail},
    paths,
};

/// Compares the names in both directions.
///
/// # Errors
/// When a name stands on one side only, or a list cannot be found in the Rust.
pub fn check(root: &Path) -> Result<()> {
    let manifest = Manifest::of_checkout(root)?;
    let inputs = manifest
        .inputs
        .iter()
        .map(|input| input.name.as_str())
        // The action takes permissions by their prefix, so that it knows those of tomorrow.
        .filter(|name| !name.starts_with("permission-"))
        .collect();
    let outputs = manifest
        .outputs
        .iter()
        .map(|output| output.name.as_str())
        .collect();
    for (file, list, declared) in [
        ("crates/action/src/inputs.rs", "INPUTS", inputs),
        ("crates/action/src/outputs.rs", "OUTPUTS", outputs),
    ] {
        let text = paths::read(&root.join(file))?;
        let read = strings_of(&text, list).ok_or_else(|| {
            fail(format!(
                "{file} must hold `pub const {list}: &[&str] = &[…];`"
            ))
        })?;
        compare(file, list, &declared, &read)?;
    }
    Ok(())
}

fn compare(file: &str, list: &str, declared: &BTreeSet<&str>, read: &BTreeSet<&str>) -> Result<()> {
    let names = |set: BTreeSet<&&str>| set.iter().map(|name| **name).collect::<Vec<_>>().join(", ");
    let only_declared = names(declared.difference(read).collect());
    let only_read = names(read.difference(declared).collect());
    if !only_declared.is_empty() {
        return Err(fail(format!(
            "action.yml declares what {list} in {file} does not name: {only_declared}"
        )));
    }
    if !only_read.is_empty() {
        return Err(fail(format!(
            "{list} in {file} names what action.yml does not declare: {only_read}"
        )));
    }
    Ok(())
}

/// The string literals in `const LIST: &[&str] = &[…];`.
fn strings_of<'text>(text: &'text str, list: &str) -> Option<BTreeSet<&'text str>> {
    let (_, rest) = text.split_once(&format!("pub const {list}: &[&str] = &["))?;
    let (body, _) = rest.split_once("];")?;
    let code = body.lines().map(|line| {
        line.split_once("//")
            .map_or(line, |(before_comment, _)| before_comment)
    });
    Some(
        code.flat_map(|line| line.split('"').skip(1).step_by(2))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_list_of_names_with_comments_in_it() {
        let text = "x\npub const INPUTS: &[&str] = &[\n    \"a-b\", \"c\", // not \"d\"\n    \"e\",\n];\n\"f\"";
        assert_eq!(
            strings_of(text, "INPUTS").unwrap(),
            BTreeSet::from(["a-b", "c", "e"])
        );
        assert_eq!(strings_of(text, "OUTPUTS"), None);
    }

    #[test]
    fn a_name_on_one_side_only_is_reported_by_side() {
        let one = BTreeSet::from(["a"]);
        let two = BTreeSet::from(["a", "b"]);
        assert!(compare("f", "L", &one, &one).is_ok());
        let declared = compare("f", "L", &two, &one).unwrap_err().to_string();
        assert!(declared.starts_with("action.yml declares") && declared.ends_with(": b"));
        let read = compare("f", "L", &one, &two).unwrap_err().to_string();
        assert!(read.starts_with("L in f names") && read.ends_with(": b"));
    }
}
