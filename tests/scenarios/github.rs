//! What GitHub refuses, and what stands in its place.

use app_token::error::{Error, problem};
use app_token_sandbox::{Call, Fault, Sandbox, TokenState, When, world};
use app_token_tests::{Job, calls, times};
use serde_json::json;

/// It fails with this error, at GitHub.
#[track_caller]
fn refused<'a>(sandbox: &'a Sandbox, job: Job<'a>, error: Error) {
    job.run().fails(&error.at(sandbox.github_url()));
    assert!(sandbox.tokens().is_empty());
}

#[test]
fn an_account_without_the_app_is_named() {
    let sandbox = Sandbox::start().unwrap();
    let job = Job::new(&sandbox).input("owner", "other-org");
    refused(
        &sandbox,
        job,
        Error::new(&problem::NOT_INSTALLED, "other-org: 404: Not Found"),
    );
    assert_eq!(
        calls(&sandbox)[1..],
        ["GET /users/other-org/installation 404"]
    );
}

#[test]
fn a_suspended_installation_is_told_without_a_mint() {
    let sandbox = Sandbox::start().unwrap();
    let job = Job::new(&sandbox).input("owner", "suspended-org");
    let detail = "installation 10003 on suspended-org since 2025-01-01T00:00:00Z";
    refused(
        &sandbox,
        job,
        Error::new(&problem::INSTALLATION_SUSPENDED, detail),
    );
    assert_eq!(times(&sandbox, Call::Mint), 0);
}

#[test]
fn a_suspended_installation_is_told_by_the_mint_as_well() {
    let sandbox = Sandbox::start().unwrap();
    let job = Job::new(&sandbox)
        .input("installation-id", "10003")
        .input("repositories", "frozen");
    let detail = "403: This installation has been suspended";
    refused(
        &sandbox,
        job,
        Error::new(&problem::INSTALLATION_SUSPENDED, detail),
    );
}

#[test]
fn an_app_that_github_does_not_know_is_told() {
    let sandbox = Sandbox::start().unwrap();
    let job = Job::new(&sandbox).input("app-id", "999");
    refused(
        &sandbox,
        job,
        Error::new(&problem::APP_UNKNOWN, "404: Integration not found"),
    );
}

#[test]
fn the_key_of_another_app_is_told() {
    let sandbox = Sandbox::start().unwrap();
    let job = Job::new(&sandbox).input("kms-key-id", world::OTHER_ALIAS);
    let detail = "401: A JSON web token could not be decoded";
    refused(&sandbox, job, Error::new(&problem::APP_KEY_WRONG, detail));
    assert_eq!(calls(&sandbox).len(), 2);
}

#[test]
fn a_jwt_that_is_refused_for_a_reason_unknown_here_is_passed_on() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(
        Call::Installation,
        When::Every,
        Fault::github(401, "Missing 'issuer' claim ('iss') in assertion"),
    );
    let detail = "401: Missing 'issuer' claim ('iss') in assertion";
    refused(
        &sandbox,
        Job::new(&sandbox),
        Error::new(&problem::APP_JWT_REFUSED, detail),
    );
    assert_eq!(calls(&sandbox).len(), 2);
}

#[test]
fn bad_credentials_are_told() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(
        Call::Mint,
        When::Every,
        Fault::github(401, "Bad credentials"),
    );
    refused(
        &sandbox,
        Job::new(&sandbox),
        Error::new(&problem::TOKEN_REFUSED, "401: Bad credentials"),
    );
}

#[test]
fn the_details_of_a_refusal_are_passed_on() {
    let sandbox = Sandbox::start().unwrap();
    let body = json!({
        "message": "Validation Failed",
        "errors": [{"message": "one thing"}, "another thing", {"code": "custom"}],
    });
    sandbox.fault(Call::Mint, When::Every, Fault::json(422, &body));
    let detail = "422: Validation Failed; one thing; another thing";
    refused(
        &sandbox,
        Job::new(&sandbox),
        Error::new(&problem::GITHUB_REQUEST_REFUSED, detail),
    );
}

#[test]
fn a_policy_of_the_organisation_is_passed_on() {
    let sandbox = Sandbox::start().unwrap();
    let words = "Although you appear to have the correct authorization credentials, the `my-org` \
                 organization has an IP allow list enabled, and your IP address is not permitted to \
                 access this resource.";
    sandbox.fault(Call::Installation, When::Every, Fault::github(403, words));
    refused(
        &sandbox,
        Job::new(&sandbox),
        Error::new(&problem::GITHUB_REQUEST_REFUSED, format!("403: {words}")),
    );
}

#[test]
fn a_very_long_message_is_cut() {
    let sandbox = Sandbox::start().unwrap();
    let words = "word ".repeat(2000);
    sandbox.fault(Call::Installation, When::Every, Fault::github(403, &words));
    let main = Job::new(&sandbox).run().failure();
    assert!(main.error().message.len() < 800, "{main}");
}

#[test]
fn the_page_of_a_captive_portal_in_place_of_json_is_told() {
    let detail = |status: u16| {
        format!(
            "status {status}, text/html, not the JSON expected; it starts \
             \"<html><head><title>{status}</title></head><body><h1>{status}</h1></bod\""
        )
    };
    for status in [200, 403, 404, 407] {
        let sandbox = Sandbox::start().unwrap();
        sandbox.fault(Call::Installation, When::Every, Fault::html(status));
        refused(
            &sandbox,
            Job::new(&sandbox),
            Error::new(&problem::GITHUB_UNUSABLE, detail(status)),
        );
        assert_eq!(calls(&sandbox).len(), 2);
    }
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::Mint, When::Every, Fault::html(201));
    refused(
        &sandbox,
        Job::new(&sandbox),
        Error::new(&problem::GITHUB_UNUSABLE, detail(201)),
    );
}

#[test]
fn a_captive_portal_that_redirects_to_its_login_is_told() {
    let sandbox = Sandbox::start().unwrap();
    let portal = "http://portal.example/login?from=api.github.com";
    sandbox.fault(
        Call::Installation,
        When::Every,
        Fault::Redirect(302, portal.into()),
    );
    let detail = format!("302: it redirects to {portal:?}, which is not followed");
    refused(
        &sandbox,
        Job::new(&sandbox),
        Error::new(&problem::GITHUB_UNUSABLE, detail),
    );
}

#[test]
fn answers_that_are_not_what_they_should_be_are_told() {
    for call in [Call::Installation, Call::Mint] {
        for fault in [
            Fault::Truncate,
            Fault::WrongTypes,
            Fault::empty(200),
            Fault::empty(201),
        ] {
            let sandbox = Sandbox::start().unwrap();
            sandbox.fault(call, When::Every, fault);
            let main = Job::new(&sandbox).run().failure();
            assert_eq!(
                main.error().title,
                "GitHub's answer makes no sense",
                "{main}"
            );
            assert_eq!(times(&sandbox, call), 1);
        }
    }
}

#[test]
fn a_token_whose_expiry_is_no_time_is_revoked_at_once() {
    let sandbox = Sandbox::start().unwrap();
    let answer = json!({"token": "ghs_forged-token", "expires_at": "soon", "permissions": {}});
    sandbox.fault(Call::Mint, When::Every, Fault::json(201, &answer));
    sandbox.fault(Call::Revoke, When::Every, Fault::empty(204));
    let error = Error::new(&problem::GITHUB_UNUSABLE, "expires_at is \"soon\"")
        .at(sandbox.github_url())
        .because("the token that was already made is revoked again");
    let main = Job::new(&sandbox)
        .secret("forged token", "ghs_forged-token")
        .run()
        .fails(&error);
    assert_eq!(times(&sandbox, Call::Revoke), 1);
    assert!(main.state.is_empty());
}

#[test]
fn a_token_that_comes_with_another_status_is_revoked_at_once() {
    for status in [200, 202] {
        let sandbox = Sandbox::start().unwrap();
        let answer = json!({"token": "ghs_forged-token", "expires_at": "2100-01-01T00:00:00Z"});
        sandbox.fault(Call::Mint, When::Every, Fault::json(status, &answer));
        sandbox.fault(Call::Revoke, When::Every, Fault::empty(204));
        let main = Job::new(&sandbox)
            .secret("forged token", "ghs_forged-token")
            .run()
            .failure();
        assert_eq!(main.error().title, "GitHub's answer makes no sense");
        assert_eq!(times(&sandbox, Call::Revoke), 1);
        assert!(main.masks().contains(&"ghs_forged-token"));
    }
}

#[test]
fn an_outage_of_github_is_told_with_its_status() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(
        Call::Mint,
        When::Every,
        Fault::github(503, "Service Unavailable"),
    );
    refused(
        &sandbox,
        Job::new(&sandbox),
        Error::new(&problem::GITHUB_UNAVAILABLE, "503: Service Unavailable"),
    );
}

#[test]
fn an_app_deleted_between_look_up_and_mint_is_told() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::Mint, When::Every, Fault::github(404, "Not Found"));
    refused(
        &sandbox,
        Job::new(&sandbox),
        Error::new(&problem::INSTALLATION_NOT_FOUND, "10001: 404: Not Found"),
    );
}

#[test]
fn the_installation_on_a_user_serves_as_one_on_an_organisation() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox)
        .env("GITHUB_REPOSITORY", "octocat/hello-world")
        .run()
        .success();
    assert_eq!(main.outputs["installation-id"], "10002");
    assert_eq!(sandbox.tokens()[0].state, TokenState::Live);
}
