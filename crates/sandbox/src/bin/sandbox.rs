//! The sandbox as a program: starts it, says how to reach it, and runs until its standard input
//! closes.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use app_token_sandbox::{Builder, Sandbox, Service, TokenForm, world};

const HELP: &str = "\
Plays AWS KMS and STS, the runner's OIDC endpoint and GitHub on loopback ports.

Usage: sandbox [options]

Prints the environment that uses it, as NAME=VALUE lines, then runs until standard input closes.

Options:
  --github-env FILE     append the lines to FILE (as GITHUB_ENV takes them) instead of printing them
  --tls                 speak TLS; needs --ca-file
  --ca-file FILE        write the authority's certificate to FILE, and name it in NODE_EXTRA_CA_CERTS,
                        SSL_CERT_FILE and AWS_CA_BUNDLE
  --port SERVICE=PORT   use this port; services: github kms sts oidc metadata proxy
  --ghes                play GitHub Enterprise Server: /api/v3, short tokens
  --github-clock N      set GitHub's clock N seconds off (may be negative)
  --aws-clock N         set AWS's clock N seconds off
  --credentials WHO     whose AWS credentials the lines hold: signer (the default; may sign and nothing
                        else), ci, admin, stranger, expired, none
  --forever             do not end with standard input; run until killed
  -h, --help            print this
";

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Choice {
    builder: Builder,
    tls: bool,
    github_env: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    /// An access key id.
    credentials: Option<&'static str>,
    forever: bool,
}

fn run(arguments: impl Iterator<Item = String>) -> io::Result<()> {
    let Some(choice) = parse(arguments)? else {
        return io::stdout().write_all(HELP.as_bytes());
    };
    let sandbox = choice.builder.start()?;
    let mut env = sandbox.env_without_credentials();
    env.extend(
        choice
            .credentials
            .map(|id| sandbox.env_of(id))
            .unwrap_or_default(),
    );
    if let Some(path) = &choice.ca_file {
        std::fs::write(path, sandbox.ca_pem())?;
        let path = std::path::absolute(path)?.display().to_string();
        for name in ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "AWS_CA_BUNDLE"] {
            env.push((name.into(), path.clone()));
        }
    }
    let lines: String = env
        .iter()
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    match choice.github_env {
        Some(path) => OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)?
            .write_all(lines.as_bytes())?,
        None => {
            let mut out = io::stdout();
            out.write_all(lines.as_bytes())?;
            out.flush()?;
        }
    }
    if choice.forever {
        loop {
            std::thread::park();
        }
    }
    io::stdin().read_to_end(&mut Vec::new())?;
    drop(sandbox);
    Ok(())
}

/// `None` where help was asked for.
fn parse(mut arguments: impl Iterator<Item = String>) -> io::Result<Option<Choice>> {
    let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
    let mut choice = Choice {
        builder: Sandbox::builder(),
        tls: false,
        github_env: None,
        ca_file: None,
        credentials: Some(world::SIGNER_SESSION),
        forever: false,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| wrong(format!("{argument} wants a value; see --help")))
        };
        match argument.as_str() {
            "-h" | "--help" => return Ok(None),
            "--tls" => choice.tls = true,
            "--ghes" => {
                choice.builder = choice
                    .builder
                    .github_base("/api/v3")
                    .token_form(TokenForm::Short);
            }
            "--forever" => choice.forever = true,
            "--credentials" => {
                choice.credentials = match value()?.as_str() {
                    "signer" => Some(world::SIGNER_SESSION),
                    "ci" => Some(world::CI_USER),
                    "admin" => Some(world::ADMIN),
                    "stranger" => Some(world::STRANGER),
                    "expired" => Some(world::EXPIRED_SESSION),
                    "none" => None,
                    other => {
                        return Err(wrong(format!("--credentials: nobody is called {other:?}")));
                    }
                }
            }
            "--github-env" => choice.github_env = Some(value()?.into()),
            "--ca-file" => choice.ca_file = Some(value()?.into()),
            "--github-clock" => choice.builder = choice.builder.github_clock(number(&value()?)?),
            "--aws-clock" => choice.builder = choice.builder.aws_clock(number(&value()?)?),
            "--port" => {
                let value = value()?;
                let (service, port) = value
                    .split_once('=')
                    .ok_or_else(|| wrong(format!("--port wants SERVICE=PORT, not {value:?}")))?;
                let known = Service::ALL
                    .into_iter()
                    .find(|known| format!("{known:?}").eq_ignore_ascii_case(service));
                let service =
                    known.ok_or_else(|| wrong(format!("there is no service {service:?}")))?;
                choice.builder = choice.builder.port(service, number(port)?);
            }
            other => return Err(wrong(format!("{other} is no option; see --help"))),
        }
    }
    if choice.tls != choice.ca_file.is_some() {
        return Err(wrong("--tls and --ca-file go together".into()));
    }
    choice.builder = choice.builder.tls(choice.tls);
    Ok(Some(choice))
}

fn number<T: std::str::FromStr>(text: &str) -> io::Result<T> {
    text.parse().map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{text:?} is no number that fits"),
        )
    })
}
