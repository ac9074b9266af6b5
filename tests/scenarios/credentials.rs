//! Where AWS credentials come from, beside the environment. One source is chosen by what is configured;
//! a broken one is an error that names it, and no other takes its place.

use app_token::error::{Error, problem};
use app_token_sandbox::{Call, Fault, Sandbox, Service, When, world};
use app_token_tests::{Job, Run, calls, times};
use serde_json::json;

const ROLE: &str = "arn:aws:iam::123456789012:role/app-token-signer";

fn bare(sandbox: &Sandbox) -> Job<'_> {
    Job::new(sandbox).without_credentials()
}

fn assuming(sandbox: &Sandbox) -> Job<'_> {
    bare(sandbox).input("role-to-assume", ROLE)
}

/// The source as the log names it.
fn source(main: &Run<'_>) -> String {
    let line = main.infos()[4].to_owned();
    line.rsplit_once(", with ").unwrap().1.to_owned()
}

/// It fails with this summary, nothing was signed, and the message holds all of these.
#[track_caller]
fn broken(main: Run<'_>, sandbox: &Sandbox, title: &str, parts: &[&str]) {
    let main = main.failure();
    assert_eq!(main.error().title, title, "{main}");
    for part in parts {
        assert!(main.error().message.contains(part), "{part} lacks\n{main}");
    }
    assert_eq!(times(sandbox, Call::KmsSign), 0, "{main}");
}

const BROKEN: &str = "A configured source of AWS credentials does not work";

// role-to-assume.

#[test]
fn the_runner_s_oidc_token_buys_the_role() {
    let sandbox = Sandbox::start().unwrap();
    let main = assuming(&sandbox).run().success();
    assert_eq!(
        calls(&sandbox)[1..],
        [
            "AssumeRoleWithWebIdentity 200",
            "Sign us-east-1 200",
            "GET /users/my-org/installation 200",
            "POST /app/installations/10001/access_tokens 201",
        ]
    );
    let asked = &sandbox.requests_of(Call::IdToken)[0];
    assert!(
        asked.path.ends_with("&audience=sts.amazonaws.com"),
        "{}",
        asked.path
    );
    assert_eq!(source(&main), format!("role {ROLE} through GitHub's OIDC"));
    assert!(main.post().infos().contains(&"The token is revoked."));
}

#[test]
fn the_role_is_asked_for_fifteen_minutes_under_the_run_s_name_and_not_in_the_url() {
    let sandbox = Sandbox::start().unwrap();
    assuming(&sandbox)
        .env("GITHUB_RUN_ID", "4711")
        .env("GITHUB_RUN_ATTEMPT", "3")
        .run()
        .success();
    let asked = &sandbox.requests_of(Call::AssumeRoleWithWebIdentity)[0];
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/"));
    let body = asked.body_text();
    let field = |name: &str| {
        let found = body
            .split('&')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        found.unwrap().to_owned()
    };
    assert_eq!(field("DurationSeconds"), "900");
    let name = field("RoleSessionName");
    assert!(name.contains("4711") && name.contains('3'), "{name}");
    assert_eq!(
        field("RoleArn"),
        ROLE.replace(':', "%3A").replace('/', "%2F")
    );
}

#[test]
fn role_to_assume_wins_over_the_environment() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox)
        .credentials(world::STRANGER)
        .input("role-to-assume", ROLE)
        .run()
        .success();
    assert_eq!(times(&sandbox, Call::AssumeRoleWithWebIdentity), 1);
    assert!(source(&main).starts_with("role "));
}

#[test]
fn the_role_s_credentials_are_masked_and_not_exported() {
    let sandbox = Sandbox::start().unwrap();
    let main = assuming(&sandbox).run().success();
    let answer = &sandbox.requests_of(Call::AssumeRoleWithWebIdentity)[0].answer_body;
    let answer = String::from_utf8(answer.clone()).unwrap();
    let between = |name: &str| {
        let (_, rest) = answer.split_once(&format!("<{name}>")).unwrap();
        rest.split_once('<').unwrap().0.to_owned()
    };
    for name in ["SecretAccessKey", "SessionToken"] {
        assert!(main.masks().contains(&between(name).as_str()), "{name}");
    }
    // That of the request, that of the token, two of the role, JWT and token.
    assert_eq!(main.masks().len(), 6);
    assert_eq!(main.outputs.names().len(), 5);
    assert_eq!(main.state.names(), ["api-url", "expires-at", "token"]);
}

#[test]
fn another_audience_is_asked_for() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.change(|world| {
        let provider = world.oidc_provider.as_mut().unwrap();
        provider.audiences = vec!["https://github.com/my-org".into()];
        let role = world.principal("role/app-token-signer");
        let policy = role.trust.as_ref().unwrap().to_string();
        let policy = policy.replace("\"sts.amazonaws.com\"", "\"https://github.com/my-org\"");
        role.trust = Some(serde_json::from_str(&policy).unwrap());
    });
    assuming(&sandbox)
        .input("aws-audience", "https://github.com/my-org")
        .run()
        .success();
    let asked = &sandbox.requests_of(Call::IdToken)[0];
    assert!(
        asked
            .path
            .ends_with("&audience=https%3A%2F%2Fgithub.com%2Fmy-org"),
        "{}",
        asked.path
    );
}

#[test]
fn without_id_token_write_the_error_says_to_add_it() {
    let sandbox = Sandbox::builder()
        .change(|world| world.job.id_token = false)
        .start()
        .unwrap();
    let detail =
        "the runner has not set ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN";
    let main = assuming(&sandbox)
        .run()
        .fails(&Error::new(&problem::OIDC_UNAVAILABLE, detail).at("role-to-assume"));
    assert!(
        main.error()
            .message
            .contains("`permissions: id-token: write`")
    );
    assert!(calls(&sandbox).is_empty());
}

#[test]
fn a_malformed_role_is_refused_before_any_call() {
    let sandbox = Sandbox::start().unwrap();
    for role in [
        "app-token",
        "arn:aws:iam::1:role/x",
        "arn:aws:kms:us-east-1:123456789012:key/x",
    ] {
        let main = bare(&sandbox).input("role-to-assume", role).run();
        broken(
            main,
            &sandbox,
            "Role-to-assume is malformed",
            &["(role-to-assume)"],
        );
    }
    assert!(calls(&sandbox).is_empty());
}

#[test]
fn a_trust_policy_that_does_not_fit_is_passed_on_with_what_the_token_says() {
    let sandbox = Sandbox::builder()
        .change(|world| world.job.repository_id = 99)
        .start()
        .unwrap();
    broken(
        assuming(&sandbox).run(),
        &sandbox,
        "AWS STS refused to give the role",
        &[
            "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity",
            "caused by: the token says sub=repo:my-org",
            "repository_id=99",
            "trust policy",
        ],
    );
    assert_eq!(times(&sandbox, Call::AssumeRoleWithWebIdentity), 1);
}

#[test]
fn an_account_without_the_provider_is_told() {
    let sandbox = Sandbox::builder()
        .change(|world| world.oidc_provider = None)
        .start()
        .unwrap();
    broken(
        assuming(&sandbox).run(),
        &sandbox,
        "AWS STS refused to give the role",
        &[
            "InvalidIdentityToken: ",
            "hint: The role's account has no identity provider for the token's issuer: ",
        ],
    );
}

#[test]
fn an_oidc_endpoint_that_refuses_is_told() {
    let sandbox = Sandbox::start().unwrap();
    let fault = Fault::json(403, &json!({"message": "no"}));
    sandbox.fault(Call::IdToken, When::Every, fault);
    let error = Error::new(&problem::OIDC_REFUSED, "403: no").because(format!(
        "AWS credentials were to come from role {ROLE} through GitHub's OIDC"
    ));
    assuming(&sandbox)
        .run()
        .fails(&error.at(sandbox.url(Service::Oidc)));
    assert_eq!(calls(&sandbox).len(), 1);
}

#[test]
fn an_oidc_endpoint_that_fails_for_a_moment_is_asked_again() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::IdToken, When::First(1), Fault::html(503));
    assuming(&sandbox).run().success();
    assert_eq!(times(&sandbox, Call::IdToken), 2);
}

#[test]
fn an_sts_that_fails_for_a_moment_is_asked_again() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(
        Call::AssumeRoleWithWebIdentity,
        When::First(1),
        Fault::html(503),
    );
    assuming(&sandbox).run().success();
    assert_eq!(times(&sandbox, Call::AssumeRoleWithWebIdentity), 2);
}

#[test]
fn an_sts_that_stays_broken_is_told() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(
        Call::AssumeRoleWithWebIdentity,
        When::Every,
        Fault::html(503),
    );
    broken(
        assuming(&sandbox).run(),
        &sandbox,
        "AWS STS failed on its side",
        &["503"],
    );
    assert_eq!(times(&sandbox, Call::AssumeRoleWithWebIdentity), 4);
}

#[test]
fn the_page_of_a_captive_portal_in_place_of_sts_is_told() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(
        Call::AssumeRoleWithWebIdentity,
        When::Every,
        Fault::html(200),
    );
    broken(
        assuming(&sandbox).run(),
        &sandbox,
        "AWS STS gave an answer that makes no sense",
        &["text/html"],
    );
}

#[test]
fn a_role_without_kms_sign_is_told_with_its_session() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.change(|world| {
        let key = world.key(world::REGION, world::KEY_ID);
        key.policy["Statement"].as_array_mut().unwrap().truncate(1);
    });
    let main = assuming(&sandbox).run().failure();
    assert_eq!(main.error().title, "KMS denied kms:Sign on the key");
    assert!(
        main.error()
            .message
            .contains("arn:aws:sts::123456789012:assumed-role/app-token-signer/"),
        "{main}"
    );
}

// A token in a file.

fn identity(sandbox: &Sandbox) -> Job<'_> {
    let job = bare(sandbox).env("AWS_ROLE_ARN", ROLE);
    let token = sandbox.id_token("sts.amazonaws.com");
    let path = job.file("token", &format!("{token}\n"));
    job.secret("web identity token", &token)
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", &path)
}

#[test]
fn a_token_file_buys_the_role() {
    let sandbox = Sandbox::start().unwrap();
    let main = identity(&sandbox).run().success();
    assert_eq!(
        calls(&sandbox)[..2],
        ["AssumeRoleWithWebIdentity 200", "Sign us-east-1 200"]
    );
    assert!(source(&main).starts_with(&format!("role {ROLE} through the token in ")));
}

#[test]
fn the_environment_s_keys_go_before_a_token_file() {
    let sandbox = Sandbox::start().unwrap();
    let main = identity(&sandbox)
        .envs(sandbox.env_of(world::CI_USER))
        .run()
        .success();
    assert_eq!(source(&main), "the environment");
    assert_eq!(times(&sandbox, Call::AssumeRoleWithWebIdentity), 0);
}

#[test]
fn a_token_file_without_a_role_is_told_and_nothing_takes_its_place() {
    let sandbox = Sandbox::start().unwrap();
    let main = identity(&sandbox)
        .without("AWS_ROLE_ARN")
        .envs(sandbox.env_of_container())
        .run();
    broken(
        main,
        &sandbox,
        BROKEN,
        &["AWS_WEB_IDENTITY_TOKEN_FILE is set, AWS_ROLE_ARN is not (or is empty)"],
    );
    assert!(calls(&sandbox).is_empty());
}

#[test]
fn a_token_file_that_is_not_there_is_told_and_nothing_takes_its_place() {
    let sandbox = Sandbox::start().unwrap();
    let main = identity(&sandbox)
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/such/token")
        .envs(sandbox.env_of_container())
        .run();
    broken(main, &sandbox, BROKEN, &["ENOENT", "/no/such/token"]);
    assert!(calls(&sandbox).is_empty());
}

#[test]
fn a_token_that_sts_refuses_is_told_and_nothing_takes_its_place() {
    let sandbox = Sandbox::start().unwrap();
    let job = identity(&sandbox).envs(sandbox.env_of_container());
    let path = job.file("token", &sandbox.id_token("somebody-else"));
    let main = job.env("AWS_WEB_IDENTITY_TOKEN_FILE", &path).run();
    broken(main, &sandbox, BROKEN, &["InvalidIdentityToken: "]);
    assert_eq!(times(&sandbox, Call::ContainerCredentials), 0);
}

// Profiles.

/// A job with these shared files.
fn shared<'a>(sandbox: &'a Sandbox, config: &str, credentials: &str) -> Job<'a> {
    let job = bare(sandbox);
    let config = job.file("config", config);
    let credentials = job.file("credentials", credentials);
    job.env("AWS_CONFIG_FILE", &config)
        .env("AWS_SHARED_CREDENTIALS_FILE", &credentials)
}

fn keys(sandbox: &Sandbox, access_key_id: &str) -> String {
    let known = sandbox.credentials(access_key_id).unwrap();
    let mut text = format!(
        "aws_access_key_id = {access_key_id}\naws_secret_access_key = {}\n",
        known.secret_access_key
    );
    if let Some(token) = known.session_token {
        text += &format!("aws_session_token = {token}\n");
    }
    text
}

#[test]
fn a_profile_with_keys_signs() {
    let sandbox = Sandbox::start().unwrap();
    let text = format!(
        "[default]\nregion = x\n\n[ci]\n{}",
        keys(&sandbox, world::CI_USER)
    );
    let main = shared(&sandbox, "", &text)
        .env("AWS_PROFILE", "ci")
        .run()
        .success();
    assert_eq!(source(&main), "profile ci");
}

#[test]
fn the_default_profile_signs_without_being_named() {
    let sandbox = Sandbox::start().unwrap();
    let text = format!("[default]\n{}", keys(&sandbox, world::SIGNER_SESSION));
    let main = shared(&sandbox, "", &text).run().success();
    assert_eq!(source(&main), "profile default");
}

#[test]
fn the_files_are_found_in_the_home_directory() {
    let sandbox = Sandbox::start().unwrap();
    let job = bare(&sandbox);
    let folder = job.folder().join("home/.aws");
    std::fs::create_dir(&folder).unwrap();
    let text = format!("[default]\n{}", keys(&sandbox, world::CI_USER));
    std::fs::write(folder.join("credentials"), text).unwrap();
    job.run().success();
}

#[test]
fn a_profile_assumes_a_role_through_its_source_profile() {
    let sandbox = Sandbox::start().unwrap();
    let config = format!("[profile signer]\nrole_arn = {ROLE}\nsource_profile = ci\n");
    let text = format!("[ci]\n{}", keys(&sandbox, world::CI_USER));
    shared(&sandbox, &config, &text)
        .env("AWS_PROFILE", "signer")
        .run()
        .success();
    assert_eq!(
        calls(&sandbox)[..2],
        ["AssumeRole 200", "Sign us-east-1 200"]
    );
}

#[test]
fn a_profile_assumes_a_role_through_a_token_file() {
    let sandbox = Sandbox::start().unwrap();
    let job = bare(&sandbox);
    let token = job.file("token", &sandbox.id_token("sts.amazonaws.com"));
    let config = job.file(
        "config",
        &format!("[profile signer]\nrole_arn = {ROLE}\nweb_identity_token_file = {token}\n"),
    );
    job.env("AWS_CONFIG_FILE", &config)
        .env("AWS_PROFILE", "signer")
        .run()
        .success();
    assert_eq!(calls(&sandbox)[0], "AssumeRoleWithWebIdentity 200");
}

#[test]
fn a_profile_that_is_not_there_is_told_and_nothing_takes_its_place() {
    let sandbox = Sandbox::start().unwrap();
    let main = shared(&sandbox, "", "")
        .env("AWS_PROFILE", "nope")
        .envs(sandbox.env_of_container())
        .run();
    broken(main, &sandbox, BROKEN, &["profile nope"]);
    assert!(calls(&sandbox).is_empty());
}

#[test]
fn half_a_pair_of_keys_in_a_profile_is_told() {
    let sandbox = Sandbox::start().unwrap();
    let main = shared(&sandbox, "", "[default]\naws_access_key_id = AKIA\n").run();
    broken(
        main,
        &sandbox,
        BROKEN,
        &[
            "it has aws_access_key_id, but no aws_secret_access_key",
            "profile default",
        ],
    );
}

#[test]
fn what_a_profile_wants_and_this_cannot_do_is_told() {
    let sandbox = Sandbox::start().unwrap();
    for (property, told) in [
        (
            "credential_process = /bin/print",
            "a program that prints credentials",
        ),
        ("sso_session = corp", "a session of IAM Identity Center"),
    ] {
        let config = format!("[default]\n{property}\n");
        broken(
            shared(&sandbox, &config, "").run(),
            &sandbox,
            BROKEN,
            &[told],
        );
    }
}

#[test]
fn a_source_profile_that_may_not_assume_the_role_is_told() {
    let sandbox = Sandbox::start().unwrap();
    let config = format!("[profile signer]\nrole_arn = {ROLE}\nsource_profile = other\n");
    let text = format!("[other]\n{}", keys(&sandbox, world::STRANGER));
    let main = shared(&sandbox, &config, &text)
        .env("AWS_PROFILE", "signer")
        .run();
    broken(main, &sandbox, BROKEN, &["AccessDenied: ", "user/stranger"]);
}

// Containers.

#[test]
fn a_container_s_full_uri_gives_credentials() {
    let sandbox = Sandbox::start().unwrap();
    let main = bare(&sandbox)
        .envs(sandbox.env_of_container())
        .run()
        .success();
    assert!(calls(&sandbox)[0].starts_with("GET /v1/credentials"));
    assert_eq!(
        source(&main),
        format!(
            "the container's endpoint {}",
            sandbox.url(Service::Metadata)
        )
    );
}

#[test]
fn a_container_s_token_may_stand_in_a_file() {
    let sandbox = Sandbox::start().unwrap();
    let env = sandbox.env_of_container();
    let job = bare(&sandbox).envs(env.clone());
    let path = job.file("token", &env[1].1);
    job.without("AWS_CONTAINER_AUTHORIZATION_TOKEN")
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &path)
        .run()
        .success();
}

#[test]
fn a_container_endpoint_that_refuses_the_token_is_told_and_nothing_takes_its_place() {
    let sandbox = Sandbox::start().unwrap();
    let main = bare(&sandbox)
        .envs(sandbox.env_of_container())
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "wrong-wrong-wrong")
        .envs(sandbox.env_of_instance())
        .without("AWS_EC2_METADATA_DISABLED")
        .run();
    broken(main, &sandbox, BROKEN, &["401"]);
    assert_eq!(times(&sandbox, Call::MetadataToken), 0);
}

#[test]
fn a_container_uri_of_another_machine_without_tls_is_refused() {
    let sandbox = Sandbox::start().unwrap();
    let main = bare(&sandbox)
        .env(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "http://credentials.example/x",
        )
        .run();
    broken(
        main,
        &sandbox,
        BROKEN,
        &["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
    );
}

// Instances.

fn instance(sandbox: &Sandbox) -> Job<'_> {
    bare(sandbox)
        .envs(sandbox.env_of_instance())
        .without("AWS_EC2_METADATA_DISABLED")
}

#[test]
fn an_instance_s_metadata_gives_the_credentials_of_its_role() {
    let sandbox = Sandbox::start().unwrap();
    let main = instance(&sandbox).run().success();
    assert_eq!(
        calls(&sandbox)[..4],
        [
            "PUT /latest/api/token 200",
            "GET /latest/meta-data/iam/security-credentials/ 200",
            "GET /latest/meta-data/iam/security-credentials/app-token-signer 200",
            "Sign us-east-1 200",
        ]
    );
    assert_eq!(
        source(&main),
        format!(
            "the instance's role, from {}",
            sandbox.url(Service::Metadata)
        )
    );
}

#[test]
fn an_instance_that_does_not_answer_costs_a_second_or_so() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::MetadataToken, When::Every, Fault::Hang);
    let main = instance(&sandbox).run().failure();
    assert!(main.took.as_secs_f64() < 8.0, "{:?}", main.took);
    assert_eq!(times(&sandbox, Call::KmsSign), 0);
}

#[test]
fn metadata_that_are_disabled_are_not_asked() {
    let sandbox = Sandbox::start().unwrap();
    let main = instance(&sandbox)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .run()
        .failure();
    assert_eq!(main.error().title, "No AWS credentials were found");
    assert!(calls(&sandbox).is_empty());
}

#[test]
fn where_nothing_is_configured_each_source_is_told() {
    let sandbox = Sandbox::start().unwrap();
    let main = bare(&sandbox).run().failure();
    assert_eq!(main.error().title, "No AWS credentials were found");
    let message = main.error().message;
    let causes: Vec<&str> = message
        .lines()
        .filter_map(|line| line.strip_prefix("caused by: "))
        .map(|cause| cause.split_once(':').unwrap().0)
        .collect();
    assert_eq!(
        causes,
        [
            "role-to-assume",
            "environment",
            "web identity file",
            "profile",
            "container",
            "instance metadata",
        ]
    );
    let hint = format!("hint: {}", problem::CREDENTIALS_MISSING.hint);
    assert_eq!(message.lines().last(), Some(hint.as_str()));
    assert!(calls(&sandbox).is_empty());
}
