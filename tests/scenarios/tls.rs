//! TLS: whom to trust, and what happens when nobody is to be.

use app_token::error::{Error, problem};
use app_token_sandbox::{Call, Fault, Sandbox, When};
use app_token_tests::{Job, calls};

fn sandbox() -> Sandbox {
    Sandbox::builder().tls(true).start().unwrap()
}

/// Without the variable by which Node itself would trust.
fn untrusting(sandbox: &Sandbox) -> Job<'_> {
    Job::new(sandbox).without("NODE_EXTRA_CA_CERTS")
}

#[test]
fn node_extra_ca_certs_is_trusted_for_everything() {
    let sandbox = sandbox();
    let main = Job::new(&sandbox).run().success();
    assert_eq!(calls(&sandbox).len(), 3);
    assert_eq!(main.post().infos(), ["The token is revoked."]);
}

#[test]
fn ssl_cert_file_is_trusted_for_everything() {
    let sandbox = sandbox();
    let main = untrusting(&sandbox).ca_in("SSL_CERT_FILE").run().success();
    assert_eq!(main.post().infos(), ["The token is revoked."]);
}

#[test]
fn aws_ca_bundle_is_trusted_for_aws_alone() {
    let sandbox = sandbox();
    let main = untrusting(&sandbox).ca_in("AWS_CA_BUNDLE").run().failure();
    assert_eq!(calls(&sandbox), ["Sign us-east-1 200"]);
    assert!(
        main.error().message.starts_with(
            "the server's certificate was not accepted: look-up of the installation: "
        ),
        "{main}"
    );
}

#[test]
fn other_files_do_not_take_the_place_of_node_s_variable() {
    let sandbox = sandbox();
    let other = Sandbox::builder().tls(true).start().unwrap();
    let job = Job::new(&sandbox);
    let path = job.file("other.pem", other.ca_pem());
    job.env("SSL_CERT_FILE", &path).run().success();
}

#[test]
fn a_certificate_that_nobody_signed_is_refused_at_once() {
    let sandbox = sandbox();
    let main = untrusting(&sandbox).run().failure();
    assert!(calls(&sandbox).is_empty());
    assert_eq!(
        main.error().title,
        "The server's certificate was not accepted"
    );
    assert!(
        main.error().message.contains("NODE_EXTRA_CA_CERTS"),
        "{main}"
    );
    assert!(!main.stdout.contains("try 2 of 4"), "{main}");
}

#[test]
fn a_certificate_that_has_ended_is_refused_with_the_words_for_it() {
    let sandbox = sandbox();
    sandbox.fault(Call::KmsSign, When::Every, Fault::ExpiredCertificate);
    let main = Job::new(&sandbox).run().failure();
    assert!(
        main.error().message.contains("certificate has expired"),
        "{main}"
    );
    assert!(calls(&sandbox).is_empty());
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    let sandbox = sandbox();
    sandbox.fault(Call::KmsSign, When::Every, Fault::BadCertificate);
    let main = Job::new(&sandbox).run().failure();
    assert_eq!(
        main.error().title,
        "The server's certificate was not accepted"
    );
    assert!(calls(&sandbox).is_empty());
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let sandbox = sandbox();
    sandbox.fault(Call::Installation, When::Every, Fault::WrongHost);
    let main = Job::new(&sandbox).run().failure();
    assert_eq!(
        main.error().title,
        "The server's certificate was not accepted"
    );
    assert_eq!(calls(&sandbox), ["Sign us-east-1 200"]);
}

#[test]
fn a_certificate_that_turns_bad_before_post_ends_in_a_warning() {
    let sandbox = sandbox();
    let main = Job::new(&sandbox).run().success();
    sandbox.fault(Call::Revoke, When::Every, Fault::BadCertificate);
    let post = main.post();
    assert!(
        post.warning()
            .message
            .starts_with("the server's certificate was not accepted: "),
        "{post}"
    );
}

#[test]
fn a_file_of_certificates_that_is_not_there_is_told_before_any_call() {
    for variable in ["SSL_CERT_FILE", "AWS_CA_BUNDLE"] {
        let sandbox = sandbox();
        let error = Error::new(
            &problem::CA_BUNDLE_UNREADABLE,
            "ENOENT: no such file or directory, open '/no/such/ca.pem'",
        );
        Job::new(&sandbox)
            .env(variable, "/no/such/ca.pem")
            .run()
            .fails(&error.at(variable));
        assert!(calls(&sandbox).is_empty());
    }
}

#[test]
fn a_file_without_certificates_is_told_before_any_call() {
    let sandbox = sandbox();
    let job = Job::new(&sandbox);
    let path = job.file("empty.pem", "not a certificate\n");
    let error = Error::new(
        &problem::CA_BUNDLE_UNREADABLE,
        format!("{path} holds no certificate in PEM form"),
    );
    job.env("SSL_CERT_FILE", &path)
        .run()
        .fails(&error.at("SSL_CERT_FILE"));
    assert!(calls(&sandbox).is_empty());
}

#[test]
fn a_damaged_certificate_is_trusted_for_nothing() {
    let sandbox = sandbox();
    let job = untrusting(&sandbox);
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let path = job.file("damaged.pem", damaged);
    let main = job.env("SSL_CERT_FILE", &path).run().failure();
    assert_eq!(
        main.error().title,
        "The server's certificate was not accepted"
    );
    assert!(calls(&sandbox).is_empty());
}
