//! The way that everybody takes: one signature, one look-up, one mint; post revokes.

use app_token_sandbox::{Call, Sandbox, TokenState};
use app_token_tests::{Job, bearer, calls, claims};

#[test]
fn one_signature_and_two_calls_to_github_make_a_token_and_post_revokes_it() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).run().success();

    let token = &sandbox.tokens()[0];
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
    assert_eq!(calls(&sandbox), ["DELETE /installation/token 204"]);
    assert_eq!(sandbox.tokens()[0].state, TokenState::Revoked);
}

#[test]
fn the_jwt_says_who_and_when_as_github_wants_it() {
    let sandbox = Sandbox::start().unwrap();
    Job::new(&sandbox).run().success();
    let look_up = &sandbox.requests_of(Call::Installation)[0];
    let (header, claims) = claims(look_up);
    assert_eq!(header, serde_json::json!({"alg": "RS256", "typ": "JWT"}));
    assert_eq!(claims["iss"], "123456");
    let (iat, exp) = (
        claims["iat"].as_i64().unwrap(),
        claims["exp"].as_i64().unwrap(),
    );
    assert_eq!(exp - iat, 600);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.unwrap().as_secs() as i64;
    assert!((now - 70..=now - 60).contains(&iat), "{iat} at {now}");
    let mint = &sandbox.requests_of(Call::Mint)[0];
    assert_eq!(bearer(look_up), bearer(mint));
}
