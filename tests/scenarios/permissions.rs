//! What a token may do.

use app_token::error::{Error, problem};
use app_token_sandbox::{Call, Sandbox, world};
use app_token_tests::{Job, body, calls};
use serde_json::json;

fn bare(sandbox: &Sandbox) -> Job<'_> {
    Job::new(sandbox).input("permission-contents", "")
}

fn asked(sandbox: &Sandbox) -> serde_json::Value {
    body(&sandbox.requests_of(Call::Mint)[0])["permissions"].clone()
}

#[test]
fn what_is_asked_for_is_what_the_token_may_do() {
    let sandbox = Sandbox::start().unwrap();
    bare(&sandbox)
        .input("permission-issues", "write")
        .input("permission-pull-requests", "read")
        .run()
        .success();
    assert_eq!(
        asked(&sandbox),
        json!({"issues": "write", "pull_requests": "read"})
    );
    assert_eq!(
        sandbox.tokens()[0].permissions,
        world::permissions(&[
            ("issues", "write"),
            ("metadata", "read"),
            ("pull_requests", "read")
        ])
    );
}

#[test]
fn levels_are_trimmed_and_taken_in_any_case() {
    let sandbox = Sandbox::start().unwrap();
    bare(&sandbox)
        .input("permission-contents", " Read\n")
        .input("permission-repository-projects", "ADMIN")
        .run()
        .success();
    assert_eq!(
        asked(&sandbox),
        json!({"contents": "read", "repository_projects": "admin"})
    );
}

#[test]
fn a_level_of_white_space_is_none() {
    let sandbox = Sandbox::start().unwrap();
    bare(&sandbox)
        .input("permission-contents", "read")
        .input("permission-issues", "  ")
        .run()
        .success();
    assert_eq!(asked(&sandbox), json!({"contents": "read"}));
}

#[test]
fn without_any_permission_there_is_no_token() {
    let sandbox = Sandbox::start().unwrap();
    bare(&sandbox)
        .run()
        .fails(&Error::new(&problem::PERMISSIONS_MISSING, ""));
    assert!(calls(&sandbox).is_empty());
}

#[test]
fn a_level_that_a_known_permission_does_not_have_is_refused() {
    for (name, level, told) in [
        (
            "contents",
            "admin",
            "contents has no level \"admin\", but read, write",
        ),
        (
            "workflows",
            "read",
            "workflows has no level \"read\", but write",
        ),
        (
            "contents",
            "reed",
            "contents has no level \"reed\", but read, write",
        ),
        (
            "contents",
            "true",
            "contents has no level \"true\", but read, write",
        ),
        (
            "repository-projects",
            "none",
            "repository_projects has no level \"none\", but read, write, admin",
        ),
    ] {
        let sandbox = Sandbox::start().unwrap();
        bare(&sandbox)
            .input(&format!("permission-{name}"), level)
            .run()
            .fails(&Error::new(&problem::PERMISSION_LEVEL_INVALID, told));
        assert!(calls(&sandbox).is_empty());
    }
}

#[test]
fn a_permission_at_two_levels_is_refused_before_any_call() {
    let sandbox = Sandbox::start().unwrap();
    bare(&sandbox)
        .input("permission-pull-requests", "read")
        .input("permission-pull_requests", "write")
        .run()
        .fails(&Error::new(
            &problem::PERMISSION_GIVEN_TWICE,
            "pull_requests as read and as write",
        ));
    assert!(calls(&sandbox).is_empty());
}

#[test]
fn a_name_that_the_table_does_not_know_goes_through_with_a_warning() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.change(|world| {
        let granted = &mut world.installation(world::ORG_INSTALLATION).permissions;
        granted.insert("brand_new_thing".into(), "write".into());
    });
    let main = bare(&sandbox)
        .input("permission-brand-new-thing", "write")
        .run()
        .success();
    assert_eq!(
        main.warning().message,
        "The permission brand_new_thing is not in the list that this version knows; GitHub will be \
         asked for it all the same."
    );
    assert_eq!(asked(&sandbox), json!({"brand_new_thing": "write"}));
}

#[test]
fn a_name_near_a_known_one_is_asked_back_and_what_lacks_is_told() {
    let sandbox = Sandbox::start().unwrap();
    let error = Error::new(
        &problem::PERMISSION_NOT_GRANTED,
        "content: read (granted: nothing); 422: The permissions requested are not granted to this \
         installation.",
    );
    let main = bare(&sandbox)
        .input("permission-content", "read")
        .run()
        .fails(&error.at(sandbox.github_url()));
    assert_eq!(
        main.warning().message,
        "The permission content is not in the list that this version knows; GitHub will be asked for \
         it all the same. Did you mean contents?"
    );
}

#[test]
fn a_malformed_name_is_refused() {
    let sandbox = Sandbox::start().unwrap();
    bare(&sandbox)
        .input("permission-contents:", "read")
        .run()
        .fails(&Error::new(
            &problem::PERMISSION_NAME_INVALID,
            "\"contents:\"",
        ));
    assert!(calls(&sandbox).is_empty());
}

#[test]
fn permissions_that_the_installation_lacks_are_named_without_a_further_call() {
    let sandbox = Sandbox::start().unwrap();
    let error = Error::new(
        &problem::PERMISSION_NOT_GRANTED,
        "actions: write (granted: read), packages: read (granted: nothing); 422: The permissions \
         requested are not granted to this installation.",
    );
    bare(&sandbox)
        .input("permission-actions", "write")
        .input("permission-contents", "read")
        .input("permission-packages", "read")
        .run()
        .fails(&error.at(sandbox.github_url()));
    assert_eq!(
        calls(&sandbox),
        [
            "Sign us-east-1 200",
            "GET /users/my-org/installation 200",
            "POST /app/installations/10001/access_tokens 422",
        ]
    );
}

#[test]
fn what_lacks_is_named_beside_an_installation_id_as_well() {
    let sandbox = Sandbox::start().unwrap();
    let error = Error::new(
        &problem::PERMISSION_NOT_GRANTED,
        "packages: read (granted: nothing); 422: The permissions requested are not granted to this \
         installation.",
    );
    bare(&sandbox)
        .input("permission-packages", "read")
        .input("installation-id", "10001")
        .input("repositories", "repo-a")
        .run()
        .fails(&error.at(sandbox.github_url()));
}
