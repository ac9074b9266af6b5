//! `permissions`: the table of what a token may do, searchable.

use crate::args::Permissions;
use crate::native::Native;
use crate::native::console::{Colour, Paint, coloured};
use crate::{Status, output};
use app_token::permissions::{Level, PERMISSIONS, Permission, nearest};
use std::fmt::Write;
use std::process::ExitCode;

pub fn run(native: &Native, args: &Permissions, colour: Colour) -> Status {
    let words: Vec<String> = args
        .search
        .iter()
        .map(|word| word.to_lowercase().replace('-', "_"))
        .collect();
    let mut found: Vec<_> = PERMISSIONS.iter().filter(|one| fits(one, &words)).collect();
    // Those that are called so come before those that are described so.
    found.sort_by_key(|one| !words.iter().all(|word| one.name.contains(word.as_str())));
    if args.json {
        let list: Vec<_> = found.iter().map(|one| json(one)).collect();
        output::write_page(&format!("{:#}\n", serde_json::Value::from(list)))?;
    } else {
        output::write_page(&table(&found, coloured(colour, output::is_terminal())))?;
    }
    if found.is_empty() {
        let guess = words.iter().find_map(|word| nearest(word));
        native.host.log.warning(&match guess {
            Some(guess) => format!("No permission has these words. Did you mean {guess}?"),
            None => "No permission has these words.".to_owned(),
        });
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn fits(permission: &Permission, words: &[String]) -> bool {
    let text = permission.description.to_lowercase().replace('-', "_");
    words
        .iter()
        .all(|word| permission.name.contains(word.as_str()) || text.contains(word.as_str()))
}

fn levels(permission: &Permission) -> String {
    let levels: Vec<_> = permission
        .levels
        .iter()
        .map(|level| level.as_str())
        .collect();
    levels.join(", ")
}

fn json(permission: &Permission) -> serde_json::Value {
    let levels: Vec<_> = permission
        .levels
        .iter()
        .map(|level: &Level| level.as_str())
        .collect();
    serde_json::json!({
        "name": permission.name,
        "levels": levels,
        "description": permission.description,
    })
}

fn table(found: &[&Permission], colour: bool) -> String {
    let name = found.iter().map(|one| one.name.len()).max().unwrap_or(0);
    let level = found.iter().map(|one| levels(one).len()).max().unwrap_or(0);
    found.iter().fold(String::new(), |mut text, one| {
        let _ = writeln!(
            text,
            "{}  {}  {}",
            Paint::Strong.on(colour, &format!("{:name$}", one.name)),
            Paint::Help.on(colour, &format!("{:level$}", levels(one))),
            Paint::Faint.on(colour, one.description),
        );
        text
    })
}
