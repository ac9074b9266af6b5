//! Clocks that are off, and issuers that must be numbers: signed once more, never twice.

use app_token::error::{Error, problem};
use app_token_sandbox::{Call, Fault, Sandbox, When, world};
use app_token_tests::{Job, calls, claims};

const EXPIRED: &str = "'Expiration time' claim ('exp') must be a numeric value representing the future \
                       time at which the assertion expires";
const NOT_YET: &str = "'Issued at' claim ('iat') must be an Integer representing the time that the \
                       assertion was issued";
const TOO_FAR: &str = "'Expiration time' claim ('exp') is too far in the future";

const CORRECTED: [&str; 5] = [
    "Sign us-east-1 200",
    "GET /users/my-org/installation 401",
    "Sign us-east-1 200",
    "GET /users/my-org/installation 200",
    "POST /app/installations/10001/access_tokens 201",
];

/// The warning, the seconds in it left out, and the seconds.
fn told(message: &str) -> (String, i64) {
    let (start, rest) = message.split_once("clock is ").unwrap();
    let (seconds, end) = rest.split_once(' ').unwrap();
    (format!("{start}clock is N {end}"), seconds.parse().unwrap())
}

#[track_caller]
fn corrected(offset: i64, words: &str, direction: &str) {
    let sandbox = Sandbox::builder().github_clock(offset).start().unwrap();
    let main = Job::new(&sandbox).run().success();
    assert_eq!(calls(&sandbox), CORRECTED);
    let (text, seconds) = told(&main.warning().message);
    assert_eq!(
        text,
        format!(
            "GitHub refused the JWT's times (401: {words}). This machine's clock is N s {direction} \
             GitHub's; signing once more with GitHub's time. Set the machine's clock."
        )
    );
    assert!(
        (offset.abs() - 5..=offset.abs() + 5).contains(&seconds),
        "{seconds}"
    );
    let iat = |index: usize| {
        let (_, claims) = claims(&sandbox.requests_of(Call::Installation)[index]);
        claims["iat"].as_i64().unwrap()
    };
    let moved = iat(1) - iat(0);
    assert!((offset - 10..=offset + 10).contains(&moved), "{moved}");
    // Both are secret, and both are masked.
    assert_eq!(main.masks().len(), 5);
}

#[test]
fn a_clock_that_is_behind_is_corrected_by_github_s() {
    corrected(900, EXPIRED, "behind");
}

#[test]
fn a_clock_that_is_far_ahead_is_corrected_by_github_s() {
    corrected(-900, NOT_YET, "ahead of");
}

#[test]
fn a_clock_that_is_a_minute_fast_needs_no_correction() {
    let sandbox = Sandbox::builder().github_clock(-55).start().unwrap();
    let main = Job::new(&sandbox).run().success();
    assert_eq!(calls(&sandbox).len(), 3);
    assert!(main.warnings().is_empty());
}

#[test]
fn a_clock_that_is_minutes_slow_needs_no_correction() {
    let sandbox = Sandbox::builder().github_clock(500).start().unwrap();
    let main = Job::new(&sandbox).run().success();
    assert_eq!(calls(&sandbox).len(), 3);
    assert!(main.warnings().is_empty());
}

#[test]
fn each_of_github_s_three_messages_is_answered_by_one_more_signature() {
    for words in [EXPIRED, NOT_YET, TOO_FAR] {
        let sandbox = Sandbox::start().unwrap();
        sandbox.fault(
            Call::Installation,
            When::First(1),
            Fault::github(401, words),
        );
        Job::new(&sandbox).run().success();
        assert_eq!(calls(&sandbox), CORRECTED, "{words}");
    }
}

#[test]
fn a_second_refusal_of_the_times_is_final() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::Installation, When::Every, Fault::github(401, TOO_FAR));
    let error = Error::new(&problem::APP_JWT_REFUSED, format!("401: {TOO_FAR}"));
    Job::new(&sandbox)
        .run()
        .fails(&error.at(sandbox.github_url()));
    assert_eq!(
        calls(&sandbox),
        [&CORRECTED[..3], &CORRECTED[1..2]].concat()
    );
}

#[test]
fn a_time_far_ahead_of_aws_s_is_not_signed() {
    let sandbox = Sandbox::builder().github_clock(7200).start().unwrap();
    let error = Job::new(&sandbox).run().failure().error();
    assert_eq!(error.title, "GitHub refused the App's JWT");
    let (_, hint) = error
        .message
        .split_once("\nhint: Its answer is dated ")
        .unwrap();
    let (seconds, hint) = hint.split_once(' ').unwrap();
    assert!(
        (7190..=7210).contains(&seconds.parse::<i64>().unwrap()),
        "{seconds}"
    );
    assert!(
        hint.starts_with("s later than AWS's, so nothing is signed with that time: "),
        "{hint}"
    );
    assert_eq!(calls(&sandbox), CORRECTED[..2]);
}

#[test]
fn a_machine_that_is_hours_behind_is_corrected_by_both() {
    let sandbox = Sandbox::builder()
        .github_clock(7200)
        .aws_clock(7200)
        .start()
        .unwrap();
    let main = Job::new(&sandbox).run().success();
    assert_eq!(sandbox.requests_of(Call::Installation).len(), 2);
    // AWS, GitHub, and AWS for the second signature.
    assert_eq!(main.warnings().len(), 3);
}

#[test]
fn times_that_are_refused_on_the_mint_are_corrected_as_well() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::Mint, When::First(1), Fault::github(401, EXPIRED));
    Job::new(&sandbox).run().success();
    assert_eq!(
        calls(&sandbox),
        [
            "Sign us-east-1 200",
            "GET /users/my-org/installation 200",
            "POST /app/installations/10001/access_tokens 401",
            "Sign us-east-1 200",
            "GET /users/my-org/installation 200",
            "POST /app/installations/10001/access_tokens 201",
        ]
    );
}

#[test]
fn with_an_installation_id_the_times_are_corrected_once_as_well() {
    let sandbox = Sandbox::builder().github_clock(900).start().unwrap();
    let main = Job::new(&sandbox)
        .input("installation-id", "10001")
        .input("repositories", "repo-a")
        .run()
        .success();
    assert_eq!(sandbox.requests_of(Call::KmsSign).len(), 2);
    assert_eq!(sandbox.requests_of(Call::Mint).len(), 2);
    assert_eq!(main.warnings().len(), 1);
    assert_eq!(main.outputs["app-slug"], "my-app");
}

#[test]
fn a_ghes_that_wants_a_number_as_issuer_gets_one() {
    let sandbox = Sandbox::builder().integer_issuer(true).start().unwrap();
    let main = Job::new(&sandbox).run().success();
    assert_eq!(calls(&sandbox), CORRECTED);
    let issuers: Vec<_> = sandbox
        .requests_of(Call::Installation)
        .iter()
        .map(|exchange| claims(exchange).1["iss"].clone())
        .collect();
    assert_eq!(
        issuers,
        [serde_json::json!("123456"), serde_json::json!(123456)]
    );
    assert_eq!(
        main.warning().message,
        "This GitHub wants the App's id as a number (401: 'Issuer' claim ('iss') must be an Integer); \
         signing once more with that."
    );
}

#[test]
fn a_ghes_that_wants_a_number_gets_one_from_a_machine_that_is_ahead_of_aws() {
    let sandbox = Sandbox::builder()
        .integer_issuer(true)
        .aws_clock(-7200)
        .start()
        .unwrap();
    let main = Job::new(&sandbox).run().success();
    assert_eq!(sandbox.requests_of(Call::Installation).len(), 2);
    assert_eq!(main.outputs["app-slug"], "my-app");
}

#[test]
fn a_client_id_cannot_become_a_number_so_the_refusal_is_final() {
    let sandbox = Sandbox::builder().integer_issuer(true).start().unwrap();
    let error = Error::new(
        &problem::APP_JWT_REFUSED,
        "401: 'Issuer' claim ('iss') must be an Integer",
    )
    .advise(
        "Set app-id to the App's number in place of the client ID: this GitHub takes nothing else.",
    );
    Job::new(&sandbox)
        .input("app-id", "")
        .input("client-id", world::CLIENT_ID)
        .run()
        .fails(&error.at(sandbox.github_url()));
    assert_eq!(calls(&sandbox), CORRECTED[..2]);
}

#[test]
fn aws_s_clock_is_followed_once_when_it_refuses_ours() {
    for offset in [900, -900] {
        let sandbox = Sandbox::builder().aws_clock(offset).start().unwrap();
        let main = Job::new(&sandbox).run().success();
        assert_eq!(
            calls(&sandbox)[..3],
            [
                "Sign us-east-1 400",
                "Sign us-east-1 200",
                "GET /users/my-org/installation 200",
            ]
        );
        let message = main.warning().message;
        let (start, rest) = message.split_once("off by ").unwrap();
        assert_eq!(start, "This machine's clock is ");
        let (seconds, end) = rest.split_once(' ').unwrap();
        let seconds: i64 = seconds.parse().unwrap();
        assert!((offset - 5..=offset + 5).contains(&seconds), "{message}");
        assert_eq!(
            end,
            "s by AWS's; the request was signed once more with AWS's time. Set the clock."
        );
    }
}

#[test]
fn a_second_refusal_of_aws_is_final() {
    let sandbox = Sandbox::builder().aws_clock(900).start().unwrap();
    let words = "Signature expired: 20260101T000000Z is now earlier than 20260101T000500Z";
    sandbox.fault(
        Call::KmsSign,
        When::Every,
        Fault::aws("InvalidSignatureException", words),
    );
    let error = Error::new(
        &problem::KMS_SIGNATURE_WRONG,
        format!("InvalidSignatureException: {words}"),
    );
    Job::new(&sandbox)
        .run()
        .fails(&error.at("alias/github-app in us-east-1"));
    assert_eq!(
        calls(&sandbox),
        ["Sign us-east-1 400", "Sign us-east-1 400"]
    );
}

#[test]
fn a_machine_that_is_hours_ahead_revokes_its_token_all_the_same() {
    // By the machine's clock the token has ended when it is made.
    let sandbox = Sandbox::builder().github_clock(-7200).start().unwrap();
    let main = Job::new(&sandbox).run().success();
    sandbox.forget_requests();
    assert_eq!(main.post().infos(), ["The token is revoked."]);
    assert_eq!(calls(&sandbox), ["DELETE /installation/token 204"]);
}
