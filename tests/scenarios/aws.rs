//! AWS: credentials of the environment, regions, endpoints, and what KMS refuses.

use app_token::error::{Error, Problem, problem};
use app_token_sandbox::{Call, Fault, Sandbox, When, world};
use app_token_tests::{Job, calls};
use std::io::{Read, Write};
use std::net::TcpListener;

const KEY_ARN: &str = "arn:aws:kms:us-east-1:123456789012:key/mrk-0a1b2c3d4e5f60718293a4b5c6d7e8f9";

/// Fails with this error before a single call.
#[track_caller]
fn refused(change: impl FnOnce(Job<'_>) -> Job<'_>, error: Error) {
    let sandbox = Sandbox::start().unwrap();
    change(Job::new(&sandbox)).run().fails(&error);
    assert!(calls(&sandbox).is_empty());
}

/// KMS refuses, once, and GitHub is not asked.
#[track_caller]
fn kms_refuses(change: impl FnOnce(Job<'_>) -> Job<'_>, error: Error) {
    let sandbox = Sandbox::start().unwrap();
    change(Job::new(&sandbox)).run().fails(&error);
    assert_eq!(calls(&sandbox), ["Sign us-east-1 400"]);
}

fn at(problem: &'static Problem, detail: &str) -> Error {
    Error::new(problem, detail).at("alias/github-app in us-east-1")
}

// Credentials.

#[test]
fn a_user_s_keys_need_no_session_token() {
    let sandbox = Sandbox::start().unwrap();
    let main = Job::new(&sandbox)
        .credentials(world::CI_USER)
        .run()
        .success();
    let sign = &sandbox.requests_of(Call::KmsSign)[0];
    assert_eq!(sign.header("x-amz-security-token"), None);
    assert_eq!(main.masks().len(), 3);
}

#[test]
fn an_empty_session_token_is_none() {
    let sandbox = Sandbox::start().unwrap();
    Job::new(&sandbox)
        .credentials(world::CI_USER)
        .env("AWS_SESSION_TOKEN", "")
        .run()
        .success();
}

#[test]
fn white_space_around_a_secret_is_dropped() {
    let sandbox = Sandbox::start().unwrap();
    let secret = sandbox
        .credentials(world::CI_USER)
        .unwrap()
        .secret_access_key;
    Job::new(&sandbox)
        .credentials(world::CI_USER)
        .env("AWS_SECRET_ACCESS_KEY", &format!(" {secret}\n"))
        .run()
        .success();
}

#[test]
fn without_credentials_it_says_where_they_would_come_from() {
    refused(
        |job| job.without_credentials(),
        Error::new(&problem::CREDENTIALS_MISSING, ""),
    );
}

#[test]
fn half_a_key_pair_names_the_half_that_lacks() {
    for (there, lacks) in [
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
    ] {
        let error = || {
            let detail = format!("{there} is set, {lacks} is not (or is empty)");
            Error::new(&problem::CREDENTIALS_INCOMPLETE, detail).at("environment")
        };
        refused(|job| job.env(lacks, ""), error());
        refused(|job| job.without(lacks), error());
    }
}

#[test]
fn a_secret_that_would_break_a_header_is_refused_and_not_shown() {
    let detail = "AWS_SECRET_ACCESS_KEY holds white space or control characters";
    refused(
        |job| {
            job.secret("secret access key", "hunter2hunter2")
                .env("AWS_SECRET_ACCESS_KEY", "hunter2hunter2\r\nx-evil: 1")
        },
        Error::new(&problem::CREDENTIALS_INCOMPLETE, detail).at("environment"),
    );
}

#[test]
fn expired_credentials_are_told() {
    kms_refuses(
        |job| job.credentials(world::EXPIRED_SESSION),
        at(
            &problem::KMS_CREDENTIALS_EXPIRED,
            "ExpiredTokenException: The security token included in the request is expired",
        ),
    );
}

#[test]
fn credentials_that_aws_does_not_know_are_told() {
    kms_refuses(
        |job| job.env("AWS_ACCESS_KEY_ID", "ASIAUNKNOWN777EXAMPL"),
        at(
            &problem::KMS_CREDENTIALS_UNKNOWN,
            "UnrecognizedClientException: The security token included in the request is invalid.",
        ),
    );
}

#[test]
fn a_session_without_its_token_is_told() {
    kms_refuses(
        |job| job.without("AWS_SESSION_TOKEN"),
        at(
            &problem::KMS_CREDENTIALS_UNKNOWN,
            "UnrecognizedClientException: The security token included in the request is invalid.",
        ),
    );
}

#[test]
fn a_wrong_secret_is_told() {
    kms_refuses(
        |job| job.env("AWS_SECRET_ACCESS_KEY", "wrong/wrong+wrong"),
        at(
            &problem::KMS_SIGNATURE_WRONG,
            "InvalidSignatureException: The request signature we calculated does not match the signature \
             you provided. Check your AWS Secret Access Key and signing method. Consult the service \
             documentation for details.",
        ),
    );
}

// Regions.

/// The region that KMS was asked in.
#[track_caller]
fn region(change: impl FnOnce(Job<'_>) -> Job<'_>) -> String {
    let sandbox = Sandbox::start().unwrap();
    let job = Job::new(&sandbox)
        .without("AWS_REGION")
        .without("AWS_DEFAULT_REGION");
    change(job).run().success();
    sandbox.requests()[0].region.clone().unwrap()
}

#[test]
fn the_key_s_arn_says_the_region_whatever_else_does() {
    let arn = KEY_ARN.replace("us-east-1", "eu-west-1");
    let chosen = region(|job| {
        job.input("kms-key-id", &arn)
            .input("aws-region", "us-east-1")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_DEFAULT_REGION", "us-east-1")
    });
    assert_eq!(chosen, "eu-west-1");
}

#[test]
fn the_input_says_the_region_before_the_environment() {
    let chosen = region(|job| {
        job.input("aws-region", " eu-west-1 ")
            .env("AWS_REGION", "us-east-1")
    });
    assert_eq!(chosen, "eu-west-1");
}

#[test]
fn aws_region_goes_before_aws_default_region() {
    let chosen = region(|job| {
        job.env("AWS_REGION", "eu-west-1")
            .env("AWS_DEFAULT_REGION", "us-east-1")
    });
    assert_eq!(chosen, "eu-west-1");
}

#[test]
fn aws_default_region_is_the_last_to_say() {
    let chosen = region(|job| {
        job.env("AWS_REGION", "")
            .env("AWS_DEFAULT_REGION", "eu-west-1")
    });
    assert_eq!(chosen, "eu-west-1");
}

#[test]
fn without_a_region_it_says_where_it_would_come_from() {
    refused(
        |job| job.without("AWS_REGION").env("AWS_DEFAULT_REGION", ""),
        Error::new(&problem::REGION_MISSING, "alias/github-app"),
    );
}

#[test]
fn a_region_that_would_change_the_host_is_refused() {
    for (name, value) in [
        ("AWS_REGION", "us-east-1.evil.example"),
        ("AWS_REGION", "us east"),
    ] {
        refused(
            |job| job.env(name, value),
            Error::new(&problem::REGION_INVALID, format!("{value:?}")).at(name),
        );
    }
    refused(
        |job| job.input("aws-region", "x/y"),
        Error::new(&problem::REGION_INVALID, "\"x/y\"").at("aws-region"),
    );
}

#[test]
fn every_form_of_a_key_s_name_is_taken() {
    for key in [
        world::KEY_ID,
        world::ALIAS,
        KEY_ARN,
        "arn:aws:kms:us-east-1:123456789012:alias/github-app",
    ] {
        let sandbox = Sandbox::start().unwrap();
        let main = Job::new(&sandbox).input("kms-key-id", key).run().success();
        assert!(main.infos()[4].starts_with(&format!("Signed by: {KEY_ARN} in us-east-1")));
    }
}

// Endpoints.

#[test]
fn aws_endpoint_url_serves_where_the_service_has_none_of_its_own() {
    let sandbox = Sandbox::start().unwrap();
    Job::new(&sandbox)
        .without("AWS_ENDPOINT_URL_KMS")
        .env("AWS_ENDPOINT_URL", &format!("{}/", sandbox.kms_url()))
        .run()
        .success();
}

#[test]
fn the_service_s_own_endpoint_goes_before_the_common_one() {
    let sandbox = Sandbox::start().unwrap();
    Job::new(&sandbox)
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .run()
        .success();
}

#[test]
fn a_malformed_endpoint_names_its_variable() {
    for (name, value, why) in [
        (
            "AWS_ENDPOINT_URL_KMS",
            "http://kms.internal",
            "plain http is taken for loopback addresses alone",
        ),
        (
            "AWS_ENDPOINT_URL_KMS",
            "kms.internal",
            "it does not start with https://",
        ),
        (
            "AWS_ENDPOINT_URL_KMS",
            "https://user:pass@kms.internal",
            "it holds credentials",
        ),
        (
            "AWS_ENDPOINT_URL_KMS",
            "https://kms.internal?x=y",
            "it has a query",
        ),
        (
            "AWS_ENDPOINT_URL_KMS",
            "https://kms.internal:99999",
            "its port is malformed",
        ),
    ] {
        refused(
            |job| job.env(name, value),
            Error::new(&problem::ENDPOINT_INVALID, why).at(name),
        );
    }
    refused(
        |job| {
            job.without("AWS_ENDPOINT_URL_KMS")
                .env("AWS_ENDPOINT_URL", "ftp://x")
        },
        Error::new(
            &problem::ENDPOINT_INVALID,
            "it does not start with https://",
        )
        .at("AWS_ENDPOINT_URL"),
    );
}

/// The host that would be asked without an override, as a proxy that refuses everything sees it.
#[track_caller]
fn host_of_kms(region: &str, variables: &[(&str, &str)]) -> String {
    let sandbox = Sandbox::start().unwrap();
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = proxy.accept().unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        stream
            .write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        String::from_utf8(head)
            .unwrap()
            .lines()
            .next()
            .unwrap()
            .to_owned()
    });
    let job = Job::new(&sandbox)
        .without("AWS_ENDPOINT_URL_KMS")
        .env("AWS_REGION", region)
        .env("HTTPS_PROXY", &url);
    let main = variables
        .iter()
        .fold(job, |job, (name, value)| job.env(name, value))
        .run()
        .failure();
    assert_eq!(main.error().title, "The proxy refused the connection");
    assert!(calls(&sandbox).is_empty());
    asked.join().unwrap()
}

#[test]
fn without_overrides_the_region_s_own_endpoint_is_asked() {
    assert_eq!(
        host_of_kms("us-east-1", &[]),
        "CONNECT kms.us-east-1.amazonaws.com:443 HTTP/1.1"
    );
}

#[test]
fn overrides_can_be_turned_off() {
    assert_eq!(
        host_of_kms(
            "us-east-1",
            &[
                ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
                ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
            ]
        ),
        "CONNECT kms.us-east-1.amazonaws.com:443 HTTP/1.1"
    );
}

#[test]
fn china_has_names_of_its_own() {
    assert_eq!(
        host_of_kms("cn-north-1", &[]),
        "CONNECT kms.cn-north-1.amazonaws.com.cn:443 HTTP/1.1"
    );
}

#[test]
fn fips_endpoints_are_asked_where_they_are_wanted() {
    assert_eq!(
        host_of_kms("us-gov-west-1", &[("AWS_USE_FIPS_ENDPOINT", "true")]),
        "CONNECT kms-fips.us-gov-west-1.amazonaws.com:443 HTTP/1.1"
    );
}

#[test]
fn dual_stack_endpoints_are_asked_where_they_are_wanted() {
    assert_eq!(
        host_of_kms("eu-west-1", &[("AWS_USE_DUALSTACK_ENDPOINT", "true")]),
        "CONNECT kms.eu-west-1.api.aws:443 HTTP/1.1"
    );
}

// What KMS refuses.

#[test]
fn a_principal_without_kms_sign_is_told() {
    let detail = format!(
        "AccessDeniedException: User: arn:aws:iam::123456789012:user/stranger is not authorized to \
         perform: kms:Sign on resource: {KEY_ARN} because no identity-based policy allows the kms:Sign \
         action"
    );
    kms_refuses(
        |job| job.credentials(world::STRANGER),
        at(&problem::KMS_ACCESS_DENIED, &detail),
    );
}

#[test]
fn a_key_that_is_not_there_is_told() {
    kms_refuses(
        |job| job.input("kms-key-id", "alias/nope"),
        Error::new(
            &problem::KMS_KEY_NOT_FOUND,
            "NotFoundException: Alias arn:aws:kms:us-east-1:123456789012:alias/nope is not found.",
        )
        .at("alias/nope in us-east-1"),
    );
}

#[test]
fn a_disabled_key_is_told() {
    let detail = format!(
        "DisabledException: arn:aws:kms:us-east-1:123456789012:key/{} is disabled.",
        world::DISABLED_KEY_ID
    );
    kms_refuses(
        |job| job.input("kms-key-id", world::DISABLED_ALIAS),
        Error::new(&problem::KMS_KEY_DISABLED, detail).at("alias/disabled in us-east-1"),
    );
}

#[test]
fn a_key_pending_import_is_told_with_what_that_means() {
    let detail = format!(
        "KMSInvalidStateException: arn:aws:kms:us-east-1:123456789012:key/{} is pending import.",
        world::PENDING_IMPORT_KEY_ID
    );
    kms_refuses(
        |job| job.input("kms-key-id", world::PENDING_IMPORT_ALIAS),
        Error::new(&problem::KMS_KEY_STATE, detail)
            .at("alias/pending-import in us-east-1")
            .advise("Its material has not been imported yet, has expired, or was deleted."),
    );
}

#[test]
fn a_key_pending_deletion_is_told_with_what_that_means() {
    let detail = format!(
        "KMSInvalidStateException: arn:aws:kms:us-east-1:123456789012:key/{} is pending deletion.",
        world::PENDING_DELETION_KEY_ID
    );
    kms_refuses(
        |job| job.input("kms-key-id", world::PENDING_DELETION_ALIAS),
        Error::new(&problem::KMS_KEY_STATE, detail)
            .at("alias/pending-deletion in us-east-1")
            .advise("It is about to be deleted."),
    );
}

#[test]
fn a_key_that_may_not_sign_is_told() {
    let detail = format!(
        "InvalidKeyUsageException: arn:aws:kms:us-east-1:123456789012:key/{} key usage is \
         ENCRYPT_DECRYPT which is not valid for Sign.",
        world::ENCRYPT_KEY_ID
    );
    kms_refuses(
        |job| {
            job.input("kms-key-id", world::ENCRYPT_ALIAS)
                .credentials(world::ADMIN)
        },
        Error::new(&problem::KMS_KEY_USAGE, detail).at("alias/encrypt-only in us-east-1"),
    );
}

#[test]
fn any_other_refusal_of_kms_is_passed_on() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(
        Call::KmsSign,
        When::Every,
        Fault::aws("ValidationException", "1 validation error detected"),
    );
    Job::new(&sandbox).run().fails(&at(
        &problem::KMS_REFUSED,
        "ValidationException: 1 validation error detected",
    ));
    assert_eq!(calls(&sandbox), ["Sign us-east-1 400"]);
}

/// KMS's place answers, but not as KMS does; GitHub is not asked.
#[track_caller]
fn unusable(fault: Fault, status: u16, detail: &str) {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::KmsSign, When::Every, fault);
    Job::new(&sandbox)
        .run()
        .fails(&Error::new(&problem::KMS_UNUSABLE, detail).at(sandbox.kms_url()));
    assert_eq!(calls(&sandbox), [format!("Sign us-east-1 {status}")]);
}

#[test]
fn the_page_of_a_captive_portal_in_place_of_a_signature_is_told() {
    unusable(
        Fault::html(200),
        200,
        "status 200, text/html, not the JSON expected; it starts \
         \"<html><head><title>200</title></head><body><h1>200</h1></bo\"",
    );
}

#[test]
fn half_a_signature_is_told() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::KmsSign, When::Every, Fault::Truncate);
    let main = Job::new(&sandbox).run().failure();
    assert_eq!(main.error().title, "KMS gave an answer that makes no sense");
    assert_eq!(calls(&sandbox), ["Sign us-east-1 200"]);
}

#[test]
fn a_signature_of_another_type_is_told() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::KmsSign, When::Every, Fault::WrongTypes);
    let main = Job::new(&sandbox).run().failure();
    assert_eq!(main.error().title, "KMS gave an answer that makes no sense");
}

#[test]
fn an_empty_answer_of_kms_is_told() {
    unusable(
        Fault::empty(200),
        200,
        "status 200, no content type, not the JSON expected; it starts \"\"",
    );
}

#[test]
fn a_signature_of_the_wrong_length_is_told() {
    let answer = serde_json::json!({"KeyId": "k", "Signature": "AAAA"});
    unusable(
        Fault::json(200, &answer),
        200,
        "the signature has 3 bytes, which no RSA key of 2048 bits or more gives",
    );
}

#[test]
fn kms_is_never_redirected() {
    let sandbox = Sandbox::start().unwrap();
    let elsewhere = Sandbox::start().unwrap();
    sandbox.fault(
        Call::KmsSign,
        When::Every,
        Fault::Redirect(307, format!("{}/", elsewhere.kms_url())),
    );
    let main = Job::new(&sandbox).run().failure();
    assert_eq!(main.error().title, "KMS gave an answer that makes no sense");
    assert_eq!(calls(&sandbox), ["Sign us-east-1 307"]);
    assert!(calls(&elsewhere).is_empty());
}
