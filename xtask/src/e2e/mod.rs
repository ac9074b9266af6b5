//! `cargo xtask e2e`: the action in front of software that others wrote.
//!
//! The sandbox is this project's own, so it can share the action's mistakes. Here dist/ meets an
//! independent runner, independent KMS, STS and IAM, an independent GitHub, GitHub's own description of
//! its API, and linters. Everything is installed from PyPI and npm, pinned with hashes
//! (tests/counterparts/), into target/e2e, and runs on free loopback ports.

mod action;
mod aws;
mod cases;
mod cli;
mod github;
mod http;
mod lint;
mod localstack;
mod openapi;
mod proxy;
mod runner;
mod server;
mod tools;

use std::time::Instant;

use crate::{
    args::Args,
    error::{Result, fail},
    paths,
    terminal::Style,
};
use cases::Cases;
use tools::Tools;

/// Something that others wrote, and what it is asked about the action.
struct Counterpart {
    /// What it is called on the command line.
    name: &'static str,
    /// What stands in the table.
    title: &'static str,
    /// What it is asked.
    covers: &'static str,
    /// What it cannot be asked.
    lacks: &'static str,
    run: fn(&Tools, &mut Cases) -> Result<()>,
}

const COUNTERPARTS: &[Counterpart] = &[
    Counterpart {
        name: "runner",
        title: "act, a runner",
        covers: "main, a step that uses the token, post; two uses in one job; failed and cancelled jobs; skip-token-revoke; paths with spaces; Node 20 and 24",
        lacks: "OIDC variables",
        run: runner::run,
    },
    Counterpart {
        name: "aws",
        title: "ministack, a KMS with IAM and STS",
        covers: "import and use of a key; a role with nothing but kms:Sign; wrong secrets, tampered requests, missing rights, keys in each wrong state; web identity by trust policies that fit and that do not",
        lacks: "conditions on kms:SigningAlgorithm and kms:MessageType (they never match there), an alias judged as its key, the 4096-byte limit, signature and expiry of a web identity",
        run: aws::ministack,
    },
    Counterpart {
        name: "moto",
        title: "moto, a second judge of SigV4",
        covers: "a signed request, one with a wrong secret, one from an unknown key",
        lacks: "import of key material, key states; its errors are XML, which those of KMS are not",
        run: aws::moto,
    },
    Counterpart {
        name: "github",
        title: "emulate, a GitHub",
        covers: "the App's key from KMS; look-up, mint, scope, and each refusal that it knows",
        lacks: "revocation, client ids as issuer, organisations on /users/{login}/installation, a JWT that lives too long",
        run: github::run,
    },
    Counterpart {
        name: "openapi",
        title: "prism, with GitHub's own API description",
        covers: "every request that the action sends, every answer that the sandbox gives",
        lacks: "answers of a status that the description does not list (most refusals); KMS and STS",
        run: openapi::run,
    },
    Counterpart {
        name: "cli",
        title: "ministack, openssl and git, for the program",
        covers: "key import, doctor, create, revoke, exec, git-credential with git itself, key rotate and its undo; the imported key signs as openssl does with the PEM; the CloudFormation template deployed, its policies beside those that the program prints, its key filled",
        lacks: "the key policy's conditions, which ministack never finds met; the template's OIDC provider, which its CloudFormation does not know, and its condition on no environment; git's smart HTTP",
        run: cli::run,
    },
    Counterpart {
        name: "localstack",
        title: "LocalStack, a second KMS with import",
        covers: "the key that the program wrapped, unwrapped by another's code: PKCS#1 and PKCS#8, two regions, changed on its way; signatures beside openssl's; key rotate",
        lacks: "SigV4, IAM and key policies, which it does not judge; a second import of other material, which it takes",
        run: localstack::run,
    },
    Counterpart {
        name: "lint",
        title: "zizmor, check-jsonschema, actionlint, cfn-lint",
        covers: "action.yml, the workflows and infra/cloudformation.yaml",
        lacks: "runner labels and permission scopes newer than this actionlint",
        run: lint::run,
    },
];

/// Runs the command.
///
/// # Errors
/// When something cannot be installed or started, or a case fails, with the names of all that did.
pub fn run(arguments: &[String]) -> Result<()> {
    let (names, flags): (Vec<String>, Vec<String>) = arguments
        .iter()
        .cloned()
        .partition(|argument| !argument.starts_with("--"));
    let mut flags = Args::new(&flags);
    let refresh = flags.flag("--refresh");
    flags.finish()?;
    let root = paths::root()?;
    if refresh {
        Tools::pin(&root)?;
        return openapi::refresh(&root);
    }
    if let Some(unknown) = names
        .iter()
        .find(|name| COUNTERPARTS.iter().all(|known| known.name != *name))
    {
        let known: Vec<&str> = COUNTERPARTS.iter().map(|known| known.name).collect();
        return Err(fail(format!(
            "there is no counterpart `{unknown}`; there are {}",
            known.join(", ")
        )));
    }

    let tools = Tools::install(&root)?;
    let style = Style::of_stdout();
    let mut table = Vec::new();
    let mut failed = Vec::new();
    for counterpart in COUNTERPARTS {
        if !names.is_empty() && !names.iter().any(|name| name == counterpart.name) {
            continue;
        }
        println!("\n{} ({})", style.bold(counterpart.title), counterpart.name);
        let start = Instant::now();
        let mut cases = Cases::new(style);
        if let Err(error) = (counterpart.run)(&tools, &mut cases) {
            cases.broken(&error);
        }
        let seconds = start.elapsed().as_secs_f64();
        if cases.failed() > 0 || cases.count() == 0 {
            failed.push(counterpart.name);
        }
        table.push((counterpart, cases, seconds));
    }

    println!("\n{}", style.bold("Counterparts"));
    for (counterpart, cases, seconds) in &table {
        let passed = cases.count() - cases.failed();
        let result = format!("{passed}/{} ok", cases.count());
        let good = cases.failed() == 0 && cases.count() > 0;
        let result = if good {
            style.green(result)
        } else {
            style.red(result)
        };
        println!("{:<42} {result:<9} {seconds:>6.1} s", counterpart.title);
        println!("  covered: {}", counterpart.covers);
        if !counterpart.lacks.is_empty() {
            println!("  not covered there: {}", counterpart.lacks);
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(fail(format!("failed: {}", failed.join(", "))))
    }
}
