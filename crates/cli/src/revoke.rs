//! `revoke`: ends a token.

use crate::args::{From, Revoke};
use crate::native::Native;
use crate::{Status, create, order, problem};
use app_token::error::{Error, Result};
use app_token::github::token::Revoked;
use app_token::secret::Secret;
use std::io::{IsTerminal, Read};
use std::process::ExitCode;

pub fn run(native: &Native, args: &Revoke) -> Status {
    let api = order::api(&args.github, &*native.host.env)?;
    let token = token(native, args.from)?;
    native.host.log.mask(token.expose());
    native
        .host
        .log
        .info(match create::revoke(native, &api, &token)? {
            Revoked::Now => "The token is revoked.",
            Revoked::Before => "The token was revoked or expired already.",
        });
    Ok(ExitCode::SUCCESS)
}

fn token(native: &Native, from: From) -> Result<Secret> {
    let stdin = std::io::stdin();
    if from == From::Stdin || (from == From::Auto && !stdin.is_terminal()) {
        // More than any token has, so that a wrong file is noticed and not swallowed.
        let mut text = zeroize::Zeroizing::new(String::with_capacity(MOST_INPUT));
        stdin
            .lock()
            .take(MOST_INPUT as u64)
            .read_to_string(&mut text)
            .map_err(|error| Error::new(&problem::INPUT_FAILED, error.to_string()))?;
        if !text.trim().is_empty() {
            return create::parse_token(&text, "standard input");
        }
    }
    if from != From::Stdin {
        for name in ["GH_TOKEN", "GITHUB_TOKEN"] {
            if let Some(text) = native.host.env.var(name) {
                return create::parse_token(&text, name);
            }
        }
    }
    Err(Error::new(&problem::TOKEN_MISSING, ""))
}

/// In bytes.
const MOST_INPUT: usize = 16 * 1024;
