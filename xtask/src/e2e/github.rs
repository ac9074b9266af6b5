//! emulate plays GitHub, with the App's public key as KMS tells it.
//!
//! Look-ups of organisations, revocation and client ids are not there, so the cases use a user's
//! account, ids, and numbers. Those who look on do not need a token there, but the mint does.

use std::process::Command;

use app_token_sandbox::{
    PublicKey,
    world::{APP_ID, OTHER_APP_ID},
};
use serde_json::{Value, json};

use super::{
    action::{Action, Done},
    aws::{Account, app_key, sandbox},
    cases::{Cases, holds, same},
    http,
    server::Server,
    tools::Tools,
};
use crate::{
    error::{Result, fail},
    paths,
};

/// The installation on the user's account, with one of two repositories chosen.
const USER: u64 = 10_002;
/// The installation on the organisation, with all repositories.
const ORG: u64 = 10_001;

/// The cases on emulate.
///
/// # Errors
/// When it, or the KMS for it, cannot be set up.
pub fn run(tools: &Tools, cases: &mut Cases) -> Result<()> {
    let sandbox = sandbox()?;
    let account = Account::start(tools, "ministack-for-emulate", &app_key(&sandbox)?)?;
    let other = sandbox
        .change(|world| {
            let other = world.apps.iter().find(|app| app.id == OTHER_APP_ID)?;
            other.public_keys.first().map(PublicKey::pem)
        })
        .ok_or_else(|| fail("the sandbox's other App has no key"))?;
    let folder = tools.scratch("emulate")?;
    // JSON is YAML.
    paths::write(
        &folder.join("seed.yaml"),
        seed(&account.public_key(), &other).to_string(),
    )?;
    let node = tools.node(24)?.join("node");
    let server = Server::start("emulate", &folder, |port| {
        let mut command = Command::new(node);
        command
            .arg(tools.npm("emulate/dist/index.js"))
            .args(["start", "--service", "github", "--seed", "seed.yaml"])
            .args(["--port", &port.to_string()]);
        command
    })?;
    let url = server.url();
    let base = Action::new(tools, &url, &account.url)
        .by(&account.user("session"))
        .with("permission-metadata", "read");
    let user = base.clone().with("owner", "octocat");
    let by_id = |id: u64| base.clone().with("installation-id", &id.to_string());

    cases.case("look-up on a user, mint for one repository", || {
        let done = user.clone().with("repositories", "hello-world").main()?;
        done.token()?;
        minted(
            &url,
            USER,
            &json!({"contents": "read", "metadata": "read"}),
            1,
        )?;
        output(&done, "installation-id", "10002")?;
        output(&done, "app-slug", "my-app")
    });
    cases.case(
        "the token reads the repository that it is for, and no other",
        || {
            let done = user.clone().with("repositories", "hello-world").main()?;
            let bearer = format!("Bearer {}", done.token()?);
            let read =
                |path: &str| http::request("GET", &url, path, &[("Authorization", &bearer)], "");
            same("its own", read("/repos/octocat/hello-world")?.status, 200)?;
            let other = read("/repos/octocat/private-notes")?.status;
            holds(other == 403 || other == 404, || {
                format!("the other: {other}")
            })
        },
    );
    cases.case(
        "the current repository, when neither owner nor repositories are given",
        || {
            let done = base.clone().repository("octocat/hello-world").main()?;
            done.token()?;
            minted(
                &url,
                USER,
                &json!({"contents": "read", "metadata": "read"}),
                1,
            )
        },
    );
    cases.case("a whole installation by its id", || {
        by_id(ORG).main()?.token()?;
        minted(
            &url,
            ORG,
            &json!({"contents": "read", "metadata": "read"}),
            0,
        )
    });
    cases.case(
        "an organisation's repositories by the installation's id",
        || {
            let action = by_id(ORG).with("owner", "my-org");
            action
                .with("repositories", "repo-a, my-org/repo-b")
                .main()?
                .token()?;
            minted(
                &url,
                ORG,
                &json!({"contents": "read", "metadata": "read"}),
                2,
            )
        },
    );
    cases.case("another level, another permission", || {
        let action = by_id(ORG).with("permission-issues", "WRITE");
        action.without("permission-contents").main()?.token()?;
        minted(
            &url,
            ORG,
            &json!({"issues": "write", "metadata": "read"}),
            0,
        )
    });

    let refused =
        |action: Action<'_>, summary: &str, words: &str| action.main()?.failed(summary, words);
    cases.case("an account without the App is told", || {
        refused(
            base.clone()
                .with("owner", "stranger")
                .with("repositories", "x"),
            "the App is not installed on this account",
            "stranger",
        )
    });
    cases.case("an unknown account is told", || {
        refused(
            base.clone().with("owner", "nobody-here"),
            "the App is not installed on this account",
            "nobody-here",
        )
    });
    cases.case("an unknown installation is told", || {
        refused(by_id(99_999), "the App has no such installation", "99999")
    });
    cases.case("a permission that was not granted is told, by name", || {
        refused(
            user.clone()
                .with("repositories", "hello-world")
                .with("permission-issues", "write"),
            "the installation lacks a permission that was asked for",
            "issues",
        )
    });
    cases.case("a repository that was not chosen is told, by name", || {
        refused(
            user.clone()
                .with("repositories", "hello-world, private-notes"),
            "a repository is not within the installation's reach",
            "private-notes",
        )
    });
    cases.case("a repository that does not exist is told, by name", || {
        refused(
            user.clone()
                .with("repositories", "hello-world, no-such-repo"),
            "a repository is not within the installation's reach",
            "no-such-repo",
        )
    });
    cases.case("a KMS key of another App is told", || {
        refused(
            by_id(ORG)
                .by(&account.user("tester"))
                .env("AWS_SESSION_TOKEN", "")
                .with("kms-key-id", &account.key("generated")),
            "the KMS key is not a key of this App",
            "",
        )
    });
    cases.case("another App's id with this App's key is told", || {
        refused(
            by_id(ORG).with("app-id", &OTHER_APP_ID.to_string()),
            "the KMS key is not a key of this App",
            "",
        )
    });
    cases.case(
        "a revocation that GitHub does not know is a warning, not a failure",
        || {
            let done = by_id(ORG).main()?;
            done.token()?;
            let ran = done.post()?;
            holds(
                ran.stdout
                    .contains("::warning title=The token was not revoked::"),
                || ran.stdout.clone(),
            )
        },
    );
    Ok(())
}

fn seed(public_key: &str, other_key: &str) -> Value {
    let installation = |id: u64, account: &str, repositories: &[&str], permissions: Value| {
        let selection = if repositories.is_empty() {
            "all"
        } else {
            "selected"
        };
        json!({
            "installation_id": id,
            "account": account,
            "repository_selection": selection,
            "repositories": repositories,
            "permissions": permissions,
        })
    };
    let granted = json!({"contents": "read", "metadata": "read", "issues": "write"});
    json!({"github": {
        "users": [{"login": "octocat"}, {"login": "stranger"}],
        "orgs": [{"login": "my-org"}],
        "repos": [
            {"owner": "octocat", "name": "hello-world", "private": true},
            {"owner": "octocat", "name": "private-notes", "private": true},
            {"owner": "my-org", "name": "repo-a", "private": true},
            {"owner": "my-org", "name": "repo-b", "private": true},
        ],
        "apps": [
            {
                "app_id": APP_ID,
                "slug": "my-app",
                "name": "My App",
                // It takes a public key for this as well, which is all that it needs.
                "private_key": public_key,
                "permissions": granted,
                "events": [],
                "installations": [
                    installation(ORG, "my-org", &[], granted.clone()),
                    installation(
                        USER,
                        "octocat",
                        &["octocat/hello-world"],
                        json!({"contents": "read", "metadata": "read"}),
                    ),
                ],
            },
            {
                "app_id": OTHER_APP_ID,
                "slug": "other-app",
                "name": "Other App",
                "private_key": other_key,
                "permissions": {"metadata": "read"},
                "events": [],
                "installations": [],
            },
        ],
    }})
}

fn output(done: &Done, name: &str, wanted: &str) -> Result<()> {
    let found = done.ran.outputs.get(name);
    same(name, found, Some(wanted))
}

/// The last token, as emulate tells it.
fn minted(url: &str, installation: u64, permissions: &Value, repositories: usize) -> Result<()> {
    let tokens = http::request("GET", url, "/_emulate/installation-tokens", &[], "")?.json()?;
    let last = tokens["installation_tokens"]
        .as_array()
        .and_then(|tokens| tokens.last())
        .ok_or_else(|| fail("emulate has minted nothing"))?;
    same(
        "the installation",
        &last["installation"]["id"],
        &json!(installation),
    )?;
    same("the permissions", &last["permissions"], permissions)?;
    let ids = last["repository_ids"].as_array().map(Vec::len);
    same("the number of repositories", ids, Some(repositories))
}
