//! From options to the library's order: who asks, for what, with which key.

use crate::args::{AppOptions, AwsOptions, GitHubOptions, ScopeOptions, TokenOptions};
use app_token::aws::credentials::Source;
use app_token::aws::keyring::KeyRing;
use app_token::aws::region::Region;
use app_token::error::{Error, Result, problem};
use app_token::github::ApiUrl;
use app_token::host::{Env, Host};
use app_token::http::client::Client;
use app_token::jwt::AppId;
use app_token::order::{self, App, Asked, Order, Signing};
use app_token::permissions::Permissions;
use app_token::scope::{Target, Wanted};

/// The whole order. `scope` stands in for the one among the options.
///
/// # Errors
/// Whatever is missing or malformed, by the library's problems.
pub fn read(client: &Client, options: &TokenOptions, scope: &ScopeOptions) -> Result<Order> {
    let keys = options.app.kms_key_id.join("\n");
    let lists = Lists::of(scope, &*client.host.env);
    let permissions = scope.permissions.join("\n");
    let asked = Asked {
        app: app_options(&options.app.client_id, &options.app.app_id),
        signing: signing(&keys, &options.aws),
        scope: lists.wanted(scope),
        permissions: pairs(&permissions)?,
        api_url: text(&options.github.github_api_url),
    };
    let (order, warnings) = Order::read(client, &asked).map_err(dashed)?;
    for warning in &warnings {
        client.host.log.warning(warning);
    }
    Ok(order)
}

fn text(option: &Option<String>) -> &str {
    option.as_deref().map(str::trim).unwrap_or_default()
}

/// The library names inputs as the action has them; here they are options.
fn dashed(error: Error) -> Error {
    // The one place in lower case that is no input: where credentials are looked for.
    let input = !["", "environment"].contains(&error.place.as_str())
        && error
            .place
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b == b'-');
    match input {
        true => {
            let option = format!("--{}", error.place);
            error.at(option)
        }
        false => error,
    }
}

/// The App: its client ID, else its numeric ID.
///
/// # Errors
/// [`problem::APP_ID_MISSING`] and [`problem::APP_ID_INVALID`].
pub fn app(client_id: &Option<String>, app_id: &Option<String>) -> Result<AppId> {
    app_options(client_id, app_id).read().map_err(dashed)
}

fn app_options<'a>(client_id: &'a Option<String>, app_id: &'a Option<String>) -> App<'a> {
    App {
        client_id: text(client_id),
        app_id: text(app_id),
    }
}

fn signing<'a>(keys: &'a str, aws: &'a AwsOptions) -> Signing<'a> {
    Signing {
        kms_key_id: keys,
        region: text(&aws.aws_region),
        role_to_assume: text(&aws.role_to_assume),
        audience: text(&aws.aws_audience),
    }
}

/// The keys, in order of preference.
///
/// # Errors
/// `kms-key-id-*`, `region-*`, [`problem::ENDPOINT_INVALID`].
pub fn keys(app: &AppOptions, aws: &AwsOptions, host: &Host) -> Result<KeyRing> {
    signing(&app.kms_key_id.join("\n"), aws)
        .keys(host)
        .map_err(dashed)
}

/// The region that is configured, if any: by the option, by the environment, by the profile.
///
/// # Errors
/// [`problem::REGION_INVALID`], [`problem::CREDENTIALS_SOURCE_BROKEN`].
pub fn region(aws: &AwsOptions, host: &Host) -> Result<Option<Region>> {
    order::region(text(&aws.aws_region), host).map_err(dashed)
}

/// Whose credentials. `regions` say where STS is asked, if it has to be, in order of preference.
///
/// # Errors
/// `credentials-*`.
pub fn credentials(
    client: &Client,
    aws: &AwsOptions,
    regions: impl IntoIterator<Item = Region>,
) -> Result<Source> {
    signing("", aws).source(client, regions).map_err(dashed)
}

/// For whom and what, with a warning where that is broad.
///
/// # Errors
/// As [`Target::from_wanted`].
pub fn target(scope: &ScopeOptions, env: &dyn Env) -> Result<(Target, Option<String>)> {
    Target::from_wanted(&Lists::of(scope, env).wanted(scope)).map_err(dashed)
}

/// What of the scope has to be put together first.
struct Lists {
    repositories: String,
    repository_ids: String,
    current: String,
}

impl Lists {
    fn of(scope: &ScopeOptions, env: &dyn Env) -> Self {
        Self {
            repositories: scope.repositories.join("\n"),
            repository_ids: scope.repository_ids.join("\n"),
            current: env.var("GITHUB_REPOSITORY").unwrap_or_default(),
        }
    }

    fn wanted<'a>(&'a self, scope: &'a ScopeOptions) -> Wanted<'a> {
        Wanted {
            owner: text(&scope.owner),
            repositories: &self.repositories,
            repository_ids: &self.repository_ids,
            enterprise: text(&scope.enterprise),
            installation_id: text(&scope.installation_id),
            current: &self.current,
        }
    }
}

/// What the token may do, with warnings.
///
/// # Errors
/// `permission-*`.
pub fn permissions(scope: &ScopeOptions) -> Result<(Permissions, Vec<String>)> {
    Permissions::parse(pairs(&scope.permissions.join("\n"))?)
}

/// `NAME=LEVEL` (or `NAME: LEVEL`) taken apart.
fn pairs(text: &str) -> Result<Vec<(&str, &str)>> {
    app_token::list::entries(text)
        .into_iter()
        .map(|pair| match pair.split_once(['=', ':']) {
            Some((name, level)) if !level.trim().is_empty() => Ok((name, level)),
            Some((name, _)) => Err(unleveled(name)),
            None => Err(unleveled(pair)),
        })
        .collect()
}

fn unleveled(name: &str) -> Error {
    let name = app_token::error::words(name);
    Error::new(
        &problem::PERMISSION_NAME_INVALID,
        format!("{name:?} says no level"),
    )
    .at("--permission")
}

/// Where GitHub is.
///
/// # Errors
/// [`problem::API_URL_INVALID`].
pub fn api(github: &GitHubOptions, env: &dyn Env) -> Result<ApiUrl> {
    order::api_url(text(&github.github_api_url), env).map_err(dashed)
}

/// A switch that the environment can set as well: absent and empty mean no.
///
/// # Errors
/// [`problem::BOOLEAN_INVALID`].
pub fn switch(name: &'static str, value: &Option<String>) -> Result<bool> {
    order::switch(name, text(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(permissions: &[&str]) -> ScopeOptions {
        ScopeOptions {
            permissions: permissions.iter().map(|text| (*text).to_owned()).collect(),
            ..ScopeOptions::default()
        }
    }

    #[test]
    fn permissions_come_by_commas_and_by_repetition() {
        let (permissions, warnings) = permissions(&scope(&[
            "contents=read, Issues : write",
            "pull-requests=READ",
        ]))
        .unwrap();
        assert_eq!(
            permissions.to_string(),
            "contents: read, issues: write, pull_requests: read"
        );
        assert!(warnings.is_empty());
    }

    #[test]
    fn a_permission_without_a_level_is_refused() {
        for text in ["contents", "contents=", "contents= "] {
            let error = permissions(&scope(&[text])).unwrap_err();
            assert!(error.is(&problem::PERMISSION_NAME_INVALID), "{text}");
        }
        let error = permissions(&scope(&[""])).unwrap_err();
        assert!(error.is(&problem::PERMISSIONS_MISSING));
    }

    #[test]
    fn the_client_id_wins_and_empty_is_none() {
        let id = |client: &str, app: &str| app_of(client, app).map(|id| id.to_string());
        assert_eq!(id("Iv1.a", "7").unwrap(), "Iv1.a");
        assert_eq!(id(" ", "7").unwrap(), "7");
        assert!(id("", "").unwrap_err().is(&problem::APP_ID_MISSING));
        assert_eq!(id("a b", "").unwrap_err().place, "--client-id");
    }

    #[test]
    fn inputs_become_options_and_other_places_stay() {
        let place = |place: &str| dashed(Error::new(&problem::INTERNAL, "").at(place)).place;
        assert_eq!(place("kms-key-id"), "--kms-key-id");
        assert_eq!(place("environment"), "environment");
        assert_eq!(place("AWS_CA_BUNDLE"), "AWS_CA_BUNDLE");
        assert_eq!(place(""), "");
    }

    fn app_of(client: &str, id: &str) -> Result<AppId> {
        app(&Some(client.to_owned()), &Some(id.to_owned()))
    }
}
