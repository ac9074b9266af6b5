//! The choice among the sources.

use super::*;
use crate::testing::{Script, block_on};

/// Loads them, and sees that nobody was asked who had not been named.
pub(super) fn load(script: &Script, client: &Client, source: &Source) -> Result<Credentials> {
    let outcome = block_on(source.load(client));
    let named = source.origins();
    for request in script.sent() {
        assert!(
            named
                .iter()
                .any(|(origin, _)| *origin == request.url.origin),
            "{request:?}"
        );
    }
    outcome
}

/// Everything configured at once; what is not wanted is left out by its name.
fn all_but(without: &[&str]) -> Script {
    let variables = [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://oidc.example/"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request"),
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/pod"),
        ("AWS_PROFILE", "mine"),
        ("HOME", "/home/me"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/creds"),
    ];
    let script = Script::new([]).file(
        "/home/me/.aws/credentials",
        "[mine]\naws_access_key_id = AKIA\naws_secret_access_key = s\n",
    );
    variables
        .iter()
        .filter(|(name, _)| !without.iter().any(|start| name.starts_with(start)))
        .fold(script, |script, (name, value)| script.var(name, value))
}

fn choose(script: &Script, role: &str) -> Result<String> {
    let client = Client::new(script.host()).unwrap();
    let wanted = Wanted {
        role_to_assume: role,
        audience: "",
        region: Some(Region::parse("eu-central-1").unwrap()),
        ..Wanted::default()
    };
    let source = Source::choose(&client, &wanted)?;
    assert!(!format!("{source:?}").contains("secret"), "{source:?}");
    Ok(source.to_string())
}

#[test]
fn the_first_that_is_configured_is_chosen_and_nothing_is_asked() {
    let role = "arn:aws:iam::123456789012:role/app-token";
    let (keys, web, profile, container) = (
        ["AWS_ACCESS", "AWS_SECRET"],
        ["AWS_WEB", "AWS_ROLE"],
        ["AWS_PROFILE"],
        ["AWS_CONTAINER"],
    );
    let mut without: Vec<&str> = Vec::new();
    let mut chosen = vec![choose(&all_but(&without), role).unwrap()];
    chosen.push(choose(&all_but(&without), " ").unwrap());
    for more in [&keys[..], &web, &profile, &container] {
        without.extend(more);
        chosen.push(choose(&all_but(&without), "").unwrap());
    }
    assert_eq!(
        chosen,
        [
            "role arn:aws:iam::123456789012:role/app-token through GitHub's OIDC",
            "the environment",
            "role arn:aws:iam::123456789012:role/pod through the token in /token",
            "profile mine",
            "the container's endpoint http://169.254.170.2",
            "the instance's role, from http://169.254.169.254",
        ]
    );
}

#[test]
fn one_that_is_configured_badly_is_not_passed_over() {
    for (script, role, kind) in [
        (all_but(&[]), "app-token", &problem::ROLE_INVALID),
        (
            all_but(&["ACTIONS"]),
            "arn:aws:iam::123456789012:role/app-token",
            &problem::OIDC_UNAVAILABLE,
        ),
        (
            all_but(&["AWS_ACCESS"]),
            "",
            &problem::CREDENTIALS_INCOMPLETE,
        ),
        (
            all_but(&["AWS_ACCESS", "AWS_SECRET", "AWS_ROLE"]),
            "",
            &problem::CREDENTIALS_SOURCE_BROKEN,
        ),
        (
            all_but(&["AWS_ACCESS", "AWS_SECRET", "AWS_WEB", "AWS_ROLE"])
                .var("AWS_PROFILE", "another"),
            "",
            &problem::CREDENTIALS_SOURCE_BROKEN,
        ),
        (
            all_but(&[
                "AWS_ACCESS",
                "AWS_SECRET",
                "AWS_WEB",
                "AWS_ROLE",
                "AWS_PROFILE",
            ])
            .var("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "creds"),
            "",
            &problem::CREDENTIALS_SOURCE_BROKEN,
        ),
    ] {
        let error = choose(&script, role).unwrap_err();
        assert!(error.is(kind), "{error}");
    }
}

#[test]
fn the_environment_s_secrets_are_masked_when_it_is_chosen() {
    let script = all_but(&[]).var("AWS_SESSION_TOKEN", "session");
    let client = Client::new(script.host()).unwrap();
    let source = Source::choose(&client, &Wanted::default()).unwrap();
    assert!(source.origins().is_empty());
    let credentials = block_on(source.load(&client)).unwrap();
    assert_eq!(credentials.access_key_id, "AKIA");
    assert_eq!(script.log().masks(), ["secret", "session"]);
}
