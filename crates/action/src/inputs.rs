//! What the workflow wrote, as the runner hands it over: `INPUT_` and the name in upper case, hyphens
//! kept. Every input that action.yml declares is set, empty where the workflow says nothing.

use app_token::aws::credentials;
use app_token::aws::keyring::KeyRing;
use app_token::aws::kms_key::KmsKeyId;
use app_token::aws::region::Region;
use app_token::error::{Error, Result, problem, words};
use app_token::github::ApiUrl;
use app_token::http::client::Client;
use app_token::jwt::AppId;
use app_token::mint::Order;
use app_token::permissions::Permissions;
use app_token::scope::{Target, Wanted};
use std::collections::BTreeMap;

/// The inputs that are read, but for the permissions. action.yml declares these and no others; a check
/// holds the two together.
pub const INPUTS: &[&str] = &[
    "app-id",
    "aws-audience",
    "aws-region",
    "client-id",
    "enterprise",
    "git-identity",
    "github-api-url",
    "installation-id",
    "kms-key-id",
    "owner",
    "repositories",
    "repository-ids",
    "role-to-assume",
    "skip-token-revoke",
    "wait-until-usable",
];

/// What the names of the permission inputs start with.
pub const PERMISSION: &str = "permission-";

/// The environment of a step.
pub type Variables = BTreeMap<String, String>;

/// Everything that a step is to do.
#[derive(Debug)]
pub struct Job {
    /// What token to make.
    pub order: Order,
    /// `skip-token-revoke`.
    pub skip_revoke: bool,
    /// `wait-until-usable`.
    pub wait_until_usable: bool,
    /// `git-identity`.
    pub git_identity: bool,
    /// What the user should know beforehand.
    pub warnings: Vec<String>,
}

impl Job {
    /// Reads and checks every input, before the first call.
    ///
    /// # Errors
    /// One problem for each way in which an input, or the environment, can be wrong.
    pub fn read(variables: &Variables, client: &Client) -> Result<Self> {
        let input = |name: &str| input(variables, name);
        let at = |name: &'static str| {
            move |error: Error| {
                if error.place.is_empty() {
                    error.at(name)
                } else {
                    error
                }
            }
        };

        let app = match (input("client-id"), input("app-id")) {
            ("", "") => return Err(Error::new(&problem::APP_ID_MISSING, "")),
            ("", id) => AppId::parse(id).map_err(at("app-id"))?,
            (id, _) => AppId::parse(id).map_err(at("client-id"))?,
        };
        let keys = KmsKeyId::parse_list(input("kms-key-id")).map_err(at("kms-key-id"))?;
        let wanted = Wanted {
            owner: input("owner"),
            repositories: input("repositories"),
            repository_ids: input("repository-ids"),
            enterprise: input("enterprise"),
            installation_id: input("installation-id"),
            current: variables
                .get("GITHUB_REPOSITORY")
                .map_or("", String::as_str),
        };
        let (target, too_wide) = Target::from_wanted(&wanted)?;
        let (permissions, unknown) = Permissions::parse(permissions(variables))?;
        let api = match input("github-api-url") {
            "" => variables.get("GITHUB_API_URL").map_or("", |url| url.trim()),
            url => url,
        };
        let api = ApiUrl::parse(if api.is_empty() {
            "https://api.github.com"
        } else {
            api
        })
        .map_err(at("github-api-url"))?;
        let skip_revoke = switch("skip-token-revoke", input("skip-token-revoke"))?;
        let wait_until_usable = switch("wait-until-usable", input("wait-until-usable"))?;
        let git_identity = switch("git-identity", input("git-identity"))?;
        let region = match Region::configured(input("aws-region"), variables)? {
            None if keys.iter().any(|key| key.region().is_none()) => {
                credentials::profile_region(&client.host)?
            }
            region => region,
        };
        let keys = KeyRing::new(keys, region.as_ref(), variables)?;
        let wanted = credentials::Wanted {
            role_to_assume: input("role-to-assume"),
            audience: input("aws-audience"),
            region: keys.keys().first().map(|key| key.region.clone()),
        };
        let credentials = credentials::Source::choose(client, &wanted)?;
        Ok(Self {
            order: Order {
                app,
                keys,
                credentials,
                target,
                permissions,
                api,
            },
            skip_revoke,
            wait_until_usable,
            git_identity,
            warnings: too_wide.into_iter().chain(unknown).collect(),
        })
    }
}

/// An input's value, trimmed.
fn input<'a>(variables: &'a Variables, name: &str) -> &'a str {
    let variable = format!("INPUT_{}", name.to_uppercase());
    variables.get(&variable).map_or("", |value| value.trim())
}

/// Names and levels of the permission inputs, those left empty as well.
fn permissions(variables: &Variables) -> impl Iterator<Item = (&str, &str)> {
    variables.iter().filter_map(|(variable, level)| {
        let name = variable.strip_prefix("INPUT_")?;
        let start = name.get(..PERMISSION.len())?;
        start
            .eq_ignore_ascii_case(PERMISSION)
            .then(|| (&name[PERMISSION.len()..], level.as_str()))
    })
}

/// A switch, as YAML writes one.
fn switch(name: &'static str, text: &str) -> Result<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" | "" => Ok(false),
        _ => Err(Error::new(&problem::BOOLEAN_INVALID, format!("{:?}", words(text))).at(name)),
    }
}
