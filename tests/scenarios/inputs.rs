//! Inputs that are missing or malformed: told before the first call.

use app_token::error::{Error, problem};
use app_token_sandbox::Sandbox;
use app_token_tests::{Job, calls};

/// Fails with this error before a single call.
#[track_caller]
fn refused(inputs: &[(&str, &str)], error: Error) {
    let sandbox = Sandbox::start().unwrap();
    let job = Job::new(&sandbox);
    inputs
        .iter()
        .fold(job, |job, (name, value)| job.input(name, value))
        .run()
        .fails(&error);
    assert!(calls(&sandbox).is_empty());
}

#[test]
fn without_an_id_of_the_app_the_error_names_both_inputs_and_guesses_at_the_cause() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox).input("app-id", "").run().failure();
    assert_eq!(
        main.stdout,
        "::error title=Neither client-id nor app-id is set::neither client-id nor app-id is set%0A\
         hint: Set client-id (or app-id) to the App's client ID, shown on the App's settings page. If \
         the workflow takes it from a variable or a secret, that one is empty here: check its name, its \
         environment, and that the job may see it (pull requests from forks and from Dependabot see no \
         secrets).\n"
    );
    assert!(calls(&sandbox).is_empty());
    assert!(main.state.is_empty());
}

#[test]
fn without_an_id_of_the_app_it_is_app_id_missing() {
    refused(&[("app-id", " ")], Error::new(&problem::APP_ID_MISSING, ""));
}

#[test]
fn a_malformed_app_id_is_shown() {
    refused(
        &[("app-id", "my app")],
        Error::new(&problem::APP_ID_INVALID, "\"my app\"").at("app-id"),
    );
}

#[test]
fn a_malformed_client_id_is_shown() {
    refused(
        &[("client-id", "Iv23/x")],
        Error::new(&problem::APP_ID_INVALID, "\"Iv23/x\"").at("client-id"),
    );
}

#[test]
fn a_private_key_in_place_of_a_name_is_not_repeated() {
    let sandbox = Sandbox::start().unwrap();
    let key =
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAdonotshow\n-----END RSA PRIVATE KEY-----";
    for (input, problem) in [
        ("app-id", &problem::APP_ID_INVALID),
        ("kms-key-id", &problem::KMS_KEY_ID_INVALID),
    ] {
        let error = Error::new(problem, format!("{} bytes", key.len()))
            .at(input)
            .advise("It holds a private key: take it out of the workflow, it belongs into KMS.");
        Job::new(&sandbox)
            .secret("private key", "MIIEowIBAAKCAQEAdonotshow")
            .input(input, key)
            .run()
            .fails(&error);
    }
}

#[test]
fn without_a_key_it_says_so() {
    refused(
        &[("kms-key-id", " \n")],
        Error::new(&problem::KMS_KEY_ID_MISSING, "").at("kms-key-id"),
    );
}

#[test]
fn a_malformed_key_is_shown_with_what_is_wrong() {
    for (key, why) in [
        (
            "github app",
            "is neither a key id, nor alias/NAME, nor an ARN",
        ),
        ("arn:aws:kms:us-east-1:123456789012", "is no whole ARN"),
        (
            "arn:aws:s3:us-east-1:123456789012:key/x",
            "is not an ARN of KMS",
        ),
        ("arn:aws:kms::123456789012:key/x", "names no region"),
        (
            "arn:aws:kms:cn-north-1:123456789012:key/x",
            "names a region that is not in its partition",
        ),
        (
            "arn:aws:kms:us-east-1:1234:key/x",
            "names no account of twelve digits",
        ),
        (
            "arn:aws:kms:us-east-1:123456789012:role/x",
            "names neither key/ID nor alias/NAME",
        ),
    ] {
        refused(
            &[("kms-key-id", key)],
            Error::new(&problem::KMS_KEY_ID_INVALID, format!("{key:?} {why}")).at("kms-key-id"),
        );
    }
}

#[test]
fn one_malformed_key_of_several_is_the_one_that_is_shown() {
    refused(
        &[("kms-key-id", "alias/github-app\nno such")],
        Error::new(
            &problem::KMS_KEY_ID_INVALID,
            "\"no such\" is neither a key id, nor alias/NAME, nor an ARN",
        )
        .at("kms-key-id"),
    );
}

#[test]
fn a_switch_that_is_neither_true_nor_false_is_refused() {
    for name in ["skip-token-revoke", "wait-until-usable", "git-identity"] {
        refused(
            &[(name, "yes")],
            Error::new(&problem::BOOLEAN_INVALID, "\"yes\"").at(name),
        );
    }
}

#[test]
fn what_an_input_holds_cannot_become_a_command() {
    refused(
        &[("owner", "x\n::add-mask::y\n##[error]z")],
        Error::new(&problem::OWNER_INVALID, "\"x ::add-mask::y ##[error]z\""),
    );
}

#[test]
fn the_first_wrong_input_is_told_alone() {
    refused(
        &[("app-id", ""), ("kms-key-id", ""), ("owner", "a b")],
        Error::new(&problem::APP_ID_MISSING, ""),
    );
}
