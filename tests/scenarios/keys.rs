//! Several KMS keys: the next takes over, and never in silence.

use app_token::error::{Error, problem};
use app_token_sandbox::{Call, Fault, Sandbox, Service, When, world};
use app_token_tests::{Job, Run, calls};
use std::time::Duration;

const FIRST: &str = "arn:aws:kms:us-east-1:123456789012:alias/github-app";
const SECOND: &str = "arn:aws:kms:eu-west-1:123456789012:alias/github-app";

fn job(sandbox: &Sandbox) -> Job<'_> {
    Job::new(sandbox).input("kms-key-id", &format!("{FIRST}\n{SECOND}"))
}

/// The first key fails like this, the second signs at once.
#[track_caller]
fn takes_over(fault: Fault, told: &str) {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault_in("us-east-1", Call::KmsSign, When::Every, fault);
    let main: Run<'_> = job(&sandbox).run().success();
    let message = main.warning().message;
    assert!(
        message.starts_with(&format!("{FIRST} could not sign: {told}")),
        "{message}"
    );
    let signed: Vec<_> = sandbox
        .requests_of(Call::KmsSign)
        .iter()
        .map(|exchange| exchange.region.clone().unwrap())
        .collect();
    assert_eq!(signed, ["us-east-1", "eu-west-1"]);
    assert!(
        main.infos()[4].contains("key/mrk-0a1b2c3d4e5f60718293a4b5c6d7e8f9 in eu-west-1"),
        "{main}"
    );
    assert!(main.took < Duration::from_secs(3), "{:?}", main.took);
}

#[test]
fn the_first_key_signs_alone_where_nothing_is_wrong() {
    let sandbox = Sandbox::start().unwrap();
    let main = job(&sandbox).run().success();
    assert_eq!(calls(&sandbox)[0], "Sign us-east-1 200");
    assert_eq!(calls(&sandbox).len(), 3);
    assert!(main.warnings().is_empty());
}

#[test]
fn keys_are_separated_by_commas_too() {
    let sandbox = Sandbox::start().unwrap();
    Job::new(&sandbox)
        .input("kms-key-id", &format!("{SECOND}, {FIRST}"))
        .run()
        .success();
    assert_eq!(calls(&sandbox)[0], "Sign eu-west-1 200");
}

#[test]
fn a_region_that_resets_connections_is_left_for_the_next() {
    takes_over(Fault::Reset, "the server could not be reached: KMS Sign: ");
}

#[test]
fn a_region_that_throttles_is_left_for_the_next() {
    takes_over(
        Fault::aws("ThrottlingException", "Rate exceeded"),
        "KMS is throttling requests: ThrottlingException: Rate exceeded",
    );
}

#[test]
fn a_region_that_is_unavailable_is_left_for_the_next() {
    takes_over(Fault::html(503), "KMS failed on its side: ");
}

#[test]
fn a_key_that_is_denied_is_left_for_the_next() {
    takes_over(
        Fault::aws("AccessDeniedException", "no"),
        "KMS denied kms:Sign on the key: AccessDeniedException: no",
    );
}

#[test]
fn a_key_that_is_disabled_is_left_for_the_next() {
    takes_over(
        Fault::aws("DisabledException", "off"),
        "the KMS key is disabled: DisabledException: off",
    );
}

#[test]
fn a_key_that_is_not_found_is_left_for_the_next() {
    takes_over(
        Fault::aws("NotFoundException", "where"),
        "KMS knows no such key: NotFoundException: where",
    );
}

#[test]
fn a_region_that_hangs_is_hedged_after_three_seconds() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault_in("us-east-1", Call::KmsSign, When::Every, Fault::Hang);
    let main = job(&sandbox).run().success();
    assert_eq!(
        main.warning().message,
        format!("KMS has not answered for 3 s; {SECOND} is asked as well.")
    );
    assert_eq!(
        calls(&sandbox)[..2],
        ["Sign us-east-1 -", "Sign eu-west-1 200"]
    );
    let requests = sandbox.requests_of(Call::KmsSign);
    let waited = requests[1].started - requests[0].started;
    assert!(
        waited > Duration::from_millis(2000) && waited < Duration::from_millis(8000),
        "{waited:?}"
    );
    assert!(main.took < Duration::from_secs(9), "{:?}", main.took);
}

#[test]
fn the_first_answer_wins_even_if_it_is_the_slow_one_s() {
    let sandbox = Sandbox::start().unwrap();
    let slow = Fault::Delay(Duration::from_millis(3600));
    sandbox.fault_in("us-east-1", Call::KmsSign, When::Every, slow);
    sandbox.fault_in("eu-west-1", Call::KmsSign, When::Every, Fault::Hang);
    let main = job(&sandbox).run().success();
    assert!(main.infos()[4].contains(" in us-east-1, "), "{main}");
    assert_eq!(main.warnings().len(), 1);
}

#[test]
fn the_keys_may_differ_in_kind() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox)
        .input(
            "kms-key-id",
            &format!("{}\n{}", world::DISABLED_ALIAS, world::KEY_ID),
        )
        .run()
        .success();
    assert!(
        main.warning()
            .message
            .starts_with("alias/disabled in us-east-1 could not sign: the KMS key is disabled"),
        "{main}"
    );
}

#[test]
fn when_all_fail_each_is_told_in_the_order_of_preference() {
    let sandbox = Sandbox::start().unwrap();
    let denied = Fault::aws("AccessDeniedException", "no");
    sandbox.fault_in("us-east-1", Call::KmsSign, When::Every, denied);
    let disabled = Fault::aws("DisabledException", "off");
    sandbox.fault_in("eu-west-1", Call::KmsSign, When::Every, disabled);
    let first = format!("The first key: {}", problem::KMS_ACCESS_DENIED.hint);
    let error = Error::new(&problem::KMS_ALL_KEYS_FAILED, "")
        .because(format!(
            "KMS denied kms:Sign on the key: AccessDeniedException: no ({FIRST})"
        ))
        .because(format!(
            "the KMS key is disabled: DisabledException: off ({SECOND})"
        ))
        .advise(first);
    let main = job(&sandbox).run().fails(&error);
    assert_eq!(main.warnings().len(), 2);
    assert_eq!(
        calls(&sandbox),
        ["Sign us-east-1 400", "Sign eu-west-1 400"]
    );
}

#[test]
fn when_kms_is_away_altogether_each_key_is_told() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.refuse(Service::Kms);
    let main = job(&sandbox).run().failure();
    assert_eq!(main.error().title, "None of the KMS keys could sign");
    assert_eq!(
        main.error().message.matches("caused by: ").count(),
        2,
        "{main}"
    );
}

#[test]
fn the_last_key_is_tried_in_full() {
    let sandbox = Sandbox::start().unwrap();
    let denied = Fault::aws("AccessDeniedException", "no");
    sandbox.fault_in("us-east-1", Call::KmsSign, When::Every, denied);
    let throttled = Fault::aws("ThrottlingException", "Rate exceeded");
    sandbox.fault_in("eu-west-1", Call::KmsSign, When::First(2), throttled);
    job(&sandbox).run().success();
    assert_eq!(
        calls(&sandbox)[..4],
        [
            "Sign us-east-1 400",
            "Sign eu-west-1 400",
            "Sign eu-west-1 400",
            "Sign eu-west-1 200",
        ]
    );
}

#[test]
fn a_correction_of_the_clock_asks_the_keys_anew() {
    let sandbox = Sandbox::builder().github_clock(900).start().unwrap();
    let denied = Fault::aws("DisabledException", "off");
    sandbox.fault_in("us-east-1", Call::KmsSign, When::Every, denied);
    let main = job(&sandbox).run().success();
    assert_eq!(sandbox.requests_of(Call::KmsSign).len(), 4);
    assert_eq!(main.warnings().len(), 3);
}
