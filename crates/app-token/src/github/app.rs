//! The App itself: which one a JWT belongs to, and where it is installed. For those who look for a fault.

use super::{GitHub, Refused};
use crate::clock::UnixTime;
use crate::error::{Error, Result, problem};
use crate::http::{Method, Response};
use crate::secret::Secret;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// What GitHub says of the App that a JWT belongs to.
#[derive(Clone, Debug, Deserialize)]
pub struct App {
    /// Its number.
    pub id: u64,
    /// Its slug, as in its URL.
    #[serde(default)]
    pub slug: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// What it asks of those who install it.
    #[serde(default)]
    pub permissions: BTreeMap<String, serde_json::Value>,
    /// How often it is installed, where GitHub says it.
    #[serde(default)]
    pub installations_count: Option<u64>,
    /// What GitHub's clock said.
    #[serde(skip)]
    pub date: Option<UnixTime>,
}

/// One of the App's installations.
#[derive(Clone, Debug, Deserialize)]
pub struct Installed {
    /// Its number.
    pub id: u64,
    /// Since when it is suspended, if it is.
    #[serde(default)]
    pub suspended_at: Option<String>,
    #[serde(default)]
    account: Option<Account>,
}

#[derive(Clone, Debug, Deserialize)]
struct Account {
    #[serde(default)]
    login: Option<String>,
    #[serde(default)]
    slug: Option<String>,
}

impl Installed {
    /// The account's login, or an enterprise's slug.
    pub fn account(&self) -> &str {
        let account = self.account.as_ref();
        account
            .and_then(|account| account.login.as_deref().or(account.slug.as_deref()))
            .unwrap_or_default()
    }
}

/// Asks which App the JWT belongs to.
///
/// # Errors
/// [`problem::APP_UNKNOWN`], [`problem::APP_KEY_WRONG`], and the rest of `app-*`, `github-*` and `network-*`.
pub async fn of_jwt(github: &GitHub<'_>, jwt: &Secret) -> Result<App, Refused> {
    let what = "look-up of the App";
    let response = github.send(what, Method::Get, "/app", jwt, None).await?;
    if response.status != 200 {
        return Err(github.refusal(&response, Error::new(&problem::APP_UNKNOWN, "")));
    }
    let mut app: App = read(github, &response)?;
    app.date = response.date();
    Ok(app)
}

/// The first hundred installations.
///
/// # Errors
/// `app-*`, `github-*` and `network-*`.
pub async fn installations(github: &GitHub<'_>, jwt: &Secret) -> Result<Vec<Installed>, Refused> {
    let path = "/app/installations?per_page=100";
    let what = "list of the installations";
    let response = github.send(what, Method::Get, path, jwt, None).await?;
    if response.status != 200 {
        return Err(github.refusal(&response, Error::new(&problem::APP_UNKNOWN, "")));
    }
    Ok(read(github, &response)?)
}

fn read<T: DeserializeOwned>(github: &GitHub<'_>, response: &Response) -> Result<T> {
    serde_json::from_slice(&response.body).map_err(|_| github.unusable(response))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::github::ApiUrl;
    use crate::http::client::{Client, Limits};
    use crate::testing::{Script, block_on, response};

    #[test]
    fn the_app_and_its_installations_are_read() {
        let script = Script::new([
            Ok(response(
                200,
                r#"{"id":1,"slug":"my-app","name":"My App","permissions":{"contents":"read"}}"#,
            )),
            Ok(response(
                200,
                r#"[{"id":7,"account":{"login":"my-org"}},{"id":8,"account":{"slug":"acme"},"suspended_at":"2026-01-01T00:00:00Z"}]"#,
            )),
            Ok(response(404, r#"{"message":"Integration not found"}"#)),
        ]);
        let (client, api) = (
            Client::new(script.host()).unwrap(),
            ApiUrl::parse("https://api.github.com").unwrap(),
        );
        let github = GitHub {
            client: &client,
            api: &api,
            limits: Limits::MINT,
        };
        let jwt = Secret::from("j");
        assert_eq!(block_on(of_jwt(&github, &jwt)).unwrap().slug, "my-app");
        let installed = block_on(installations(&github, &jwt)).unwrap();
        let accounts: Vec<_> = installed.iter().map(Installed::account).collect();
        assert_eq!(accounts, ["my-org", "acme"]);
        let refused: Error = block_on(of_jwt(&github, &jwt)).unwrap_err().into();
        assert!(refused.is(&problem::APP_UNKNOWN));
        assert!(script.urls()[1].ends_with("/app/installations?per_page=100"));
    }
}
