//! `app-token`: from nothing to the first token in minutes, and the same tokens outside GitHub Actions.
//!
//! This file chooses the command and prints the one error that a run may end with. Everything that
//! decides about tokens is the library's.

#![forbid(unsafe_code)]

mod args;
mod cache;
mod create;
mod doctor;
mod exec;
mod git_credential;
mod key;
mod kms;
mod manual;
mod native;
mod order;
mod output;
mod permissions;
mod policy;
mod problem;
mod revoke;

use app_token::error::{Error, Result};
use args::{Cli, Command};
use clap::Parser;
use native::Native;
use native::console::{Console, Level};
use std::process::ExitCode;

/// What a command ended with, where that is not simply success.
pub type Status = Result<ExitCode>;

/// Exit status of a run that failed.
const FAILED: u8 = 1;
/// Exit status where a person was asked and did not agree.
const NOT_CONFIRMED: u8 = 3;
/// Exit status of `exec` where it is not the command that failed, as env(1) and timeout(1) have it.
const EXEC_FAILED: u8 = 125;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let level = match (cli.quiet, cli.verbose) {
        (true, _) => Level::Quiet,
        (_, true) => Level::Verbose,
        _ => Level::Normal,
    };
    let failed = match cli.command {
        Command::Exec(_) => EXEC_FAILED,
        _ => FAILED,
    };
    let console = Console::new(level, cli.color);
    let native = match Native::new(console) {
        Ok(native) => native,
        Err(error) => {
            return complain(&Console::new(Level::Quiet, cli.color), &error, failed);
        }
    };
    match run(&native, cli) {
        Ok(code) => code,
        Err(error) => complain(&native.console, &error, failed),
    }
}

/// The one place that prints errors.
fn complain(console: &Console, error: &Error, failed: u8) -> ExitCode {
    console.task(None);
    console.error(error, &problem::hint(error));
    ExitCode::from(if error.is(&problem::NOT_CONFIRMED) {
        NOT_CONFIRMED
    } else {
        failed
    })
}

fn run(native: &Native, cli: Cli) -> Status {
    match &cli.command {
        Command::Create(args) => create::run(native, args),
        Command::Exec(args) => exec::run(native, args),
        Command::GitCredential(args) => git_credential::run(native, args),
        Command::Revoke(args) => revoke::run(native, args),
        Command::Key(args) => key::run(native, args),
        Command::Policy(args) => policy::run(native, args),
        Command::Permissions(args) => permissions::run(native, args, cli.color),
        Command::Doctor(args) => doctor::run(native, args, cli.color),
        Command::Completions(args) => manual::completions(args),
        Command::Man(args) => manual::man(args),
    }
}
