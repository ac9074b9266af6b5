//! The installation token: its mint, a trial of it, its end.

use super::{GitHub, Refused};
use crate::clock::UnixTime;
use crate::error::{Error, Result, problem, words};
use crate::http::{Method, Response};
use crate::permissions::Permissions;
use crate::scope::{InstallationId, Repositories};
use crate::secret::Secret;
use serde_json::{Map, Value};
use std::time::Duration;

/// A token, and what GitHub says it is good for.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token. Opaque: its length and its letters have changed before.
    pub secret: Secret,
    /// When it ends: an hour after the mint.
    pub expires_at: UnixTime,
    /// What was granted, as JSON with sorted names.
    pub permissions: Value,
    /// The repositories it reaches, where GitHub lists them.
    pub repositories: Vec<String>,
}

/// Trades the App's JWT for a token of this installation, narrowed as asked.
///
/// # Errors
/// [`Refused::Permissions`] and [`Refused::Repositories`] for the caller to name what lacks;
/// [`problem::VALUE_MULTILINE`] for a token that no GitHub makes; `app-*`, `github-*` and `network-*`.
pub async fn mint(
    github: &GitHub<'_>,
    jwt: &Secret,
    id: InstallationId,
    repositories: &Repositories,
    permissions: &Permissions,
) -> Result<Token, Refused> {
    let mut body = Map::new();
    body.insert("permissions".to_owned(), permissions.to_json());
    let narrowed = match repositories {
        Repositories::All => None,
        Repositories::Names(names) => Some((
            "repositories",
            names.iter().map(|name| name.as_str()).collect(),
        )),
        Repositories::Ids(ids) => Some(("repository_ids", ids.iter().copied().collect())),
    };
    body.extend(narrowed.map(|(name, list)| (name.to_owned(), list)));
    let path = format!("/app/installations/{id}/access_tokens");
    let response = github
        .send(
            "mint of the token",
            Method::Post,
            &path,
            jwt,
            Some(&Value::from(body).to_string()),
        )
        .await?;
    let error = match response.status {
        201 => match read(github, &response) {
            Ok(token) => return Ok(token),
            Err(error) => error,
        },
        // Not how GitHub answers, but there may be a token in it.
        200..300 => github.unusable(&response),
        _ => {
            let not_found = Error::new(&problem::INSTALLATION_NOT_FOUND, id.to_string());
            return Err(github.refusal(&response, not_found));
        }
    };
    Err(Box::pin(give_up(github, &response, error)).await.into())
}

/// Where GitHub's answer holds the token.
const FIELD: &str = "token";

fn read(github: &GitHub<'_>, response: &Response) -> Result<Token> {
    let mut answer = github.json(response)?;
    let secret = Secret::moved_from(&mut answer, FIELD);
    let secret = secret.ok_or_else(|| github.unusable(response))?;
    if !is_sound(&secret) {
        return Err(Error::new(&problem::VALUE_MULTILINE, "the token").at(github.api.to_string()));
    }
    let end = answer["expires_at"].as_str();
    let end = end.ok_or_else(|| github.unusable(response))?;
    let expires_at = UnixTime::from_rfc3339(end).ok_or_else(|| {
        let detail = format!("expires_at is {:?}", words(end));
        Error::new(&problem::GITHUB_UNUSABLE, detail).at(github.api.to_string())
    })?;
    let permissions = match answer.get_mut("permissions").map(Value::take) {
        Some(granted @ Value::Object(_)) => granted,
        None => Map::new().into(),
        Some(_) => return Err(github.unusable(response)),
    };
    let repositories = answer["repositories"].as_array();
    let names = repositories.into_iter().flatten();
    let names = names.filter_map(|repository| repository["name"].as_str());
    Ok(Token {
        secret,
        expires_at,
        permissions,
        repositories: names.map(str::to_owned).collect(),
    })
}

/// Whether a token fits into one line and into a header.
fn is_sound(token: &Secret) -> bool {
    !token.is_empty() && token.expose().bytes().all(|b| b.is_ascii_graphic())
}

/// Revokes the token in an answer that is otherwise of no use: nobody else ever will.
async fn give_up(github: &GitHub<'_>, response: &Response, error: Error) -> Error {
    let mut answer = response.json().unwrap_or_default();
    let Some(token) = Secret::moved_from(&mut answer, FIELD).filter(is_sound) else {
        return error;
    };
    github.client.host.log.mask(token.expose());
    undo(github, &token, error).await
}

/// Revokes a token that was just made and could not be handed over because of `error`, and adds to it what
/// came of that.
pub async fn undo(github: &GitHub<'_>, token: &Secret, error: Error) -> Error {
    let clock = &github.client.host.clock;
    let begun = clock.monotonic();
    let outcome = loop {
        let outcome = revoke(github, token).await;
        // GitHub may not know yet what it has just made.
        let unknown = matches!(outcome, Ok(Revoked::Before));
        if !unknown || clock.monotonic().saturating_sub(begun) + TRIAL_PAUSE >= LONGEST_TRIAL {
            break outcome;
        }
        clock.sleep(TRIAL_PAUSE).await;
    };
    error.because(match outcome {
        Ok(Revoked::Now) => "the token that was already made is revoked again".to_owned(),
        Ok(Revoked::Before) => {
            "GitHub knows no such token as it has made, so there is none to revoke".to_owned()
        }
        Err(error) => format!("the token that was already made could not be revoked: {error}"),
    })
}

/// How a token came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// By this call.
    Now,
    /// Before it.
    Before,
}

/// Revokes a token. It authorises its own end.
///
/// # Errors
/// `app-*`, `github-*` and `network-*`.
pub async fn revoke(github: &GitHub<'_>, token: &Secret) -> Result<Revoked> {
    let response = github
        .send(
            "revocation of the token",
            Method::Delete,
            "/installation/token",
            token,
            None,
        )
        .await?;
    match response.status {
        204 => Ok(Revoked::Now),
        401 if github.refuses_token(&response) => Ok(Revoked::Before),
        status => {
            let refused = Error::new(&problem::GITHUB_REQUEST_REFUSED, "");
            let error = Error::from(github.refusal(&response, refused));
            Err(match status {
                // Whatever its words, it is about the token: no JWT was sent.
                401 => Error {
                    problem: &problem::TOKEN_REFUSED,
                    ..error
                },
                _ => error,
            })
        }
    }
}

impl GitHub<'_> {
    /// Whether it is the token that GitHub does not (or no longer) know.
    fn refuses_token(&self, response: &Response) -> bool {
        let none = || Error::new(&problem::TOKEN_REFUSED, "");
        matches!(self.refusal(response, none()), Refused::Other(error) if error.is(&problem::TOKEN_REFUSED))
    }
}

/// The longest that a fresh token is waited for. Users report up to ten seconds.
const LONGEST_TRIAL: Duration = Duration::from_secs(10);

/// The pause between two trials.
const TRIAL_PAUSE: Duration = Duration::from_millis(500);

/// Tries a fresh token until GitHub takes it: right after the mint not every one of its servers knows it.
/// Says whether that came to pass in time.
///
/// # Errors
/// `network-*`.
pub async fn wait_until_usable(github: &GitHub<'_>, token: &Secret) -> Result<bool> {
    let clock = &github.client.host.clock;
    let begun = clock.monotonic();
    loop {
        let path = "/installation/repositories?per_page=1";
        let left = LONGEST_TRIAL.saturating_sub(clock.monotonic().saturating_sub(begun));
        let in_time = GitHub {
            limits: github.limits.per_try(left.min(github.limits.per_try)),
            ..*github
        };
        let response = in_time
            .send("trial of the token", Method::Get, path, token, None)
            .await?;
        // Any other answer was given to somebody whom GitHub knows.
        if !matches!(response.status, 401 | 404) && response.status < 500 {
            return Ok(true);
        }
        if clock.monotonic().saturating_sub(begun) + TRIAL_PAUSE >= LONGEST_TRIAL {
            return Ok(false);
        }
        clock.sleep(TRIAL_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::github::ApiUrl;
    use crate::http::client::{Client, Limits};
    use crate::testing::{Script, block_on, response};

    #[test]
    fn a_fresh_token_is_revoked_again_as_soon_as_github_knows_it() {
        let unknown = || Ok(response(401, r#"{"message":"Bad credentials"}"#));
        let undone = |script: &Script| {
            let client = Client::new(script.host()).unwrap();
            let api = ApiUrl::parse("https://api.github.com").unwrap();
            let github = GitHub {
                client: &client,
                api: &api,
                limits: Limits::MINT,
            };
            let error = Error::new(&problem::VALUE_MULTILINE, "");
            block_on(undo(&github, &Secret::from("t"), error)).causes
        };
        let script = Script::new([unknown(), unknown(), Ok(response(204, ""))]);
        let causes = undone(&script);
        assert_eq!(causes, ["the token that was already made is revoked again"]);
        assert_eq!(script.elapsed(), TRIAL_PAUSE * 2);
        let script = Script::new((0..30).map(|_| unknown()));
        assert!(undone(&script)[0].starts_with("GitHub knows no such token"));
        assert!(script.elapsed() < LONGEST_TRIAL);
    }

    #[test]
    fn trials_end_in_time_though_the_last_one_hangs() {
        let unknown = || Ok(response(401, r#"{"message":"Bad credentials"}"#));
        for before in [0, 1, 15] {
            let script = Script::then_silent((0..before).map(|_| unknown()));
            let client = Client::new(script.host()).unwrap();
            let api = ApiUrl::parse("https://api.github.com").unwrap();
            let github = GitHub {
                client: &client,
                api: &api,
                limits: Limits::MINT.tries(1),
            };
            let outcome = block_on(wait_until_usable(&github, &Secret::from("t")));
            assert!(outcome.unwrap_err().is(&problem::NETWORK_TIMEOUT));
            assert_eq!(script.elapsed(), LONGEST_TRIAL);
        }
    }
}
