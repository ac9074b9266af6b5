//! Who is asked for a token, and for what.

use app_token::error::{Error, Problem, problem};
use app_token_sandbox::{Call, Sandbox, TokenState, world};
use app_token_tests::{Job, Run, body, calls};
use serde_json::json;

const WHOLE: &str = "The token will reach every repository that the App may reach in my-org. \
                     List repositories to narrow it.";

/// What the mint was asked to narrow the token to.
fn narrowed(sandbox: &Sandbox) -> serde_json::Value {
    let mut body = body(&sandbox.requests_of(Call::Mint)[0]);
    body.as_object_mut().unwrap().remove("permissions");
    body
}

fn job<'a>(sandbox: &'a Sandbox, inputs: &[(&str, &str)]) -> Job<'a> {
    let job = Job::new(sandbox);
    inputs
        .iter()
        .fold(job, |job, (name, value)| job.input(name, value))
}

/// It is refused before a single call.
#[track_caller]
fn refused(inputs: &[(&str, &str)], problem: &'static Problem, detail: &str, place: &str) {
    let sandbox = Sandbox::start().unwrap();
    job(&sandbox, inputs)
        .run()
        .fails(&Error::new(problem, detail).at(place));
    assert!(calls(&sandbox).is_empty());
}

#[track_caller]
fn reaches(inputs: &[(&str, &str)], look_up: &str, expected: serde_json::Value) {
    let sandbox = Sandbox::start().unwrap();
    let main: Run<'_> = job(&sandbox, inputs).run().success();
    assert_eq!(calls(&sandbox)[1], format!("GET {look_up} 200"));
    assert_eq!(narrowed(&sandbox), expected);
    assert!(main.warnings().is_empty());
}

#[test]
fn without_owner_and_repositories_it_is_the_current_repository_alone() {
    reaches(
        &[],
        "/users/my-org/installation",
        json!({"repositories": ["repo-a"]}),
    );
}

#[test]
fn owner_alone_is_the_whole_installation_with_a_warning() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).input("owner", "my-org").run().success();
    assert_eq!(main.warning().message, WHOLE);
    assert_eq!(narrowed(&sandbox), json!({}));
    assert_eq!(sandbox.tokens()[0].repositories, None);
    assert_eq!(main.infos()[1], "For: my-org, everything in it");
}

#[test]
fn repositories_alone_are_those_of_the_current_owner() {
    reaches(
        &[("repositories", "repo-b")],
        "/users/my-org/installation",
        json!({"repositories": ["repo-b"]}),
    );
}

#[test]
fn owner_and_repositories_are_both_taken() {
    reaches(
        &[("owner", "octocat"), ("repositories", "hello-world")],
        "/users/octocat/installation",
        json!({"repositories": ["hello-world"]}),
    );
}

#[test]
fn repositories_are_separated_by_commas_or_newlines() {
    reaches(
        &[("repositories", "repo-a, repo-b\n\n  new-name\r\n,")],
        "/users/my-org/installation",
        json!({"repositories": ["repo-a", "repo-b", "new-name"]}),
    );
}

#[test]
fn entries_with_the_same_owner_are_taken_whatever_their_case() {
    reaches(
        &[
            ("owner", "my-org"),
            ("repositories", "MY-ORG/repo-a\nmy-org/repo-b"),
        ],
        "/users/my-org/installation",
        json!({"repositories": ["repo-a", "repo-b"]}),
    );
}

#[test]
fn a_repository_named_twice_is_asked_for_once() {
    reaches(
        &[("repositories", "repo-a, my-org/Repo-A, REPO-A, repo-b")],
        "/users/my-org/installation",
        json!({"repositories": ["repo-a", "repo-b"]}),
    );
}

#[test]
fn an_entry_of_another_owner_is_refused() {
    refused(
        &[
            ("owner", "my-org"),
            ("repositories", "repo-a, octocat/hello-world"),
        ],
        &problem::REPOSITORY_OWNER_MISMATCH,
        "octocat/hello-world is not one of my-org's",
        "",
    );
}

#[test]
fn an_entry_of_another_owner_than_the_current_is_refused_without_owner() {
    refused(
        &[("repositories", "octocat/hello-world")],
        &problem::REPOSITORY_OWNER_MISMATCH,
        "octocat/hello-world is not one of my-org's",
        "",
    );
}

#[test]
fn an_owner_that_would_change_the_url_is_refused() {
    for owner in [
        "my-org/../octocat",
        "my-org?x=1",
        "my-org#x",
        "https://github.com/my-org",
        "my org",
        "my-org%2Fx",
        "-my-org",
        "müller",
    ] {
        refused(
            &[("owner", owner)],
            &problem::OWNER_INVALID,
            &format!("{owner:?}"),
            "",
        );
    }
}

#[test]
fn a_repository_that_would_change_the_url_is_refused() {
    for name in [
        "..", ".", "a/b/c", "repo a", "repo?x", "repo#x", "repo%2e", "my-org/", "/repo-a",
    ] {
        refused(
            &[("repositories", name)],
            &problem::REPOSITORY_INVALID,
            &format!("{name:?}"),
            "",
        );
    }
}

#[test]
fn more_than_500_repositories_are_refused_before_github_would() {
    let names: Vec<String> = (0..501).map(|number| format!("repo-{number}")).collect();
    refused(
        &[("repositories", &names.join("\n"))],
        &problem::TOO_MANY_REPOSITORIES,
        "501 entries",
        "",
    );
}

#[test]
fn without_a_current_repository_something_must_be_named() {
    let sandbox = Sandbox::start().unwrap();
    Job::new(&sandbox)
        .without("GITHUB_REPOSITORY")
        .run()
        .fails(&Error::new(&problem::CURRENT_REPOSITORY_UNKNOWN, "").at("GITHUB_REPOSITORY"));
    assert!(calls(&sandbox).is_empty());
}

#[test]
fn without_a_current_repository_an_entry_may_name_the_owner() {
    let sandbox = Sandbox::start().unwrap();
    Job::new(&sandbox)
        .without("GITHUB_REPOSITORY")
        .input("repositories", "octocat/hello-world")
        .run()
        .success();
    assert_eq!(calls(&sandbox)[1], "GET /users/octocat/installation 200");
    assert_eq!(narrowed(&sandbox), json!({"repositories": ["hello-world"]}));
}

#[test]
fn repository_ids_narrow_the_token_of_the_current_owner() {
    reaches(
        &[("repository-ids", "50001, 50002")],
        "/users/my-org/installation",
        json!({"repository_ids": [50001, 50002]}),
    );
}

#[test]
fn repository_ids_narrow_the_token_of_another_owner() {
    reaches(
        &[("owner", "octocat"), ("repository-ids", "50011")],
        "/users/octocat/installation",
        json!({"repository_ids": [50011]}),
    );
}

#[test]
fn repository_ids_must_be_numbers() {
    for text in [
        "repo-a",
        "0",
        "-1",
        "1.5",
        "0x10",
        "+1",
        "99999999999999999999",
    ] {
        refused(
            &[("repository-ids", text)],
            &problem::REPOSITORY_ID_INVALID,
            &format!("{text:?}"),
            "",
        );
    }
}

#[test]
fn repository_ids_and_repositories_exclude_each_other() {
    refused(
        &[("repositories", "repo-a"), ("repository-ids", "50001")],
        &problem::SCOPE_CONFLICT,
        "repositories and repository-ids are both set",
        "",
    );
}

#[test]
fn an_enterprise_is_asked_for_by_its_slug() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::bare(&sandbox)
        .input("app-id", "123456")
        .input("kms-key-id", world::ALIAS)
        .input("permission-enterprise-organizations", "read")
        .input("enterprise", "my-enterprise")
        .run();
    // The generated table decides what name the permission has; here only the scope matters.
    let main = main.success();
    assert_eq!(
        calls(&sandbox)[1..],
        [
            "GET /enterprises/my-enterprise/installation 200",
            "POST /app/installations/10004/access_tokens 201",
        ]
    );
    assert_eq!(narrowed(&sandbox), json!({}));
    assert_eq!(
        main.infos()[1],
        "For: enterprise my-enterprise, everything in it"
    );
}

#[test]
fn an_enterprise_stands_alone() {
    for (name, value) in [
        ("owner", "my-org"),
        ("repositories", "repo-a"),
        ("repository-ids", "50001"),
        ("installation-id", "10001"),
    ] {
        refused(
            &[("enterprise", "my-enterprise"), (name, value)],
            &problem::SCOPE_CONFLICT,
            &format!("enterprise and {name} are both set"),
            "",
        );
    }
}

#[test]
fn an_enterprise_slug_that_would_change_the_url_is_refused() {
    refused(
        &[("enterprise", "my-enterprise/x")],
        &problem::ENTERPRISE_INVALID,
        "\"my-enterprise/x\"",
        "",
    );
}

#[test]
fn an_enterprise_without_the_app_is_named() {
    let sandbox = Sandbox::start().unwrap();
    let error = Error::new(
        &problem::NOT_INSTALLED,
        "enterprise no-such: 404: Not Found",
    );
    job(&sandbox, &[("enterprise", "no-such")])
        .run()
        .fails(&error.at(sandbox.github_url()));
}

#[test]
fn an_installation_id_saves_the_look_up_before_the_mint() {
    let sandbox = Sandbox::start().unwrap();
    let delay = std::time::Duration::from_millis(300);
    sandbox.fault(
        Call::Installation,
        app_token_sandbox::When::Every,
        app_token_sandbox::Fault::Delay(delay),
    );
    let main = job(
        &sandbox,
        &[("installation-id", "10001"), ("repositories", "repo-a")],
    )
    .run()
    .success();
    // Beside the mint: it is under way before the answer to the look-up is.
    let mint = &sandbox.requests_of(Call::Mint)[0];
    let look_up = &sandbox.requests_of(Call::Installation)[0];
    assert_eq!(look_up.path, "/app/installations/10001");
    assert!(mint.started < look_up.finished.unwrap());
    assert_ne!(mint.connection, look_up.connection);
    assert_eq!(main.outputs["installation-id"], "10001");
    assert_eq!(main.outputs["app-slug"], "my-app");
    assert_eq!(narrowed(&sandbox), json!({"repositories": ["repo-a"]}));
}

#[test]
fn an_installation_id_alone_is_the_whole_installation_with_a_warning() {
    let sandbox = Sandbox::start().unwrap();
    let main = job(&sandbox, &[("installation-id", " 10001 ")])
        .run()
        .success();
    assert_eq!(
        main.warning().message,
        WHOLE.replace("my-org", "installation 10001")
    );
    assert_eq!(narrowed(&sandbox), json!({}));
}

#[test]
fn an_installation_id_takes_repository_ids() {
    let sandbox = Sandbox::start().unwrap();
    job(
        &sandbox,
        &[("installation-id", "10002"), ("repository-ids", "50011")],
    )
    .run()
    .success();
    assert_eq!(narrowed(&sandbox), json!({"repository_ids": [50011]}));
}

#[test]
fn an_installation_id_needs_no_current_repository() {
    let sandbox = Sandbox::start().unwrap();
    job(
        &sandbox,
        &[("installation-id", "10001"), ("repositories", "repo-a")],
    )
    .without("GITHUB_REPOSITORY")
    .run()
    .success();
}

#[test]
fn an_installation_on_somebody_else_than_owner_is_told() {
    let sandbox = Sandbox::start().unwrap();
    let main = job(
        &sandbox,
        &[
            ("installation-id", "10002"),
            ("owner", "my-org"),
            ("repository-ids", "50011"),
        ],
    )
    .run()
    .success();
    assert_eq!(
        main.warning().message,
        "Installation 10002 is on octocat, not on my-org: the token is for octocat."
    );
}

#[test]
fn an_installation_that_is_not_there_is_told() {
    let sandbox = Sandbox::start().unwrap();
    let error = Error::new(&problem::INSTALLATION_NOT_FOUND, "77: 404: Not Found");
    job(
        &sandbox,
        &[("installation-id", "77"), ("repositories", "repo-a")],
    )
    .run()
    .fails(&error.at(sandbox.github_url()));
}

#[test]
fn an_installation_id_must_be_a_number() {
    for text in ["my-org", "0", "1 2", "10001/access_tokens"] {
        refused(
            &[("installation-id", text)],
            &problem::INSTALLATION_ID_INVALID,
            &format!("{text:?}"),
            "",
        );
    }
}

#[test]
fn a_look_up_that_fails_beside_the_mint_costs_the_slug_and_not_the_token() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(
        Call::Installation,
        app_token_sandbox::When::Every,
        app_token_sandbox::Fault::github(403, "Resource not accessible by integration"),
    );
    let main = job(
        &sandbox,
        &[("installation-id", "10001"), ("repositories", "repo-a")],
    )
    .run()
    .success();
    assert_eq!(
        main.warning().message,
        format!(
            "The installation could not be looked up, so the App's slug is not known: GitHub refused \
             the request: 403: Resource not accessible by integration ({})",
            sandbox.github_url()
        )
    );
    assert_eq!(main.outputs["app-slug"], "");
    assert_eq!(main.post().infos(), ["The token is revoked."]);
}

#[test]
fn a_repository_that_the_installation_does_not_reach_is_named() {
    let sandbox = Sandbox::start().unwrap();
    let error = Error::new(
        &problem::REPOSITORY_NOT_IN_INSTALLATION,
        "private-notes on octocat; 422: There is at least one repository that does not exist or is not \
         accessible to the parent installation.",
    );
    job(
        &sandbox,
        &[("owner", "octocat"), ("repositories", "private-notes")],
    )
    .run()
    .fails(&error.at(sandbox.github_url()));
    assert_eq!(calls(&sandbox).len(), 3);
}

#[test]
fn of_several_repositories_the_one_out_of_reach_is_named() {
    let sandbox = Sandbox::start().unwrap();
    let error = Error::new(
        &problem::REPOSITORY_NOT_IN_INSTALLATION,
        "repo-x, repo-y on my-org; 422: There is at least one repository that does not exist or is not \
         accessible to the parent installation.",
    );
    job(
        &sandbox,
        &[("repositories", "repo-a, repo-x, repo-b, repo-y")],
    )
    .run()
    .fails(&error.at(sandbox.github_url()));
    assert_eq!(
        calls(&sandbox)[3..],
        [
            "GET /repos/my-org/repo-a/installation 200",
            "GET /repos/my-org/repo-x/installation 404",
            "GET /repos/my-org/repo-b/installation 200",
            "GET /repos/my-org/repo-y/installation 404",
        ]
    );
}

#[test]
fn a_repository_id_out_of_reach_is_told_with_all_that_were_asked() {
    let sandbox = Sandbox::start().unwrap();
    let error = Error::new(
        &problem::REPOSITORY_NOT_IN_INSTALLATION,
        "50001, 99999 on my-org; 422: There is at least one repository that does not exist or is not \
         accessible to the parent installation.",
    );
    job(&sandbox, &[("repository-ids", "50001, 99999")])
        .run()
        .fails(&error.at(sandbox.github_url()));
}

#[test]
fn the_token_of_a_narrow_scope_reaches_no_further() {
    let sandbox = Sandbox::start().unwrap();
    job(&sandbox, &[("repositories", "repo-b")]).run().success();
    let token = &sandbox.tokens()[0];
    assert_eq!(token.state, TokenState::Live);
    assert_eq!(token.repositories.as_deref(), Some(&[world::REPO_B_ID][..]));
}
