//! What the workflow wrote, as the runner hands it over: `INPUT_` and the name in upper case, hyphens
//! kept. Every input that action.yml declares is set, empty where the workflow says nothing.

use app_token::error::Result;
use app_token::host::Env;
use app_token::http::client::Client;
use app_token::order::{App, Asked, Order, Signing, switch};
use app_token::scope::Wanted;

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

/// The environment of a step. A list: there are about a hundred, each looked up once or twice.
#[derive(Clone, Default)]
pub struct Variables(Vec<(String, String)>);

impl Variables {
    /// Reads `NAME=VALUE` entries, each ended by a NUL.
    pub fn parse(text: &str) -> Self {
        let entries = text
            .split_terminator('\0')
            .filter_map(|entry| entry.split_once('='));
        Self(
            entries
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// The variable's value, trimmed; empty where it is not set.
    pub fn get(&self, name: &str) -> &str {
        let mut entries = self.0.iter();
        entries
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value.trim())
    }
}

impl Extend<(String, String)> for Variables {
    fn extend<I: IntoIterator<Item = (String, String)>>(&mut self, entries: I) {
        self.0.extend(entries);
    }
}

impl Env for Variables {
    fn var(&self, name: &str) -> Option<String> {
        let mut entries = self.0.iter();
        let (_, value) = entries.find(|(known, _)| known == name)?;
        (!value.trim().is_empty()).then(|| value.clone())
    }
}

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
        let asked = Asked {
            app: App {
                client_id: input("client-id"),
                app_id: input("app-id"),
            },
            signing: Signing {
                kms_key_id: input("kms-key-id"),
                region: input("aws-region"),
                role_to_assume: input("role-to-assume"),
                audience: input("aws-audience"),
            },
            scope: Wanted {
                owner: input("owner"),
                repositories: input("repositories"),
                repository_ids: input("repository-ids"),
                enterprise: input("enterprise"),
                installation_id: input("installation-id"),
                current: variables.get("GITHUB_REPOSITORY"),
            },
            permissions: permissions(variables).collect(),
            api_url: input("github-api-url"),
        };
        let switch = |name| switch(name, input(name));
        let (skip_revoke, wait_until_usable, git_identity) = (
            switch("skip-token-revoke")?,
            switch("wait-until-usable")?,
            switch("git-identity")?,
        );
        let (order, warnings) = Order::read(client, &asked)?;
        Ok(Self {
            order,
            skip_revoke,
            wait_until_usable,
            git_identity,
            warnings,
        })
    }
}

/// An input's value, trimmed.
fn input<'a>(variables: &'a Variables, name: &str) -> &'a str {
    variables.get(&format!("INPUT_{}", name.to_ascii_uppercase()))
}

/// Names and levels of the permission inputs, those left empty as well.
fn permissions(variables: &Variables) -> impl Iterator<Item = (&str, &str)> {
    variables.0.iter().filter_map(|(variable, level)| {
        let name = variable.strip_prefix("INPUT_")?;
        let start = name.get(..PERMISSION.len())?;
        start
            .eq_ignore_ascii_case(PERMISSION)
            .then(|| (&name[PERMISSION.len()..], level.as_str()))
    })
}
