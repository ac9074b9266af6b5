//! The runner's files, and what a hostile or broken server would write into them.

use app_token::error::{Error, problem};
use app_token_sandbox::{Call, Fault, Sandbox, TokenState, When};
use app_token_tests::{Job, calls};
use serde_json::json;

#[test]
fn without_the_output_file_nothing_is_asked() {
    let sandbox = Sandbox::start().unwrap();
    for name in ["GITHUB_OUTPUT", "GITHUB_STATE"] {
        for job in [
            Job::new(&sandbox).without(name),
            Job::new(&sandbox).env(name, ""),
        ] {
            let error = Error::new(&problem::RUNNER_FILE_UNWRITABLE, "the variable is not set");
            job.run().fails(&error.at(name));
        }
    }
    assert!(calls(&sandbox).is_empty());
}

#[test]
fn a_file_that_cannot_be_written_is_told_before_a_token_exists() {
    let sandbox = Sandbox::start().unwrap();
    let job = Job::new(&sandbox);
    let folder = job.folder().to_str().unwrap().to_owned();
    let error = Error::new(
        &problem::RUNNER_FILE_UNWRITABLE,
        format!("EISDIR: illegal operation on a directory, open '{folder}'"),
    );
    job.env("GITHUB_OUTPUT", &folder)
        .run()
        .fails(&error.at("GITHUB_OUTPUT"));
    assert!(calls(&sandbox).is_empty());
}

#[test]
fn every_run_has_delimiters_of_its_own() {
    let sandbox = Sandbox::start().unwrap();
    let delimiters: Vec<String> = (0..2)
        .flat_map(|_| {
            let main = Job::new(&sandbox).run().success();
            [main.output_file(), main.state_file()].map(|file| {
                let (_, rest) = file.split_once("<<").unwrap();
                rest.lines().next().unwrap().to_owned()
            })
        })
        .collect();
    for (index, one) in delimiters.iter().enumerate() {
        assert!(one.len() > 30, "{one}");
        assert!(!delimiters[index + 1..].contains(one));
    }
}

#[test]
fn a_token_with_a_line_break_is_refused_and_reaches_no_file() {
    let sandbox = Sandbox::start().unwrap();
    let answer = json!({
        "token": "ghs_x\ninjected=1",
        "expires_at": "2099-01-01T00:00:00Z",
        "permissions": {"contents": "read"},
    });
    sandbox.fault(Call::Mint, When::Every, Fault::json(201, &answer));
    let main = Job::new(&sandbox)
        .secret("forged token", "ghs_x")
        .run()
        .fails(&Error::new(&problem::VALUE_MULTILINE, "the token").at(sandbox.github_url()));
    assert!(main.state.is_empty());
}

#[test]
fn a_slug_with_a_line_break_fails_the_step_and_the_token_is_revoked_by_post() {
    let sandbox = Sandbox::start().unwrap();
    let answer = json!({
        "id": 10001,
        "app_slug": "my-app\ninjected<<E",
        "account": {"login": "my-org\n::add-mask::x"},
        "permissions": {"contents": "read"},
    });
    sandbox.fault(Call::Installation, When::Every, Fault::json(200, &answer));
    let main = Job::new(&sandbox)
        .run()
        .fails(&Error::new(&problem::VALUE_MULTILINE, "app-slug").at("GITHUB_OUTPUT"));
    main.post();
    assert_eq!(sandbox.tokens()[0].state, TokenState::Revoked);
}

#[test]
fn a_server_s_words_cannot_become_a_command() {
    let sandbox = Sandbox::start().unwrap();
    let words = "a\n::add-mask::b\r\n::error::c ##[add-mask]d\u{1b}[31m%0A::stop-commands::e";
    sandbox.fault(Call::Installation, When::Every, Fault::github(403, words));
    let error = Error::new(
        &problem::GITHUB_REQUEST_REFUSED,
        "403: a ::add-mask::b ::error::c ##[add-mask]d [31m%0A::stop-commands::e",
    );
    let main = Job::new(&sandbox)
        .run()
        .fails(&error.at(sandbox.github_url()));
    assert_eq!(
        main.log.len(),
        2 + 1 + 1,
        "masks of the credentials and the JWT, one error"
    );
}

#[test]
fn a_retry_that_is_told_cannot_become_a_command() {
    let sandbox = Sandbox::start().unwrap();
    let words = "##[add-mask]hello ::stop-commands::x";
    sandbox.fault(
        Call::KmsSign,
        When::First(1),
        Fault::aws("ThrottlingException", words),
    );
    let main = Job::new(&sandbox).run().success();
    // The checks of every run see to the rest.
    assert!(main.infos()[0].contains("ThrottlingException"), "{main}");
    assert_eq!(main.masks().len(), 4);
}

#[test]
fn a_server_that_repeats_a_secret_is_not_passed_on() {
    let sandbox = Sandbox::start().unwrap();
    let signer = sandbox.env();
    let secret = |name: &str| {
        let found = signer.iter().find(|(known, _)| known == name);
        found.unwrap().1.clone()
    };
    let words = format!(
        "the secret {} with the token {} is wrong",
        secret("AWS_SECRET_ACCESS_KEY"),
        secret("AWS_SESSION_TOKEN")
    );
    sandbox.fault(
        Call::KmsSign,
        When::Every,
        Fault::aws("AccessDeniedException", &words),
    );
    let main = Job::new(&sandbox).run().failure();
    assert!(
        main.error()
            .message
            .contains("the secret *** with the token *** is wrong")
            || main
                .error()
                .message
                .contains("the secret *** with the token"),
        "{main}"
    );
}

#[test]
fn nothing_is_left_behind_in_the_folders_of_the_job() {
    let sandbox = Sandbox::start().unwrap();
    let job = Job::new(&sandbox);
    let folder = job.folder().to_owned();
    let main = job.run().success();
    main.post();
    for name in ["work space", "home", "temp"] {
        let left = std::fs::read_dir(folder.join(name)).unwrap().count();
        assert_eq!(left, 0, "{name}");
    }
}
