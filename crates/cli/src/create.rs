//! `create`: makes a token and prints it.

use crate::args::{Create, Format, ScopeOptions, TokenOptions};
use crate::native::Native;
use crate::{Status, order, output, problem};
use app_token::error::{Error, Result, problem as library};
use app_token::github::identity::{self, GitIdentity};
use app_token::github::token::{self, Revoked};
use app_token::github::{ApiUrl, GitHub};
use app_token::http::client::{Client, Limits};
use app_token::mint::{self, Minted};
use app_token::order::Order;
use app_token::secret::Secret;
use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

pub fn run(native: &Native, args: &Create) -> Status {
    let made = make(native, &args.token, &args.token.scope, args.git_identity)?;
    tell(native, &made);
    let printed = print(native, args.format, &made);
    if let Err(error) = printed {
        return Err(undo(native, &made, error));
    }
    if args.format != Format::Github && output::is_terminal() {
        native.host.log.warning(
            "The token went to a terminal, where it may be kept in its history. Use `app-token exec`, \
             or $(app-token create ...).",
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// A token, what it was made from, and what was asked with it.
pub struct Made {
    pub order: Order,
    pub minted: Minted,
    pub identity: Option<GitIdentity>,
}

/// Revokes a token that nobody got because of `error`, so that nobody else can revoke it.
pub fn undo(native: &Native, made: &Made, error: Error) -> Error {
    let client = match native.client() {
        Ok(client) => client,
        Err(failure) => return error.because(failure.to_string()),
    };
    let github = GitHub {
        client: &client,
        api: &made.order.api,
        limits: Limits::REVOKE,
    };
    let token = &made.minted.token.secret;
    native.run("revoking the token", token::undo(&github, token, error))
}

/// Makes a token.
///
/// # Errors
/// The library's.
pub fn make(
    native: &Native,
    options: &TokenOptions,
    scope: &ScopeOptions,
    with_identity: bool,
) -> Result<Made> {
    let never = || false;
    make_unless(native, options, scope, with_identity, never)?
        .ok_or_else(|| Error::new(&library::INTERNAL, "nobody stopped it"))
}

/// As [`make`], but `None` where there is no token within [`GRACE`] once `stopped` holds: one may be on its
/// way, and has to be revoked.
///
/// # Errors
/// The library's.
pub fn make_unless(
    native: &Native,
    options: &TokenOptions,
    scope: &ScopeOptions,
    with_identity: bool,
    stopped: impl Fn() -> bool,
) -> Result<Option<Made>> {
    let client = native.client()?;
    let wait = order::switch("--wait-until-usable", &options.wait_until_usable)?;
    let order = order::read(&client, options, scope)?;
    let label = format!("getting a token from {}", order.api.web_host());
    let work = async {
        // The console hides it from now on, whatever happens.
        let keep = |token: &token::Token| {
            native.host.log.mask(token.secret.expose());
            Ok(())
        };
        let minted = mint::mint(&client, &order, &keep).await?;
        let github = GitHub {
            client: &client,
            api: &order.api,
            limits: Limits::MINT,
        };
        let extras = async {
            if wait && !token::wait_until_usable(&github, &minted.token.secret).await? {
                native.host.log.warning(
                    "GitHub does not take the fresh token yet; it usually does after a few seconds.",
                );
            }
            if !with_identity {
                return Ok(None);
            }
            let installation = minted.installation.as_ref();
            let slug = installation.map_or("", |found| found.app_slug.as_str());
            let identity = identity::of_app(&github, &minted.token.secret, slug);
            identity.await.map(Some)
        };
        match extras.await {
            Ok(identity) => Ok(Made {
                order,
                minted,
                identity,
            }),
            Err(error) => Err(token::undo(&github, &minted.token.secret, error).await),
        }
    };
    native.run_unless(&label, work, stopped, GRACE).transpose()
}

/// How long a token that may be on its way is waited for once somebody wants to stop: what supervisors and
/// people give.
const GRACE: Duration = Duration::from_secs(5);

/// Tells on standard error what was asked and got.
pub fn tell(native: &Native, made: &Made) {
    let Made { order, minted, .. } = made;
    let app = match &minted.installation {
        Some(found) if !found.app_slug.is_empty() => found.app_slug.clone(),
        _ => order.app.to_string(),
    };
    let milliseconds: Vec<String> = minted
        .steps
        .iter()
        .map(|(step, took)| format!("{step} {} ms", took.as_millis()))
        .collect();
    native.host.log.info(&format!(
        "Token of {app} for {} ({}) until {}.",
        order.target, order.permissions, minted.token.expires_at,
    ));
    native.host.log.debug(&format!(
        "signed by {} (request {}); {}",
        minted.signed.signature.key_arn,
        minted.signed.signature.request_id,
        milliseconds.join(", "),
    ));
}

/// Revokes a token, with a bound of its own on the time.
///
/// # Errors
/// The library's.
pub fn revoke(native: &Native, api: &ApiUrl, token: &Secret) -> Result<Revoked> {
    let client: Client = native.client()?;
    let github = GitHub {
        client: &client,
        api,
        limits: Limits::REVOKE,
    };
    native.run("revoking the token", token::revoke(&github, token))
}

fn print(native: &Native, format: Format, made: &Made) -> Result<()> {
    match format {
        Format::Token => output::write(&format!("{}\n", made.minted.token.secret.expose())),
        Format::Json => output::write(&json(made)),
        Format::Env => output::write(&env(made)),
        Format::Github => github(native, made),
    }
}

fn slug(made: &Made) -> &str {
    let installation = made.minted.installation.as_ref();
    installation.map_or("", |found| found.app_slug.as_str())
}

fn json(made: &Made) -> String {
    let Minted {
        token,
        installation_id,
        signed,
        ..
    } = &made.minted;
    let mut value = serde_json::json!({
        "token": token.secret.expose(),
        "expires_at": token.expires_at.to_string(),
        "permissions": token.permissions,
        "repositories": token.repositories,
        "installation_id": installation_id.to_string().parse::<u64>().unwrap_or_default(),
        "app_slug": slug(made),
        "github_api_url": made.order.api.to_string(),
        "kms_key": signed.signature.key_arn,
    });
    if let Some(identity) = &made.identity {
        value["git_user_name"] = identity.name.as_str().into();
        value["git_user_email"] = identity.email.as_str().into();
    }
    format!("{value:#}\n")
}

fn env(made: &Made) -> String {
    let token = quoted(made.minted.token.secret.expose());
    let mut text = format!("GH_TOKEN={token}\nGITHUB_TOKEN={token}\n");
    if let Some(identity) = &made.identity {
        for who in ["AUTHOR", "COMMITTER"] {
            let _ = writeln!(text, "GIT_{who}_NAME={}", quoted(&identity.name));
            let _ = writeln!(text, "GIT_{who}_EMAIL={}", quoted(&identity.email));
        }
    }
    text
}

/// As a shell reads it back. GitHub's tokens need no quotes, which files of variables like better.
fn quoted(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The mask first, then the outputs, each with a delimiter that nobody can guess.
fn github(native: &Native, made: &Made) -> Result<()> {
    let token = made.minted.token.secret.expose();
    let path =
        native.host.env.var("GITHUB_OUTPUT").ok_or_else(|| {
            Error::new(&library::RUNNER_FILE_UNWRITABLE, "GITHUB_OUTPUT is not set")
        })?;
    // The token is printable ASCII (the library checked), so a `%` is all there is to escape.
    output::write(&format!("::add-mask::{}\n", token.replace('%', "%25")))?;
    let mut outputs = vec![
        ("token", token.to_owned()),
        ("installation-id", made.minted.installation_id.to_string()),
        ("app-slug", slug(made).to_owned()),
        ("expires-at", made.minted.token.expires_at.to_string()),
        ("permissions", made.minted.token.permissions.to_string()),
    ];
    if let Some(identity) = &made.identity {
        outputs.push(("git-user-name", identity.name.clone()));
        outputs.push(("git-user-email", identity.email.clone()));
    }
    let mut random = [0; 16];
    native.host.random.fill(&mut random);
    let delimiter: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut text = String::new();
    for (name, value) in outputs {
        if value.contains(['\r', '\n']) || value.contains(&delimiter) {
            return Err(Error::new(&library::VALUE_MULTILINE, name));
        }
        let _ = writeln!(text, "{name}<<{delimiter}\n{value}\n{delimiter}");
    }
    let text = zeroize::Zeroizing::new(text);
    native
        .host
        .files
        .append(&path, &text)
        .map_err(|error| Error::new(&library::RUNNER_FILE_UNWRITABLE, error.0).at("GITHUB_OUTPUT"))
}

/// A token from outside: one line of printable ASCII.
///
/// # Errors
/// [`problem::TOKEN_MALFORMED`], without showing it.
pub fn parse_token(text: &str, place: &str) -> Result<Secret> {
    let text = text.trim();
    if text.len() <= LONGEST_TOKEN && text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(Secret::from(text));
    }
    let detail = format!("{} bytes", text.len());
    Err(Error::new(&problem::TOKEN_MALFORMED, detail).at(place))
}

/// In bytes. GitHub's longest have some 520; what is far longer is no token but some file.
const LONGEST_TOKEN: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_quotes_gets_them() {
        assert_eq!(quoted("ghs_12_a.b-c"), "ghs_12_a.b-c");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_token_is_one_line_and_never_shown() {
        assert_eq!(parse_token(" ghs_x\n", "stdin").unwrap().expose(), "ghs_x");
        for text in ["hunter2 hunter2", "hunter2\nx", &"hunter2".repeat(2000)] {
            let error = parse_token(text, "stdin").unwrap_err();
            assert!(!error.report().contains("hunter2"));
        }
    }
}
