//! Deadlines and sizes: nothing takes for ever, nothing grows without bound.

use app_token::error::{Error, problem};
use app_token_sandbox::{Call, Fault, Sandbox, TokenState, When};
use app_token_tests::{Job, calls, times};
use std::time::Duration;

const A_MINUTE: Duration = Duration::from_secs(70);

#[test]
fn a_try_without_an_answer_ends_after_ten_seconds_and_the_next_may_serve() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::Installation, When::First(1), Fault::Hang);
    let main = Job::new(&sandbox).run().success();
    let line = main.infos()[0];
    assert!(
        line.starts_with("look-up of the installation: no answer within 10 s; try 2 of 4 in 0."),
        "{line}"
    );
    let seconds = main.took.as_secs_f64();
    assert!((10.0..18.0).contains(&seconds), "{seconds}");
}

#[test]
fn an_answer_that_stops_half_way_is_given_up_like_one_that_never_came() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::KmsSign, When::First(1), Fault::HangInBody);
    let main = Job::new(&sandbox).run().success();
    let line = main.infos()[0];
    assert!(
        line.starts_with("KMS Sign: no answer within 10 s; try 2 of 4 in 0."),
        "{line}"
    );
}

#[test]
#[ignore = "waits for most of a minute"]
fn a_kms_that_never_answers_ends_within_a_minute_in_an_error_that_says_so() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::KmsSign, When::Every, Fault::Hang);
    let main = Job::new(&sandbox).limit(A_MINUTE).run().failure();
    assert!(main.took < Duration::from_secs(60), "{main}");
    let error = main.error();
    assert_eq!(error.title, "The server did not answer in time");
    let first = error.message.lines().next().unwrap();
    assert_eq!(
        first,
        format!(
            "the server did not answer in time: KMS Sign: no answer within 10 s ({})",
            sandbox.kms_url()
        )
    );
    assert_eq!(times(&sandbox, Call::KmsSign), 4);
}

#[test]
#[ignore = "waits for half a minute"]
fn a_github_that_never_answers_post_costs_half_a_minute_and_not_the_job() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::Revoke, When::Every, Fault::Hang);
    let main = Job::new(&sandbox).limit(A_MINUTE).run().success();
    let post = main.post();
    assert!(post.took < Duration::from_secs(45), "{post}");
    assert_eq!(post.warning().title, "The token was not revoked");
    assert!(
        post.warning()
            .message
            .starts_with("the server did not answer in time: "),
        "{post}"
    );
}

#[test]
fn a_slow_answer_is_waited_for() {
    let sandbox = Sandbox::start().unwrap();
    let delay = Duration::from_millis(600);
    for call in [Call::KmsSign, Call::Installation, Call::Mint] {
        sandbox.fault(call, When::Every, Fault::Delay(delay));
    }
    let main = Job::new(&sandbox).run().success();
    assert_eq!(calls(&sandbox).len(), 3);
    assert!(main.took >= delay * 3);
}

#[test]
fn an_answer_that_comes_byte_by_byte_is_put_together() {
    let sandbox = Sandbox::start().unwrap();
    for call in [Call::KmsSign, Call::Installation, Call::Mint] {
        sandbox.fault(call, When::Every, Fault::Drip(Duration::from_micros(200)));
    }
    let main = Job::new(&sandbox).run().success();
    assert_eq!(main.outputs["token"], sandbox.tokens()[0].value);
    assert_eq!(calls(&sandbox).len(), 3);
}

#[track_caller]
fn too_large(call: Call, what: &str) {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(call, When::Every, Fault::Huge(1024 * 1024 + 1));
    let url = if call == Call::KmsSign {
        sandbox.kms_url()
    } else {
        sandbox.github_url()
    };
    Job::new(&sandbox)
        .run()
        .fails(&Error::new(&problem::ANSWER_TOO_LARGE, what).at(url));
    assert_eq!(times(&sandbox, call), 1);
}

#[test]
fn an_answer_of_kms_over_a_mebibyte_is_refused() {
    too_large(Call::KmsSign, "KMS Sign");
}

#[test]
fn a_look_up_over_a_mebibyte_is_refused() {
    too_large(Call::Installation, "look-up of the installation");
}

#[test]
fn a_token_in_more_than_a_mebibyte_is_refused() {
    too_large(Call::Mint, "mint of the token");
}

#[test]
fn an_answer_of_just_a_mebibyte_is_read() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::Installation, When::Every, Fault::Huge(1024 * 1024));
    let main = Job::new(&sandbox).run().failure();
    assert_eq!(main.error().title, "GitHub's answer makes no sense");
}

#[test]
fn many_megabytes_are_given_up_after_the_first() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::Installation, When::Every, Fault::Huge(200_000_000));
    let main = Job::new(&sandbox).run().failure();
    assert_eq!(main.error().title, "The answer is larger than 1 MiB");
}

#[test]
fn a_job_that_is_cancelled_while_it_waits_ends_before_the_runner_kills_it() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::Mint, When::Every, Fault::Hang);
    let main = Job::new(&sandbox).start();
    let waiting = |calls: &[app_token_sandbox::Exchange]| calls.len() == 3;
    assert!(sandbox.wait_for(Duration::from_secs(10), waiting));
    let main = main.signal("INT");
    // Five seconds for a token that may be on its way; the runner kills after seven and a half.
    assert_eq!(main.status, Some(130));
    assert!(main.state.is_empty() && main.outputs.is_empty());
    assert!(main.took < Duration::from_millis(7500), "{:?}", main.took);
    // Post runs all the same, and finds nothing to do.
    assert_eq!(main.post().infos(), ["There is no token to revoke."]);
}

#[test]
fn a_job_that_is_cancelled_before_the_mint_makes_no_token_any_more() {
    let sandbox = Sandbox::start().unwrap();
    let late = Fault::Delay(Duration::from_secs(2));
    sandbox.fault(Call::Installation, When::Every, late);
    let main = Job::new(&sandbox).start();
    let waiting = |calls: &[app_token_sandbox::Exchange]| calls.len() == 2;
    assert!(sandbox.wait_for(Duration::from_secs(10), waiting));
    let main = main.signal("TERM");
    assert_eq!(main.status, Some(143));
    assert!(main.took < Duration::from_secs(5), "{:?}", main.took);
    assert_eq!(sandbox.requests().len(), 2);
    assert!(sandbox.tokens().is_empty());
}

#[test]
fn a_job_that_is_killed_after_the_state_was_saved_still_revokes() {
    let sandbox = Sandbox::builder().usable_after(1000).start().unwrap();
    let main = Job::new(&sandbox)
        .input("wait-until-usable", "true")
        .start()
        .kill_when(|calls| calls.len() == 5);
    assert!(main.outputs.is_empty());
    assert_eq!(main.post().infos(), ["The token is revoked."]);
    assert_eq!(sandbox.tokens()[0].state, TokenState::Revoked);
}
