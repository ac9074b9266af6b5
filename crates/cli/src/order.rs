//! From options to the library's order: who asks, for what, with which key.

use crate::args::{AppOptions, AwsOptions, GitHubOptions, ScopeOptions, TokenOptions};
use app_token::aws::credentials::{Source, Wanted as WantedCredentials, profile_region};
use app_token::aws::keyring::KeyRing;
use app_token::aws::kms_key::KmsKeyId;
use app_token::aws::region::Region;
use app_token::error::{Error, Result, problem};
use app_token::github::ApiUrl;
use app_token::host::{Env, Host};
use app_token::http::client::Client;
use app_token::jwt::AppId;
use app_token::order::Order;
use app_token::permissions::Permissions;
use app_token::scope::{Target, Wanted};

/// GitHub's own API, where nothing else is named.
const GITHUB: &str = "https://api.github.com";

/// The whole order. `scope` stands in for the one among the options.
///
/// # Errors
/// Whatever is missing or malformed, by the library's problems.
pub fn read(client: &Client, options: &TokenOptions, scope: &ScopeOptions) -> Result<Order> {
    let env = &*client.host.env;
    let app = app(&options.app.client_id, &options.app.app_id)?;
    let keys = keys(&options.app, &options.aws, &client.host)?;
    let (target, broad) = target(scope, env)?;
    let (permissions, warnings) = permissions(scope)?;
    let api = api(&options.github, env)?;
    let first = keys.keys().first().map(|key| key.region.clone());
    let credentials = credentials(client, &options.aws, first)?;
    for warning in broad.iter().chain(&warnings) {
        client.host.log.warning(warning);
    }
    Ok(Order {
        app,
        keys,
        credentials,
        target,
        permissions,
        api,
    })
}

fn text(option: &Option<String>) -> &str {
    option.as_deref().map(str::trim).unwrap_or_default()
}

/// The App: its client ID, else its numeric ID.
///
/// # Errors
/// [`problem::APP_ID_MISSING`] and [`problem::APP_ID_INVALID`].
pub fn app(client_id: &Option<String>, app_id: &Option<String>) -> Result<AppId> {
    let (name, id) = match (text(client_id), text(app_id)) {
        ("", "") => return Err(Error::new(&problem::APP_ID_MISSING, "")),
        ("", id) => ("--app-id", id),
        (id, _) => ("--client-id", id),
    };
    AppId::parse(id).map_err(|error| error.at(name))
}

/// The keys, in order of preference.
///
/// # Errors
/// `kms-key-id-*`, `region-*`, [`problem::ENDPOINT_INVALID`].
pub fn keys(app: &AppOptions, aws: &AwsOptions, host: &Host) -> Result<KeyRing> {
    let keys = KmsKeyId::parse_list(&app.kms_key_id.join("\n"))
        .map_err(|error| error.at("--kms-key-id"))?;
    // A profile is only read where its region is needed: an ARN names its own.
    let configured = if keys.iter().all(|key| key.region().is_some()) {
        None
    } else {
        region(aws, host)?
    };
    KeyRing::new(keys, configured.as_ref(), &*host.env)
}

/// The region that is configured, if any: by the option, by the environment, by the profile.
///
/// # Errors
/// [`problem::REGION_INVALID`], [`problem::CREDENTIALS_SOURCE_BROKEN`].
pub fn region(aws: &AwsOptions, host: &Host) -> Result<Option<Region>> {
    match Region::configured(text(&aws.aws_region), &*host.env)? {
        Some(region) => Ok(Some(region)),
        None => profile_region(host),
    }
}

/// Whose credentials. `region` is where STS is asked, if it has to be.
///
/// # Errors
/// `credentials-*`.
pub fn credentials(client: &Client, aws: &AwsOptions, region: Option<Region>) -> Result<Source> {
    let wanted = WantedCredentials {
        role_to_assume: text(&aws.role_to_assume),
        audience: text(&aws.aws_audience),
        region,
    };
    Source::choose(client, &wanted)
}

/// For whom and what, with a warning where that is broad.
///
/// # Errors
/// As [`Target::from_wanted`].
pub fn target(scope: &ScopeOptions, env: &dyn Env) -> Result<(Target, Option<String>)> {
    let current = env.var("GITHUB_REPOSITORY").unwrap_or_default();
    Target::from_wanted(&Wanted {
        owner: text(&scope.owner),
        repositories: &scope.repositories.join("\n"),
        repository_ids: &scope.repository_ids.join("\n"),
        enterprise: text(&scope.enterprise),
        installation_id: text(&scope.installation_id),
        current: &current,
    })
}

/// What the token may do, with warnings.
///
/// # Errors
/// `permission-*`.
pub fn permissions(scope: &ScopeOptions) -> Result<(Permissions, Vec<String>)> {
    let all = scope.permissions.join("\n");
    let pairs = app_token::list::entries(&all);
    let pairs = pairs
        .iter()
        .map(|pair| match pair.split_once(['=', ':']) {
            Some((name, level)) if !level.trim().is_empty() => Ok((name, level)),
            Some((name, _)) => Err(unleveled(name)),
            None => Err(unleveled(pair)),
        })
        .collect::<Result<Vec<_>>>()?;
    Permissions::parse(pairs)
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
    let (name, url) = match text(&github.github_api_url) {
        "" => match env.var("GITHUB_API_URL") {
            Some(url) => ("GITHUB_API_URL", url),
            None => ("", GITHUB.to_owned()),
        },
        url => ("--github-api-url", url.to_owned()),
    };
    ApiUrl::parse(&url).map_err(|error| error.at(name))
}

/// A switch that the environment can set as well: absent and empty mean no.
///
/// # Errors
/// [`problem::BOOLEAN_INVALID`].
pub fn switch(name: &str, value: &Option<String>) -> Result<bool> {
    match text(value).to_ascii_lowercase().as_str() {
        "" | "false" => Ok(false),
        "true" => Ok(true),
        other => Err(Error::new(
            &problem::BOOLEAN_INVALID,
            format!("{:?}", app_token::error::words(other)),
        )
        .at(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

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

    fn app_of(client: &str, id: &str) -> Result<AppId> {
        app(&Some(client.to_owned()), &Some(id.to_owned()))
    }

    #[test]
    fn the_api_is_the_option_s_then_the_environment_s_then_github_s_own() {
        let env: BTreeMap<_, _> = [(
            "GITHUB_API_URL".to_owned(),
            "https://ghe.example/api/v3".to_owned(),
        )]
        .into();
        let of = |option: &str, env: &dyn Env| {
            let options = GitHubOptions {
                github_api_url: Some(option.to_owned()),
            };
            api(&options, env).unwrap().to_string()
        };
        assert_eq!(of("https://api.x.ghe.com/", &env), "https://api.x.ghe.com");
        assert_eq!(of("", &env), "https://ghe.example/api/v3");
        assert_eq!(of("", &BTreeMap::new()), GITHUB);
    }
}
