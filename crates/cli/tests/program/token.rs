//! `create`, `exec` and `revoke`.

use crate::run::{APP, Machine};
use app_token_sandbox::{Call, Fault, Sandbox, TokenState, When, world};
use std::time::Duration;

fn with<'a>(start: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    start.iter().chain(&APP).chain(more).copied().collect()
}

const READ_A: [&str; 4] = ["-r", "my-org/repo-a", "-p", "contents=read"];

#[test]
fn create_prints_the_token_alone() {
    let machine = Machine::new();
    let made = machine
        .run_with_token(&with(&["create"], &READ_A), None)
        .good();
    let tokens = machine.sandbox.tokens();
    assert_eq!(made.stdout, format!("{}\n", tokens[0].value));
    assert_eq!(tokens[0].repositories, Some(vec![world::REPO_A_ID]));
    assert!(
        made.stderr
            .contains("Token of my-app for my-org: repo-a (contents: read) until ")
    );
    assert_eq!(machine.sandbox.requests_of(Call::KmsSign).len(), 1);
}

#[test]
fn every_option_can_come_from_the_environment() {
    let machine = Machine::new()
        .var("APP_TOKEN_APP_ID", &world::APP_ID.to_string())
        .var("APP_TOKEN_CLIENT_ID", "")
        .var("APP_TOKEN_KMS_KEY_ID", world::ALIAS)
        .var("APP_TOKEN_REPOSITORIES", "repo-a\nrepo-b")
        .var("APP_TOKEN_OWNER", world::ORG)
        .var("APP_TOKEN_PERMISSIONS", "contents=read, issues=write")
        .var("APP_TOKEN_WAIT_UNTIL_USABLE", "true");
    machine.run_with_token(&["create"], None).good();
    let token = &machine.sandbox.tokens()[0];
    assert_eq!(token.repositories.as_ref().map(Vec::len), Some(2));
    assert_eq!(token.permissions["issues"], "write");
    assert_eq!(
        machine
            .sandbox
            .requests_of(Call::InstallationRepositories)
            .len(),
        1
    );
}

#[test]
fn json_env_and_github_say_the_same() {
    let machine = Machine::new();
    let made = machine
        .run_with_token(
            &with(&["create", "--format", "json", "--git-identity"], &READ_A),
            None,
        )
        .good();
    let json: serde_json::Value = serde_json::from_str(&made.stdout).unwrap();
    assert_eq!(json["installation_id"], world::ORG_INSTALLATION);
    assert_eq!(json["app_slug"], world::APP_SLUG);
    assert_eq!(json["git_user_name"], "my-app[bot]");
    assert!(
        json["kms_key"]
            .as_str()
            .unwrap()
            .starts_with("arn:aws:kms:")
    );

    let made = machine
        .run_with_token(&with(&["create", "--format", "env"], &READ_A), None)
        .good();
    let token = &machine.sandbox.tokens()[1].value;
    assert_eq!(
        made.stdout,
        format!("GH_TOKEN={token}\nGITHUB_TOKEN={token}\n")
    );

    let file = machine.home.file("output", "before=1\n");
    let machine = machine.var("GITHUB_OUTPUT", file.to_str().unwrap());
    let made = machine
        .run_with_token(&with(&["create", "--format", "github"], &READ_A), None)
        .good();
    let token = machine.sandbox.tokens()[2].value.clone();
    assert_eq!(made.stdout, format!("::add-mask::{token}\n"));
    let written = std::fs::read_to_string(file).unwrap();
    let lines: Vec<&str> = written.lines().collect();
    let delimiter = lines[1].strip_prefix("token<<").unwrap();
    assert_eq!(lines[..4], ["before=1", lines[1], &token, delimiter]);
    assert!(written.contains(&format!(
        "installation-id<<{delimiter}\n10001\n{delimiter}\n"
    )));
}

#[test]
fn a_token_that_cannot_be_written_is_revoked_again() {
    let machine = Machine::new().var("GITHUB_OUTPUT", "/nonexistent/output");
    let failed = machine.run_with_token(&with(&["create", "--format", "github"], &READ_A), None);
    failed.bad(1, "a file of the runner cannot be written: ENOENT");
    assert_eq!(machine.sandbox.tokens()[0].state, TokenState::Revoked);
}

#[test]
fn each_bad_input_has_its_own_message_and_asks_nobody() {
    let machine = Machine::new();
    for (arguments, message) in [
        (&["create"][..], "neither client-id nor app-id is set"),
        (
            &["create", "--client-id", "a b"],
            "the App's id is malformed: \"a b\" (--client-id)",
        ),
        (&["create", "--client-id", "x"], "kms-key-id is not set"),
        (
            &["create", "--client-id", "x", "--kms-key-id", "github-app!"],
            "kms-key-id is malformed",
        ),
        (
            &[
                "create",
                "--client-id",
                "x",
                "--kms-key-id",
                "alias/a",
                "--aws-region",
                "x/y",
            ],
            "the AWS region is malformed",
        ),
        (
            &with(&["create"], &["--owner", "a/b"]),
            "owner is malformed",
        ),
        (
            &with(&["create"], &["-r", "my-org/", "-p", "contents=read"]),
            "a repository's name is malformed",
        ),
        (
            &with(
                &["create"],
                &["--owner", "x", "-r", "y/a", "-p", "contents=read"],
            ),
            "a repository belongs to another owner",
        ),
        (
            &with(&["create"], &["--enterprise", "e", "--owner", "o"]),
            "two inputs exclude each other",
        ),
        (
            &with(&["create"], &["--installation-id", "x"]),
            "installation-id is malformed",
        ),
        (
            &with(&["create"], &["--repository-ids", "x"]),
            "repository-ids is malformed",
        ),
        (
            &with(&["create"], &["-r", "repo-a"]),
            "no permission is asked for",
        ),
        (
            &with(&["create"], &["-r", "repo-a", "-p", "contents"]),
            "\"contents\" says no level",
        ),
        (
            &with(&["create"], &["-r", "repo-a", "-p", "contents=maybe"]),
            "a permission has no such level",
        ),
        (
            &with(
                &["create"],
                &[
                    "-r",
                    "repo-a",
                    "-p",
                    "contents=read",
                    "--wait-until-usable=maybe",
                ],
            ),
            "a switch is neither true nor false",
        ),
        (
            &with(
                &["create"],
                &[
                    "-r",
                    "repo-a",
                    "-p",
                    "contents=read",
                    "--github-api-url",
                    "http://api.github.com",
                ],
            ),
            "github-api-url is malformed",
        ),
    ] {
        machine.run(arguments).bad(1, message);
    }
    assert!(machine.sandbox.requests().is_empty());
    machine
        .run(&["creat"])
        .status
        .map(|status| assert_eq!(status, 2))
        .unwrap();
}

#[test]
fn without_credentials_the_hint_is_for_a_terminal() {
    let mut machine = Machine::new().var("AWS_EC2_METADATA_DISABLED", "true");
    machine
        .env
        .retain(|(name, _)| !name.starts_with("AWS_ACCESS") && !name.starts_with("AWS_S"));
    let failed = machine
        .run(&with(&["create"], &READ_A))
        .bad(1, "no AWS credentials were found");
    assert!(failed.stderr.contains("AWS_PROFILE") && !failed.stderr.contains("workflow"));
}

#[test]
fn refusals_by_aws_and_github_are_passed_on_with_a_cure() {
    let machine = Machine::with(Sandbox::start().unwrap(), world::STRANGER);
    machine
        .run(&with(&["create"], &READ_A))
        .bad(1, "KMS denied kms:Sign on the key: AccessDeniedException");
    let machine = Machine::new();
    machine
        .run(&with(
            &["create"],
            &["-r", "my-org/nope", "-p", "contents=read"],
        ))
        .bad(
            1,
            "a repository is not within the installation's reach: nope",
        );
    machine
        .run(&with(
            &["create"],
            &["--owner", world::ORG_WITHOUT_APP, "-p", "contents=read"],
        ))
        .bad(1, "the App is not installed on this account");
}

#[test]
fn exec_hands_the_token_over_and_revokes_it() {
    let machine = Machine::new();
    let script = "test \"$GH_TOKEN\" = \"$GITHUB_TOKEN\" && printf %s \"$GH_TOKEN\" > seen; exit 9";
    let run = machine.run(&with(
        &["exec"],
        &[&READ_A[..], &["--", "sh", "-c", script]].concat(),
    ));
    assert_eq!(run.status, Some(9), "{}", run.stderr);
    let tokens = machine.sandbox.tokens();
    assert_eq!(
        std::fs::read_to_string(machine.home.path().join("seen")).unwrap(),
        tokens[0].value
    );
    assert_eq!(tokens[0].state, TokenState::Revoked);
}

#[test]
fn exec_says_what_it_could_not_start_and_revokes() {
    let machine = Machine::new();
    for (command, status) in [("/nonexistent/command", 127), ("/etc/passwd", 126)] {
        machine
            .run(&with(&["exec"], &[&READ_A[..], &["--", command]].concat()))
            .bad(status, "the command could not be started");
    }
    machine
        .run(&["exec", "--", "true"])
        .bad(125, "neither client-id nor app-id is set");
    assert!(
        machine
            .sandbox
            .tokens()
            .iter()
            .all(|token| token.state == TokenState::Revoked)
    );
}

#[cfg(unix)]
#[test]
fn exec_passes_signals_on_and_revokes() {
    use rustix::process::{Pid, Signal, kill_process};
    for (signal, script, status) in [
        (
            Signal::TERM,
            "trap 'exit 7' TERM; : > ready; while :; do sleep 0.02; done",
            7,
        ),
        (
            Signal::INT,
            "trap 'exit 8' INT; : > ready; while :; do sleep 0.02; done",
            8,
        ),
        (Signal::TERM, ": > ready; exec sleep 60", 143),
        (Signal::HUP, ": > ready; exec sleep 60", 129),
    ] {
        let machine = Machine::new();
        let arguments = with(
            &["exec"],
            &[&READ_A[..], &["--", "sh", "-c", script]].concat(),
        );
        let child = machine.start(&arguments);
        let ready = machine.home.path().join("ready");
        for _ in 0..1000 {
            if ready.exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        kill_process(Pid::from_raw(child.id() as i32).unwrap(), signal).unwrap();
        let run = machine.end(child, &arguments);
        assert_eq!(run.status, Some(status), "{}", run.stderr);
        assert_eq!(machine.sandbox.tokens()[0].state, TokenState::Revoked);
    }
}

#[cfg(unix)]
#[test]
fn a_signal_during_the_mint_ends_exec_with_the_token_revoked() {
    use rustix::process::{Pid, Signal, kill_process};
    let machine = Machine::new();
    machine.sandbox.fault(
        Call::Mint,
        When::First(1),
        Fault::Delay(Duration::from_millis(700)),
    );
    let arguments = with(&["exec"], &[&READ_A[..], &["--", "touch", "ran"]].concat());
    let child = machine.start(&arguments);
    let minting =
        |seen: &[app_token_sandbox::Exchange]| seen.iter().any(|one| one.call == Call::Mint);
    assert!(machine.sandbox.wait_for(Duration::from_secs(20), minting));
    kill_process(Pid::from_raw(child.id() as i32).unwrap(), Signal::TERM).unwrap();
    let run = machine.end(child, &arguments);
    assert_eq!(run.status, Some(143), "{}", run.stderr);
    assert!(!machine.home.path().join("ran").exists());
    assert_eq!(machine.sandbox.tokens()[0].state, TokenState::Revoked);
}

#[cfg(unix)]
#[test]
fn a_signal_before_the_mint_ends_exec_within_seconds() {
    use rustix::process::{Pid, Signal, kill_process};
    let machine = Machine::new();
    machine
        .sandbox
        .fault(Call::KmsSign, When::Every, Fault::Hang);
    let arguments = with(&["exec"], &[&READ_A[..], &["--", "touch", "ran"]].concat());
    let child = machine.start(&arguments);
    let signing =
        |seen: &[app_token_sandbox::Exchange]| seen.iter().any(|one| one.call == Call::KmsSign);
    assert!(machine.sandbox.wait_for(Duration::from_secs(20), signing));
    kill_process(Pid::from_raw(child.id() as i32).unwrap(), Signal::INT).unwrap();
    let asked = std::time::Instant::now();
    let run = machine.end(child, &arguments);
    assert_eq!(run.status, Some(130), "{}", run.stderr);
    assert!(asked.elapsed() < Duration::from_secs(9));
    assert!(!machine.home.path().join("ran").exists() && machine.sandbox.tokens().is_empty());
}

#[test]
fn a_git_identity_that_cannot_be_had_is_an_error_and_the_token_is_revoked() {
    let machine = Machine::new();
    machine.sandbox.fault(
        Call::Installation,
        When::Every,
        Fault::github(404, "Not Found"),
    );
    let installation = ["--installation-id", "10001", "--git-identity"];
    let arguments = with(&["create"], &[&READ_A[..], &installation].concat());
    let run = machine.run(&arguments);
    assert_eq!(run.status, Some(1), "{}", run.stderr);
    assert!(run.stdout.is_empty() && run.stderr.contains("is revoked again"));
    assert_eq!(machine.sandbox.tokens()[0].state, TokenState::Revoked);
}

#[test]
fn a_revocation_that_fails_is_a_warning_and_keeps_the_command_s_status() {
    let machine = Machine::new();
    machine
        .sandbox
        .fault(Call::Revoke, When::Every, Fault::github(403, "no"));
    let run = machine
        .run(&with(&["exec"], &[&READ_A[..], &["--", "true"]].concat()))
        .good();
    assert!(
        run.stderr
            .contains("warning: The token could not be revoked; it ends by itself at "),
        "{}",
        run.stderr
    );
}

#[test]
fn revoke_takes_the_token_from_standard_input_or_the_environment() {
    let mut machine = Machine::new();
    for from_stdin in [true, false] {
        machine
            .run_with_token(&with(&["create"], &READ_A), None)
            .good();
        let token = machine.sandbox.tokens().last().unwrap().value.clone();
        let ended = if from_stdin {
            machine.run_with_token(&["revoke"], Some(&format!("{token}\n")))
        } else {
            machine.env.push(("GH_TOKEN".into(), token.clone()));
            let ended = machine.run(&["revoke"]);
            machine.env.pop();
            ended
        };
        assert!(ended.good().stderr.contains("The token is revoked."));
        assert_eq!(
            machine.sandbox.tokens().last().unwrap().state,
            TokenState::Revoked
        );
        let again = machine.run_with_token(&["revoke"], Some(&token)).good();
        assert!(again.stderr.contains("revoked or expired already"));
    }
    machine.run(&["revoke"]).bad(1, "no token was given");
    machine
        .run_with_token(&["revoke"], Some("not a token"))
        .bad(1, "what was given is no token");
}

#[test]
fn verbose_tells_every_request_and_no_secret() {
    let machine = Machine::new();
    let made = machine
        .run_with_token(&with(&["create", "-v"], &READ_A), None)
        .good();
    for part in [
        "debug: KMS Sign: POST http://127.0.0.1",
        "/access_tokens -> 201",
        "signed by arn:aws:kms:",
    ] {
        assert!(made.stderr.contains(part), "{}", made.stderr);
    }
}

#[test]
fn a_proxy_and_a_private_authority_are_used() {
    let sandbox = Sandbox::builder()
        .tls(true)
        .proxy_credentials("me", "p@ss w%rd")
        .start()
        .unwrap();
    let machine = Machine::with(sandbox, world::SIGNER_SESSION);
    let ca = machine.home.file("ca.pem", machine.sandbox.ca_pem());
    let mut machine = machine.var("SSL_CERT_FILE", ca.to_str().unwrap());
    let proxy = machine.sandbox.proxy_url();
    // The services' real names, which only the proxy knows here.
    machine
        .env
        .retain(|(name, _)| !name.starts_with("AWS_ENDPOINT_URL") && name != "GITHUB_API_URL");
    let mut machine = machine.var("HTTPS_PROXY", &proxy);
    machine
        .run_with_token(&with(&["create"], &READ_A), None)
        .good();
    let seen = machine.sandbox.requests_of(Call::Mint);
    assert_eq!(seen[0].through_proxy.as_deref(), Some("api.github.com:443"));

    let trusted = machine.env.clone();
    machine.env.retain(|(name, _)| name != "SSL_CERT_FILE");
    machine
        .run(&with(&["create"], &READ_A))
        .bad(1, "the server's certificate was not accepted");
    machine.env = trusted;
    machine.env.retain(|(name, _)| name != "HTTPS_PROXY");
    machine
        .env
        .push(("HTTPS_PROXY".into(), proxy.replace("me:", "you:")));
    machine
        .run(&with(&["create"], &READ_A))
        .bad(1, "the proxy refused the connection");
}
