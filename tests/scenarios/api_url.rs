//! `github-api-url`: where GitHub is.

use app_token::error::{Error, problem};
use app_token_sandbox::{Sandbox, Service, TokenForm, TokenState};
use app_token_tests::{Job, calls};

fn ghes() -> Sandbox {
    Sandbox::builder()
        .github_base("/api/v3")
        .token_form(TokenForm::Short)
        .start()
        .unwrap()
}

#[test]
fn the_base_path_of_ghes_is_kept() {
    let sandbox = ghes();
    let main = Job::new(&sandbox).run().success();
    main.post();
    assert_eq!(
        calls(&sandbox)[1..],
        [
            "GET /api/v3/users/my-org/installation 200",
            "POST /api/v3/app/installations/10001/access_tokens 201",
            "DELETE /api/v3/installation/token 204",
        ]
    );
}

#[test]
fn slashes_at_the_end_are_dropped() {
    for end in ["/", "//"] {
        let sandbox = ghes();
        let url = format!(" {}{end}\n", sandbox.github_url());
        let main = Job::new(&sandbox)
            .input("github-api-url", &url)
            .run()
            .success();
        assert_eq!(
            calls(&sandbox)[1],
            "GET /api/v3/users/my-org/installation 200"
        );
        assert_eq!(main.state["api-url"], sandbox.github_url());
        main.post();
        assert_eq!(sandbox.tokens()[0].state, TokenState::Revoked);
    }
}

#[test]
fn the_input_goes_before_the_environment() {
    let sandbox = Sandbox::start().unwrap();
    let elsewhere = Sandbox::start().unwrap();
    Job::new(&sandbox)
        .env("GITHUB_API_URL", &elsewhere.github_url())
        .input("github-api-url", &sandbox.github_url())
        .run()
        .success();
    assert!(calls(&elsewhere).is_empty());
}

#[test]
fn plain_http_is_taken_for_every_name_of_loopback() {
    let sandbox = Sandbox::start().unwrap();
    let port = sandbox.port(Service::GitHub);
    Job::new(&sandbox)
        .input("github-api-url", &format!("http://localhost:{port}"))
        .run()
        .success();
}

#[test]
fn a_malformed_url_is_refused_and_not_repeated() {
    for (url, why) in [
        (
            "http://github.example.com",
            "plain http is taken for loopback addresses alone",
        ),
        (
            "http://127.0.0.1.evil.example",
            "plain http is taken for loopback addresses alone",
        ),
        (
            "http://localhost.evil.example",
            "plain http is taken for loopback addresses alone",
        ),
        (
            "https://user:hunter2hunter2@api.github.com",
            "it holds credentials",
        ),
        (
            "https://hunter2hunter2@api.github.com",
            "it holds credentials",
        ),
        (
            "https://api.github.com?token=hunter2hunter2",
            "it has a query",
        ),
        ("https://api.github.com/?", "it has a query"),
        ("https://api.github.com#hunter2hunter2", "it has a fragment"),
        ("api.github.com", "it does not start with https://"),
        ("ftp://api.github.com", "it does not start with https://"),
        ("https://", "its host is malformed"),
        ("https://api.github.com:0", "its port is malformed"),
        ("https://api.github.com:https", "its port is malformed"),
        ("https://api.github.com/../x", "its path is malformed"),
        ("https://api.github.com/a b", "its path is malformed"),
        (
            "https://api.github.com\\@evil.example",
            "its path is malformed",
        ),
        ("https://api.gith\u{fc}b.com", "its host is malformed"),
    ] {
        let sandbox = Sandbox::start().unwrap();
        Job::new(&sandbox)
            .secret("what the URL held", "hunter2hunter2")
            .input("github-api-url", url)
            .run()
            .fails(&Error::new(&problem::API_URL_INVALID, why).at("github-api-url"));
        assert!(calls(&sandbox).is_empty(), "{url}");
    }
}

#[test]
fn a_web_page_in_place_of_the_api_is_told() {
    let sandbox = ghes();
    let url = format!("http://127.0.0.1:{}/api", sandbox.port(Service::GitHub));
    let main = Job::new(&sandbox)
        .input("github-api-url", &url)
        .run()
        .failure();
    // The sandbox answers 404 as GHES does below a path that is none.
    assert_eq!(
        main.error().title,
        "The App is not installed on this account"
    );
}
