//! The way that everybody takes: one signature, one look-up, one mint; post revokes.

use app_token_sandbox::{Call, Fault, Sandbox, TokenForm, TokenState, When, world};
use app_token_tests::{Job, bearer, body, calls, claims};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[test]
fn one_signature_and_two_calls_to_github_make_a_token_and_post_revokes_it() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).run().success();

    let token = &sandbox.tokens()[0];
    assert_eq!(token.state, TokenState::Live);
    assert_eq!(main.outputs["token"], token.value);
    assert_eq!(main.outputs["installation-id"], "10001");
    assert_eq!(main.outputs["app-slug"], "my-app");
    assert_eq!(
        calls(&sandbox),
        [
            "Sign us-east-1 200",
            "GET /users/my-org/installation 200",
            "POST /app/installations/10001/access_tokens 201",
        ]
    );

    sandbox.forget_requests();
    let post = main.post();
    assert_eq!(post.infos(), ["The token is revoked."]);
    assert_eq!(post.masks(), [token.value.as_str()]);
    assert!(post.warnings().is_empty());
    assert_eq!(calls(&sandbox), ["DELETE /installation/token 204"]);
    assert_eq!(bearer(&sandbox.requests()[0]), token.value);
    assert_eq!(sandbox.tokens()[0].state, TokenState::Revoked);
}

#[test]
fn the_jwt_says_who_and_when_as_github_wants_it() {
    let sandbox = Sandbox::start().unwrap();
    Job::new(&sandbox).run().success();
    let look_up = &sandbox.requests_of(Call::Installation)[0];
    let (header, claims) = claims(look_up);
    assert_eq!(header, json!({"alg": "RS256", "typ": "JWT"}));
    assert_eq!(claims["iss"], "123456");
    assert_eq!(claims.as_object().unwrap().len(), 3);
    let time = |name: &str| claims[name].as_i64().unwrap();
    assert_eq!(time("exp") - time("iat"), 600);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let ago = now.as_secs() as i64 - time("iat");
    assert!((60..90).contains(&ago), "iat is {ago} s ago");
}

#[test]
fn the_same_jwt_serves_both_calls() {
    let sandbox = Sandbox::start().unwrap();
    Job::new(&sandbox).run().success();
    let look_up = &sandbox.requests_of(Call::Installation)[0];
    let mint = &sandbox.requests_of(Call::Mint)[0];
    assert_eq!(bearer(look_up), bearer(mint));
    assert_eq!(look_up.connection, mint.connection);
}

#[test]
fn kms_is_asked_to_sign_the_jwt_and_nothing_else() {
    let sandbox = Sandbox::start().unwrap();
    Job::new(&sandbox).run().success();
    let sign = &sandbox.requests_of(Call::KmsSign)[0];
    let jwt = bearer(&sandbox.requests_of(Call::Mint)[0]).to_owned();
    let (input, _) = jwt.rsplit_once('.').unwrap();
    assert_eq!(
        body(sign),
        json!({
            "KeyId": "alias/github-app",
            "Message": STANDARD.encode(input),
            "MessageType": "RAW",
            "SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256",
        })
    );
    assert_eq!(
        sign.header("content-type"),
        Some("application/x-amz-json-1.1")
    );
}

#[test]
fn github_is_told_the_version_of_its_api_and_who_asks() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).run().success();
    main.post();
    let of_github: Vec<_> = sandbox.requests().split_off(1);
    assert_eq!(of_github.len(), 3);
    for exchange in of_github {
        assert_eq!(exchange.header("x-github-api-version"), Some("2022-11-28"));
        assert_eq!(
            exchange.header("accept"),
            Some("application/vnd.github+json")
        );
        let agent = exchange.header("user-agent").unwrap();
        assert!(agent.starts_with("app-token/"), "{agent}");
    }
}

#[test]
fn the_connection_to_github_opens_while_kms_signs() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::KmsSign, When::Every, Fault::Hang);
    let github = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", github.local_addr().unwrap());
    let main = Job::new(&sandbox).env("GITHUB_API_URL", &url).start();
    // Comes although KMS never answers.
    github.accept().unwrap();
    main.kill_when(|calls| calls.len() == 1);
    assert_eq!(calls(&sandbox), ["Sign us-east-1 -"]);
}

#[test]
fn a_client_id_goes_into_the_jwt_as_it_is() {
    let sandbox = Sandbox::start().unwrap();
    Job::new(&sandbox)
        .input("app-id", "")
        .input("client-id", world::CLIENT_ID)
        .run()
        .success();
    let (_, claims) = claims(&sandbox.requests_of(Call::Mint)[0]);
    assert_eq!(claims["iss"], world::CLIENT_ID);
}

#[test]
fn a_client_id_may_stand_in_app_id() {
    let sandbox = Sandbox::start().unwrap();
    Job::new(&sandbox)
        .input("app-id", world::CLIENT_ID)
        .run()
        .success();
    let (_, claims) = claims(&sandbox.requests_of(Call::Mint)[0]);
    assert_eq!(claims["iss"], world::CLIENT_ID);
}

#[test]
fn client_id_wins_over_app_id() {
    let sandbox = Sandbox::start().unwrap();
    Job::new(&sandbox)
        .input("app-id", &world::OTHER_APP_ID.to_string())
        .input("client-id", world::CLIENT_ID)
        .run()
        .success();
    let (_, claims) = claims(&sandbox.requests_of(Call::Mint)[0]);
    assert_eq!(claims["iss"], world::CLIENT_ID);
}

#[test]
fn outputs_say_when_it_ends_and_what_was_granted() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox)
        .input("permission-pull-requests", "write")
        .run()
        .success();
    assert_eq!(
        main.outputs.names(),
        [
            "app-slug",
            "expires-at",
            "installation-id",
            "permissions",
            "token"
        ]
    );
    let answer: serde_json::Value =
        serde_json::from_slice(&sandbox.requests_of(Call::Mint)[0].answer_body).unwrap();
    assert_eq!(
        main.outputs["expires-at"],
        answer["expires_at"].as_str().unwrap()
    );
    assert_eq!(
        main.outputs["permissions"],
        r#"{"contents":"read","metadata":"read","pull_requests":"write"}"#
    );
}

#[test]
fn the_state_holds_what_post_needs_and_no_more() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).run().success();
    assert_eq!(main.state.names(), ["api-url", "expires-at", "token"]);
    assert_eq!(main.state["token"], main.outputs["token"]);
    assert_eq!(main.state["api-url"], sandbox.github_url());
    assert_eq!(main.state["expires-at"], main.outputs["expires-at"]);
}

#[test]
fn everything_secret_is_masked_in_the_order_of_its_coming() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).run().success();
    let signer = sandbox.credentials(world::SIGNER_SESSION).unwrap();
    assert_eq!(
        main.masks(),
        [
            signer.secret_access_key.as_str(),
            signer.session_token.as_deref().unwrap(),
            bearer(&sandbox.requests_of(Call::Installation)[0]),
            main.outputs["token"].as_str(),
        ]
    );
}

#[test]
fn the_log_tells_in_a_few_lines_what_was_asked_and_got() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).run().success();
    let infos = main.infos();
    let sign = &sandbox.requests_of(Call::KmsSign)[0];
    let request = sign.answer_header("x-amzn-requestid").unwrap();
    assert_eq!(
        infos[..5],
        [
            "App: 123456 (my-app), installation 10001 on my-org",
            "For: my-org: repo-a",
            "Permissions: contents: read, metadata: read",
            &format!("Expires: {}", main.outputs["expires-at"]),
            &format!(
                "Signed by: arn:aws:kms:us-east-1:123456789012:key/{} in us-east-1, \
                 KMS request {request}, with the environment",
                world::KEY_ID
            ),
        ]
    );
    let without_digits: String = infos[5].chars().filter(|c| !c.is_ascii_digit()).collect();
    assert_eq!(
        without_digits,
        "Took: credentials  ms, signature  ms, look-up  ms, mint  ms;  ms in all"
    );
    assert_eq!(infos.len(), 6);
    assert!(main.warnings().is_empty() && main.debugs().is_empty());
}

#[test]
fn under_debug_each_request_is_told_without_secrets() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).env("RUNNER_DEBUG", "1").run().success();
    let debugs = main.debugs();
    let (kms, github) = (sandbox.kms_url(), sandbox.github_url());
    for (line, start) in debugs.iter().zip([
        format!("KMS Sign: POST {kms}/ -> 200 with "),
        format!("look-up of the installation: GET {github}/users/my-org/installation -> 200 with "),
        format!(
            "mint of the token: POST {github}/app/installations/10001/access_tokens -> 201 with "
        ),
    ]) {
        assert!(line.starts_with(&start), "{line}");
        assert!(line.contains(" bytes [") && line.ends_with(" ms"), "{line}");
    }
    assert_eq!(debugs.len(), 3);
}

#[test]
fn the_short_tokens_of_ghes_work_as_well() {
    let sandbox = Sandbox::builder()
        .token_form(TokenForm::Short)
        .start()
        .unwrap();
    let main = Job::new(&sandbox).run().success();
    assert_eq!(main.outputs["token"].len(), 40);
    main.post();
    assert_eq!(sandbox.tokens()[0].state, TokenState::Revoked);
}

#[test]
fn skip_token_revoke_leaves_the_token_alive_and_out_of_the_state() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox)
        .input("skip-token-revoke", "true")
        .run()
        .success();
    assert_eq!(main.state.names(), ["skipped"]);
    sandbox.forget_requests();
    let post = main.post();
    assert_eq!(
        post.infos(),
        ["The token is left to expire by itself, as skip-token-revoke says."]
    );
    assert!(calls(&sandbox).is_empty());
    assert_eq!(sandbox.tokens()[0].state, TokenState::Live);
}

#[test]
fn a_token_that_is_not_to_be_revoked_is_revoked_where_nobody_gets_it() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::User, When::Every, Fault::github(404, "Not Found"));
    let main = Job::new(&sandbox)
        .input("skip-token-revoke", "true")
        .input("git-identity", "true")
        .run()
        .failure();
    let cause = "caused by: the token that was already made is revoked again";
    assert!(main.error().message.contains(cause), "{main}");
    assert_eq!(sandbox.tokens()[0].state, TokenState::Revoked);
    assert_eq!(main.post().infos(), ["There is no token to revoke."]);
}

#[test]
fn a_switch_is_read_in_any_case_and_trimmed() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox)
        .input("skip-token-revoke", " TRUE ")
        .run()
        .success();
    assert_eq!(main.state.names(), ["skipped"]);
}

#[test]
fn git_identity_gives_name_and_address_of_the_bot() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox)
        .input("git-identity", "true")
        .run()
        .success();
    assert_eq!(main.outputs["git-user-name"], "my-app[bot]");
    // The sandbox is no host that GitHub's own addresses end in, so it counts as one of its own.
    assert_eq!(
        main.outputs["git-user-email"],
        "41898282+my-app[bot]@users.noreply.127.0.0.1"
    );
    assert_eq!(calls(&sandbox)[3..], ["GET /users/my-app%5Bbot%5D 200"]);
    assert_eq!(bearer(&sandbox.requests()[3]), main.outputs["token"]);
}

#[test]
fn a_git_identity_that_cannot_be_had_fails_the_step_and_post_still_revokes() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::User, When::Every, Fault::github(404, "Not Found"));
    let main = Job::new(&sandbox)
        .input("git-identity", "true")
        .run()
        .failure();
    assert_eq!(
        main.error().message.lines().next().unwrap(),
        format!(
            "GitHub refused the request: my-app[bot]: 404: Not Found ({})",
            sandbox.github_url()
        )
    );
    assert_eq!(main.post().infos(), ["The token is revoked."]);
}

#[test]
fn wait_until_usable_tries_the_token_until_github_takes_it() {
    let sandbox = Sandbox::builder().usable_after(2).start().unwrap();
    let main = Job::new(&sandbox)
        .input("wait-until-usable", "true")
        .run()
        .success();
    assert_eq!(
        calls(&sandbox)[3..],
        [
            "GET /installation/repositories?per_page=1 401",
            "GET /installation/repositories?per_page=1 401",
            "GET /installation/repositories?per_page=1 200",
        ]
    );
    assert!(main.took > Duration::from_millis(900), "{:?}", main.took);
    assert!(main.warnings().is_empty());
}

#[test]
fn without_wait_until_usable_the_token_is_not_tried() {
    let sandbox = Sandbox::builder().usable_after(2).start().unwrap();
    Job::new(&sandbox).run().success();
    assert_eq!(sandbox.tokens()[0].uses, 0);
}

#[test]
fn a_token_that_is_not_usable_within_ten_seconds_is_handed_out_with_a_warning() {
    let sandbox = Sandbox::builder().usable_after(1000).start().unwrap();
    let main = Job::new(&sandbox)
        .input("wait-until-usable", "true")
        .run()
        .success();
    assert_eq!(
        main.warning().message,
        "GitHub did not take the fresh token within 10 s; the next step may have to try again."
    );
    let seconds = main.took.as_secs_f64();
    assert!((9.0..16.0).contains(&seconds), "{seconds}");
    assert_eq!(main.outputs["token"], sandbox.tokens()[0].value);
}

#[test]
fn a_folder_with_spaces_and_umlauts_is_no_matter() {
    let sandbox = Sandbox::start().unwrap();
    let job = Job::new(&sandbox);
    let folder = job.folder().join("eine schöne Aktion");
    copy_of_dist(&folder);
    let main = job.dist(&folder).run().success();
    assert_eq!(main.post().infos(), ["The token is revoked."]);
}

#[test]
fn a_copy_in_a_repository_of_es_modules_runs() {
    let sandbox = Sandbox::start().unwrap();
    let job = Job::new(&sandbox);
    let repository = job.folder().join("repository");
    let folder = repository.join(".github/actions/app-token/dist");
    copy_of_dist(&folder);
    std::fs::write(repository.join("package.json"), r#"{"type":"module"}"#).unwrap();
    let main = job.dist(&folder).run().success();
    assert_eq!(main.post().infos(), ["The token is revoked."]);
}

fn copy_of_dist(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../dist")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), folder.join(file.file_name())).unwrap();
    }
}

#[test]
fn two_steps_in_one_job_have_a_token_each() {
    let sandbox = Sandbox::start().unwrap();
    let one = Job::new(&sandbox).run().success();
    let two = Job::new(&sandbox).run().success();
    assert_ne!(one.outputs["token"], two.outputs["token"]);
    two.post();
    let states = || -> Vec<_> { sandbox.tokens().iter().map(|token| token.state).collect() };
    assert_eq!(states(), [TokenState::Live, TokenState::Revoked]);
    one.post();
    assert_eq!(states(), [TokenState::Revoked, TokenState::Revoked]);
}
