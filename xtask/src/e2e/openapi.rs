//! GitHub's own description of its API, held against every request that the action sends and every
//! answer that the sandbox gives: prism stands between the two and judges what passes.
//!
//! The description is the npm package `@octokit/openapi`. It unpacks to 400 megabytes, so what is in
//! use here, with all that it refers to, is kept in tests/counterparts/github-openapi.json;
//! `cargo xtask e2e --refresh` cuts it out anew. Enterprises are described for Enterprise Cloud alone.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use app_token_sandbox::{
    Call, Fault, Sandbox, When,
    world::{
        ENTERPRISE, ENTERPRISE_INSTALLATION, ORG, ORG_INSTALLATION, ORG_WITHOUT_APP, OTHER_ALIAS,
        REPO_A, REPO_A_ID, REPO_B, REPO_B_ID, SIGNER_SESSION, SUSPENDED_ORG, USER, USER_OTHER_REPO,
        USER_REPO, permissions,
    },
};
use serde_json::{Map, Value, json};

use super::{
    action::{Action, Key},
    aws::sandbox,
    cases::{Cases, holds, same},
    http,
    proxy::{Passed, Proxy},
    server::Server,
    tools::Tools,
};
use crate::{
    error::{Result, at, fail},
    paths,
    process::{output, run as command},
};

/// Where the description stands in the checkout.
const DESCRIPTION: &str = "tests/counterparts/github-openapi.json";
/// Where it comes from.
const PACKAGE: &str = "@octokit/openapi@23.0.2";

/// What is in use, in the description of api.github.com.
const PATHS: [&str; 10] = [
    "/app",
    "/app/installations",
    "/app/installations/{installation_id}",
    "/app/installations/{installation_id}/access_tokens",
    "/installation/repositories",
    "/installation/token",
    "/repos/{owner}/{repo}",
    "/repos/{owner}/{repo}/installation",
    "/users/{username}",
    "/users/{username}/installation",
];
/// And in that of Enterprise Cloud.
const ENTERPRISE_PATHS: [&str; 1] = ["/enterprises/{enterprise}/installation"];

/// The header in which prism says what does not fit.
const VIOLATIONS: &str = "sl-violations";
/// What prism says of an answer whose status the description does not list. GitHub's description lists
/// few of the refusals that GitHub gives, so these are counted, not failed.
const UNLISTED: &str = "Unable to match the returned status code";

/// The cases on prism.
///
/// # Errors
/// When it cannot be started.
pub fn run(tools: &Tools, cases: &mut Cases) -> Result<()> {
    let stand = Stand::new(tools)?;
    let base = stand.action();
    let on = |name: &str, value: &str| base.clone().with(name, value);
    let id = |id: u64| id.to_string();
    let both = format!("{REPO_A}, {ORG}/{REPO_B}");
    let ids = format!("{REPO_A_ID}\n{REPO_B_ID}");

    // What ends well, with what it calls beside the mint; post revokes.
    for (what, action) in [
        ("the current repository", base.clone()),
        ("two repositories", on("repositories", &both)),
        ("repositories by id", on("repository-ids", &ids)),
        ("a whole organisation", on("owner", ORG)),
        (
            "a user's repository",
            on("owner", USER).with("repositories", USER_REPO),
        ),
        (
            "an installation by id",
            on("installation-id", &id(ORG_INSTALLATION)),
        ),
        (
            "an enterprise",
            on("enterprise", ENTERPRISE)
                .without("permission-contents")
                .with(
                    "permission-enterprise-custom-properties-for-organizations",
                    "read",
                ),
        ),
        ("the bot's identity", on("git-identity", "true")),
        ("a trial of the token", on("wait-until-usable", "true")),
    ] {
        cases.case(what, || {
            stand.judge(|| {
                let done = action.main()?;
                done.token()?;
                done.post()?;
                // A second time: the token is dead.
                done.post().map(drop)
            })
        });
    }
    for (what, action) in [
        ("no installation", on("owner", ORG_WITHOUT_APP)),
        ("an unknown installation", on("installation-id", "99999")),
        ("a suspended installation", on("owner", SUSPENDED_ORG)),
        (
            "a missing permission",
            on("permission-administration", "write"),
        ),
        (
            "a repository out of reach",
            on("owner", USER).with("repositories", &format!("{USER_REPO}, {USER_OTHER_REPO}")),
        ),
        (
            "a repository that is not there",
            on("repositories", "no-such-repo"),
        ),
        (
            "an installation that is not the enterprise's",
            on("installation-id", &id(ENTERPRISE_INSTALLATION)),
        ),
        ("an unknown App", on("app-id", "999999")),
        ("another App's key", on("kms-key-id", OTHER_ALIAS)),
    ] {
        cases.case(&format!("refused: {what}"), || {
            stand.judge(|| {
                let done = action.main()?;
                same("main's success", done.ran.success, false)
            })
        });
    }
    cases.case(
        "every path of the description was asked, but for those of the command line",
        || {
            let passed = stand.proxy.passed();
            let silent: Vec<&str> = PATHS
                .iter()
                .chain(&ENTERPRISE_PATHS)
                .copied()
                .filter(|path| !passed.iter().any(|one| fits(path, &one.what)))
                .collect();
            same(
                "not asked",
                silent,
                vec!["/app", "/app/installations", "/repos/{owner}/{repo}"],
            )
        },
    );

    // The judge itself: what does not fit must not pass.
    cases.case("a request that does not fit is found", || {
        let path = format!("/app/installations/{ORG_INSTALLATION}/access_tokens");
        let before = stand.proxy.passed().len();
        let headers = [("Content-Type", "application/json")];
        let body = r#"{"permissions": {"contents": "everything"}}"#;
        http::request("POST", &stand.proxy.url(), &path, &headers, body)?;
        stand.found(before, "contents")
    });
    // prism passes over a schema that it cannot read, without a word: so each is tried.
    let mint = format!("POST /app/installations/{ORG_INSTALLATION}/access_tokens");
    for (what, call, status) in [
        ("GET /app", Call::App, 200),
        ("GET /app/installations", Call::Installations, 200),
        ("GET /app/installations/1", Call::Installation, 200),
        (mint.as_str(), Call::Mint, 201),
        (mint.as_str(), Call::Mint, 422),
        (
            "GET /installation/repositories",
            Call::InstallationRepositories,
            200,
        ),
        ("GET /repos/my-org/repo-a", Call::Repository, 200),
        (
            "GET /repos/my-org/repo-a/installation",
            Call::Installation,
            200,
        ),
        ("GET /users/octocat", Call::User, 200),
        ("GET /users/octocat/installation", Call::Installation, 200),
        (
            "GET /enterprises/my-enterprise/installation",
            Call::Installation,
            200,
        ),
    ] {
        cases.case(
            &format!("an answer of {status} to {what} that does not fit is found"),
            || {
                let before = stand.proxy.passed().len();
                let wrong = Fault::json(status, &json!({"id": "ten", "message": 1}));
                stand.sandbox.fault(call, When::First(1), wrong);
                let (method, path) = what.split_once(' ').unwrap_or_default();
                let headers = [("Content-Type", "application/json")];
                let body = if method == "POST" { "{}" } else { "" };
                let answer = http::request(method, &stand.proxy.url(), path, &headers, body)?;
                stand.sandbox.clear_faults();
                same("the status", answer.status, status)?;
                stand.found(before, "body")
            },
        );
    }
    Ok(())
}

/// The action, a recorder, prism, and the sandbox behind it.
struct Stand<'a> {
    tools: &'a Tools,
    sandbox: Sandbox,
    proxy: Proxy,
    _prism: Server,
}

impl<'a> Stand<'a> {
    fn new(tools: &'a Tools) -> Result<Self> {
        let sandbox = sandbox()?;
        sandbox.change(|world| {
            // One that the description and action.yml know.
            let granted = [("enterprise_custom_properties_for_organizations", "read")];
            world.installation(ENTERPRISE_INSTALLATION).permissions = permissions(&granted);
        });
        let folder = tools.scratch("prism")?;
        let node = tools.node(24)?.join("node");
        let prism = Server::start("prism", &folder, |port| {
            let mut command = Command::new(node);
            command
                .arg(tools.npm("@stoplight/prism-cli/dist/index.js"))
                .args(["proxy", "--host", "127.0.0.1", "--port", &port.to_string()])
                .arg(tools.root().join(DESCRIPTION))
                .arg(sandbox.github_url());
            command
        })?;
        let proxy = Proxy::start(&prism.url(), |_| {})?;
        Ok(Self {
            tools,
            sandbox,
            proxy,
            _prism: prism,
        })
    }

    fn action(&self) -> Action<'a> {
        let signer = self.sandbox.credentials(SIGNER_SESSION);
        let key = signer.map(|signer| Key {
            id: signer.access_key_id,
            secret: signer.secret_access_key,
            token: signer.session_token.unwrap_or_default(),
        });
        Action::new(self.tools, &self.proxy.url(), &self.sandbox.kms_url())
            .by(&key.unwrap_or_default())
    }

    /// Runs something, and fails with every violation that prism saw meanwhile.
    fn judge(&self, run: impl FnOnce() -> Result<()>) -> Result<()> {
        let before = self.proxy.passed().len();
        run()?;
        let passed = self.proxy.passed().split_off(before);
        holds(!passed.is_empty(), || "nothing was asked".to_owned())?;
        let found: Vec<String> = passed.iter().flat_map(violations).collect();
        holds(found.is_empty(), || found.join("\n"))
    }

    /// That prism has found fault with something of this name.
    fn found(&self, before: usize, name: &str) -> Result<()> {
        let passed = self.proxy.passed().split_off(before);
        let found: Vec<String> = passed.iter().flat_map(violations).collect();
        holds(found.iter().any(|one| one.contains(name)), || {
            format!("prism found {found:?} in {passed:?}")
        })
    }
}

/// What prism says of an exchange, without what the description leaves open.
fn violations(passed: &Passed) -> Vec<String> {
    let mut found = Vec::new();
    if passed.body.contains("NO_PATH_MATCHED_ERROR") {
        found.push(format!("{}: not in the description", passed.what));
    }
    let Some(text) = passed.header(VIOLATIONS) else {
        return found;
    };
    let Ok(told) = serde_json::from_str::<Vec<Value>>(text) else {
        // More than fit into a header: prism cuts them off.
        found.push(format!("{} -> {}: {text}", passed.what, passed.status));
        return found;
    };
    for violation in told {
        if !violation["message"]
            .as_str()
            .is_some_and(|text| text.contains(UNLISTED))
        {
            found.push(format!("{} -> {}: {violation}", passed.what, passed.status));
        }
    }
    found
}

/// Whether `GET /users/x` is of the path `/users/{username}`.
fn fits(path: &str, what: &str) -> bool {
    let asked = what.split(' ').nth(1).unwrap_or_default();
    let asked = asked.split('?').next().unwrap_or_default();
    let (mut parts, mut wanted) = (asked.split('/'), path.split('/'));
    loop {
        match (parts.next(), wanted.next()) {
            (None, None) => return true,
            (Some(part), Some(wanted)) if part == wanted || wanted.starts_with('{') => {}
            _ => return false,
        }
    }
}

/// Takes the description anew.
///
/// # Errors
/// When npm or tar fails, or the description has an unknown form.
pub fn refresh(root: &Path) -> Result<()> {
    let folder = root.join("target/e2e/openapi");
    fs::create_dir_all(&folder).map_err(at("create", &folder))?;
    command(
        Command::new("npm")
            .args(["pack", "--silent", "--pack-destination"])
            .arg(&folder)
            .arg(PACKAGE)
            .current_dir(&folder),
    )?;
    let archive = fs::read_dir(&folder)
        .map_err(at("read", &folder))?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "tgz"))
        .ok_or_else(|| fail("npm pack has left no archive"))?;
    let read = |name: &str| -> Result<Value> {
        let text = output(
            Command::new("tar")
                .arg("-xzOf")
                .arg(&archive)
                .arg(format!("package/generated/{name}.json")),
        )?;
        serde_json::from_slice(&text)
            .map_err(|error| fail(format!("{name}.json is no JSON: {error}")))
    };
    let mut cut = cut(&read("api.github.com")?, &PATHS)?;
    merge(&mut cut, self::cut(&read("ghec")?, &ENTERPRISE_PATHS)?);
    cut["info"]["x-source"] = PACKAGE.into();
    let text = serde_json::to_string(&cut)
        .map_err(|error| fail(format!("the description cannot be written: {error}")))?;
    println!("{DESCRIPTION}: {} bytes of {PACKAGE}", text.len());
    paths::write(&root.join(DESCRIPTION), text + "\n")?;
    fs::remove_file(&archive).map_err(at("remove", &archive))
}

/// The paths with all that they refer to, without examples.
fn cut(description: &Value, paths: &[&str]) -> Result<Value> {
    let mut kept = json!({
        "openapi": description["openapi"],
        "info": {"title": description["info"]["title"], "version": description["info"]["version"]},
        "paths": {},
    });
    let mut wanted = BTreeSet::new();
    for path in paths {
        let item = description["paths"]
            .get(path)
            .ok_or_else(|| fail(format!("the description has no {path}")))?;
        let item = bare(item, &mut wanted);
        kept["paths"][*path] = item;
    }
    let mut done = BTreeSet::new();
    while let Some(reference) = wanted.pop_first() {
        if !done.insert(reference.clone()) {
            continue;
        }
        let parts: Vec<&str> = reference.trim_start_matches("#/").split('/').collect();
        let [_, kind, name] = parts.as_slice() else {
            return Err(fail(format!(
                "`{reference}` is an unknown kind of reference"
            )));
        };
        let found = description["components"][*kind]
            .get(name)
            .ok_or_else(|| fail(format!("the description has no {reference}")))?;
        let found = bare(found, &mut wanted);
        kept["components"][*kind][*name] = found;
    }
    Ok(kept)
}

/// The same without examples and links to documentation; notes what it refers to.
fn bare(value: &Value, references: &mut BTreeSet<String>) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| bare(item, references)).collect(),
        Value::Object(members) => {
            let mut kept = Map::new();
            // Where a description is not demanded: in a response it is.
            let talks = [
                "type",
                "properties",
                "oneOf",
                "anyOf",
                "allOf",
                "$ref",
                "in",
                "operationId",
            ];
            let talks = talks.iter().any(|name| members.contains_key(*name));
            for (name, member) in members {
                // A property may bear one of these names; its value is a schema, not a text or list.
                let spare = match name.as_str() {
                    "description" => talks && !member.is_object(),
                    "example" | "summary" => !member.is_object(),
                    "examples" | "externalDocs" | "x-github" | "tags" => true,
                    _ => false,
                };
                if spare {
                    continue;
                }
                if let ("$ref", Some(reference)) = (name.as_str(), member.as_str()) {
                    references.insert(reference.to_owned());
                }
                kept.insert(name.clone(), bare(member, references));
            }
            // `nullable` without `type` means nothing in OpenAPI 3.0, and prism judges no answer whose
            // schema has it, without a word. What it would allow is null, which is not in use here.
            if !kept.contains_key("type") && kept.get("nullable").is_some_and(Value::is_boolean) {
                kept.remove("nullable");
            }
            Value::Object(kept)
        }
        other => other.clone(),
    }
}

/// Adds what is only in `other`.
fn merge(into: &mut Value, other: Value) {
    match (into, other) {
        (Value::Object(into), Value::Object(other)) => {
            for (name, value) in other {
                match into.get_mut(&name) {
                    Some(known) => merge(known, value),
                    None => {
                        into.insert(name, value);
                    }
                }
            }
        }
        (into @ Value::Null, other) => *into = other,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_fits_its_template_alone() {
        assert!(fits("/users/{username}", "GET /users/my-app%5Bbot%5D"));
        assert!(fits(
            "/installation/repositories",
            "GET /installation/repositories?per_page=1"
        ));
        assert!(!fits("/users/{username}", "GET /users/a/installation"));
        assert!(!fits("/app", "GET /app/installations"));
    }

    #[test]
    fn what_is_referred_to_is_kept_and_nothing_else() {
        let description = json!({
            "openapi": "3.0.3",
            "info": {"title": "t", "version": "1", "description": "long"},
            "paths": {
                "/a": {"get": {"responses": {"200": {"description": "d", "content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/x"}, "examples": {}},
                }}}}},
                "/b": {},
            },
            "components": {"schemas": {
                "x": {"properties": {"example": {"type": "string", "example": "e"}, "y": {"$ref": "#/components/schemas/y"}}},
                "y": {"type": "null"},
                "z": {},
            }},
        });
        let cut = cut(&description, &["/a"]).unwrap();
        assert_eq!(
            cut["components"]["schemas"],
            json!({"x": {"properties": {"example": {"type": "string"}, "y": {"$ref": "#/components/schemas/y"}}}, "y": {"type": "null"}})
        );
        assert_eq!(cut["paths"].as_object().unwrap().len(), 1);
        assert!(
            cut["paths"]["/a"]["get"]["responses"]["200"]["content"]["application/json"]
                .get("examples")
                .is_none()
        );
        assert!(super::cut(&description, &["/c"]).is_err());
    }
}
