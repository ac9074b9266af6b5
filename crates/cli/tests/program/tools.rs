//! `permissions`, `policy`, `doctor`, `completions`, `man`.

use crate::run::{APP, Machine};
use app_token_sandbox::{Call, world};

fn doctor(machine: &Machine, more: &[&str]) -> (Option<i32>, serde_json::Value) {
    let arguments: Vec<&str> = ["doctor", "--json"].iter().chain(more).copied().collect();
    let run = machine.run(&arguments);
    let json = serde_json::from_str(&run.stdout)
        .unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr));
    (run.status, json)
}

fn status<'a>(json: &'a serde_json::Value, check: &str) -> &'a str {
    let checks = json["checks"].as_array().unwrap();
    let found = checks.iter().find(|one| one["check"] == check);
    found
        .and_then(|one| one["status"].as_str())
        .unwrap_or("absent")
}

#[test]
fn doctor_finds_everything_in_order_and_makes_no_token() {
    let machine = Machine::of_admin();
    let more = [&APP[..], &["-r", "repo-a", "-p", "contents=write"]].concat();
    let (code, json) = doctor(&machine, &more);
    assert_eq!((code, &json["ok"]), (Some(0), &true.into()), "{json:#}");
    for check in json["checks"].as_array().unwrap() {
        assert_eq!(check["status"], "ok", "{check}");
    }
    assert!(
        machine.sandbox.tokens().is_empty() && machine.sandbox.requests_of(Call::Mint).is_empty()
    );
}

#[test]
fn doctor_skips_what_the_signer_may_not_see() {
    let machine = Machine::new();
    let (code, json) = doctor(&machine, &APP);
    assert_eq!(code, Some(0), "{json:#}");
    assert_eq!(
        (status(&json, "key"), status(&json, "fingerprint")),
        ("skipped", "skipped")
    );
    assert_eq!((status(&json, "Sign"), status(&json, "App")), ("ok", "ok"));
}

#[test]
fn doctor_names_what_is_wrong_with_a_code_and_a_cure() {
    let machine = Machine::of_admin();
    let app = |key: &'static str| ["--client-id", world::CLIENT_ID, "--kms-key-id", key];
    for (arguments, check, code) in [
        (&app(world::DISABLED_ALIAS)[..], "key", "kms-key-disabled"),
        (&app(world::PENDING_IMPORT_ALIAS), "key", "kms-key-state"),
        (&app(world::ENCRYPT_ALIAS), "key", "kms-key-usage"),
        (&app("alias/nope"), "key", "kms-key-not-found"),
        (&app(world::OTHER_ALIAS), "App", "app-key-wrong"),
        (
            &["--client-id", "Iv1.nobody", "--kms-key-id", world::ALIAS],
            "App",
            "app-unknown",
        ),
        (&["--kms-key-id", world::ALIAS], "App id", "app-id-missing"),
        (
            &[&APP[..], &["--owner", world::SUSPENDED_ORG]].concat(),
            "installation",
            "installation-suspended",
        ),
        (
            &[&APP[..], &["--owner", world::ORG_WITHOUT_APP]].concat(),
            "installation",
            "not-installed",
        ),
        (
            &[&APP[..], &["-r", "nope", "-p", "contents=read"]].concat(),
            "repositories",
            "repository-not-in-installation",
        ),
        (
            &[&APP[..], &["-r", "repo-a", "-p", "administration=write"]].concat(),
            "permissions",
            "permission-not-granted",
        ),
    ] {
        let (status, json) = doctor(&machine, arguments);
        assert_eq!(
            (status, &json["ok"]),
            (Some(1), &false.into()),
            "{arguments:?} {json:#}"
        );
        let checks = json["checks"].as_array().unwrap();
        let failed: Vec<_> = checks
            .iter()
            .filter(|one| one["status"] == "failed")
            .collect();
        assert!(
            failed
                .iter()
                .any(|one| one["check"] == check && one["code"] == code && one["cure"] != ""),
            "{arguments:?}: {failed:?}"
        );
    }
}

#[test]
fn doctor_sees_a_clock_that_is_off_and_a_server_that_is_gone() {
    let machine = Machine::of_admin();
    machine.sandbox.set_github_clock(45);
    assert_eq!(status(&doctor(&machine, &APP).1, "clock"), "warning");
    machine.sandbox.refuse(app_token_sandbox::Service::GitHub);
    let (code, json) = doctor(&machine, &APP);
    assert_eq!(
        (code, status(&json, "GitHub"), status(&json, "clock")),
        (Some(1), "failed", "skipped")
    );
}

#[test]
fn permissions_are_listed_and_searched() {
    let machine = Machine::new();
    let all = machine.run(&["permissions"]).good();
    assert!(all.stdout.lines().count() >= 55 && all.stdout.contains("pull_requests"));
    let some = machine.run(&["permissions", "Pull", "labels"]).good();
    assert!(
        some.stdout.starts_with("pull_requests  read, write  ") && some.stdout.lines().count() == 1
    );
    let json = machine.run(&["permissions", "--json", "workflows"]).good();
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json[0]["name"], "workflows");
    assert_eq!(json[0]["levels"], serde_json::json!(["write"]));
    let none = machine.run(&["permissions", "contens"]);
    assert_eq!(none.status, Some(1));
    assert!(none.stderr.contains("Did you mean contents?"));
}

#[test]
fn policies_need_aws_and_github_only_for_what_was_not_given() {
    let machine = Machine::new();
    let account = ["--account", world::ACCOUNT_ID];
    let run = |arguments: &[&str]| -> serde_json::Value {
        serde_json::from_str(&machine.run(arguments).good().stdout).unwrap()
    };
    let trust = run(&[&["policy", "trust", "--repository-id", "1"][..], &account].concat());
    assert_eq!(
        trust["Statement"][0]["Condition"]["StringLike"]["token.actions.githubusercontent.com:sub"],
        "repo:*"
    );
    run(&[&["policy", "key"][..], &account].concat());
    run(&[
        "policy",
        "role",
        "--key",
        "arn:aws:kms:us-east-1:123456789012:key/a-b",
    ]);
    assert!(machine.sandbox.requests().is_empty());
    // Asked of AWS where it was not given.
    let key = run(&["policy", "key"]);
    assert_eq!(
        key["Statement"][0]["Principal"]["AWS"],
        "arn:aws:iam::123456789012:root"
    );
    assert_eq!(
        machine.sandbox.requests_of(Call::GetCallerIdentity).len(),
        1
    );
    for (arguments, message) in [
        (&["policy", "role"][..], "kms-key-id is not set"),
        (
            &["policy", "role", "--key", "alias/x"],
            "kms-key-id is not set",
        ),
        (&["policy", "trust"], "no repository is named"),
        (
            &["policy", "trust", "--repository-id", "x"],
            "\"x\" (--repository-id)",
        ),
        (
            &[
                "policy",
                "trust",
                "--repository-id",
                "1",
                "--job-workflow-ref",
                "release.yml",
            ],
            "(--job-workflow-ref)",
        ),
        (
            &["policy", "trust", "--repository-id", "1", "--subject", "*"],
            "(--subject)",
        ),
        (
            &["policy", "key", "--account", "1"],
            "no account of twelve digits",
        ),
        (
            &["policy", "key", "--sign-role", "role"],
            "an ARN is malformed",
        ),
    ] {
        machine.run(arguments).bad(1, message);
    }
}

#[test]
fn a_repository_s_number_is_looked_up() {
    let machine = Machine::new();
    let arguments = [
        &["create"][..],
        &APP,
        &["-r", "repo-a", "-p", "metadata=read"],
    ]
    .concat();
    machine.run_with_token(&arguments, None).good();
    let token = machine.sandbox.tokens()[0].value.clone();
    let machine = machine.var("GH_TOKEN", &token);
    let trust = machine
        .run(&["policy", "trust", "--repository", "my-org/repo-a"])
        .good();
    let trust: serde_json::Value = serde_json::from_str(&trust.stdout).unwrap();
    let condition = &trust["Statement"][0]["Condition"];
    let id = world::REPO_A_ID.to_string();
    assert_eq!(
        condition["StringEquals"]["token.actions.githubusercontent.com:repository_id"],
        id.as_str()
    );
    let subjects = condition["StringLike"]["token.actions.githubusercontent.com:sub"]
        .as_array()
        .unwrap();
    assert_eq!(subjects[0], "repo:my-org/repo-a:*");
    assert!(
        subjects[1]
            .as_str()
            .unwrap()
            .ends_with(&format!("/repo-a@{id}:*"))
    );
    machine
        .run(&["policy", "trust", "--repository", "my-org/nope"])
        .bad(1, "the repository's number could not be looked up");
}

#[test]
fn stacks_completions_and_pages_are_printed() {
    let machine = Machine::new();
    for (arguments, part) in [
        (
            &[
                "policy",
                "key",
                "--format",
                "cloudformation",
                "--repository-id",
                "7",
            ][..],
            "    Default: \"7\"",
        ),
        (
            &[
                "policy",
                "trust",
                "--format",
                "terraform",
                "--repository-id",
                "7",
            ],
            "  default     = [\"7\"]",
        ),
        (&["completions", "bash"], "complete -F"),
        (&["completions", "zsh"], "#compdef app-token"),
        (&["completions", "fish"], "complete -c app-token"),
        (&["man"], ".TH app-token 1"),
        (&["create", "--help"], "APP_TOKEN_CLIENT_ID"),
    ] {
        let text = machine.run(arguments).good().stdout;
        assert!(text.contains(part), "{arguments:?}");
    }
    machine.run(&["man", "--out", "pages"]).good();
    let pages = std::fs::read_dir(machine.home.path().join("pages"))
        .unwrap()
        .count();
    assert!(pages >= 10, "{pages}");
}
