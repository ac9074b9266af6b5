//! Post: it revokes, and never fails the job.

use app_token::error::{Error, problem};
use app_token_sandbox::{Call, Fault, Sandbox, Service, TokenState, When, world};
use app_token_tests::{Job, calls, times};

#[test]
fn without_a_token_there_is_nothing_to_revoke() {
    let sandbox = Sandbox::start().unwrap();
    let post = Job::new(&sandbox).post();
    assert_eq!(post.infos(), ["There is no token to revoke."]);
    assert!(calls(&sandbox).is_empty() && post.warnings().is_empty());
}

#[test]
fn after_a_main_that_failed_there_is_nothing_to_revoke() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox)
        .credentials(world::STRANGER)
        .run()
        .failure();
    sandbox.forget_requests();
    assert_eq!(main.post().infos(), ["There is no token to revoke."]);
    assert!(calls(&sandbox).is_empty());
}

#[test]
fn a_token_that_has_expired_costs_no_call() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).run().success();
    sandbox.forget_requests();
    let post = main
        .job()
        .state("expires-at", "2020-01-01T00:00:00Z")
        .post();
    assert_eq!(
        post.infos(),
        ["The token has expired by itself; there is nothing to revoke."]
    );
    assert!(calls(&sandbox).is_empty() && post.warnings().is_empty());
}

#[test]
fn a_token_that_is_gone_already_is_done() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).run().success();
    main.post();
    let again = main.post();
    assert_eq!(again.infos(), ["The token was revoked before."]);
    assert!(again.warnings().is_empty());
}

#[test]
fn the_host_that_minted_is_asked_whatever_the_environment_says_by_then() {
    let sandbox = Sandbox::start().unwrap();
    let elsewhere = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).run().success();
    let post = main
        .job()
        .env("GITHUB_API_URL", &elsewhere.github_url())
        .input("github-api-url", &elsewhere.github_url())
        .post();
    assert_eq!(post.infos(), ["The token is revoked."]);
    assert!(calls(&elsewhere).is_empty());
    assert_eq!(sandbox.tokens()[0].state, TokenState::Revoked);
}

#[test]
fn post_needs_neither_credentials_nor_inputs() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).run().success();
    let post = main
        .job()
        .without_credentials()
        .without("AWS_REGION")
        .without("AWS_ENDPOINT_URL_KMS")
        .without("GITHUB_API_URL")
        .without("GITHUB_REPOSITORY")
        .input("app-id", "")
        .input("kms-key-id", "not a key")
        .input("owner", "no/such")
        .post();
    assert_eq!(post.infos(), ["The token is revoked."]);
}

#[test]
fn post_revokes_though_a_later_step_left_the_environment_out_of_order() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).run().success();
    let post = main
        .job()
        .env("AWS_CA_BUNDLE", "/no/such/bundle")
        .env("SSL_CERT_FILE", "/no/such/file")
        .env("HTTP_PROXY", "socks5://proxy.example")
        .env("HTTPS_PROXY", "not a proxy")
        .post();
    assert_eq!(post.infos(), ["The token is revoked."]);
    let warning = post.warning().message;
    assert!(
        warning.starts_with("Going on without it: ") && warning.ends_with("(SSL_CERT_FILE)"),
        "{warning}"
    );
}

#[test]
fn a_fault_that_passes_is_tried_again() {
    let sandbox = Sandbox::start().unwrap();
    for fault in [Fault::html(502), Fault::Reset, Fault::Close] {
        sandbox.clear_faults();
        let main = Job::new(&sandbox).run().success();
        sandbox.forget_requests();
        sandbox.fault(Call::Revoke, When::First(1), fault);
        let post = main.post();
        assert!(
            post.infos()[0].starts_with("revocation of the token: "),
            "{post}"
        );
        assert!(post.infos()[0].contains("; try 2 of 4 in 0."), "{post}");
        assert_eq!(post.infos()[1], "The token is revoked.");
        assert_eq!(times(&sandbox, Call::Revoke), 2);
        assert!(post.warnings().is_empty());
    }
}

#[test]
fn a_revocation_whose_answer_was_lost_is_done_at_the_second_try() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).run().success();
    // 204 has no body to break off in, so GitHub revokes and the answer comes too late to matter.
    sandbox.fault(Call::Revoke, When::First(1), Fault::html(502));
    let revoked = main.post();
    assert_eq!(revoked.infos()[1], "The token is revoked.");
    assert_eq!(main.post().infos(), ["The token was revoked before."]);
}

#[test]
fn a_github_that_stays_broken_ends_in_a_warning_with_its_status() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).run().success();
    sandbox.fault(
        Call::Revoke,
        When::Every,
        Fault::github(500, "Server Error"),
    );
    main.post().warns(
        &Error::new(&problem::GITHUB_UNAVAILABLE, "500: Server Error").at(sandbox.github_url()),
    );
    assert_eq!(times(&sandbox, Call::Revoke), 4);
    assert_eq!(sandbox.tokens()[0].state, TokenState::Live);
}

#[test]
fn a_refusal_of_the_token_is_not_told_as_one_of_the_jwt() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).run().success();
    let fault = Fault::github(401, "Requires authentication");
    sandbox.fault(Call::Revoke, When::Every, fault);
    let detail = "401: Requires authentication";
    main.post()
        .warns(&Error::new(&problem::TOKEN_REFUSED, detail).at(sandbox.github_url()));
    assert_eq!(times(&sandbox, Call::Revoke), 1);
}

#[test]
fn a_github_that_is_away_ends_in_a_warning_with_the_cause() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).run().success();
    let port = sandbox.port(Service::GitHub);
    let url = sandbox.github_url();
    sandbox.refuse(Service::GitHub);
    let error = Error::new(
        &problem::NETWORK_UNREACHABLE,
        format!("revocation of the token: connect ECONNREFUSED 127.0.0.1:{port}"),
    );
    main.post().warns(&error.at(url).because("tried 4 times"));
}

#[test]
fn a_refusal_ends_in_a_warning_with_github_s_words() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).run().success();
    sandbox.fault(
        Call::Revoke,
        When::Every,
        Fault::github(403, "Resource not accessible by integration"),
    );
    main.post().warns(
        &Error::new(
            &problem::GITHUB_REQUEST_REFUSED,
            "403: Resource not accessible by integration",
        )
        .at(sandbox.github_url()),
    );
    assert_eq!(times(&sandbox, Call::Revoke), 1);
}

#[test]
fn a_404_ends_in_a_warning() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).run().success();
    sandbox.fault(Call::Revoke, When::Every, Fault::github(404, "Not Found"));
    main.post().warns(
        &Error::new(&problem::GITHUB_REQUEST_REFUSED, "404: Not Found").at(sandbox.github_url()),
    );
}

#[test]
fn a_page_of_html_ends_in_a_warning() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).run().success();
    sandbox.fault(Call::Revoke, When::Every, Fault::html(200));
    let post = main.post();
    assert!(
        post.warning()
            .message
            .starts_with("GitHub's answer makes no sense: status 200, text/html"),
        "{post}"
    );
}

#[test]
fn an_answer_over_a_mebibyte_ends_in_a_warning() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).run().success();
    sandbox.fault(Call::Revoke, When::Every, Fault::Huge(2_000_000));
    main.post().warns(
        &Error::new(&problem::ANSWER_TOO_LARGE, "revocation of the token").at(sandbox.github_url()),
    );
}

#[test]
fn a_rate_limit_that_lasts_too_long_ends_in_a_warning() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).run().success();
    sandbox.fault(
        Call::Revoke,
        When::Every,
        Fault::github(429, "Too many requests").with_header("retry-after", "600"),
    );
    let post = main.post();
    assert!(
        post.warning()
            .message
            .starts_with("GitHub's rate limit is used up: 429: Too many requests"),
        "{post}"
    );
    assert_eq!(times(&sandbox, Call::Revoke), 1);
}

#[test]
fn a_state_that_somebody_changed_ends_in_a_warning_and_no_call() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).run().success();
    sandbox.forget_requests();
    main.job()
        .state("api-url", "http://evil.example")
        .post()
        .warns(&Error::new(
            &problem::API_URL_INVALID,
            "plain http is taken for loopback addresses alone",
        ));
    assert!(calls(&sandbox).is_empty());
}

#[test]
fn an_expiry_that_cannot_be_read_does_not_keep_post_from_revoking() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).run().success();
    let post = main.job().state("expires-at", "").post();
    assert_eq!(post.infos(), ["The token is revoked."]);
}
