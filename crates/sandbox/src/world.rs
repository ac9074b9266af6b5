//! The world that the sandbox plays: who exists, what is installed where, which keys there are and
//! who may use them. [`World::default`] is the documented one; a test changes what it needs.
//!
//! All names and numbers are constants here. Secrets (secret access keys, session tokens) are not:
//! each sandbox makes its own, see [`crate::Sandbox::credentials`].

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::codec::{ALPHANUMERIC, base64, random_bytes, random_text};
use crate::keys::{PrivateKey, PublicKey, RFC_7515, RFC_7517, RFC_7520};

/// The App's id.
pub const APP_ID: u64 = 123_456;
/// The App's client id.
pub const CLIENT_ID: &str = "Iv23liSandboxClient1";
/// The App's slug; its bot is `my-app[bot]`.
pub const APP_SLUG: &str = "my-app";
/// The numeric id of the App's bot user.
pub const BOT_USER_ID: u64 = 41_898_282;
/// Another App, with another key, installed nowhere that the first is not.
pub const OTHER_APP_ID: u64 = 654_321;
/// The other App's client id.
pub const OTHER_CLIENT_ID: &str = "Iv23liSandboxClient2";

/// The organisation on which the App is installed, with all repositories.
pub const ORG: &str = "my-org";
/// Its installation.
pub const ORG_INSTALLATION: u64 = 10_001;
/// A repository of [`ORG`].
pub const REPO_A: &str = "repo-a";
/// The id of [`REPO_A`].
pub const REPO_A_ID: u64 = 50_001;
/// Another repository of [`ORG`].
pub const REPO_B: &str = "repo-b";
/// The id of [`REPO_B`].
pub const REPO_B_ID: u64 = 50_002;
/// A repository of [`ORG`], which was once called [`RENAMED_FROM`].
pub const RENAMED_TO: &str = "new-name";
/// The former name of [`RENAMED_TO`]; GitHub answers 301 for it.
pub const RENAMED_FROM: &str = "renamed-repo";
/// The id of [`RENAMED_TO`].
pub const RENAMED_ID: u64 = 50_003;

/// A user with the App installed on one chosen repository.
pub const USER: &str = "octocat";
/// Its installation.
pub const USER_INSTALLATION: u64 = 10_002;
/// The repository of [`USER`] that the installation covers.
pub const USER_REPO: &str = "hello-world";
/// The id of [`USER_REPO`].
pub const USER_REPO_ID: u64 = 50_011;
/// A repository of [`USER`] that the installation leaves out.
pub const USER_OTHER_REPO: &str = "private-notes";

/// An organisation whose installation is suspended.
pub const SUSPENDED_ORG: &str = "suspended-org";
/// Its installation.
pub const SUSPENDED_INSTALLATION: u64 = 10_003;
/// An organisation that exists but has no installation of the App.
pub const ORG_WITHOUT_APP: &str = "other-org";
/// A repository of [`ORG_WITHOUT_APP`].
pub const REPO_WITHOUT_APP: &str = "secret-repo";
/// An enterprise with the App installed.
pub const ENTERPRISE: &str = "my-enterprise";
/// Its installation.
pub const ENTERPRISE_INSTALLATION: u64 = 10_004;

/// The AWS account that holds everything.
pub const ACCOUNT_ID: &str = "123456789012";
/// The region that [`crate::Sandbox::env`] names.
pub const REGION: &str = "us-east-1";
/// The region of the App key's replica.
pub const SECOND_REGION: &str = "eu-west-1";
/// The App's key: a multi-Region key with the same material in both regions.
pub const KEY_ID: &str = "mrk-0a1b2c3d4e5f60718293a4b5c6d7e8f9";
/// Its alias, in both regions.
pub const ALIAS: &str = "alias/github-app";
/// The other App's key.
pub const OTHER_KEY_ID: &str = "11111111-1111-4111-8111-111111111111";
/// Its alias.
pub const OTHER_ALIAS: &str = "alias/other-app";
/// A key with the App's material that is disabled.
pub const DISABLED_KEY_ID: &str = "22222222-2222-4222-8222-222222222222";
/// Its alias.
pub const DISABLED_ALIAS: &str = "alias/disabled";
/// A key whose material was never imported.
pub const PENDING_IMPORT_KEY_ID: &str = "33333333-3333-4333-8333-333333333333";
/// Its alias.
pub const PENDING_IMPORT_ALIAS: &str = "alias/pending-import";
/// A key that waits for its deletion.
pub const PENDING_DELETION_KEY_ID: &str = "44444444-4444-4444-8444-444444444444";
/// Its alias.
pub const PENDING_DELETION_ALIAS: &str = "alias/pending-deletion";
/// A key that may encrypt, not sign.
pub const ENCRYPT_KEY_ID: &str = "55555555-5555-4555-8555-555555555555";
/// Its alias.
pub const ENCRYPT_ALIAS: &str = "alias/encrypt-only";

/// The role with nothing but `kms:Sign` on the App's key, with algorithm and message type pinned
/// by the key's policy. Its trust policy takes ID tokens of [`REPO_A`].
pub const SIGNER_ROLE: &str = "app-token-signer";
/// Access key id of a session of [`SIGNER_ROLE`]; what [`crate::Sandbox::env`] exports.
pub const SIGNER_SESSION: &str = "ASIAIOSFODNN7EXAMPLE";
/// Access key id of a session of [`SIGNER_ROLE`] that is over.
pub const EXPIRED_SESSION: &str = "ASIAI44QH8DHBEXAMPLE";
/// Access key id of a user who may sign, read public keys, describe keys, and assume
/// [`SIGNER_ROLE`].
pub const CI_USER: &str = "AKIAIOSFODNN7EXAMPLE";
/// Access key id of a user who may do nothing.
pub const STRANGER: &str = "AKIAI44QH8DHBEXAMPLE";
/// Access key id of a user who may do everything with KMS.
pub const ADMIN: &str = "AKIAIADMIN777EXAMPLE";

/// The issuer of the runner's ID tokens.
pub const OIDC_ISSUER: &str = "https://token.actions.githubusercontent.com";

/// The whole state that a test may change.
#[derive(Clone, Debug)]
pub struct World {
    /// GitHub Apps.
    pub apps: Vec<App>,
    /// Users, organisations, enterprises.
    pub accounts: Vec<Account>,
    /// Repositories.
    pub repositories: Vec<Repository>,
    /// Installations of Apps.
    pub installations: Vec<Installation>,
    /// KMS keys, one entry a region.
    pub keys: Vec<KmsKey>,
    /// KMS aliases.
    pub aliases: Vec<Alias>,
    /// IAM users and roles.
    pub principals: Vec<Principal>,
    /// Access keys, those of sessions included.
    pub credentials: Vec<Credential>,
    /// The OIDC provider that IAM knows; `None` as if it was never created.
    pub oidc_provider: Option<OidcProvider>,
    /// The job that the runner's ID tokens speak of.
    pub job: Job,
    /// The name of the role that container and instance metadata hand out.
    pub metadata_role: String,
}

/// A GitHub App.
#[derive(Clone, Debug)]
pub struct App {
    /// Its numeric id.
    pub id: u64,
    /// Its client id.
    pub client_id: String,
    /// Its slug.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// The login of its owner.
    pub owner: String,
    /// The numeric id of its bot user.
    pub bot_user_id: u64,
    /// The public keys of which GitHub takes signatures.
    pub public_keys: Vec<PublicKey>,
    /// The permissions that it asks of those who install it.
    pub permissions: BTreeMap<String, String>,
}

/// What an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountKind {
    /// A person.
    User,
    /// An organisation.
    Organization,
    /// An enterprise; its login is its slug.
    Enterprise,
}

/// Someone who can own repositories or have an App installed.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its numeric id.
    pub id: u64,
    /// Its login, or slug.
    pub login: String,
    /// What it is.
    pub kind: AccountKind,
}

/// A repository.
#[derive(Clone, Debug)]
pub struct Repository {
    /// Its numeric id.
    pub id: u64,
    /// The login of its owner.
    pub owner: String,
    /// Its name.
    pub name: String,
    /// Names that it once had.
    pub former_names: Vec<String>,
    /// Is it hidden from those without access?
    pub private: bool,
}

/// An App on an account.
#[derive(Clone, Debug)]
pub struct Installation {
    /// Its numeric id.
    pub id: u64,
    /// The App.
    pub app_id: u64,
    /// The login (or slug) of the account.
    pub account: String,
    /// The permissions that were granted.
    pub permissions: BTreeMap<String, String>,
    /// The repositories chosen, by id; `None` for all.
    pub repositories: Option<Vec<u64>>,
    /// Since when it is suspended, in seconds since the epoch.
    pub suspended_at: Option<i64>,
}

/// The state of a KMS key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It works.
    Enabled,
    /// Switched off.
    Disabled,
    /// `Origin` is `EXTERNAL` and there is no material.
    PendingImport,
    /// It will be deleted.
    PendingDeletion,
    /// A replica that is not ready yet: it may be managed, not used.
    Creating,
}

impl KeyState {
    /// As KMS writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            KeyState::Enabled => "Enabled",
            KeyState::Disabled => "Disabled",
            KeyState::PendingImport => "PendingImport",
            KeyState::PendingDeletion => "PendingDeletion",
            KeyState::Creating => "Creating",
        }
    }
}

/// A KMS key in one region.
#[derive(Clone, Debug)]
pub struct KmsKey {
    /// A UUID, or `mrk-` and 32 hexadecimal digits.
    pub id: String,
    /// The region.
    pub region: String,
    /// Its state.
    pub state: KeyState,
    /// May it sign (`SIGN_VERIFY`), or only encrypt (`ENCRYPT_DECRYPT`)?
    pub signs: bool,
    /// `EXTERNAL` or `AWS_KMS`.
    pub origin: String,
    /// The region of the primary key, for a multi-Region key.
    pub primary_region: Option<String>,
    /// The key itself, once there is one.
    pub material: Option<PrivateKey>,
    /// The only material that may be imported again: that of the first import.
    pub bound_to: Option<PublicKey>,
    /// The key policy.
    pub policy: Value,
    /// What it is for, in words.
    pub description: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made, in seconds since the epoch.
    pub created: i64,
    /// When it will be deleted, in seconds since the epoch.
    pub deletion: Option<i64>,
    /// How many more calls find it `Creating`; a new replica is so for a while.
    pub creating: u32,
}

impl KmsKey {
    /// The key's ARN.
    pub fn arn(&self) -> String {
        format!("arn:aws:kms:{}:{ACCOUNT_ID}:key/{}", self.region, self.id)
    }
}

/// Another name of a key, in one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The region.
    pub region: String,
    /// `alias/` and a name.
    pub name: String,
    /// The key.
    pub key_id: String,
}

/// An IAM user or role.
#[derive(Clone, Debug)]
pub struct Principal {
    /// `user/NAME` or `role/NAME`.
    pub path: String,
    /// The unique id (`AIDA...`, `AROA...`).
    pub unique_id: String,
    /// Identity policies.
    pub policies: Vec<Value>,
    /// For a role, its trust policy.
    pub trust: Option<Value>,
    /// For a role, the longest session in seconds.
    pub max_session: i64,
}

impl Principal {
    /// The ARN of the user or role.
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::{ACCOUNT_ID}:{}", self.path)
    }

    /// The name after the last slash.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// An access key. `Debug` hides its secrets.
#[derive(Clone)]
pub struct Credential {
    /// `AKIA...` for a user, `ASIA...` for a session.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
    /// The token that goes with a session.
    pub session_token: Option<String>,
    /// When a session ends, in seconds since the epoch.
    pub expires: Option<i64>,
    /// [`Principal::path`] of the user or role.
    pub principal: String,
    /// The name of the session.
    pub session_name: Option<String>,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Credential({} of {})",
            self.access_key_id, self.principal
        )
    }
}

/// IAM's trust in an OIDC issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcProvider {
    /// The issuer's URL.
    pub url: String,
    /// The audiences (`client ids`) that it takes.
    pub audiences: Vec<String>,
}

/// What the claims of the runner's ID tokens are made of.
#[derive(Clone, Debug)]
pub struct Job {
    /// Does the job have `id-token: write`? Without it the runner sets no variables for it.
    pub id_token: bool,
    /// `owner/name`.
    pub repository: String,
    /// The repository's numeric id.
    pub repository_id: u64,
    /// The owner's numeric id.
    pub owner_id: u64,
    /// The git reference.
    pub git_ref: String,
    /// `owner/name/.github/workflows/file@ref`
    pub workflow_ref: String,
    /// The `sub` claim; `None` for `repo:OWNER@ID/NAME@ID:ref:REF`, the immutable form.
    pub subject: Option<String>,
    /// How long a token lives, in seconds.
    pub lifetime: i64,
    /// The key that signs: the issuer's, unless a test wants a forged token.
    pub signing_key: PrivateKey,
}

impl World {
    /// The installation with that id. Panics where there is none: for tests that change one.
    pub fn installation(&mut self, id: u64) -> &mut Installation {
        #[expect(
            clippy::expect_used,
            reason = "a test that names no installation is wrong"
        )]
        self.installations
            .iter_mut()
            .find(|known| known.id == id)
            .expect("an installation with that id")
    }

    /// The key with that id in that region. Panics where there is none: for tests that change one.
    pub fn key(&mut self, region: &str, id: &str) -> &mut KmsKey {
        #[expect(clippy::expect_used, reason = "a test that names no key is wrong")]
        self.keys
            .iter_mut()
            .find(|known| known.region == region && known.id == id)
            .expect("a key with that id")
    }

    /// The user or role of that path. Panics where there is none: for tests that change one.
    pub fn principal(&mut self, path: &str) -> &mut Principal {
        #[expect(
            clippy::expect_used,
            reason = "a test that names no principal is wrong"
        )]
        self.principals
            .iter_mut()
            .find(|known| known.path == path)
            .expect("a principal of that path")
    }

    /// The App with that id. Panics where there is none: for tests that change one.
    pub fn app(&mut self, id: u64) -> &mut App {
        #[expect(clippy::expect_used, reason = "a test that names no App is wrong")]
        self.apps
            .iter_mut()
            .find(|known| known.id == id)
            .expect("an App with that id")
    }
}

impl Default for World {
    fn default() -> Self {
        let app_key = PrivateKey::published(&RFC_7515);
        let other_key = PrivateKey::published(&RFC_7520);
        Self {
            apps: vec![
                app(APP_ID, CLIENT_ID, APP_SLUG, BOT_USER_ID, app_key.public()),
                app(
                    OTHER_APP_ID,
                    OTHER_CLIENT_ID,
                    "other-app",
                    BOT_USER_ID + 1,
                    other_key.public(),
                ),
            ],
            accounts: accounts(),
            repositories: repositories(),
            installations: installations(),
            keys: keys(&app_key, &other_key),
            aliases: aliases(),
            principals: principals(),
            credentials: credentials(),
            oidc_provider: Some(OidcProvider {
                url: OIDC_ISSUER.into(),
                audiences: vec!["sts.amazonaws.com".into()],
            }),
            job: Job {
                id_token: true,
                repository: format!("{ORG}/{REPO_A}"),
                repository_id: REPO_A_ID,
                owner_id: 1_001,
                git_ref: "refs/heads/main".into(),
                workflow_ref: format!("{ORG}/{REPO_A}/.github/workflows/ci.yml@refs/heads/main"),
                subject: None,
                lifetime: 300,
                signing_key: PrivateKey::published(&RFC_7517),
            },
            metadata_role: SIGNER_ROLE.into(),
        }
    }
}

/// A map of permission names to levels.
pub fn permissions(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, level)| ((*name).to_owned(), (*level).to_owned()))
        .collect()
}

fn app(id: u64, client_id: &str, slug: &str, bot_user_id: u64, key: &PublicKey) -> App {
    App {
        id,
        client_id: client_id.into(),
        slug: slug.into(),
        name: slug.replace('-', " "),
        owner: ORG.into(),
        bot_user_id,
        public_keys: vec![key.clone()],
        permissions: granted(),
    }
}

fn granted() -> BTreeMap<String, String> {
    permissions(&[
        ("actions", "read"),
        ("checks", "write"),
        ("contents", "write"),
        ("issues", "write"),
        ("members", "read"),
        ("metadata", "read"),
        ("pull_requests", "write"),
        ("repository_projects", "admin"),
        ("workflows", "write"),
    ])
}

fn accounts() -> Vec<Account> {
    let account = |id, login: &str, kind| Account {
        id,
        login: login.into(),
        kind,
    };
    vec![
        account(1_001, ORG, AccountKind::Organization),
        account(1_002, USER, AccountKind::User),
        account(1_003, SUSPENDED_ORG, AccountKind::Organization),
        account(1_004, ORG_WITHOUT_APP, AccountKind::Organization),
        account(1_005, ENTERPRISE, AccountKind::Enterprise),
    ]
}

fn repositories() -> Vec<Repository> {
    let repository = |id, owner: &str, name: &str| Repository {
        id,
        owner: owner.into(),
        name: name.into(),
        former_names: Vec::new(),
        private: true,
    };
    vec![
        repository(REPO_A_ID, ORG, REPO_A),
        repository(REPO_B_ID, ORG, REPO_B),
        Repository {
            former_names: vec![RENAMED_FROM.into()],
            ..repository(RENAMED_ID, ORG, RENAMED_TO)
        },
        repository(USER_REPO_ID, USER, USER_REPO),
        repository(50_012, USER, USER_OTHER_REPO),
        repository(50_021, SUSPENDED_ORG, "frozen"),
        repository(50_031, ORG_WITHOUT_APP, REPO_WITHOUT_APP),
    ]
}

fn installations() -> Vec<Installation> {
    let installation = |id, account: &str| Installation {
        id,
        app_id: APP_ID,
        account: account.into(),
        permissions: granted(),
        repositories: None,
        suspended_at: None,
    };
    vec![
        installation(ORG_INSTALLATION, ORG),
        Installation {
            repositories: Some(vec![USER_REPO_ID]),
            ..installation(USER_INSTALLATION, USER)
        },
        Installation {
            suspended_at: Some(1_735_689_600),
            ..installation(SUSPENDED_INSTALLATION, SUSPENDED_ORG)
        },
        Installation {
            permissions: permissions(&[("enterprise_organizations", "read"), ("metadata", "read")]),
            ..installation(ENTERPRISE_INSTALLATION, ENTERPRISE)
        },
        Installation {
            app_id: OTHER_APP_ID,
            ..installation(10_101, ORG)
        },
    ]
}

/// The account may do everything, by its identity policies; the signer's role may sign, and only as
/// GitHub's JWTs want it.
pub fn signing_key_policy() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Administration",
                "Effect": "Allow",
                "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT_ID}:root")},
                "Action": "kms:*",
                "Resource": "*",
            },
            {
                "Sid": "SignJwts",
                "Effect": "Allow",
                "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT_ID}:role/{SIGNER_ROLE}")},
                "Action": "kms:Sign",
                "Resource": "*",
                "Condition": {
                    "StringEquals": {
                        "kms:SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256",
                        "kms:MessageType": "RAW",
                    },
                },
            },
        ],
    })
}

fn keys(app_key: &PrivateKey, other_key: &PrivateKey) -> Vec<KmsKey> {
    let key = |id: &str, region: &str, material: Option<&PrivateKey>| KmsKey {
        id: id.into(),
        region: region.into(),
        state: KeyState::Enabled,
        signs: true,
        origin: "EXTERNAL".into(),
        primary_region: None,
        material: material.cloned(),
        bound_to: material.map(|key| key.public().clone()),
        policy: signing_key_policy(),
        description: String::new(),
        tags: BTreeMap::new(),
        created: 1_735_689_600,
        deletion: None,
        creating: 0,
    };
    let replica = |region| KmsKey {
        primary_region: Some(REGION.into()),
        ..key(KEY_ID, region, Some(app_key))
    };
    vec![
        replica(REGION),
        replica(SECOND_REGION),
        key(OTHER_KEY_ID, REGION, Some(other_key)),
        KmsKey {
            state: KeyState::Disabled,
            ..key(DISABLED_KEY_ID, REGION, Some(app_key))
        },
        KmsKey {
            state: KeyState::PendingImport,
            ..key(PENDING_IMPORT_KEY_ID, REGION, None)
        },
        KmsKey {
            state: KeyState::PendingDeletion,
            deletion: Some(4_102_444_800),
            ..key(PENDING_DELETION_KEY_ID, REGION, Some(app_key))
        },
        KmsKey {
            signs: false,
            origin: "AWS_KMS".into(),
            ..key(ENCRYPT_KEY_ID, REGION, Some(other_key))
        },
    ]
}

fn aliases() -> Vec<Alias> {
    [
        (REGION, ALIAS, KEY_ID),
        (SECOND_REGION, ALIAS, KEY_ID),
        (REGION, OTHER_ALIAS, OTHER_KEY_ID),
        (REGION, DISABLED_ALIAS, DISABLED_KEY_ID),
        (REGION, PENDING_IMPORT_ALIAS, PENDING_IMPORT_KEY_ID),
        (REGION, PENDING_DELETION_ALIAS, PENDING_DELETION_KEY_ID),
        (REGION, ENCRYPT_ALIAS, ENCRYPT_KEY_ID),
    ]
    .map(|(region, name, key_id)| Alias {
        region: region.into(),
        name: name.into(),
        key_id: key_id.into(),
    })
    .to_vec()
}

fn principals() -> Vec<Principal> {
    let allow = |action: Value, resource: &str| {
        json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}],
        })
    };
    let principal = |path: &str, unique_id: &str, policies| Principal {
        path: path.into(),
        unique_id: unique_id.into(),
        policies,
        trust: None,
        max_session: 3_600,
    };
    let role = format!("arn:aws:iam::{ACCOUNT_ID}:role/{SIGNER_ROLE}");
    vec![
        Principal {
            trust: Some(trust_policy()),
            ..principal(
                &format!("role/{SIGNER_ROLE}"),
                "AROASIGNEREXAMPLE0001",
                Vec::new(),
            )
        },
        principal(
            "user/ci",
            "AIDACIUSEREXAMPLE0001",
            vec![
                allow(
                    json!(["kms:Sign", "kms:GetPublicKey", "kms:DescribeKey"]),
                    "*",
                ),
                allow(json!("sts:AssumeRole"), &role),
            ],
        ),
        principal("user/stranger", "AIDASTRANGEREXAMPLE01", Vec::new()),
        principal(
            "user/admin",
            "AIDAADMINEXAMPLE00001",
            vec![allow(json!("kms:*"), "*")],
        ),
    ]
}

/// Trusts the runner's tokens of one repository and workflow, and the account's own users whom
/// their policies allow it.
pub fn trust_policy() -> Value {
    let issuer = OIDC_ISSUER.trim_start_matches("https://");
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": format!("arn:aws:iam::{ACCOUNT_ID}:oidc-provider/{issuer}")},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {
                        format!("{issuer}:aud"): "sts.amazonaws.com",
                        format!("{issuer}:repository_id"): REPO_A_ID.to_string(),
                    },
                },
            },
            {
                "Effect": "Allow",
                "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT_ID}:root")},
                "Action": "sts:AssumeRole",
            },
        ],
    })
}

fn credentials() -> Vec<Credential> {
    let user = |id: &str, principal: &str| Credential {
        access_key_id: id.into(),
        secret_access_key: secret_access_key(),
        session_token: None,
        expires: None,
        principal: principal.into(),
        session_name: None,
    };
    let session = |id: &str, expires| Credential {
        session_token: Some(session_token()),
        expires: Some(expires),
        session_name: Some("GitHubActions".into()),
        ..user(id, &format!("role/{SIGNER_ROLE}"))
    };
    vec![
        user(CI_USER, "user/ci"),
        user(STRANGER, "user/stranger"),
        user(ADMIN, "user/admin"),
        session(SIGNER_SESSION, 4_102_444_800),
        session(EXPIRED_SESSION, 1_735_689_600),
    ]
}

/// 40 characters of base64's alphabet, like AWS's.
pub(crate) fn secret_access_key() -> String {
    base64(&random_bytes(30))
}

/// Some hundred characters of base64, like those that STS issues; `+`, `/` and `=` occur.
pub(crate) fn session_token() -> String {
    format!("IQoJb3JpZ2luX2Vj{}", base64(&random_bytes(301)))
}

/// The id of a new session.
pub(crate) fn session_key_id() -> String {
    format!("ASIA{}", random_text(ALPHANUMERIC, 16).to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alias_installation_and_credential_leads_somewhere() {
        let world = World::default();
        for alias in &world.aliases {
            assert!(
                world
                    .keys
                    .iter()
                    .any(|key| key.region == alias.region && key.id == alias.key_id)
            );
        }
        for installation in &world.installations {
            assert!(
                world
                    .accounts
                    .iter()
                    .any(|account| account.login == installation.account)
            );
            assert!(world.apps.iter().any(|app| app.id == installation.app_id));
        }
        for credential in &world.credentials {
            assert!(
                world
                    .principals
                    .iter()
                    .any(|principal| principal.path == credential.principal)
            );
        }
    }

    #[test]
    fn secrets_differ_from_world_to_world() {
        let (one, two) = (World::default(), World::default());
        assert_ne!(
            one.credentials[0].secret_access_key,
            two.credentials[0].secret_access_key
        );
        assert!(
            !format!("{:?}", one.credentials[0]).contains(&one.credentials[0].secret_access_key)
        );
    }
}
