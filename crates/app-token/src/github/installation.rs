//! The installation of the App on an account: its number, and what was granted to it.

use super::{GitHub, Refused};
use crate::error::{Error, problem};
use crate::http::Method;
use crate::scope::{Account, InstallationId, Owner, RepositoryName};
use crate::secret::Secret;
use serde_json::{Map, Value};

/// What GitHub says of an installation.
#[derive(Clone, Debug)]
pub struct Installation {
    /// Its number.
    pub id: InstallationId,
    /// The App's slug. Empty where GitHub does not say it.
    pub app_slug: String,
    /// The account it is on. Empty for an enterprise.
    pub account: String,
    /// What was granted, by GitHub's names and levels.
    pub permissions: Map<String, Value>,
    /// Since when it is suspended, if it is.
    pub suspended_at: Option<String>,
}

/// Looks up the installation on this account.
///
/// # Errors
/// [`problem::NOT_INSTALLED`] or [`problem::INSTALLATION_NOT_FOUND`],
/// [`problem::INSTALLATION_SUSPENDED`], and `app-*`, `github-*` and `network-*`.
pub async fn look_up(
    github: &GitHub<'_>,
    jwt: &Secret,
    account: &Account,
) -> Result<Installation, Refused> {
    let (path, not_found) = match account {
        // The same path serves users and organisations.
        Account::Owner(owner) => (
            format!("/users/{}/installation", owner.as_str()),
            Error::new(&problem::NOT_INSTALLED, owner.as_str()),
        ),
        Account::Enterprise(slug) => (
            format!("/enterprises/{}/installation", slug.as_str()),
            Error::new(
                &problem::NOT_INSTALLED,
                format!("enterprise {}", slug.as_str()),
            ),
        ),
        Account::Installation { id, .. } => (
            format!("/app/installations/{id}"),
            Error::new(&problem::INSTALLATION_NOT_FOUND, id.to_string()),
        ),
    };
    let response = github
        .send("look-up of the installation", Method::Get, &path, jwt, None)
        .await?;
    if response.status != 200 {
        return Err(github.refusal(&response, not_found));
    }
    let mut answer = github.json(&response)?;
    let Some(id) = answer["id"].as_u64() else {
        return Err(github.unusable(&response).into());
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let installation = Installation {
        id: InstallationId::from_number(id),
        app_slug: text(&answer["app_slug"]).unwrap_or_default(),
        account: text(&answer["account"]["login"]).unwrap_or_default(),
        suspended_at: text(&answer["suspended_at"]),
        permissions: match answer.get_mut("permissions").map(Value::take) {
            Some(Value::Object(granted)) => granted,
            _ => Map::new(),
        },
    };
    match &installation.suspended_at {
        None => Ok(installation),
        Some(since) => Err(Error::new(
            &problem::INSTALLATION_SUSPENDED,
            format!(
                "installation {} on {} since {}",
                installation.id,
                installation.account,
                crate::error::words(since)
            ),
        )
        .at(github.api.to_string())
        .into()),
    }
}

/// Whether the App's installation reaches this repository. For telling which one of several it does
/// not; only GitHub's 404 says no, so that a passing fault accuses nobody.
pub async fn reaches(
    github: &GitHub<'_>,
    jwt: &Secret,
    owner: &Owner,
    name: &RepositoryName,
) -> bool {
    let path = format!("/repos/{}/{}/installation", owner.as_str(), name.as_str());
    let response = github
        .send("look-up of a repository", Method::Get, &path, jwt, None)
        .await;
    !response.is_ok_and(|response| response.status == 404)
}
