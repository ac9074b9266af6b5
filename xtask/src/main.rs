//! The project's own tool: `cargo xtask COMMAND`.
//!
//! It generates what must agree (`codegen`), builds what the action runs (`dist`), measures it
//! (`bench`), shows it (`demo`) and checks everything that a change must keep (`ci`).
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a developer's tool speaks on its terminal"
)]

mod archive;
mod args;
mod bench;
mod ci;
mod codegen;
mod demo;
mod dist;
mod e2e;
mod error;
mod log;
mod paths;
mod process;
mod relay;
mod runner;
mod stage;
mod terminal;

use std::process::ExitCode;

use error::Result;

const USAGE: &str = "\
usage: cargo xtask COMMAND [OPTIONS]

commands:
  codegen [--check] [--refresh [VERSION]]
      Generates the permission table, the permission inputs of action.yml and the tables of
      README.md. --check only reports what has drifted. --refresh first takes GitHub's permissions
      anew from the npm package @octokit/openapi: at the version that the extract names, at
      VERSION, or at `latest`.
  dist [--check]
      Builds dist/ in the pinned builder. --check compares it, byte for byte, with what is there.
  archive
      Checks what a job that uses the action downloads: which files, and how large.
  demo
      Shows the action's whole life on this machine: main, the token's use, post.
  bench [--runs N] [--peer MAIN.js] [--with INPUT=VALUE]... [--json]
        [--also INPUT=VALUE]... [--hang-first-key] [--tls] [--rtt-kms 150ms] [--rtt-github 40ms]
      Times whole processes in turn: bare node, main, post, and another action's main. With round
      trips, through a relay that delays, beside the critical path. --also times a further main with
      that input, --hang-first-key one whose first key is in a region that never answers.
  bench (--check | --bless) [--runs N]
      Holds what is counted (requests, bytes, WebAssembly) and how many times as long as bare node
      main and post take against xtask/data/speed.json. --bless writes down what is so now.
  e2e [--refresh] [NAME...]
      Puts the action in front of software that others wrote (a runner, a KMS, a GitHub, GitHub's API
      description, linters), installed into target/e2e. --refresh takes the pins and the description
      anew.
  ci
      Runs every check that a change must pass.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let Some((command, rest)) = arguments.split_first() else {
        print!("{USAGE}");
        return Ok(());
    };
    match command.as_str() {
        "codegen" => codegen::run(rest),
        "archive" => archive::run(rest),
        "bench" => bench::run(rest),
        "ci" => ci::run(rest),
        "demo" => demo::run(rest),
        "e2e" => e2e::run(rest),
        "dist" => dist::run(rest),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(())
        }
        other => Err(error::fail(format!(
            "there is no command `{other}`\n\n{USAGE}"
        ))),
    }
}
