//! What is tried again, how often, and what is not.

use app_token::error::{Error, Problem, problem};
use app_token_sandbox::{Call, Fault, Sandbox, Service, TokenState, When};
use app_token_tests::{Job, calls, times};
use std::time::Duration;

/// The first call fails in a way that passes; the second serves. One line tells of it.
#[track_caller]
fn passes(call: Call, fault: Fault, told: &str) {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(call, When::First(1), fault);
    let main = Job::new(&sandbox).run().success();
    assert_eq!(times(&sandbox, call), 2, "{main}");
    assert_eq!(calls(&sandbox).len(), 4, "{main}");
    let line = main.infos()[0];
    assert!(
        line.starts_with(told) && line.contains("; try 2 of 4 in 0."),
        "{line:?} is not {told:?}"
    );
    assert!(main.warnings().is_empty());
}

/// It is final at once.
#[track_caller]
fn is_final(call: Call, fault: Fault) {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(call, When::Every, fault);
    let main = Job::new(&sandbox).run().failure();
    assert_eq!(times(&sandbox, call), 1, "{main}");
    assert!(!main.stdout.contains("; try 2"), "{main}");
}

/// Four tries and no more, then this error.
#[track_caller]
fn gives_up(call: Call, fault: Fault, problem: &'static Problem) {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(call, When::Every, fault);
    let main = Job::new(&sandbox).run().failure();
    assert_eq!(times(&sandbox, call), 4, "{main}");
    for (line, next) in main.infos().iter().zip(2..) {
        assert!(line.contains(&format!("; try {next} of 4 in ")), "{main}");
    }
    assert_eq!(main.infos().len(), 3);
    assert!(main.error().message.starts_with(problem.summary), "{main}");
    // 0.5, 1 and 2 s, each shortened by up to half.
    let seconds = main.took.as_secs_f64();
    assert!((1.75..12.0).contains(&seconds), "{seconds}");
}

#[test]
fn throttling_by_kms_passes() {
    passes(
        Call::KmsSign,
        Fault::aws("ThrottlingException", "Rate exceeded"),
        "KMS Sign: 400 ThrottlingException Rate exceeded",
    );
}

#[test]
fn an_internal_error_of_kms_passes() {
    let fault = Fault::Aws {
        status: 500,
        kind: "KMSInternalException".into(),
        message: "internal".into(),
    };
    passes(
        Call::KmsSign,
        fault,
        "KMS Sign: 500 KMSInternalException internal",
    );
}

#[test]
fn a_key_that_is_unavailable_passes() {
    let fault = Fault::Aws {
        status: 500,
        kind: "KeyUnavailableException".into(),
        message: "unavailable".into(),
    };
    passes(
        Call::KmsSign,
        fault,
        "KMS Sign: 500 KeyUnavailableException unavailable",
    );
}

#[test]
fn a_dependency_of_kms_that_times_out_passes() {
    passes(
        Call::KmsSign,
        Fault::aws("DependencyTimeoutException", "late"),
        "KMS Sign: 400 DependencyTimeoutException late",
    );
}

#[test]
fn a_load_balancer_s_503_in_front_of_kms_passes() {
    passes(Call::KmsSign, Fault::html(503), "KMS Sign: 503");
}

#[test]
fn a_connection_that_kms_resets_passes() {
    passes(Call::KmsSign, Fault::Reset, "KMS Sign: ");
}

#[test]
fn a_connection_that_kms_closes_passes() {
    passes(Call::KmsSign, Fault::Close, "KMS Sign: ");
}

#[test]
fn a_kms_that_is_away_for_a_moment_passes() {
    passes(Call::KmsSign, Fault::Refuse, "KMS Sign: ");
}

#[test]
fn an_answer_of_kms_that_breaks_off_passes() {
    passes(Call::KmsSign, Fault::ResetInBody, "KMS Sign: ");
}

#[test]
fn a_502_on_the_look_up_passes() {
    passes(
        Call::Installation,
        Fault::html(502),
        "look-up of the installation: 502",
    );
}

#[test]
fn a_500_of_github_s_own_passes() {
    passes(
        Call::Installation,
        Fault::github(500, "Server Error"),
        "look-up of the installation: 500 Server Error",
    );
}

#[test]
fn a_connection_that_github_resets_passes() {
    passes(
        Call::Installation,
        Fault::Reset,
        "look-up of the installation: ",
    );
}

#[test]
fn a_look_up_that_breaks_off_passes() {
    passes(
        Call::Installation,
        Fault::ResetInBody,
        "look-up of the installation: ",
    );
}

#[test]
fn a_github_that_is_away_for_a_moment_passes() {
    passes(
        Call::Installation,
        Fault::Refuse,
        "look-up of the installation: ",
    );
}

#[test]
fn a_503_on_the_mint_passes() {
    passes(Call::Mint, Fault::html(503), "mint of the token: 503");
}

#[test]
fn a_connection_that_is_reset_on_the_mint_passes() {
    passes(Call::Mint, Fault::Reset, "mint of the token: ");
}

#[test]
fn a_mint_that_breaks_off_is_tried_again_and_the_second_token_is_the_one() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::Mint, When::First(1), Fault::ResetInBody);
    let main = Job::new(&sandbox).run().success();
    let tokens = sandbox.tokens();
    assert_eq!(tokens.len(), 2);
    assert_eq!(main.outputs["token"], tokens[1].value);
    main.post();
    let states: Vec<_> = sandbox.tokens().iter().map(|token| token.state).collect();
    // Nobody but GitHub ever knew the first; it ends within the hour.
    assert_eq!(states, [TokenState::Live, TokenState::Revoked]);
}

#[test]
fn a_retry_signs_the_request_to_kms_anew() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::KmsSign, When::First(3), Fault::html(503));
    Job::new(&sandbox).run().success();
    let signed: Vec<_> = sandbox
        .requests_of(Call::KmsSign)
        .iter()
        .map(|exchange| exchange.header("x-amz-date").unwrap().to_owned())
        .collect();
    assert_eq!(signed.len(), 4);
    assert!(signed.first() < signed.last(), "{signed:?}");
}

#[test]
fn the_pauses_grow() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::Installation, When::First(3), Fault::html(503));
    Job::new(&sandbox).run().success();
    let started: Vec<Duration> = sandbox
        .requests_of(Call::Installation)
        .iter()
        .map(|exchange| exchange.started)
        .collect();
    for (pair, least) in started.windows(2).zip([250, 500, 1000]) {
        let pause = (pair[1] - pair[0]).as_millis();
        assert!((least..least * 2 + 3000).contains(&pause), "{started:?}");
    }
}

#[test]
fn throttling_that_does_not_pass_ends_after_four_tries() {
    gives_up(
        Call::KmsSign,
        Fault::aws("ThrottlingException", "Rate exceeded"),
        &problem::KMS_THROTTLED,
    );
}

#[test]
fn a_kms_that_stays_broken_ends_after_four_tries() {
    gives_up(Call::KmsSign, Fault::html(503), &problem::KMS_UNAVAILABLE);
}

#[test]
fn a_github_that_stays_broken_ends_after_four_tries() {
    gives_up(
        Call::Installation,
        Fault::html(502),
        &problem::GITHUB_UNAVAILABLE,
    );
}

#[test]
fn a_mint_that_stays_broken_ends_after_four_tries() {
    gives_up(Call::Mint, Fault::Reset, &problem::NETWORK_UNREACHABLE);
}

#[test]
fn a_kms_that_refuses_connections_is_told_with_how_often_it_was_tried() {
    let sandbox = Sandbox::start().unwrap();
    let url = sandbox.kms_url();
    let port = sandbox.port(Service::Kms);
    sandbox.refuse(Service::Kms);
    let error = Error::new(
        &problem::NETWORK_UNREACHABLE,
        format!("KMS Sign: connect ECONNREFUSED 127.0.0.1:{port}"),
    );
    Job::new(&sandbox)
        .run()
        .fails(&error.at(url).because("tried 4 times"));
    assert!(calls(&sandbox).is_empty());
}

#[test]
fn a_github_that_refuses_connections_is_told() {
    let sandbox = Sandbox::start().unwrap();
    let url = sandbox.github_url();
    let port = sandbox.port(Service::GitHub);
    sandbox.refuse(Service::GitHub);
    let error = Error::new(
        &problem::NETWORK_UNREACHABLE,
        format!("look-up of the installation: connect ECONNREFUSED 127.0.0.1:{port}"),
    );
    Job::new(&sandbox)
        .run()
        .fails(&error.at(url).because("tried 4 times"));
    assert_eq!(calls(&sandbox), ["Sign us-east-1 200"]);
}

#[test]
fn a_name_that_does_not_exist_is_told() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox)
        .env("GITHUB_API_URL", "https://github.invalid/api/v3")
        .run()
        .failure();
    let message = main.error().message;
    assert!(
        message.starts_with(
            "the server could not be reached: look-up of the installation: getaddrinfo "
        ),
        "{message}"
    );
    assert!(
        message.contains("(https://github.invalid)\ncaused by: tried 4 times\nhint: "),
        "{message}"
    );
}

#[test]
fn what_kms_refuses_is_not_tried_again() {
    for kind in [
        "AccessDeniedException",
        "NotFoundException",
        "DisabledException",
        "KMSInvalidStateException",
        "InvalidKeyUsageException",
        "ExpiredTokenException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "ValidationException",
    ] {
        is_final(Call::KmsSign, Fault::aws(kind, "no"));
    }
}

#[test]
fn what_github_refuses_is_not_tried_again() {
    for (status, message) in [
        (400, "Bad Request"),
        (401, "A JSON web token could not be decoded"),
        (403, "Resource not accessible by integration"),
        (404, "Not Found"),
        (409, "Conflict"),
        (410, "Gone"),
        (415, "Unsupported Media Type"),
        (422, "Validation Failed"),
    ] {
        is_final(Call::Installation, Fault::github(status, message));
    }
}

#[test]
fn what_github_refuses_on_the_mint_is_not_tried_again() {
    for (status, message) in [
        (401, "Bad credentials"),
        (403, "Resource not accessible by integration"),
        (404, "Not Found"),
        (422, "Validation Failed"),
    ] {
        is_final(Call::Mint, Fault::github(status, message));
    }
}

#[test]
fn an_answer_that_makes_no_sense_is_not_tried_again() {
    for fault in [
        Fault::html(200),
        Fault::Truncate,
        Fault::WrongTypes,
        Fault::empty(200),
    ] {
        is_final(Call::KmsSign, fault.clone());
        is_final(Call::Installation, fault);
    }
}
