//! `cargo xtask ci`: everything that a change must keep, in one list.
//!
//! `.ci/run` installs what this needs and runs it. Every step runs even after a failed one, so that
//! one round shows all that is to do.

use std::{path::Path, time::Instant};

use crate::{
    archive,
    args::Args,
    bench, codegen, demo, dist, e2e,
    error::{Result, fail},
    paths,
    process::{self, run as command},
};

/// What one step does, given the root of the checkout.
type Step = fn(&Path) -> Result<()>;

const STEPS: &[(&str, Step)] = &[
    ("format", |root| cargo(root, &["fmt", "--all", "--check"])),
    ("clippy", |root| {
        let deny = ["--", "--deny", "warnings"];
        let clippy = ["clippy", "--locked", "--workspace", "--all-targets"];
        cargo(root, &[&clippy[..], &deny].concat())
    }),
    ("documentation", |root| {
        // The program and the library share a name, so each is documented by itself.
        for part in [
            &[
                "--lib",
                "--workspace",
                "--exclude=xtask",
                "--exclude=app-token-cli",
            ][..],
            &["--bins", "--package=xtask", "--package=app-token-cli"][..],
        ] {
            let mut doc = process::cargo();
            doc.current_dir(root).env("RUSTDOCFLAGS", "--deny=warnings");
            command(
                doc.args(["doc", "--quiet", "--locked", "--no-deps"])
                    .args(part),
            )?;
        }
        Ok(())
    }),
    ("generated files", |_| codegen::run(&["--check".to_owned()])),
    ("dist", |_| dist::run(&["--check".to_owned()])),
    ("archive", |_| archive::run(&[])),
    ("demo", |_| demo::run(&[])),
    ("speed", |_| bench::run(&["--check".to_owned()])),
    ("counterparts", |_| e2e::run(&[])),
    ("tests", |root| {
        cargo(root, &["test", "--locked", "--workspace", "--no-fail-fast"])
    }),
    // What really waits for a minute: deadlines, rate limits, servers that hang. They wait side by side.
    ("slow tests", |root| {
        let test = ["test", "--locked", "--package=app-token-tests"];
        let which = ["--", "--ignored", "--skip=soak"];
        cargo(root, &[&test[..], &which].concat())
    }),
];

/// Runs the command.
///
/// # Errors
/// When a step failed, with the names of all that did.
pub fn run(arguments: &[String]) -> Result<()> {
    Args::new(arguments).finish()?;
    let root = paths::root()?;
    let mut summary = Vec::new();
    let mut failed = Vec::new();
    for (name, step) in STEPS {
        println!("\n=== {name}");
        let start = Instant::now();
        let result = step(&root);
        let seconds = start.elapsed().as_secs_f64();
        if let Err(error) = &result {
            println!("error: {error}");
            failed.push(*name);
        }
        let mark = if result.is_ok() { "ok" } else { "FAILED" };
        summary.push(format!("{name:<16} {mark:<7} {seconds:>6.1} s"));
    }
    println!("\n=== summary\n{}", summary.join("\n"));
    if failed.is_empty() {
        Ok(())
    } else {
        Err(fail(format!("failed: {}", failed.join(", "))))
    }
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<()> {
    command(process::cargo().current_dir(root).args(arguments))
}
