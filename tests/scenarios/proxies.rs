//! Forward proxies: taken from the variables that companies set, for GitHub, KMS and STS, and never for
//! what is on this machine. The sandbox's proxy leads the names of GitHub and AWS to the sandbox.

use app_token_sandbox::{Call, Fault, Sandbox, Service, TokenState, When};
use app_token_tests::{Job, calls, times};

fn sandbox() -> Sandbox {
    Sandbox::builder()
        .tls(true)
        .host("ghes.example.com", Service::GitHub)
        .start()
        .unwrap()
}

/// A job that asks the real names, which only the proxy leads anywhere.
fn abroad(sandbox: &Sandbox) -> Job<'_> {
    Job::new(sandbox)
        .without("AWS_ENDPOINT_URL_KMS")
        .without("AWS_ENDPOINT_URL_STS")
        .env("GITHUB_API_URL", "https://api.github.com")
}

fn through(sandbox: &Sandbox) -> Vec<String> {
    let services = |exchange: &app_token_sandbox::Exchange| exchange.service != Service::Proxy;
    sandbox
        .requests()
        .into_iter()
        .filter(services)
        .map(|exchange| exchange.through_proxy.unwrap_or_else(|| "directly".into()))
        .collect()
}

#[test]
fn https_proxy_leads_to_kms_and_to_github() {
    let sandbox = sandbox();
    let main = abroad(&sandbox)
        .env("HTTPS_PROXY", &sandbox.proxy_url())
        .run()
        .success();
    assert_eq!(
        through(&sandbox),
        [
            "kms.us-east-1.amazonaws.com:443",
            "api.github.com:443",
            "api.github.com:443",
        ]
    );
    // One tunnel to each.
    assert_eq!(times(&sandbox, Call::Forward), 2);
    main.post();
    assert_eq!(sandbox.tokens()[0].state, TokenState::Revoked);
    assert_eq!(through(&sandbox)[3], "api.github.com:443");
}

#[test]
fn the_lower_case_form_is_taken_and_wins() {
    let sandbox = sandbox();
    abroad(&sandbox)
        .env("HTTPS_PROXY", "http://127.0.0.1:1")
        .env("https_proxy", &sandbox.proxy_url())
        .run()
        .success();
}

#[test]
fn a_proxy_needs_no_scheme() {
    let sandbox = sandbox();
    let url = sandbox.proxy_url();
    abroad(&sandbox)
        .env("HTTPS_PROXY", url.strip_prefix("http://").unwrap())
        .run()
        .success();
}

#[test]
fn sts_goes_through_the_proxy_as_well() {
    let sandbox = sandbox();
    abroad(&sandbox)
        .without_credentials()
        .input(
            "role-to-assume",
            "arn:aws:iam::123456789012:role/app-token-signer",
        )
        .env("HTTPS_PROXY", &sandbox.proxy_url())
        .run()
        .success();
    let sts = &sandbox.requests_of(Call::AssumeRoleWithWebIdentity)[0];
    assert_eq!(
        sts.through_proxy.as_deref(),
        Some("sts.us-east-1.amazonaws.com:443")
    );
}

#[test]
fn loopback_never_goes_through_a_proxy() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox)
        .env("HTTP_PROXY", &sandbox.proxy_url())
        .env("HTTPS_PROXY", &sandbox.proxy_url())
        .run()
        .success();
    main.post();
    assert_eq!(times(&sandbox, Call::Forward), 0);
}

#[test]
fn metadata_never_go_through_a_proxy() {
    let sandbox = Sandbox::start().unwrap();
    Job::new(&sandbox)
        .without_credentials()
        .envs(sandbox.env_of_instance())
        .without("AWS_EC2_METADATA_DISABLED")
        .env("HTTP_PROXY", &sandbox.proxy_url())
        .run()
        .success();
    assert_eq!(times(&sandbox, Call::Forward), 0);
}

#[test]
fn no_proxy_lists_what_is_reached_without_it() {
    let sandbox = sandbox();
    let main = abroad(&sandbox)
        .env("HTTPS_PROXY", &sandbox.proxy_url())
        .env("AWS_ENDPOINT_URL_KMS", &sandbox.kms_url())
        .env("GITHUB_API_URL", "https://github.invalid")
        .env("NO_PROXY", "example.com,.invalid")
        .run()
        .failure();
    // Reached for directly, so its name is looked up here, in vain.
    assert!(main.error().message.contains("github.invalid"), "{main}");
    assert!(
        main.error().title.contains("could not be reached"),
        "{main}"
    );
    assert_eq!(times(&sandbox, Call::Forward), 0);
}

#[test]
fn a_proxy_that_wants_credentials_gets_those_in_its_url() {
    let sandbox = Sandbox::builder()
        .tls(true)
        .proxy_credentials("me", "p@ss/w:rd")
        .start()
        .unwrap();
    let main = abroad(&sandbox)
        .env("HTTPS_PROXY", &sandbox.proxy_url())
        .run()
        .success();
    assert_eq!(through(&sandbox).len(), 3);
    for form in ["p@ss/w:rd", "bWU6cEBzcy93OnJk"] {
        assert!(main.masks().contains(&form), "{main}");
    }
    main.post();
    assert_eq!(sandbox.tokens()[0].state, TokenState::Revoked);
}

#[test]
fn a_proxy_that_refuses_is_told_at_once_and_by_its_status() {
    let sandbox = Sandbox::builder()
        .tls(true)
        .proxy_credentials("me", "p@ss/w:rd")
        .start()
        .unwrap();
    let url = format!("http://127.0.0.1:{}", sandbox.port(Service::Proxy));
    let main = abroad(&sandbox).env("HTTPS_PROXY", &url).run().failure();
    assert_eq!(main.error().title, "The proxy refused the connection");
    assert_eq!(
        main.error().message.lines().next().unwrap(),
        format!(
            "the proxy refused the connection: KMS Sign: the proxy {url} says 407 \
             (https://kms.us-east-1.amazonaws.com)"
        )
    );
    assert!(!main.stdout.contains("try 2 of 4"), "{main}");
    assert!(through(&sandbox).is_empty());
}

#[test]
fn a_proxy_that_does_not_lead_there_is_told() {
    let sandbox = sandbox();
    let main = abroad(&sandbox)
        .env("GITHUB_API_URL", "https://elsewhere.example/api/v3")
        .env("HTTPS_PROXY", &sandbox.proxy_url())
        .run()
        .failure();
    assert!(
        main.error()
            .message
            .contains("says 403 (https://elsewhere.example)"),
        "{main}"
    );
}

#[test]
fn a_proxy_that_is_not_there_is_told() {
    let sandbox = sandbox();
    let url = sandbox.proxy_url();
    sandbox.refuse(Service::Proxy);
    let main = abroad(&sandbox).env("HTTPS_PROXY", &url).run().failure();
    assert_eq!(main.error().title, "The server could not be reached");
    assert!(main.error().message.contains("ECONNREFUSED"), "{main}");
    assert!(main.error().message.contains("HTTPS_PROXY"), "{main}");
}

#[test]
fn a_proxy_that_breaks_the_tunnel_once_is_asked_again() {
    let sandbox = sandbox();
    sandbox.fault(Call::Forward, When::First(1), Fault::Reset);
    abroad(&sandbox)
        .env("HTTPS_PROXY", &sandbox.proxy_url())
        .run()
        .success();
}

#[test]
fn a_malformed_proxy_names_its_variable_and_shows_nothing_of_it() {
    for value in [
        "socks5://user:hunter2hunter2@proxy:1080",
        "ftp://user:hunter2hunter2@proxy:21",
        "http://user:hunter2hunter2@proxy:99999",
    ] {
        let sandbox = Sandbox::start().unwrap();
        let main = Job::new(&sandbox)
            .secret("proxy password", "hunter2hunter2")
            .env("https_proxy", value)
            .run()
            .failure();
        assert_eq!(main.error().title, "A proxy variable is malformed");
        assert!(main.error().message.contains("(https_proxy)"), "{main}");
        assert!(calls(&sandbox).is_empty());
    }
}

#[test]
fn an_empty_proxy_variable_is_none() {
    let sandbox = Sandbox::start().unwrap();
    Job::new(&sandbox)
        .env("HTTPS_PROXY", "")
        .env("https_proxy", "")
        .env("NO_PROXY", "")
        .run()
        .success();
}

#[test]
fn a_certificate_that_the_proxy_s_end_shows_is_still_judged() {
    let sandbox = sandbox();
    let main = abroad(&sandbox)
        .without("NODE_EXTRA_CA_CERTS")
        .env("HTTPS_PROXY", &sandbox.proxy_url())
        .run()
        .failure();
    assert_eq!(
        main.error().title,
        "The server's certificate was not accepted"
    );
    assert!(through(&sandbox).is_empty());
}

#[test]
fn post_needs_the_proxy_that_main_needed() {
    let sandbox = sandbox();
    let main = abroad(&sandbox)
        .env("HTTPS_PROXY", &sandbox.proxy_url())
        .run()
        .success();
    let url = sandbox.proxy_url();
    sandbox.refuse(Service::Proxy);
    let post = main.job().env("HTTPS_PROXY", &url).post();
    assert_eq!(post.warning().title, "The token was not revoked");
    assert_eq!(sandbox.tokens()[0].state, TokenState::Live);
}

// Hosts, which only the proxy can lead to.

fn email(api_url: &str, sandbox: &Sandbox) -> String {
    let main = abroad(sandbox)
        .env("GITHUB_API_URL", api_url)
        .env("HTTPS_PROXY", &sandbox.proxy_url())
        .input("git-identity", "true")
        .run()
        .success();
    main.post();
    assert_eq!(main.outputs["git-user-name"], "my-app[bot]");
    main.outputs["git-user-email"].clone()
}

#[test]
fn the_bot_of_github_com_has_an_address_there() {
    assert_eq!(
        email("https://api.github.com", &sandbox()),
        "41898282+my-app[bot]@users.noreply.github.com"
    );
}

#[test]
fn the_bot_of_a_ghe_com_host_has_an_address_there() {
    assert_eq!(
        email("https://api.octo.ghe.com", &sandbox()),
        "41898282+my-app[bot]@users.noreply.octo.ghe.com"
    );
}

#[test]
fn the_bot_of_a_ghes_has_an_address_there() {
    let sandbox = Sandbox::builder()
        .tls(true)
        .github_base("/api/v3")
        .host("ghes.example.com", Service::GitHub)
        .start()
        .unwrap();
    assert_eq!(
        email("https://ghes.example.com/api/v3/", &sandbox),
        "41898282+my-app[bot]@users.noreply.ghes.example.com"
    );
}
