//! Redirects: of GET, on the same origin; a JWT never goes to another.

use app_token::error::{Error, problem};
use app_token_sandbox::{Call, Fault, Sandbox, TokenState, When};
use app_token_tests::{Job, bearer, calls};

#[test]
fn a_look_up_is_redirected_on_the_same_origin() {
    for status in [301, 302, 307, 308] {
        let sandbox = Sandbox::start().unwrap();
        let target = format!("{}/repos/my-org/repo-a/installation", sandbox.github_url());
        // The redirect's own target is a look-up too: only the first is hit.
        sandbox.fault(
            Call::Installation,
            When::First(1),
            Fault::Redirect(status, target),
        );
        Job::new(&sandbox).run().success();
        assert_eq!(
            calls(&sandbox)[1..],
            [
                &*format!("GET /users/my-org/installation {status}"),
                "GET /repos/my-org/repo-a/installation 200",
                "POST /app/installations/10001/access_tokens 201",
            ]
        );
    }
}

#[test]
fn a_redirect_may_name_the_path_alone() {
    let sandbox = Sandbox::start().unwrap();
    let target = "/repos/my-org/repo-a/installation".to_owned();
    sandbox.fault(
        Call::Installation,
        When::First(1),
        Fault::Redirect(302, target),
    );
    Job::new(&sandbox).run().success();
    assert_eq!(
        calls(&sandbox)[2],
        "GET /repos/my-org/repo-a/installation 200"
    );
}

#[test]
fn a_redirect_to_another_host_is_not_followed_and_the_jwt_stays() {
    for there in [
        "http://127.0.0.1:PORT/x",
        "http://localhost:PORT/x",
        "//127.0.0.1:PORT/x",
    ] {
        let sandbox = Sandbox::start().unwrap();
        let elsewhere = Sandbox::start().unwrap();
        let port = elsewhere
            .port(app_token_sandbox::Service::GitHub)
            .to_string();
        let target = there.replace("PORT", &port);
        sandbox.fault(
            Call::Installation,
            When::Every,
            Fault::Redirect(302, target.clone()),
        );
        let error = Error::new(
            &problem::GITHUB_UNUSABLE,
            format!("302: it redirects to {target:?}, which is not followed"),
        );
        Job::new(&sandbox)
            .run()
            .fails(&error.at(sandbox.github_url()));
        assert_eq!(calls(&sandbox).len(), 2);
        assert!(calls(&elsewhere).is_empty());
    }
}

#[test]
fn a_loop_of_redirects_ends_after_three() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::Installation, When::Every, Fault::RedirectLoop(302));
    let main = Job::new(&sandbox).run().failure();
    assert_eq!(main.error().title, "GitHub's answer makes no sense");
    assert_eq!(
        calls(&sandbox),
        [
            "Sign us-east-1 200",
            "GET /users/my-org/installation 302",
            "GET /users/my-org/installation 302",
            "GET /users/my-org/installation 302",
            "GET /users/my-org/installation 302",
        ]
    );
}

#[test]
fn a_mint_is_never_redirected() {
    for status in [301, 302, 307, 308] {
        let sandbox = Sandbox::start().unwrap();
        let target = format!(
            "{}/app/installations/10001/access_tokens",
            sandbox.github_url()
        );
        sandbox.fault(Call::Mint, When::First(1), Fault::Redirect(status, target));
        let main = Job::new(&sandbox).run().failure();
        assert_eq!(main.error().title, "GitHub's answer makes no sense");
        assert_eq!(calls(&sandbox).len(), 3);
    }
}

#[test]
fn a_revocation_is_never_redirected() {
    let sandbox = Sandbox::start().unwrap();
    let elsewhere = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).run().success();
    let target = format!("{}/installation/token", elsewhere.github_url());
    sandbox.fault(
        Call::Revoke,
        When::Every,
        Fault::Redirect(307, target.clone()),
    );
    let error = Error::new(
        &problem::GITHUB_UNUSABLE,
        format!("307: it redirects to {target:?}, which is not followed"),
    );
    main.post().warns(&error.at(sandbox.github_url()));
    assert!(calls(&elsewhere).is_empty());
    assert_eq!(sandbox.tokens()[0].state, TokenState::Live);
}

#[test]
fn the_jwt_goes_to_github_alone_and_the_aws_credentials_to_kms_alone() {
    let sandbox = Sandbox::start().unwrap();
    Job::new(&sandbox).run().success();
    let requests = sandbox.requests();
    let jwt = bearer(&requests[1]).to_owned();
    let session = requests[0]
        .header("x-amz-security-token")
        .unwrap()
        .to_owned();
    for (exchange, secret) in [
        (&requests[0], &jwt),
        (&requests[1], &session),
        (&requests[2], &session),
    ] {
        let mut all = exchange.body_text() + &exchange.path;
        for (_, value) in &exchange.headers {
            all += value;
        }
        assert!(!all.contains(secret.as_str()), "{exchange:?}");
    }
}
