//! Who the App is in a git history: its bot user's name and address.

use super::GitHub;
use crate::error::{Error, Result, problem, words};
use crate::http::Method;
use crate::http::url::encode;
use crate::secret::Secret;

/// For `git config user.name` and `user.email`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitIdentity {
    /// `SLUG[bot]`.
    pub name: String,
    /// `ID+SLUG[bot]@users.noreply.github.com`; GitHub links commits to the bot by it.
    pub email: String,
}

/// Asks GitHub for the bot user's number. Needs a token; the App's JWT does not serve.
///
/// # Errors
/// `app-*`, `github-*` and `network-*`.
pub async fn of_app(github: &GitHub<'_>, token: &Secret, slug: &str) -> Result<GitIdentity> {
    let name = format!("{slug}[bot]");
    if slug.is_empty()
        || !slug
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    {
        let detail = format!("the App's slug is {:?}", words(slug));
        return Err(Error::new(&problem::GITHUB_UNUSABLE, detail).at(github.api.to_string()));
    }
    let path = format!("/users/{}", encode(&name));
    let response = github
        .send("look-up of the bot user", Method::Get, &path, token, None)
        .await?;
    if response.status != 200 {
        let not_found = Error::new(&problem::GITHUB_REQUEST_REFUSED, name);
        return Err(github.refusal(&response, not_found).into());
    }
    let user = github.json(&response)?;
    let id = user["id"].as_u64();
    let id = id.ok_or_else(|| github.unusable(&response))?;
    let email = format!("{id}+{name}@users.noreply.{}", github.api.web_host());
    Ok(GitIdentity { name, email })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::github::ApiUrl;
    use crate::http::client::{Client, Limits};
    use crate::testing::{Script, block_on, response};

    #[test]
    fn the_address_is_the_host_s_own() {
        for (api, host) in [
            ("https://api.github.com", "github.com"),
            ("https://api.acme.ghe.com", "acme.ghe.com"),
            ("https://ghes.example.com/api/v3", "ghes.example.com"),
            ("https://api.example.com/api/v3", "api.example.com"),
        ] {
            let script = Script::new([Ok(response(200, r#"{"id":42,"login":"x[bot]"}"#))]);
            let (client, api) = (
                Client::new(script.host()).unwrap(),
                ApiUrl::parse(api).unwrap(),
            );
            let github = GitHub {
                client: &client,
                api: &api,
                limits: Limits::MINT,
            };
            let identity = block_on(of_app(&github, &Secret::from("t"), "my-app")).unwrap();
            assert_eq!(identity.name, "my-app[bot]");
            assert_eq!(
                identity.email,
                format!("42+my-app[bot]@users.noreply.{host}")
            );
            assert!(script.urls()[0].ends_with("/users/my-app%5Bbot%5D"));
        }
    }
}
