//! `cargo xtask archive`: what every job that uses the action downloads.
//!
//! The runner fetches the repository as an archive at the pinned commit, each time. `.gitattributes`
//! leaves out what a job does not need; this holds it to that, and to a size.

use std::process::Command;

use crate::{
    args::Args,
    error::{Result, fail},
    paths,
    process::{filter, gzipped_size, output},
};

/// The most that the archive may weigh, in bytes after `gzip -9`: what a job can download and
/// unpack without anyone noticing.
const LIMIT: usize = 300_000;
const NEEDED: &[&str] = &[
    "action.yml",
    "dist/main.js",
    "dist/post.js",
    "dist/host.js",
    "dist/package.json",
    "dist/app_token.wasm",
];

/// Runs the command.
///
/// # Errors
/// When the archive holds what no job needs, lacks what each needs, or is too large.
pub fn run(arguments: &[String]) -> Result<()> {
    Args::new(arguments).finish()?;
    let root = paths::root()?;
    let mut git = Command::new("git");
    git.current_dir(root)
        .args(["archive", "--format=tar", "HEAD"]);
    let archive = output(&mut git)?;
    let names = filter(Command::new("tar").args(["--list", "--file=-"]), &archive)?;
    let names = String::from_utf8_lossy(&names);
    let names: Vec<&str> = names.lines().collect();
    judge(&names)?;
    let size = gzipped_size(&archive)?;
    println!("{size} bytes gzipped, {LIMIT} at most: {}", names.join(" "));
    if size > LIMIT {
        return Err(fail(format!(
            "the archive weighs {size} bytes gzipped, and each job downloads it: {LIMIT} at most"
        )));
    }
    Ok(())
}

fn judge(names: &[&str]) -> Result<()> {
    if let Some(needed) = NEEDED.iter().find(|needed| !names.contains(needed)) {
        return Err(fail(format!(
            "`{needed}` is not in the archive of HEAD, and the action needs it"
        )));
    }
    let belongs = |name: &str| {
        ["action.yml", "README.md"].contains(&name)
            || name.starts_with("dist/")
            || (name.starts_with("LICENSE") && !name.contains('/'))
    };
    match names.iter().find(|name| !belongs(name)) {
        Some(name) => Err(fail(format!(
            "`{name}` is in the archive of HEAD, and no job needs it; see .gitattributes"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_too_much_is_named() {
        let mut names = NEEDED.to_vec();
        names.extend(["README.md", "LICENSE-MIT", "dist/"]);
        assert!(judge(&names).is_ok());

        names.push("crates/action/Cargo.toml");
        let error = judge(&names).unwrap_err().to_string();
        assert!(
            error.starts_with("`crates/action/Cargo.toml` is in the archive"),
            "{error}"
        );

        let error = judge(&["action.yml"]).unwrap_err().to_string();
        assert!(error.starts_with("`dist/main.js` is not in"), "{error}");
    }
}
